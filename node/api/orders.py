"""`/v1/orders`: place, find and cancel orders. An order's id is its EIP-712 hash."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError, WrapValidator

from ledger.eip712 import SignedOrder
from ledger.intents import IntentRecord
from matching.errors import WattbookError
from matching.orders import MAX_TIME, CertificatePreference, Order, Side
from matching.wishes import Trait
from node.api.caching import LASTING_RESPONSES, IfNoneMatch, is_slot_final, lasting
from node.api.errors import malformed
from node.api.fields import Address, Hash, Signature, Slot, Uint64
from node.api.onchain import OnChain, on_chain
from node.api.order_tables import ORDERS
from node.api.paging import Cursor, Limit, Page, cut, numbers
from node.api.services import Parts
from node.api.tables import BATCH_ROWS, TABLE_RESPONSES, AskedForm, Form, batches, streamed
from node.intake import Cancellation, Placement
from node.problems import Problem, RequestError, problem
from node.store.errors import UnknownOrderError
from node.store.records import OrderRecord, OrderStatus
from node.wishes import StatedWish, Statement

router = APIRouter(prefix="/orders", tags=["orders"])

MAX_ROWS = 1_000
"""Most orders, or cancellations, of one request."""

F = TypeVar("F", bound=BaseModel)
A = TypeVar("A")


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


class OrderRow(BaseModel):
    """What became of one order of a list: its receipt, or the problem it has; its hash if it was taken."""

    order: Hash | None
    accepted: bool
    receipt: ReceiptOut | None
    problem: dict[str, Any] | None


class OrdersReport(BaseModel):
    """What became of a list of orders, row by row."""

    accepted: int
    rows: list[OrderRow]


class CancellationFields(BaseModel):
    """An order to be cancelled, and its account's signature of the cancellation."""

    model_config = ConfigDict(extra="forbid", strict=True)

    order: Hash
    signature: Signature


class CancellationRow(BaseModel):
    """What became of one cancellation of a list: `problem` says why its order is not cancelled.

    `order` is null only if what was asked for cannot be read.
    """

    order: Hash | None
    cancelled: bool
    problem: dict[str, Any] | None


class CancellationsReport(BaseModel):
    """What became of a list of cancellations, row by row."""

    cancelled: int
    rows: list[CancellationRow]


def _one_or_list(value: object, _: object) -> object:
    # A list's rows are read one by one later, as each stands or falls alone.
    return value if isinstance(value, list) else OrderFields.model_validate(value)


def _list(value: object, _: object) -> object:
    if not isinstance(value, list):
        raise ValueError("must be a list")  # noqa: TRY004 -- pydantic catches ValueError
    return value


@router.post("", response_model=OrderOut | OrdersReport)
def place_orders(
    fields: Annotated[OrderFields | list[OrderFields], WrapValidator(_one_or_list)],
    parts: Parts,
    request: Request,
) -> OrderOut | Response:
    """Take a signed order, or a list of up to 1,000, of which each row stands or falls alone.

    Placed again, an order is answered with the same receipt.
    """
    if isinstance(fields, OrderFields):
        asked = _placement(fields)
        return _shown(parts, [parts.intake.place(asked.order, asked.signature, asked.statement)])[0]
    rows = [_order_row(parts, each) for each in _by_row(fields, OrderFields, _placement, parts.intake.place_all)]
    # For the metrics: the code of each refusal, None for each order taken.
    request.state.placed = [None if row.problem is None else row.problem["code"] for row in rows]
    return _answer(OrdersReport(accepted=sum(row.accepted for row in rows), rows=rows))


@router.post("/cancellations", response_model=CancellationsReport)
def cancel_orders(
    cancellations: Annotated[list[CancellationFields], WrapValidator(_list)], parts: Parts
) -> Response:
    """Cancel up to 1,000 orders before their slots' gates close; each row stands or falls alone."""
    outcomes = _by_row(cancellations, CancellationFields, _cancellation, parts.intake.cancel_all)
    rows = [_cancellation_row(*each) for each in zip(cancellations, outcomes, strict=True)]
    return _answer(CancellationsReport(cancelled=sum(row.cancelled for row in rows), rows=rows))


@router.get("", response_model=Page[OrderOut], responses=TABLE_RESPONSES | LASTING_RESPONSES)
def list_orders(
    parts: Parts,
    request: Request,
    *,
    slot: Slot | None = None,
    account: Address | None = None,
    status: OrderStatus | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    form: AskedForm = Form.JSON,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """Orders, the latest slot's first and, within a slot, the last to arrive first.

    Those of one `slot` that is certified for good come with an `ETag`.
    """

    def fetch(after: tuple[int, int] | None, count: int) -> list[OrderRecord]:
        return parts.store.orders(
            slot=slot, account=account, status=status, after=after, limit=count, descending=True
        )

    if form is not Form.JSON:
        return streamed(ORDERS, form, batches(lambda after: fetch(after, BATCH_ROWS), _place))
    is_final = slot is not None and is_slot_final(parts, slot)
    page, following = cut(fetch(numbers(cursor), limit + 1), limit, _place)
    return lasting(request, Page[OrderOut](items=_shown(parts, page), next=following), is_final=is_final)


def _place(record: OrderRecord) -> tuple[int, int]:
    return record.signed.order.slot, record.index


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


def _placement(fields: OrderFields) -> Placement:
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
    return Placement(order, fields.signature, None if fields.statement is None else _statement(fields.statement))


def _statement(fields: StatementFields) -> Statement:
    wishes = tuple(StatedWish(wish.trait, tuple(wish.accepted), wish.premium) for wish in fields.wishes)
    return Statement(wishes, fields.nonce)


def _cancellation(fields: CancellationFields) -> Cancellation:
    return Cancellation(fields.order, fields.signature)


def _by_row(
    rows: Sequence[object],
    kind: type[F],
    asked_by: Callable[[F], A],
    act: Callable[[list[A]], list[OrderRecord | WattbookError]],
) -> list[OrderRecord | Problem]:
    """Read each row by itself, act on those that can be read, and say what became of each."""
    if not 1 <= len(rows) <= MAX_ROWS:
        raise RequestError(f"list has {len(rows)} rows: must have 1 to {MAX_ROWS}")
    read = [_read(row, kind, asked_by) for row in rows]
    outcomes = iter(act([each for each in read if not isinstance(each, Problem)]))
    told = (each if isinstance(each, Problem) else next(outcomes) for each in read)
    return [problem(each) if isinstance(each, WattbookError) else each for each in told]


def _read(row: object, kind: type[F], asked_by: Callable[[F], A]) -> A | Problem:
    try:
        return asked_by(kind.model_validate(row))
    except ValidationError as error:
        return malformed([(each["loc"], each["msg"]) for each in error.errors()])
    except WattbookError as error:
        return problem(error)


def _order_row(parts: Parts, outcome: OrderRecord | Problem) -> OrderRow:
    if isinstance(outcome, Problem):
        return OrderRow(order=None, accepted=False, receipt=None, problem=outcome.body())
    return OrderRow(order=outcome.signed.hash, accepted=True, receipt=receipt_out(parts, outcome), problem=None)


def _cancellation_row(asked: object, outcome: OrderRecord | Problem) -> CancellationRow:
    if not isinstance(outcome, Problem):
        return CancellationRow(order=outcome.signed.hash, cancelled=True, problem=None)
    try:
        order = CancellationFields.model_validate(asked).order
    except ValidationError:
        order = None
    return CancellationRow(order=order, cancelled=False, problem=outcome.body())


def _answer(report: BaseModel) -> Response:
    """A long answer as it is: FastAPI would check each of its rows again."""
    return Response(report.model_dump_json(), media_type="application/json")


def _shown(parts: Parts, records: list[OrderRecord]) -> list[OrderOut]:
    filled = {record.signed.order.slot for record in records if record.status is OrderStatus.FILLED}
    confirmed = parts.store.confirmed(filled) if filled else {}
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
