"""Filters that clients install and poll: each remembers up to which block it has answered."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.chain import Address, Hash, Log
from ledger.devchain.chain import DevChain
from ledger.devchain.rpc.errors import SERVER_ERROR, RequestFailedError

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
        """The logs from `first_block` on, up to this head."""
        return chain.logs(
            first_block=max(self.first_block, first_block),
            last_block=head if self.last_block is None else min(self.last_block, head),
            address=self.addresses,
            topics=self.topics,
        )


@dataclass(slots=True)
class _Filter:
    criteria: LogCriteria | None
    """None: new blocks."""

    next_block: int


class Filters:
    """The installed filters of all clients. Safe to use from several threads."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain
        self._lock = threading.Lock()
        self._filters: OrderedDict[int, _Filter] = OrderedDict()
        self._last_id = 0

    def install(self, criteria: LogCriteria | None) -> int:
        """Watch logs, or, without criteria, blocks, from now on; returns the filter's number."""
        with self._lock:
            self._last_id += 1
            self._filters[self._last_id] = _Filter(criteria, self._chain.head().number + 1)
            while len(self._filters) > MAX_FILTERS:
                self._filters.popitem(last=False)
            return self._last_id

    def uninstall(self, number: int) -> bool:
        """Forget a filter; False if there was none."""
        with self._lock:
            return self._filters.pop(number, None) is not None

    def changes(self, number: int) -> list[Log] | list[Hash]:
        """What is new since the last time: logs, or block hashes."""
        with self._lock:
            watched = self._find(number)
            head = self._chain.head().number
            # After a revert the chain is shorter than what has been told already.
            first, watched.next_block = min(watched.next_block, head + 1), head + 1
            if watched.criteria is not None:
                return watched.criteria.find(self._chain, first, head)
            blocks = (self._chain.block(block_number) for block_number in range(first, head + 1))
            return [block.hash for block in blocks if block is not None]

    def all_logs(self, number: int) -> list[Log]:
        """Everything a log filter matches, told already or not."""
        with self._lock:
            criteria = self._find(number).criteria
            if criteria is None:
                raise RequestFailedError(SERVER_ERROR, "filter not found")
            return criteria.find(self._chain, 0, self._chain.head().number)

    def _find(self, number: int) -> _Filter:
        if number not in self._filters:
            raise RequestFailedError(SERVER_ERROR, "filter not found")
        self._filters.move_to_end(number)
        return self._filters[number]
