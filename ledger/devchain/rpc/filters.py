"""Filters that clients install and poll: each remembers up to which block it has answered."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from ledger.chain import Address, Hash, Log
from ledger.devchain.chain import DevChain
from ledger.devchain.rpc.errors import LIMIT_EXCEEDED, SERVER_ERROR, RequestFailedError

MAX_LOGS = 10_000
"""Most events of one answer."""

MAX_FILTERS = 1_000
"""Beyond it, the filter that has not been polled for longest goes; clients often forget to uninstall."""


@dataclass(frozen=True, slots=True)
class LogCriteria:
    """Which logs; `last_block` None means whatever the head is."""

    first_block: int
    last_block: int | None
    addresses: list[Address] | None
    topics: Sequence[list[Hash] | None]

    def find(self, chain: DevChain, first_block: int, head: int) -> list[Log]:
        """The logs from `first_block` on, up to this head.

        Raises:
            RequestFailedError: there are more than `MAX_LOGS`.
        """
        found = chain.logs(
            first_block=max(self.first_block, first_block),
            last_block=head if self.last_block is None else min(self.last_block, head),
            address=self.addresses,
            topics=self.topics,
            at_least=MAX_LOGS + 1,
        )
        if len(found) > MAX_LOGS:
            raise RequestFailedError(LIMIT_EXCEEDED, f"query returned more than {MAX_LOGS} results")
        return found


class Arrivals(Enum):
    """What a filter without criteria tells of, by its hash."""

    BLOCKS = auto()
    TRANSACTIONS = auto()
    """As none ever waits, they arrive with their blocks."""


@dataclass(slots=True)
class _Filter:
    watched: LogCriteria | Arrivals
    next_block: int


class Filters:
    """The installed filters of all clients. Safe to use from several threads."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain
        self._lock = threading.Lock()
        self._filters: OrderedDict[int, _Filter] = OrderedDict()
        self._last_id = 0

    def install(self, watched: LogCriteria | Arrivals) -> int:
        """Watch logs, blocks or transactions from now on; returns the filter's number."""
        with self._lock:
            self._last_id += 1
            self._filters[self._last_id] = _Filter(watched, self._chain.head().number + 1)
            while len(self._filters) > MAX_FILTERS:
                self._filters.popitem(last=False)
            return self._last_id

    def uninstall(self, number: int) -> bool:
        """Forget a filter; False if there was none."""
        with self._lock:
            return self._filters.pop(number, None) is not None

    def changes(self, number: int) -> list[Log] | list[Hash]:
        """What is new since the last time: logs, or hashes of blocks or transactions."""
        with self._lock:
            installed = self._find(number)
            head = self._chain.head().number
            # After a revert the chain is shorter than what has been told already.
            first = min(installed.next_block, head + 1)
            found = self._new(installed.watched, first, head)
            installed.next_block = head + 1
            return found

    def _new(self, watched: LogCriteria | Arrivals, first: int, head: int) -> list[Log] | list[Hash]:
        if isinstance(watched, LogCriteria):
            return watched.find(self._chain, first, head)
        blocks = [block for number in range(first, head + 1) if (block := self._chain.block(number)) is not None]
        if watched is Arrivals.BLOCKS:
            return [block.hash for block in blocks]
        return [transaction for block in blocks for transaction in block.transaction_hashes]

    def all_logs(self, number: int) -> list[Log]:
        """Everything a log filter matches, told already or not."""
        with self._lock:
            watched = self._find(number).watched
            if not isinstance(watched, LogCriteria):
                raise RequestFailedError(SERVER_ERROR, "filter not found")
            return watched.find(self._chain, 0, self._chain.head().number)

    def _find(self, number: int) -> _Filter:
        if number not in self._filters:
            raise RequestFailedError(SERVER_ERROR, "filter not found")
        self._filters.move_to_end(number)
        return self._filters[number]
