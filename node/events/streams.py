"""The open streams of events: how many there may be, and what wakes them up."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from matching.errors import WattbookError
from node.store import Store

MAX_STREAMS = 256
MAX_STREAMS_OF_ONE = 16
"""How many streams one node feeds, and how many of them may be one visitor's."""

_POLL_S = 0.2
_RETRY_AFTER_S = 30


class TooManyStreamsError(WattbookError):
    """As many streams of events are open as the node feeds, or feeds one address.

    Attributes:
        retry_after_s: when to come again, seconds from now.
    """

    code = "event.too_many_streams"
    retry_after_s = _RETRY_AFTER_S


class Streams:
    """The streams of one node. They keep nothing: each reads from the store at its reader's pace.

    The store is asked for news once for all streams, a few times a second, as several nodes may write to it.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._open: Counter[Hashable] = Counter()
        self._counting = threading.Lock()
        self._looking = asyncio.Lock()
        self._latest, self._looked_at = 0, 0.0
        self.is_closed = False

    def __len__(self) -> int:
        """How many streams are open."""
        return self._open.total()

    def close(self) -> None:
        """Let all streams end soon; their readers know where to go on."""
        self.is_closed = True

    @contextmanager
    def opened(self, visitor: Hashable) -> Iterator[None]:
        """Count a stream of a visitor's, from here to the block's end.

        Raises:
            TooManyStreamsError: there are too many.
        """
        with self._counting:
            if self._open.total() >= MAX_STREAMS:
                raise TooManyStreamsError(f"{MAX_STREAMS} streams of events are open: no more are fed here")
            if self._open[visitor] >= MAX_STREAMS_OF_ONE:
                raise TooManyStreamsError(f"{MAX_STREAMS_OF_ONE} streams of events are open from your address")
            self._open[visitor] += 1
        try:
            yield
        finally:
            with self._counting:
                self._open[visitor] -= 1
                self._open += Counter()  # forgets visitors that have none left

    async def latest(self) -> int:
        """A moment later: the number of the latest event.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        await asyncio.sleep(_POLL_S)
        async with self._looking:
            if time.monotonic() - self._looked_at >= _POLL_S / 2:
                _, self._latest = await asyncio.to_thread(self._store.event_numbers)
                self._looked_at = time.monotonic()
            return self._latest
