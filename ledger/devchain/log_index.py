"""Which blocks hold an event of this address, with this topic: an index, so that no query scans blocks.

Each block writes one key per distinct term of its logs, the term followed by the block number. All blocks
of a term thus lie side by side in order, and a query leaps from one candidate block to the next with a few
look-ups, however many blocks lie between.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ledger.chain import Address, Hash, Log
from ledger.devchain.store import Store, Table

NUMBER_BYTES = 8

_ANY_LOG = b"*"
"""The term of every block that has logs at all."""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """What a log must be like; a restriction is a set of which any member will do, or None for no restriction.

    Attributes:
        addresses: who emitted it.
        topics: the topics by position; a filter longer than a log's topics does not match it.
    """

    addresses: frozenset[Address] | None
    topics: tuple[frozenset[Hash] | None, ...]

    @classmethod
    def of(
        cls, address: Address | Sequence[Address] | None, topics: Sequence[Hash | Sequence[Hash] | None]
    ) -> "LogFilter":
        """A filter from the forms that `ledger.chain.Chain.logs` allows."""
        return cls(_any_of(address), tuple(_any_of(topic) for topic in topics))

    def matches(self, log: Log) -> bool:
        """Whether this log is wanted."""
        if self.addresses is not None and log.address not in self.addresses:
            return False
        if len(self.topics) > len(log.topics):
            return False
        pairs = zip(self.topics, log.topics, strict=False)
        return all(wanted is None or topic in wanted for wanted, topic in pairs)


def _any_of(values: bytes | Sequence[bytes] | None) -> frozenset[bytes] | None:
    if values is None:
        return None
    return frozenset([values] if isinstance(values, bytes) else values)


def add_block(store: Store, number: int, logs: Iterable[Log]) -> None:
    """Index a block's logs; inside the store's write transaction."""
    for term in _terms(logs):
        store.put(Table.LOG_INDEX, _key(term, number), b"")


def remove_block(store: Store, number: int, logs: Iterable[Log]) -> None:
    """Undo `add_block`."""
    for term in _terms(logs):
        store.delete(Table.LOG_INDEX, _key(term, number))


def candidate_blocks(store: Store, first: int, last: int, wanted: LogFilter) -> Iterator[int]:
    """Blocks, ascending, in which every restriction is met by some log, if not all by the same one."""
    restrictions = _restrictions(wanted)
    number = first
    while number <= last:
        candidate = number
        for terms in restrictions:
            following = [n for term in terms if (n := _next_block(store, term, candidate)) is not None]
            if not following:
                return
            candidate = min(following)
        if candidate == number:
            yield number
            number += 1
        else:
            number = candidate


def _restrictions(wanted: LogFilter) -> list[list[bytes]]:
    """Groups of terms; a block is a candidate if it has at least one term of each group."""
    groups = [
        [_topic_term(position, topic) for topic in topics]
        for position, topics in enumerate(wanted.topics)
        if topics is not None
    ]
    if wanted.addresses is not None:
        groups.append([_address_term(address) for address in wanted.addresses])
    return groups or [[_ANY_LOG]]


def _next_block(store: Store, term: bytes, number: int) -> int | None:
    """The first block at or after `number` that has the term."""
    key = store.first_key_from(Table.LOG_INDEX, _key(term, number))
    if key is None or key[:-NUMBER_BYTES] != term:
        return None
    return int.from_bytes(key[-NUMBER_BYTES:])


def _terms(logs: Iterable[Log]) -> set[bytes]:
    terms: set[bytes] = set()
    for log in logs:
        terms.update((_ANY_LOG, _address_term(log.address)))
        terms.update(_topic_term(position, topic) for position, topic in enumerate(log.topics))
    return terms


def _address_term(address: Address) -> bytes:
    return b"a" + address


def _topic_term(position: int, topic: Hash) -> bytes:
    return b"t" + bytes([position]) + topic


def _key(term: bytes, number: int) -> bytes:
    return term + number.to_bytes(NUMBER_BYTES)
