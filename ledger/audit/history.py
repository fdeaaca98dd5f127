"""The history as an auditor reads it: the contracts' events in chain order, with the calls that caused them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ledger.abi import Event
from ledger.batches import FilledOrder, MemberReading, unpack_fill, unpack_reading
from ledger.chain import Chain, ChainError
from ledger.deployment import Contracts
from ledger.eip712 import Domain
from matching.errors import WattbookError

_WINDOW_BLOCKS = 2_000
_AUDITED = ("exchange", "escrow", "markets", "certificates")


class UnreadableHistoryError(ChainError):
    """A transaction that the events speak of cannot be found or decoded."""

    code = "audit.unreadable"


@dataclass(frozen=True, slots=True)
class Occurrence:
    """An event and the time of its block; `contract` is its field in `Contracts`."""

    contract: str
    event: Event
    timestamp: int

    @property
    def block(self) -> int:
        """Number of the block it happened in."""
        return self.event.log.block_number

    @property
    def transaction(self) -> bytes:
        """Hash of the transaction it happened in."""
        return self.event.log.transaction_hash


class History:
    """Reads one exchange's history block range by block range, so that its length does not matter."""

    def __init__(self, chain: Chain, contracts: Contracts) -> None:
        self._chain = chain
        self._by_name = {name: getattr(contracts, name) for name in _AUDITED}
        self._by_address = {contract.address: name for name, contract in self._by_name.items()}
        self._domain = Domain(chain.chain_id, contracts.exchange.address)
        self.withdrawal_notice_s: int = contracts.escrow.read("withdrawal_notice_s")

    def occurrences(self, first_block: int, last_block: int) -> Iterator[Occurrence]:
        """Every event of the audited contracts in these blocks, in chain order."""
        for start in range(first_block, last_block + 1, _WINDOW_BLOCKS):
            end = min(start + _WINDOW_BLOCKS - 1, last_block)
            logs = self._chain.logs(first_block=start, last_block=end, address=list(self._by_address))
            timestamps: dict[int, int] = {}
            for log in logs:
                if log.block_number not in timestamps:
                    block = self._chain.block(log.block_number)
                    if block is None:
                        raise UnreadableHistoryError(f"block {log.block_number} is missing")
                    timestamps[log.block_number] = block.timestamp
                name = self._by_address[log.address]
                event = self._by_name[name].interface.decode_event(log)
                if event is not None:
                    yield Occurrence(name, event, timestamps[log.block_number])

    def fills(self, occurrence: Occurrence) -> tuple[int, list[FilledOrder]]:
        """Price and filled orders of a settlement, from its calldata.

        Raises:
            UnreadableHistoryError: the transaction is not a settlement of the exchange, or holds no valid orders.
        """
        arguments = self._call(occurrence, "settle")
        market, slot = arguments["market"], arguments["slot"]
        try:
            fills = [unpack_fill(self._domain, market, slot, words) for words in arguments["fills"]]
        except (WattbookError, ValueError) as error:
            raise UnreadableHistoryError(f"settlement of slot {slot}: {error}") from error
        return arguments["price"], fills

    def readings(self, occurrence: Occurrence) -> list[MemberReading]:
        """Readings of a delivery, from its calldata.

        Raises:
            UnreadableHistoryError: the transaction is not a delivery of the exchange.
        """
        return [unpack_reading(word) for word in self._call(occurrence, "deliver")["readings"]]

    def certified(self, occurrence: Occurrence) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Issuances and moves of a certification, from its calldata.

        Raises:
            UnreadableHistoryError: the transaction is not a certification of the certificates contract.
        """
        arguments = self._call(occurrence, "certify")
        return arguments["issuances"], arguments["moves"]

    def _call(self, occurrence: Occurrence, function: str) -> dict[str, Any]:
        contract = self._by_name[occurrence.contract]
        transaction = self._chain.transaction(occurrence.transaction)
        if transaction is None or transaction.to != contract.address:
            raise UnreadableHistoryError(
                f"0x{occurrence.transaction.hex()} is not a call of the {occurrence.contract}"
            )
        try:
            name, arguments = contract.interface.decode_call(transaction.input)
        except KeyError as error:
            raise UnreadableHistoryError(f"0x{occurrence.transaction.hex()}: unknown function") from error
        if name != function:
            raise UnreadableHistoryError(f"0x{occurrence.transaction.hex()} calls {name}, not {function}")
        return arguments
