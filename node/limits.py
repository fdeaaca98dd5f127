"""How often somebody may come: a bucket of tokens each, filled evenly, from which every visit takes one."""

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from matching.errors import WattbookError

MAX_BUCKETS = 100_000
"""How many visitors are remembered; the one who has not come for the longest is forgotten first."""

BURST_S = 20
"""How many seconds' worth of visits may come at once, after a pause."""


class TooManyRequestsError(WattbookError):
    """Somebody comes more often than is allowed.

    Attributes:
        retry_after_s: when the next visit is welcome, in whole seconds from now.
    """

    code = "request.too_many"

    def __init__(self, who: str, per_s: float, wait_s: float) -> None:
        self.retry_after_s = max(1, math.ceil(wait_s))
        super().__init__(f"more than {per_s:g} a second from {who}: come again in {self.retry_after_s} s")


class Rate:
    """A rate that each visitor is held to by itself. Thread-safe.

    Args:
        per_s: visits a second, above 0.
        clock: seconds that never go back.
        most: how many visitors are remembered.
    """

    def __init__(
        self, per_s: float, *, clock: Callable[[], float] = time.monotonic, most: int = MAX_BUCKETS
    ) -> None:
        self._per_s = per_s
        self._size = max(1.0, per_s * BURST_S)
        self._clock = clock
        self._most = most
        self._lock = threading.Lock()
        # Tokens left, and when that was so.
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        """How many visitors are remembered."""
        return len(self._buckets)

    def take(self, visitor: Hashable, name: str) -> None:
        """Let a visitor in; `name` is how a refusal calls it.

        Raises:
            TooManyRequestsError: it has come too often.
        """
        now = self._clock()
        with self._lock:
            left, since = self._buckets.pop(visitor, (self._size, now))
            left = min(self._size, left + (now - since) * self._per_s)
            allowed = left >= 1
            self._buckets[visitor] = (left - 1 if allowed else left, now)
            if len(self._buckets) > self._most:
                self._buckets.popitem(last=False)
        if not allowed:
            raise TooManyRequestsError(name, self._per_s, (1 - left) / self._per_s)


def admission(per_s: float | None) -> Callable[[bytes], None]:
    """What holds each account to a rate; None is none.

    The function raises `TooManyRequestsError` for an account that comes too often.
    """
    if per_s is None:
        return lambda _: None
    rate = Rate(per_s)
    return lambda account: rate.take(account, f"0x{account.hex()}")
