"""`/v1/slots`: how far each slot is, and what came of it."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from node.api.fields import Hash
from node.api.onchain import OnChain, on_chain
from node.api.paging import Limit, Page
from node.api.services import Parts
from node.problems import RequestError
from node.store.records import SlotRecord, SlotState

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


@router.get("")
def list_slots(
    parts: Parts,
    *,
    state: Annotated[list[SlotState] | None, Query()] = None,
    limit: Limit = 100,
    cursor: Annotated[int | None, Query(description="The `next` of the page before.")] = None,
) -> Page[SlotOut]:
    """Slots, the latest first."""
    rows = parts.store.slots(states=state, after=cursor, limit=limit + 1, descending=True)
    following = str(rows[limit - 1].slot) if len(rows) > limit else None
    return Page(items=shown_slots(parts, rows[:limit]), next=following)


@router.get("/{slot}")
def read_slot(slot: int, parts: Parts) -> SlotOut:
    """One slot."""
    record = parts.store.slot(slot)
    if record is None:
        raise RequestError(f"nothing is known of slot {slot}", code="slot.unknown")
    return shown_slots(parts, [record])[0]


@router.get("/{slot}/book")
def read_book(slot: int, parts: Parts) -> BookOut:
    """A slot's book, once it is committed: what anybody needs to show that an order is, or is not, in it."""
    record = parts.store.slot(slot)
    if record is None or record.book_root is None:
        raise RequestError(f"slot {slot} has no committed book", code="slot.unknown")
    return BookOut(slot=slot, root=record.book_root, orders=[each.signed.hash for each in parts.store.book(slot)])


def shown_slots(parts: Parts, records: list[SlotRecord]) -> list[SlotOut]:
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
