"""`/v1/certificates`: what was issued for which generation, and where it went."""

from fastapi import APIRouter
from pydantic import BaseModel

from node.api.fields import Address, Uint64
from node.api.onchain import OnChain, on_chain
from node.api.paging import Cursor, Limit, Page, cut, numbers
from node.api.services import Parts

router = APIRouter(prefix="/certificates", tags=["certificates"])


class MoveOut(BaseModel):
    """Certificates that went to an account or, if `retired`, were retired for it at once."""

    account: Address
    amount_wh: int
    retired: bool


class CertificateOut(BaseModel):
    """The certificates of one device's generation in one slot; what did not move is still its owner's."""

    slot: int
    device: Uint64
    owner: Address
    issued_wh: int
    moves: list[MoveOut]
    issuance: OnChain | None


@router.get("")
def list_certificates(
    parts: Parts,
    *,
    slot: int | None = None,
    device: Uint64 | None = None,
    account: Address | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[CertificateOut]:
    """Certificates, the latest slot's first; `account` selects its own devices' and those it got some of."""
    rows = parts.store.issuances(slot=slot, device=device, account=account, after=numbers(cursor), limit=limit + 1)
    page, following = cut(rows, limit, lambda issuance: (issuance.slot, issuance.device))
    slots = {issuance.slot for issuance in page}
    moves = parts.store.certificate_moves(slots)
    confirmed = parts.store.confirmed(slots)
    owners = {each.device: each.account for each in parts.store.devices()}
    items = [
        CertificateOut(
            slot=issuance.slot,
            device=issuance.device,
            owner=owners[issuance.device],
            issued_wh=issuance.amount_wh,
            moves=[
                MoveOut(account=move.account, amount_wh=move.amount_wh, retired=move.retired)
                for move in moves
                if (move.slot, move.device) == (issuance.slot, issuance.device)
            ],
            issuance=on_chain(confirmed.get((issuance.slot, "certify"))),
        )
        for issuance in page
    ]
    return Page(items=items, next=following)
