"""How the API shows certificates."""

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel

from ledger.certificates.claims import NO_TEXT, ClaimError, Topic
from ledger.certificates.history import CertificateHistory
from ledger.certificates.ids import CertificateKind
from ledger.certificates.occurrences import Point
from ledger.certificates.records import Record, Retirement
from ledger.eecs import fuel_code, technology_code
from node.api.fields import Address, Hash, Named, TokenId, Uint64
from node.api.onchain import OnChain


class CertificateState(StrEnum):
    """Whether a certificate can still be transferred and retired."""

    VALID = "valid"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"


class HolderOut(BaseModel):
    """What an account holds."""

    account: Address
    held_wh: int


class CertificateOut(BaseModel):
    """A certificate, at the chain's head.

    `owner` got all of it first; of consumption, what is held is not claimed against yet. `device` is the import's
    number of an imported one.
    """

    id: TokenId
    kind: Annotated[CertificateKind, Named(CertificateKind)]
    device: Uint64
    slot: int
    revision: int
    owner: Address
    state: CertificateState
    expires_at: int
    issued_wh: int
    retired_wh: int
    holders: list[HolderOut]
    issuance: OnChain


class TransferOut(BaseModel):
    """Some of it that went from one account to another."""

    sender: Address
    receiver: Address
    amount_wh: int
    at: OnChain


class ClaimOut(BaseModel):
    """Some of it that was used up in the name of `account`.

    `consumption` is what it was matched with; purpose, country and slots are what its holder retired it for.
    """

    certificate: TokenId
    holder: Address
    account: Address
    topic: Annotated[Topic, Named(Topic)]
    amount_wh: int
    consumption: TokenId | None
    purpose: int | None
    country: str | None
    first_slot: int | None
    last_slot: int | None
    text_hash: Hash | None
    at: OnChain


class WithdrawalOut(BaseModel):
    """That it was found wrong: what was not retired is frozen."""

    frozen_wh: int
    reason: str
    at: OnChain


class CorrectionOut(BaseModel):
    """How a revision came about: what should have been issued, and what had been retired beyond it."""

    corrected_wh: int
    shortfall_wh: int


class SourceOut(BaseModel):
    """A part of what a storage gave; null: of no certified origin."""

    certificate: TokenId | None
    output_uwh: int


class ImportedOut(BaseModel):
    """Where an imported certificate comes from."""

    registry: str
    serial: str
    area: int
    technology: str
    fuel: str


class CertificateDetails(CertificateOut):
    """A certificate with everything that happened to it. `matches` is what was claimed against consumption."""

    revisions: list[TokenId]
    transfers: list[TransferOut]
    claims: list[ClaimOut]
    matches: list[ClaimOut]
    withdrawal: WithdrawalOut | None
    correction: CorrectionOut | None
    metered_wh: int | None
    sources: list[SourceOut]
    imported: ImportedOut | None


def state_of(record: Record, now: int, lifetime_s: int) -> CertificateState:
    """A certificate's state at a Unix second."""
    if record.withdrawal is not None:
        return CertificateState.WITHDRAWN
    return CertificateState.EXPIRED if now >= record.expires_at(lifetime_s) else CertificateState.VALID


def record_out(record: Record, now: int, lifetime_s: int) -> CertificateOut:
    """A certificate as a list shows it."""
    return CertificateOut(
        id=record.id,
        kind=record.id.kind,
        device=record.id.device,
        slot=record.id.slot,
        revision=record.id.revision,
        owner=record.owner,
        state=state_of(record, now, lifetime_s),
        expires_at=record.expires_at(lifetime_s),
        issued_wh=record.issued_wh,
        retired_wh=record.retired_wh,
        holders=[HolderOut(account=account, held_wh=wh) for account, wh in sorted(record.held.items()) if wh],
        issuance=point_out(record.issued),
    )


def details_out(history: CertificateHistory, record: Record, now: int, lifetime_s: int) -> CertificateDetails:
    """A certificate with everything that happened to it."""
    revisions = [
        each
        for each in history.records
        if (each.kind, each.device, each.slot) == (record.id.kind, record.id.device, record.id.slot)
    ]
    imported, withdrawal, correction = record.imported, record.withdrawal, record.correction
    return CertificateDetails(
        **record_out(record, now, lifetime_s).__dict__,
        revisions=sorted(revisions),
        transfers=[
            TransferOut(
                sender=each.sender, receiver=each.receiver, amount_wh=each.amount_wh, at=point_out(each.point)
            )
            for each in record.transfers
        ],
        claims=[claim_out(each) for each in record.retirements],
        matches=[claim_out(each) for each in record.matches],
        withdrawal=None
        if withdrawal is None
        else WithdrawalOut(
            frozen_wh=withdrawal.frozen_wh, reason=withdrawal.reason, at=point_out(withdrawal.point)
        ),
        correction=None
        if correction is None
        else CorrectionOut(corrected_wh=correction.corrected_wh, shortfall_wh=correction.shortfall_wh),
        metered_wh=record.metered_wh,
        sources=[SourceOut(certificate=each.id, output_uwh=each.output_uwh) for each in record.sources],
        imported=None
        if imported is None
        else ImportedOut(
            registry=imported.registry,
            serial=imported.serial,
            area=imported.area,
            technology=technology_code(imported.technology),
            fuel=fuel_code(imported.fuel),
        ),
    )


def claim_out(retirement: Retirement) -> ClaimOut:
    """A retirement as the API shows it; what a holder wrote outside of the claims' form is left out."""
    try:
        claim = retirement.claim
    except ClaimError:
        claim = None
    has_text = claim is not None and claim.text_hash != NO_TEXT
    return ClaimOut(
        certificate=retirement.id,
        holder=retirement.holder,
        account=retirement.subject,
        topic=retirement.topic,
        amount_wh=retirement.amount_wh,
        consumption=retirement.consumption,
        purpose=None if claim is None else claim.purpose,
        country=None if claim is None else claim.country,
        first_slot=None if claim is None else claim.first_slot,
        last_slot=None if claim is None else claim.last_slot,
        text_hash=claim.text_hash if claim is not None and has_text else None,
        at=point_out(retirement.point),
    )


def point_out(point: Point) -> OnChain:
    """Where on chain something happened."""
    return OnChain(transaction=point.transaction, block=point.block)
