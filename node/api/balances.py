"""`/v1/balances`: what an account has: credits, energy tokens, certificates."""

from fastapi import APIRouter
from pydantic import BaseModel

from node.api.fields import Address, Nano
from node.api.services import Parts

router = APIRouter(prefix="/balances", tags=["balances"])


class CreditsOut(BaseModel):
    """Credits in escrow; `reserved` covers open orders and positions, `free` is what covers new orders."""

    balance: Nano
    debt: Nano
    withdrawal: Nano
    reserved: Nano
    free: Nano


class PositionOut(BaseModel):
    """Energy bought (+) or sold (-) in a slot that is settled and not delivered."""

    slot: int
    position_wh: int


class CertificateTotals(BaseModel):
    """Certificates that the account may transfer or retire now, and what was retired for it, all together."""

    held_wh: int
    retired_wh: int


class BalanceOut(BaseModel):
    """An account. `epoch` is what its next orders must be signed for."""

    account: Address
    is_member: bool
    epoch: int
    credits: CreditsOut
    energy: list[PositionOut]
    certificates: CertificateTotals


@router.get("/{account}")
def read_balance(account: Address, parts: Parts) -> BalanceOut:
    """Where an account stands; one that nobody has heard of has nothing."""
    standing = parts.escrow.standing(account)
    held_wh, retired_wh = parts.certificates.totals(account)
    return BalanceOut(
        account=account,
        is_member=standing.state.market == parts.market.id,
        epoch=standing.state.epoch,
        credits=CreditsOut(
            balance=standing.state.balance_nano,
            debt=standing.state.debt_nano,
            withdrawal=standing.state.withdrawal_nano,
            reserved=standing.reserved_nano,
            free=standing.free_nano,
        ),
        energy=[
            PositionOut(slot=slot, position_wh=position_wh)
            for slot, position_wh in parts.store.undelivered_positions(account)
        ],
        certificates=CertificateTotals(held_wh=held_wh, retired_wh=retired_wh),
    )
