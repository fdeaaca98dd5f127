"""`/v1/slots/{slot}/proposal` and `/approvals`: what validators are asked to sign, and what they signed."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from node.api.fields import Address, Hash, Signature, Slot
from node.api.orders import OrderFields, ReceiptOut, StatementFields, receipt_out, signed_fields
from node.api.services import Parts
from node.store.records import OrderRecord

router = APIRouter(prefix="/slots", tags=["approvals"])


class ApprovalFields(BaseModel):
    """A validator's signature of a proposal's `digest`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    validator: Address
    signature: Signature


class ApprovalsOut(BaseModel):
    """The market's validators, how many of them must sign, and who has signed `digest`."""

    slot: int
    digest: Hash
    needed: int
    validators: list[Address]
    approvals: list[ApprovalFields]


class ProposedOrderOut(OrderFields):
    """An order of the book, a posted one, or both; and what clearing made of it.

    `reason` says why clearing left it out; `amount` is what it pays or receives where each has its own.
    """

    hash: Hash
    in_book: bool
    posted: bool
    index: int
    received_at: int
    receipt: ReceiptOut | None
    reason: str | None
    fill_wh: int
    amount: str


class ProposalOut(BaseModel):
    """A settlement, with all that it takes to compute it again. Validators sign `digest`.

    `price` is 0 where each fill has its own amount; where nothing trades, no order is better than it.
    """

    chain_id: int
    exchange: Address
    market: Hash
    slot: int
    design: str
    book_root: Hash
    book_size: int
    price: int
    digest: Hash
    orders: list[ProposedOrderOut]


@router.get("/{slot}/proposal")
def read_proposal(slot: Slot, parts: Parts) -> ProposalOut:
    """The settlement of a slot that awaits its validators' approval, or had it."""
    proposal = parts.approvals.proposal(slot)
    return ProposalOut.model_validate(
        {
            "chain_id": parts.domain.chain_id,
            "exchange": parts.domain.exchange,
            "market": parts.market.id,
            "slot": slot,
            "design": parts.design,
            "book_root": proposal.slot.book_root,
            "book_size": proposal.slot.book_size,
            "price": proposal.price,
            "digest": proposal.digest,
            "orders": [_proposed(parts, record) for record in proposal.orders],
        }
    )


@router.get("/{slot}/approvals")
def read_approvals(slot: Slot, parts: Parts) -> ApprovalsOut:
    """Who approved a slot's settlement so far."""
    digest, given = parts.approvals.given(slot)
    validators = parts.approvals.validators()
    return ApprovalsOut(
        slot=slot,
        digest=digest,
        needed=validators.approvals_needed,
        validators=list(validators.accounts),
        approvals=[ApprovalFields(validator=account, signature=signature) for account, signature in given.items()],
    )


@router.post("/{slot}/approvals")
def approve(slot: Slot, fields: ApprovalFields, parts: Parts) -> ApprovalsOut:
    """Take a validator's approval. The same one again changes nothing."""
    parts.approvals.take(slot, fields.validator, fields.signature)
    return read_approvals(slot, parts)


def _proposed(parts: Parts, record: OrderRecord) -> ProposedOrderOut:
    return ProposedOrderOut(
        **signed_fields(record.signed),
        statement=None if record.wishes is None else StatementFields.model_validate_json(record.wishes),
        hash=record.signed.hash,
        in_book=record.is_in_book,
        posted=record.posted,
        index=record.index,
        received_at=record.received_at,
        receipt=receipt_out(parts, record),
        reason=record.reason,
        fill_wh=record.fill_wh,
        amount=str(record.amount_nano),
    )
