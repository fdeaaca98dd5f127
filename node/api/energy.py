"""`/v1/energy-tokens`: who may take, and who must give, how much energy of which slot."""

from fastapi import APIRouter
from pydantic import BaseModel

from node.api.fields import Address, Slot
from node.api.paging import Cursor, Limit, Page, cut, slot_and_account
from node.api.services import Parts
from node.store.standings import Position

router = APIRouter(prefix="/energy-tokens", tags=["energy tokens"])


class EnergyTokensOut(BaseModel):
    """An account's energy tokens of a slot, from its settlement to its delivery, and what it must deliver."""

    slot: int
    account: Address
    held_wh: int
    obligation_wh: int


@router.get("")
def list_energy_tokens(
    parts: Parts,
    *,
    slot: Slot | None = None,
    account: Address | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[EnergyTokensOut]:
    """Tokens and obligations that there are now, by slot and account."""
    rows = parts.store.positions(slot=slot, account=account, after=slot_and_account(cursor), limit=limit + 1)
    page, following = cut(rows, limit, lambda row: (row.slot, f"0x{row.account.hex()}"))
    return Page(items=[_out(row) for row in page], next=following)


def _out(row: Position) -> EnergyTokensOut:
    return EnergyTokensOut(
        slot=row.slot,
        account=row.account,
        held_wh=max(row.position_wh, 0),
        obligation_wh=max(-row.position_wh, 0),
    )
