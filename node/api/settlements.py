"""`/v1/settlements`: every step of a slot on chain, whoever sent its transaction."""

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from ledger.intents import IntentRecord
from node.api.fields import Address, Hash, Slot
from node.api.paging import Cursor, Limit, Page, cut, step_in
from node.api.services import Parts
from node.api.tables import BATCH_ROWS, TABLE_RESPONSES, AskedForm, Column, Form, Table, batches, streamed, text

router = APIRouter(prefix="/settlements", tags=["settlements"])


class SettlementOut(BaseModel):
    """A confirmed transaction of a slot's step; onboarding's steps are of slot 0."""

    slot: int
    step: str
    transaction: Hash
    sender: Address
    block: int
    gas_used: int | None


_TABLE: Table[IntentRecord] = Table(
    "settlements",
    (
        Column("slot_unix_s", lambda record: record.intent.slot),
        text("step", lambda record: record.intent.step),
        text("transaction", lambda record: f"0x{record.intent.transaction_hash.hex()}"),
        text("sender", lambda record: f"0x{record.intent.sender.hex()}"),
        Column("block", lambda record: record.block_number),
        Column("gas_used", lambda record: record.gas_used),
    ),
)


@router.get("", response_model=Page[SettlementOut], responses=TABLE_RESPONSES)
def list_settlements(
    parts: Parts,
    *,
    slot: Slot | None = None,
    step: Annotated[str | None, Query(max_length=64, description="Such as settle, deliver or certify.")] = None,
    first_slot: Slot | None = None,
    last_slot: Slot | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    form: AskedForm = Form.JSON,
) -> Page[SettlementOut] | Response:
    """Steps, the latest slot's first."""

    def fetch(after: tuple[int, str, int] | None, count: int) -> list[IntentRecord]:
        return parts.store.settlements(
            slot=slot, step=step, first_slot=first_slot, last_slot=last_slot, after=after, limit=count
        )

    if form is not Form.JSON:
        return streamed(_TABLE, form, batches(lambda after: fetch(after, BATCH_ROWS), _place))
    page, following = cut(fetch(step_in(cursor), limit + 1), limit, _place)
    return Page(items=[_settlement(record) for record in page], next=following)


def _place(record: IntentRecord) -> tuple[int, str, int]:
    return record.intent.slot, record.intent.step, record.intent.attempt


def _settlement(record: IntentRecord) -> SettlementOut:
    return SettlementOut.model_validate(
        {
            "slot": record.intent.slot,
            "step": record.intent.step,
            "transaction": record.intent.transaction_hash,
            "sender": record.intent.sender,
            "block": record.block_number,
            "gas_used": record.gas_used,
        }
    )
