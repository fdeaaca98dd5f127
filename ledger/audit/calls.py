"""What the transactions behind events say: settlements, deliveries and the like, decoded from calldata.

Calldata is readable where a transaction calls the contract itself. What went through another contract, a wallet or
a multicall, left its effects on chain, but not its words.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_abi.exceptions import DecodingError

from ledger.abi import Interface
from ledger.audit.history import AUDITED, Occurrence
from ledger.batches import FilledOrder, MemberReading, unpack_fill, unpack_reading
from ledger.chain import Chain
from ledger.deployment import Contracts
from ledger.eip712 import Domain
from matching.errors import WattbookError


class UnreadableCallError(WattbookError):
    """A call cannot be decoded; `rule` says why: "history.indirect" or "history.unreadable"."""

    code = "audit.unreadable"

    def __init__(self, rule: str, message: str) -> None:
        super().__init__(message)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class Batch:
    """A settlement's calldata.

    Attributes:
        well_formed: of each fill, whether its words have no stray bits.
        approvals: 65-byte signatures.
    """

    price: int
    fills: list[FilledOrder]
    well_formed: list[bool]
    more: bool
    approvals: list[bytes]


class Calls:
    """Decodes the calls of one exchange's contracts."""

    def __init__(self, chain: Chain, contracts: Contracts) -> None:
        self._by_name = {name: getattr(contracts, name) for name in AUDITED}
        self.domain = Domain(chain.chain_id, contracts.exchange.address)
        self.addresses: dict[str, bytes] = {name: each.address for name, each in self._by_name.items()}

    def came_through(self, occurrence: Occurrence) -> str | None:
        """The audited contract that the transaction called, or None if it called anything else."""
        to = occurrence.call.to if occurrence.call is not None else None
        return next((name for name, address in self.addresses.items() if address == to), None)

    def settlement(self, occurrence: Occurrence) -> Batch:
        """What was settled.

        Raises:
            UnreadableCallError: the transaction is not a settlement, or holds no valid orders.
        """
        arguments = self._arguments(occurrence, "settle")
        words = arguments["fills"]
        return Batch(
            price=arguments["price"],
            fills=[self._order(occurrence, arguments, each) for each in words],
            well_formed=[_is_well_formed(each) for each in words],
            more=arguments["more"],
            approvals=[_signature(approval) for approval in arguments["approvals"]],
        )

    def readings(self, occurrence: Occurrence) -> list[MemberReading]:
        """What was delivered.

        Raises:
            UnreadableCallError: the transaction is not a delivery.
        """
        return [unpack_reading(word) for word in self._arguments(occurrence, "deliver")["readings"]]

    def certification(self, occurrence: Occurrence) -> dict[str, Any]:
        """Issuances, consumptions, moves and matches of a certification.

        Raises:
            UnreadableCallError: the transaction is not a certification.
        """
        return self._arguments(occurrence, "certify")

    def issuance(self, occurrence: Occurrence) -> tuple[str, dict[str, Any]]:
        """The call of the Issuance contract behind certificates that were issued: its function and arguments.

        Raises:
            UnreadableCallError: the transaction does not call it.
        """
        return self._decoded("issuance", occurrence)

    def overdrawn(self, occurrence: Occurrence) -> tuple[list[FilledOrder], list[dict[str, Any]]]:
        """The bids by which an account was shown to be overdrawn, and their places in the book.

        Raises:
            UnreadableCallError: the transaction is not such a report.
        """
        arguments = self._arguments(occurrence, "report_overdrawn")
        bids = [self._order(occurrence, arguments, each) for each in arguments["bids"]]
        return bids, arguments["places"]

    def posted(self, occurrence: Occurrence) -> FilledOrder:
        """The order in an `OrderPosted` event, which carries it whole.

        Raises:
            UnreadableCallError: it is not an order.
        """
        arguments = occurrence.event.arguments
        return self._order(occurrence, arguments, arguments["order"])

    def _order(self, occurrence: Occurrence, about: Mapping[str, Any], words: Mapping[str, int]) -> FilledOrder:
        try:
            return unpack_fill(self.domain, about["market"], about["slot"], words)
        except (WattbookError, ValueError) as error:
            raise UnreadableCallError("history.unreadable", f"{_name(occurrence)}: {error}") from error

    def _arguments(self, occurrence: Occurrence, function: str) -> dict[str, Any]:
        called, arguments = self._decoded(occurrence.contract, occurrence)
        about = occurrence.event.arguments
        if called != function or any(arguments[key] != about[key] for key in ("market", "slot")):
            raise UnreadableCallError(
                "history.unreadable", f"{_name(occurrence)} is no {function} of slot {about['slot']}"
            )
        return arguments

    def _decoded(self, contract_name: str, occurrence: Occurrence) -> tuple[str, dict[str, Any]]:
        contract, transaction = self._by_name[contract_name], occurrence.call
        name = _name(occurrence)
        if transaction is None or transaction.to != contract.address:
            to = (
                "a contract's creation"
                if transaction is None or transaction.to is None
                else f"0x{transaction.to.hex()}"
            )
            raise UnreadableCallError(
                "history.indirect", f"not auditable from calldata: {name} was sent through {to}"
            )
        interface: Interface = contract.interface
        try:
            return interface.decode_call(transaction.input)
        except (KeyError, DecodingError) as error:
            raise UnreadableCallError("history.unreadable", f"{name}: {error!r}") from error


def _is_well_formed(words: Mapping[str, int]) -> bool:
    """As `is_well_formed` in `contracts/orders.vy`; the preference is checked in decoding."""
    return words["who"] >> 224 == 0 and words["terms"] >> 242 == 0 and words["terms"] >> 23 & 0x1FF == 0


def _signature(approval: Mapping[str, int]) -> bytes:
    r, s = approval["r"].to_bytes(32, "big"), approval["s"].to_bytes(32, "big")
    return r + s + bytes([min(approval["v"], 255)])


def _name(occurrence: Occurrence) -> str:
    return f"0x{occurrence.transaction.hex()}"
