"""The history as an auditor reads it: the contracts' events in chain order, and the transactions behind them.

Read window by window, so that its length does not matter, and many blocks and transactions at a time, so that the
way to the endpoint does not matter much either.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ledger import chain as ports
from ledger.abi import Event
from ledger.chain import ZERO_ADDRESS, Chain, ChainError, Log, Transaction
from ledger.deployment import Contracts

AUDITED = ("exchange", "escrow", "markets", "devices", "issuance", "certificates", "challenges")
"""The contracts whose events are replayed."""

FIRST_WINDOW_BLOCKS = 2_000
_MOST_WINDOW_BLOCKS = 1_000_000
# Windows grow and shrink to hold about as many events.
_FEW_LOGS, _MANY_LOGS = 2_000, 8_000
# Their calldata may be 128 KiB each, and are in memory together.
_TRANSACTIONS_AT_ONCE = 64
# Events of which it does not matter who caused them; but of certificates issued in a batch it does.
_UNASKED = frozenset(
    {"Deposited", "TransferSingle", "TransferBatch", "ClaimSingle", "ClaimBatch", "ApprovalForAll", "Exported"}
    | {"Stored", "Discharged", "DebtPaid"}
)


class ChangedHistoryError(ChainError):
    """A re-organisation changed the chain while it was read: audit again."""

    code = "audit.changed"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event, the time of its block, and the transaction it happened in, where that matters.

    Attributes:
        contract: its field in `Contracts`.
    """

    contract: str
    event: Event
    timestamp: int
    call: Transaction | None

    @property
    def block(self) -> int:
        """Number of the block it happened in."""
        return self.event.log.block_number

    @property
    def transaction(self) -> bytes:
        """Hash of the transaction it happened in."""
        return self.event.log.transaction_hash


@dataclass(frozen=True, slots=True)
class Window:
    """Some blocks in a row and what happened in them; `occurrences` is read once."""

    last_block: int
    occurrences: Iterator[Occurrence]


class History:
    """Reads one exchange's history.

    Args:
        window_blocks: how many blocks to begin with; the windows adapt.
    """

    def __init__(self, chain: Chain, contracts: Contracts, *, window_blocks: int = FIRST_WINDOW_BLOCKS) -> None:
        self._chain = chain
        self._by_name = {name: getattr(contracts, name) for name in AUDITED}
        self._by_address = {contract.address: name for name, contract in self._by_name.items()}
        self._window_blocks = window_blocks

    def windows(self, first_block: int, last_block: int) -> Iterator[Window]:
        """Every event of the audited contracts in these blocks, in chain order."""
        start, span = first_block, self._window_blocks
        while start <= last_block:
            end = min(start + span - 1, last_block)
            logs = self._chain.logs(first_block=start, last_block=end, address=list(self._by_address))
            yield Window(end, self._occurrences(logs))
            start = end + 1
            if len(logs) > _MANY_LOGS:
                span = max(span // 2, 1)
            elif len(logs) < _FEW_LOGS:
                span = min(span * 2, _MOST_WINDOW_BLOCKS)

    def _occurrences(self, logs: Sequence[Log]) -> Iterator[Occurrence]:
        for group in _groups(logs):
            timestamps = self._timestamps(group)
            decoded = [(name := self._by_address[log.address], self._decoded(name, log)) for log in group]
            calls = self._transactions([event for _, event in decoded if event is not None])
            for name, event in decoded:
                if event is not None:
                    call = calls.get(event.log.transaction_hash) if _is_asked(event) else None
                    yield Occurrence(name, event, timestamps[event.log.block_number], call)

    def _decoded(self, name: str, log: Log) -> Event | None:
        event: Event | None = self._by_name[name].interface.decode_event(log)
        return event

    def _timestamps(self, logs: Sequence[Log]) -> dict[int, int]:
        hashes = {log.block_number: log.block_hash for log in logs}
        numbers = list(hashes)
        found = ports.blocks(self._chain, numbers)
        for number, block in zip(numbers, found, strict=True):
            if block is None or block.hash != hashes[number]:
                raise ChangedHistoryError(f"block {number} was re-organised while it was audited: audit again")
        return {block.number: block.timestamp for block in found if block is not None}

    def _transactions(self, events: Sequence[Event]) -> dict[bytes, Transaction]:
        wanted = list(dict.fromkeys(each.log.transaction_hash for each in events if _is_asked(each)))
        found = ports.transactions(self._chain, wanted)
        for wanted_hash, transaction in zip(wanted, found, strict=True):
            if transaction is None:
                raise ChangedHistoryError(
                    f"transaction 0x{wanted_hash.hex()} is gone, or the endpoint is: audit again"
                )
        return {each.hash: each for each in found if each is not None}


def _is_asked(event: Event) -> bool:
    """Whether it matters who caused an event, and by which call."""
    is_issuance = event.name == "TransferBatch" and event.arguments["_from"] == ZERO_ADDRESS
    return is_issuance or event.name not in _UNASKED


def _groups(logs: Sequence[Log]) -> Iterator[list[Log]]:
    """The logs, so many transactions' at a time."""
    group: list[Log] = []
    transactions: set[bytes] = set()
    for log in logs:
        if log.transaction_hash not in transactions and len(transactions) == _TRANSACTIONS_AT_ONCE:
            yield group
            group, transactions = [], set()
        group.append(log)
        transactions.add(log.transaction_hash)
    if group:
        yield group
