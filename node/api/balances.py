"""`/v1/balances`: what an account has: credits, energy tokens, certificates."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from node.api.fields import Address, Hash, Nano
from node.api.members import require_member
from node.api.paging import Cursor, Limit, Page, cut, integers
from node.api.services import Parts
from node.api.tables import TABLE_RESPONSES, AskedForm, Column, Form, Table, streamed, text
from node.history import Change, ChangeKind, history_of

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


class ChangeOut(BaseModel):
    """A change of what an account had, less what it owed: `balance_nano` afterwards.

    `slot` is null of deposits and withdrawals. Credits that an order posted on chain sets aside count as had.
    """

    block: int
    kind: ChangeKind
    slot: int | None
    transaction: Hash
    change_nano: Nano
    balance_nano: Nano


_TABLE: Table[Change] = Table(
    "balance-history",
    (
        Column("block", lambda change: change.block),
        text("kind", lambda change: change.kind.value),
        Column("slot_unix_s", lambda change: change.slot or None),
        text("transaction", lambda change: f"0x{change.transaction.hex()}"),
        Column("change_nano", lambda change: change.change_nano),
        Column("balance_nano", lambda change: change.balance_nano),
    ),
)


@router.get("/{account}/history", response_model=Page[ChangeOut], responses=TABLE_RESPONSES)
def read_history(
    account: Address,
    parts: Parts,
    *,
    kind: ChangeKind | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    form: AskedForm = Form.JSON,
) -> Page[ChangeOut] | Response:
    """Every change of a member's balance, the latest first; as a table, the earliest first."""
    after = integers(cursor, 4)
    require_member(parts, account)
    changes = history_of(parts.store, parts.certificates.contracts, parts.tariffs, account, before=after)
    found = [change for change in changes if kind in (None, change.kind)]
    if form is not Form.JSON:
        return streamed(_TABLE, form, [found])
    page, following = cut(found[: -limit - 2 : -1], limit, lambda change: change.place)
    return Page(items=[_change_out(change) for change in page], next=following)


def _change_out(change: Change) -> ChangeOut:
    return ChangeOut(
        block=change.block,
        kind=change.kind,
        slot=change.slot or None,
        transaction=change.transaction,
        change_nano=change.change_nano,
        balance_nano=change.balance_nano,
    )
