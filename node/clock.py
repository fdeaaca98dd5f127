"""The slot clock: what time it is for the market. Nothing else in the node asks for the time."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

from matching.errors import WattbookError
from node.store import Store

_NOW_FACT = "clock now"


class ClockError(WattbookError):
    """A clock was asked to go back."""

    code = "clock.backwards"


class Clock(Protocol):
    """Tells the time, in Unix seconds UTC. It never goes back."""

    @property
    def mode(self) -> str:
        """Which kind of clock it is: `real` or `stepped`."""

    def now(self) -> int:
        """The current second."""


class RealClock:
    """The time of day."""

    mode = "real"

    def now(self) -> int:
        """The current second."""
        return int(time.time())


class SteppedClock:
    """Stands still until it is moved on by hand. Thread-safe.

    Args:
        now: the second it starts at.
        on_change: called with the new second before it takes effect, to remember it.
    """

    mode = "stepped"

    def __init__(self, now: int, on_change: Callable[[int], None]) -> None:
        self._now = now
        self._on_change = on_change
        self._moving = threading.Lock()

    def now(self) -> int:
        """The current second."""
        return self._now

    def advance_to(self, now: int) -> None:
        """Move on to a later second; to the current one is allowed and changes nothing.

        Raises:
            ClockError: that second is past.
        """
        with self._moving:
            if now < self._now:
                raise ClockError(f"clock is at {self._now}: cannot go back to {now}")
            if now > self._now:
                self._on_change(now)
                self._now = now


def remembered_clock(store: Store, start: int) -> SteppedClock:
    """A stepped clock that goes on where the store's last one stopped, or begins at `start`."""
    remembered = store.fact(_NOW_FACT)
    now = start if remembered is None else int(remembered)
    return SteppedClock(now, lambda changed: store.set_fact(_NOW_FACT, str(changed)))
