"""`/v1/slots`: how far each slot is, and what came of it."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from matching.orders import Side
from node.api.caching import LASTING_RESPONSES, IfNoneMatch, is_slot_final, lasting
from node.api.fields import Hash, Slot
from node.api.onchain import OnChain, on_chain
from node.api.paging import Limit, Page
from node.api.services import Parts
from node.api.tables import BATCH_ROWS, TABLE_RESPONSES, AskedForm, Column, Form, Table, batches, streamed, text
from node.problems import RequestError
from node.store.records import SlotRecord, SlotState
from node.store.standings import Level

router = APIRouter(prefix="/slots", tags=["slots"])

_STEPS = ("commit", "settle", "void", "deliver", "certify")


class SlotOut(BaseModel):
    """A slot; `steps` names the transaction of each step that is done."""

    slot: int
    gate_closes_at: int
    ends_at: int
    state: SlotState
    book_root: Hash | None
    book_size: int | None
    price: int | None
    bought_wh: int | None
    steps: dict[str, OnChain]


class BookOut(BaseModel):
    """The hashes of the orders that the operator committed to, ascending: the leaves of the committed root."""

    slot: int
    root: Hash
    orders: list[Hash]


class LevelOut(BaseModel):
    """What is wanted or offered at one price."""

    price: int
    quantity_wh: int
    orders: int


class DepthOut(BaseModel):
    """A slot's orders by price, the best first: bids descending, offers ascending; cancelled ones are left out."""

    slot: int
    bids: list[LevelOut]
    offers: list[LevelOut]


def _step_columns(step: str) -> tuple[Column[SlotOut], ...]:
    def block(slot: SlotOut) -> int | None:
        return slot.steps[step].block if step in slot.steps else None

    def transaction(slot: SlotOut) -> str | None:
        return f"0x{slot.steps[step].transaction.hex()}" if step in slot.steps else None

    return Column(f"{step}_block", block), text(f"{step}_transaction", transaction)


_TABLE: Table[SlotOut] = Table(
    "slots",
    (
        Column("slot_unix_s", lambda slot: slot.slot),
        Column("gate_closes_at_unix_s", lambda slot: slot.gate_closes_at),
        Column("ends_at_unix_s", lambda slot: slot.ends_at),
        text("state", lambda slot: slot.state.value),
        Column("price_nano_per_wh", lambda slot: slot.price),
        Column("bought_wh", lambda slot: slot.bought_wh),
        Column("book_size", lambda slot: slot.book_size),
        text("book_root", lambda slot: None if slot.book_root is None else f"0x{slot.book_root.hex()}"),
        *(column for step in _STEPS for column in _step_columns(step)),
    ),
)


@router.get("", response_model=Page[SlotOut], responses=TABLE_RESPONSES)
def list_slots(
    parts: Parts,
    *,
    state: Annotated[list[SlotState] | None, Query()] = None,
    first_slot: Slot | None = None,
    last_slot: Slot | None = None,
    limit: Limit = 100,
    cursor: Annotated[Slot | None, Query(description="The `next` of the page before.")] = None,
    form: AskedForm = Form.JSON,
) -> Page[SlotOut] | Response:
    """Slots, the latest first."""

    def fetch(after: int | None, count: int) -> list[SlotRecord]:
        return parts.store.slots(
            states=state, first_slot=first_slot, last_slot=last_slot, after=after, limit=count, descending=True
        )

    if form is not Form.JSON:
        found = batches(lambda after: fetch(after, BATCH_ROWS), lambda record: record.slot)
        return streamed(_TABLE, form, (shown_slots(parts, rows) for rows in found))
    rows = fetch(cursor, limit + 1)
    following = str(rows[limit - 1].slot) if len(rows) > limit else None
    return Page(items=shown_slots(parts, rows[:limit]), next=following)


@router.get("/{slot}", response_model=SlotOut, responses=LASTING_RESPONSES)
def read_slot(slot: Slot, parts: Parts, request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """One slot; once it is certified for good, with an `ETag`."""
    is_final = is_slot_final(parts, slot)
    return lasting(request, shown_slots(parts, [_record(parts, slot)])[0], is_final=is_final)


@router.get("/{slot}/book", response_model=BookOut, responses=LASTING_RESPONSES)
def read_book(slot: Slot, parts: Parts, request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """A slot's book, once it is committed: what anybody needs to show that an order is, or is not, in it."""
    record, is_final = parts.store.slot(slot), is_slot_final(parts, slot)
    if record is None or record.book_root is None:
        raise RequestError(f"slot {slot} has no committed book", code="slot.unknown")
    book = BookOut(slot=slot, root=record.book_root, orders=[each.signed.hash for each in parts.store.book(slot)])
    return lasting(request, book, is_final=is_final)


@router.get("/{slot}/depth", response_model=DepthOut, responses=LASTING_RESPONSES)
def read_depth(slot: Slot, parts: Parts, request: Request, if_none_match: IfNoneMatch = None) -> Response:
    """What is wanted and offered for a slot, price by price."""
    is_final = is_slot_final(parts, slot)
    _record(parts, slot)
    levels = parts.store.depth(slot)
    depth = DepthOut(
        slot=slot,
        bids=[_level(each) for each in reversed(levels) if each.side is Side.BID],
        offers=[_level(each) for each in levels if each.side is Side.OFFER],
    )
    return lasting(request, depth, is_final=is_final)


def shown_slots(parts: Parts, records: Sequence[SlotRecord]) -> list[SlotOut]:
    """Slots as the API shows them."""
    confirmed = parts.store.confirmed([record.slot for record in records])
    return [
        SlotOut(
            slot=record.slot,
            gate_closes_at=parts.market.gate_closes_at(record.slot),
            ends_at=parts.market.ends_at(record.slot),
            state=record.state,
            book_root=record.book_root,
            book_size=record.book_size,
            price=record.price,
            bought_wh=record.bought_wh,
            steps={
                step: done for step in _STEPS if (done := on_chain(confirmed.get((record.slot, step)))) is not None
            },
        )
        for record in records
    ]


def _record(parts: Parts, slot: int) -> SlotRecord:
    record = parts.store.slot(slot)
    if record is None:
        raise RequestError(f"nothing is known of slot {slot}", code="slot.unknown")
    return record


def _level(level: Level) -> LevelOut:
    return LevelOut(price=level.price, quantity_wh=level.quantity_wh, orders=level.orders)
