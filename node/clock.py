"""The slot clock: what time it is for the market. Nothing else in the node asks for the time."""

import threading
import time
from collections.abc import Callable
from typing import Protocol

import structlog

from matching.errors import WattbookError
from node.store import Store

_NOW_FACT = "clock now"
_JUMP_S = 5
"""The time of day is kept right by fractions of a second at a time: more is a jump."""

log = structlog.get_logger(__name__)


class ClockError(WattbookError):
    """A clock was asked to go back."""

    code = "clock.backwards"


class Clock(Protocol):
    """Tells the time, in Unix seconds UTC.

    Who asks must bear that it jumps, and even goes back: machines sleep, and people set their clocks. What has
    been written down stays; a slot that was closed, too early or not, does not open again.
    """

    @property
    def mode(self) -> str:
        """Which kind of clock it is: `real` or `stepped`."""

    def now(self) -> int:
        """The current second."""


class RealClock:
    """The time of day; the log says when it jumps. Thread-safe."""

    mode = "real"

    def __init__(self) -> None:
        self._ahead_s = _ahead_s()

    def now(self) -> int:
        """The current second."""
        ahead_s = _ahead_s()
        jump_s, self._ahead_s = ahead_s - self._ahead_s, ahead_s
        if abs(jump_s) > _JUMP_S:
            log.warning("the clock jumped: it was set, or the machine slept", seconds=round(jump_s))
        return int(time.time())


def _ahead_s() -> float:
    """How far the time of day is ahead of a clock that nobody sets, and that stops while the machine sleeps."""
    return time.time() - time.monotonic()


class SteppedClock:
    """Stands still until it is moved on by hand. Thread-safe.

    Args:
        now: the second it starts at.
        on_change: called with the new second before it takes effect, to remember it.
        look: where others may have moved it to, if they can.
    """

    mode = "stepped"

    def __init__(self, now: int, on_change: Callable[[int], None], look: Callable[[], int] | None = None) -> None:
        self._now = now
        self._on_change = on_change
        self._look = look
        self._moving = threading.Lock()

    def now(self) -> int:
        """The current second."""
        if self._look is not None:
            self._now = max(self._now, self._look())
        return self._now

    def advance_to(self, now: int) -> None:
        """Move on to a later second; to the current one is allowed and changes nothing.

        Raises:
            ClockError: that second is past.
        """
        with self._moving:
            current = self.now()
            if now < current:
                raise ClockError(f"clock is at {current}: cannot go back to {now}")
            if now > current:
                self._on_change(now)
                self._now = now


def remembered_clock(store: Store, start: int) -> SteppedClock:
    """A stepped clock that goes on where the store's last one stopped, or begins at `start`.

    Nodes that share a store have the same time: who moves it on moves it on for all.
    """

    def remembered() -> int:
        found = store.fact(_NOW_FACT)
        return start if found is None else int(found)

    look = remembered if store.is_shared else None
    return SteppedClock(remembered(), lambda changed: store.set_fact(_NOW_FACT, str(changed)), look)
