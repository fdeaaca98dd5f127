"""`/v1/settlements`: every step of a slot on chain, whoever sent its transaction."""

from fastapi import APIRouter
from pydantic import BaseModel

from ledger.intents import IntentRecord
from node.api.fields import Address, Hash
from node.api.paging import Cursor, Limit, Page, cut, step
from node.api.services import Parts

router = APIRouter(prefix="/settlements", tags=["settlements"])


class SettlementOut(BaseModel):
    """A confirmed transaction of a slot's step."""

    slot: int
    step: str
    transaction: Hash
    sender: Address
    block: int
    gas_used: int


@router.get("")
def list_settlements(
    parts: Parts, *, slot: int | None = None, limit: Limit = 100, cursor: Cursor = None
) -> Page[SettlementOut]:
    """Steps, the latest slot's first."""
    rows = parts.store.settlements(slot=slot, after=step(cursor), limit=limit + 1)
    page, following = cut(
        rows, limit, lambda record: (record.intent.slot, record.intent.step, record.intent.attempt)
    )
    return Page(items=[_settlement(record) for record in page], next=following)


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
