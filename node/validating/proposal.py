"""A proposed settlement as the node states it. Nothing here is believed; `node.validating.checks` checks it."""

import json
from dataclasses import dataclass
from typing import Any, Self

from ledger.eip712 import SignedOrder
from ledger.hexcodec import from_data
from matching.errors import WattbookError
from matching.orders import CertificatePreference, Order, Side
from node.client import Call, Request, WattbookClient, ask, operation
from node.store.records import OrderRecord, OrderStatus, SlotState
from node.validating.errors import RefusalError


@dataclass(frozen=True, slots=True)
class StatedOrder:
    """An order of a proposal, and whether it is said to be in the book."""

    record: OrderRecord
    in_book: bool


@dataclass(frozen=True, slots=True)
class StatedProposal:
    """What the node says it is about to settle."""

    slot: int
    price: int
    digest: bytes
    orders: tuple[StatedOrder, ...]

    @classmethod
    def parse(cls, fields: dict[str, Any]) -> Self:
        """From JSON.

        Raises:
            RefusalError: it is not a proposal.
        """
        try:
            return cls(
                slot=_integer(fields["slot"]),
                price=_integer(fields["price"]),
                digest=from_data(fields["digest"]),
                orders=tuple(_order(order) for order in fields["orders"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError, WattbookError) as error:
            raise RefusalError("malformed", f"the proposal cannot be read: {error!r}") from error


class ProposalClient(WattbookClient):
    """A validator's way to a node."""

    @operation
    def cleared_slots(self) -> Call[list[int]]:
        """The slots that the node has cleared and not settled, at most a page, the latest first."""
        params = {"state": SlotState.CLEARED.value, "limit": 1_000}
        answer = yield from ask(Request("GET", "/v1/slots", params=params))
        return self._parsed(lambda fields: [int(item["slot"]) for item in fields["items"]], answer)

    @operation
    def proposal(self, slot: int) -> Call[dict[str, Any]]:
        """What is proposed for a slot, as it was sent."""
        return (yield from ask(Request("GET", f"/v1/slots/{slot}/proposal")))

    @operation
    def approvers(self, slot: int) -> Call[list[bytes]]:
        """Who has approved what is proposed for a slot."""
        answer = yield from ask(Request("GET", f"/v1/slots/{slot}/approvals"))
        return self._parsed(
            lambda fields: [from_data(entry["validator"]) for entry in fields["approvals"]], answer
        )

    @operation
    def approve(self, slot: int, validator: bytes, signature: bytes) -> Call[None]:
        """Hand in an approval; the same one again changes nothing."""
        body = {"validator": f"0x{validator.hex()}", "signature": f"0x{signature.hex()}"}
        yield from ask(Request("POST", f"/v1/slots/{slot}/approvals", json=body))


def _order(fields: dict[str, Any]) -> StatedOrder:
    order = Order(
        account=from_data(fields["account"]),
        market=from_data(fields["market"]),
        slot=_integer(fields["slot"]),
        side=Side[fields["side"].upper()],
        price=_integer(fields["price"]),
        quantity_wh=_integer(fields["quantity_wh"]),
        certificates=CertificatePreference[fields["certificates"].upper()],
        epoch=_integer(fields["epoch"]),
        expires_at=_integer(fields["expires_at"]),
        salt=int(fields["salt"]),
    )
    receipt, statement = fields["receipt"], fields["statement"]
    record = OrderRecord(
        signed=SignedOrder(order, from_data(fields["hash"]), from_data(fields["signature"])),
        index=_integer(fields["index"]),
        received_at=_integer(fields["received_at"]),
        receipt_signature=None if receipt is None else from_data(receipt["signature"]),
        status=OrderStatus.CLOSED,
        fill_wh=_integer(fields["fill_wh"]),
        amount_nano=int(fields["amount"]),
        reason=fields["reason"],
        wishes=None if statement is None else json.dumps(statement, sort_keys=True, separators=(",", ":")),
        posted=bool(fields["posted"]),
    )
    return StatedOrder(record, in_book=bool(fields["in_book"]))


def _integer(value: object) -> int:
    # A float would pass every comparison, and break what takes it for an integer later.
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not an integer")
    return value
