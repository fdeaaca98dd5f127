"""`/v1/orders`: place, find and cancel orders. An order's id is its EIP-712 hash."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Header
from pydantic import BaseModel, ConfigDict, Field

from ledger.eip712 import SignedOrder
from ledger.intents import IntentRecord
from matching.orders import MAX_TIME, CertificatePreference, Order, Side
from matching.wishes import Trait
from node.api.fields import Address, Hash, Signature, Uint64
from node.api.onchain import OnChain, on_chain
from node.api.paging import Cursor, Limit, Page, cut, numbers
from node.api.services import Parts
from node.store.errors import UnknownOrderError
from node.store.records import OrderRecord, OrderStatus
from node.wishes import StatedWish, Statement

router = APIRouter(prefix="/orders", tags=["orders"])


class SideName(StrEnum):
    """Which way the energy goes."""

    BID = "bid"
    OFFER = "offer"


class CertificatesName(StrEnum):
    """What happens to the certificates of the traded energy."""

    UNBUNDLED = "unbundled"
    BUNDLED = "bundled"
    AUTO_RETIRE = "auto_retire"


class SourceName(StrEnum):
    """How an order came: placed with the node, or posted on chain by its account (perhaps after placing it)."""

    PLACED = "placed"
    POSTED = "posted"


class WishFields(BaseModel):
    """A wish about whom to trade with, in a market that clears by preference; see `node.wishes`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    trait: Annotated[Trait, Field(strict=False)]
    accepted: list[str]
    premium: int | None = None


class StatementFields(BaseModel):
    """An order's wishes; the order's salt is the hash of this statement, so its signature covers it."""

    model_config = ConfigDict(extra="forbid", strict=True)

    wishes: list[WishFields]
    nonce: int


class OrderFields(BaseModel):
    """An order's own fields, as its account signs them."""

    model_config = ConfigDict(extra="forbid", strict=True)

    account: Address
    market: Hash
    slot: int
    side: Annotated[SideName, Field(strict=False)]
    price: int
    quantity_wh: int
    certificates: Annotated[CertificatesName, Field(strict=False)] = CertificatesName.AUTO_RETIRE
    epoch: int = 0
    expires_at: int = MAX_TIME
    salt: Uint64 = 0
    signature: Signature
    statement: StatementFields | None = None


class ReceiptOut(BaseModel):
    """The operator's signed word that it took the order, as number `index` of its slot."""

    order: Hash
    market: Hash
    slot: int
    index: int
    received_at: int
    operator: Address
    signature: Signature


class OrderOut(OrderFields):
    """An order, its receipt and what has become of it.

    `amount_nano` is what it pays or receives where each order has its own amount; null where there is one price.
    `index` is its place in the slot: of arrival, and orders that were only posted come last. These have no
    receipt, and `received_at` says when they were posted.
    """

    hash: Hash
    source: SourceName
    index: int
    received_at: int
    status: OrderStatus
    fill_wh: int
    amount_nano: str | None
    reason: str | None
    receipt: ReceiptOut | None
    settlement: OnChain | None


@router.post("")
def place_order(fields: OrderFields, parts: Parts) -> OrderOut:
    """Take a signed order. Placed again, it is answered with the same receipt."""
    order = Order(
        account=fields.account,
        market=fields.market,
        slot=fields.slot,
        side=Side[fields.side.name],
        price=fields.price,
        quantity_wh=fields.quantity_wh,
        certificates=CertificatePreference[fields.certificates.name],
        epoch=fields.epoch,
        expires_at=fields.expires_at,
        salt=fields.salt,
    )
    statement = None if fields.statement is None else _statement(fields.statement)
    return _shown(parts, [parts.intake.place(order, fields.signature, statement)])[0]


@router.get("")
def list_orders(
    parts: Parts,
    *,
    slot: int | None = None,
    account: Address | None = None,
    status: OrderStatus | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[OrderOut]:
    """Orders, the latest slot's first and, within a slot, the last to arrive first."""
    rows = parts.store.orders(
        slot=slot, account=account, status=status, after=numbers(cursor), limit=limit + 1, descending=True
    )
    page, following = cut(rows, limit, lambda record: (record.signed.order.slot, record.index))
    return Page(items=_shown(parts, page), next=following)


@router.get("/{order_hash}")
def read_order(order_hash: Hash, parts: Parts) -> OrderOut:
    """One order."""
    record = parts.store.order(order_hash)
    if record is None:
        raise UnknownOrderError(f"no order 0x{order_hash.hex()}")
    return _shown(parts, [record])[0]


@router.delete("/{order_hash}")
def cancel_order(order_hash: Hash, parts: Parts, x_signature: Annotated[Signature, Header()]) -> OrderOut:
    """Cancel an order before its slot's gate closes; the header is its account's signature of the cancellation."""
    return _shown(parts, [parts.intake.cancel(order_hash, x_signature)])[0]


def _statement(fields: StatementFields) -> Statement:
    wishes = tuple(StatedWish(wish.trait, tuple(wish.accepted), wish.premium) for wish in fields.wishes)
    return Statement(wishes, fields.nonce)


def _shown(parts: Parts, records: list[OrderRecord]) -> list[OrderOut]:
    confirmed = parts.store.confirmed({record.signed.order.slot for record in records})
    return [_order_out(parts, record, confirmed.get((record.signed.order.slot, "settle"))) for record in records]


def _order_out(parts: Parts, record: OrderRecord, settled: IntentRecord | None) -> OrderOut:
    return OrderOut(
        **signed_fields(record.signed),
        hash=record.signed.hash,
        source=SourceName.POSTED if record.posted else SourceName.PLACED,
        index=record.index,
        received_at=record.received_at,
        status=record.status,
        fill_wh=record.fill_wh,
        statement=None if record.wishes is None else StatementFields.model_validate_json(record.wishes),
        amount_nano=None if parts.market.uniform_price else str(record.amount_nano),
        reason=record.reason,
        receipt=receipt_out(parts, record),
        settlement=on_chain(settled) if record.status is OrderStatus.FILLED else None,
    )


def signed_fields(signed: SignedOrder) -> dict[str, Any]:
    """The fields of every answer that shows an order: what its account signed, and the signature."""
    order = signed.order
    return {
        "account": order.account,
        "market": order.market,
        "slot": order.slot,
        "side": SideName[order.side.name],
        "price": order.price,
        "quantity_wh": order.quantity_wh,
        "certificates": CertificatesName[order.certificates.name],
        "epoch": order.epoch,
        "expires_at": order.expires_at,
        "salt": order.salt,
        "signature": signed.signature,
    }


def receipt_out(parts: Parts, record: OrderRecord) -> ReceiptOut | None:
    """An order's receipt, or None if it was only posted."""
    if record.receipt_signature is None:
        return None
    return ReceiptOut(
        order=record.signed.hash,
        market=record.signed.order.market,
        slot=record.signed.order.slot,
        index=record.index,
        received_at=record.received_at,
        operator=parts.market.operator,
        signature=record.receipt_signature,
    )
