"""`/v1/certificates`: what was certified, who holds it, what it was used up for; and the issuer's acts."""

import heapq
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from ledger.certificates.history import CertificateHistory
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.certificates.issuer import MAX_AMOUNT_WH, Import
from ledger.certificates.records import Record
from ledger.eecs import fuel_number, technology_number
from ledger.hexcodec import from_quantity, to_quantity
from matching.orders import MAX_TIME
from node.api.certificate_out import (
    CertificateDetails,
    CertificateOut,
    CertificateState,
    details_out,
    record_out,
    state_of,
)
from node.api.fields import Address, DeviceNumber, Named, Slot, TokenId, Uint64
from node.api.operator import OPERATOR
from node.api.paging import Cursor, Limit, Page, cut, integers
from node.api.services import Parts
from node.api.tables import TABLE_RESPONSES, AskedForm, CellKind, Column, Form, Table, streamed, text
from node.problems import RequestError

router = APIRouter(prefix="/certificates", tags=["certificates"])

Kind = Annotated[CertificateKind, Named(CertificateKind)]


class HoldingOut(BaseModel):
    """What an account holds of one certificate; `usable` says whether it may transfer or retire it now."""

    id: TokenId
    kind: Kind
    device: Uint64
    slot: int
    amount_wh: int
    state: CertificateState
    usable: bool


class Holdings(BaseModel):
    """What an account holds, the oldest first, and what of it is usable in total."""

    account: Address
    usable_wh: int
    items: list[HoldingOut]


class RequestNumber(BaseModel):
    """An approved request, whose slots are to be certified."""

    model_config = ConfigDict(extra="forbid", strict=True)

    request: int = Field(ge=1)


class Withdrawal(BaseModel):
    """A certificate that should not have been issued as it was."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: TokenId
    reason: str


class Reissue(BaseModel):
    """A withdrawn certificate, and what it should have been issued for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: TokenId
    corrected_wh: int = Field(ge=0, le=MAX_AMOUNT_WH)


class ImportFields(BaseModel):
    """A certificate that another registry has retired in favour of this one, with its EECS codes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    registry: str
    serial: str
    to: Address
    area: int = Field(ge=1)
    slot: Slot
    slot_length_s: int = Field(ge=1, le=MAX_TIME)
    amount_wh: int = Field(ge=1, le=MAX_AMOUNT_WH)
    technology: str
    fuel: str


class Issued(BaseModel):
    """How many Wh a request's slots come to, those included that were certified before."""

    request: int
    amount_wh: int


def _shared_columns() -> tuple[Column[Any], ...]:
    return (
        text("id", lambda each: to_quantity(int(each.id))),
        text("kind", lambda each: each.kind.name.lower()),
        Column("device", lambda each: each.device, CellKind.NAME),
        Column("slot_unix_s", lambda each: each.slot),
    )


_TABLE: Table[CertificateOut] = Table(
    "certificates",
    (
        *_shared_columns(),
        Column("revision", lambda each: each.revision),
        text("owner", lambda each: f"0x{each.owner.hex()}"),
        text("state", lambda each: each.state.value),
        Column("expires_at_unix_s", lambda each: each.expires_at),
        Column("issued_wh", lambda each: each.issued_wh),
        Column("retired_wh", lambda each: each.retired_wh),
        Column("issued_block", lambda each: each.issuance.block),
        text("issued_transaction", lambda each: f"0x{each.issuance.transaction.hex()}"),
    ),
)

_HOLDINGS: Table[HoldingOut] = Table(
    "holdings",
    (
        *_shared_columns(),
        Column("amount_wh", lambda each: each.amount_wh),
        text("state", lambda each: each.state.value),
        Column("usable", lambda each: each.usable, CellKind.FLAG),
    ),
)


@router.get("", response_model=Page[CertificateOut], responses=TABLE_RESPONSES)
def list_certificates(
    parts: Parts,
    *,
    slot: Slot | None = None,
    first_slot: Slot | None = None,
    last_slot: Slot | None = None,
    device: DeviceNumber | None = None,
    kind: Annotated[str | None, Query(description="generation, stored, imported or consumption")] = None,
    owner: Annotated[
        Address | None, Query(description="Whose device it is of, or who it was imported for.")
    ] = None,
    holder: Annotated[Address | None, Query(description="Who holds some of it.")] = None,
    account: Annotated[Address | None, Query(description="Who owned, held or retired some of it.")] = None,
    state: CertificateState | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
    form: AskedForm = Form.JSON,
) -> Page[CertificateOut] | Response:
    """Certificates, the latest slot's first."""
    wanted_kind = None if kind is None else _kind(kind)
    now, lifetime_s = parts.certificates.now(), parts.certificates.lifetime_s

    def is_wanted(record: Record) -> bool:
        of = record.id
        return (
            (slot is None or of.slot == slot)
            and (first_slot is None or of.slot >= first_slot)
            and (last_slot is None or of.slot <= last_slot)
            and (device is None or (of.device == device and of.kind is not CertificateKind.IMPORTED))
            and (wanted_kind is None or of.kind is wanted_kind)
            and (owner is None or record.owner == owner)
            and (holder is None or record.held[holder] > 0)
            and (account is None or _concerns(record, account))
            and (state is None or state_of(record, now, lifetime_s) is state)
        )

    with parts.certificates.history() as history:
        found = (record for record in history.records.values() if is_wanted(record))
        if form is not Form.JSON:
            items = [record_out(record, now, lifetime_s) for record in sorted(found, key=lambda each: each.id)]
            return streamed(_TABLE, form, [items])
        after = integers(cursor, 4)
        behind = found if after is None else (each for each in found if _key(each) < after)
        rows = heapq.nlargest(limit + 1, behind, key=_key)
        page, following = cut(rows, limit, _key)
        return Page(items=[record_out(record, now, lifetime_s) for record in page], next=following)


@router.get("/holdings", response_model=Holdings, responses=TABLE_RESPONSES)
def read_holdings(account: Address, parts: Parts, form: AskedForm = Form.JSON) -> Holdings | Response:
    """What an account holds, the oldest first; consumption and what is expired or withdrawn is not usable."""
    now, lifetime_s = parts.certificates.now(), parts.certificates.lifetime_s
    with parts.certificates.history() as history:
        items = [
            _holding(history, part.id, part.amount_wh, now, lifetime_s)
            for part in sorted(history.holdings(account), key=lambda part: part.id)
        ]
    if form is not Form.JSON:
        return streamed(_HOLDINGS, form, [items])
    usable_wh = sum(item.amount_wh for item in items if item.usable)
    return Holdings(account=account, usable_wh=usable_wh, items=items)


@router.get("/{certificate}")
def read_certificate(
    certificate: Annotated[str, Path(description="Its token id, 0x and hexadecimal digits.")], parts: Parts
) -> CertificateDetails:
    """One certificate, with its revisions and everything that happened to it."""
    try:
        return _details(parts, CertificateId.of(from_quantity(certificate)))
    except ValueError as error:
        raise RequestError(f"field 'certificate': {error}", field="certificate") from error


def _details(parts: Parts, certificate: CertificateId) -> CertificateDetails:
    now, lifetime_s = parts.certificates.now(), parts.certificates.lifetime_s
    with parts.certificates.history() as history:
        record = history.records.get(certificate)
        if record is None:
            raise RequestError(f"there is no certificate {certificate}", code="certificates.unknown")
        return details_out(history, record, now, lifetime_s)


@router.post("/issue", dependencies=[OPERATOR])
def issue(fields: RequestNumber, parts: Parts) -> Issued:
    """Certify the slots of an approved request; the operator's API key is needed. Repeating it changes nothing."""
    return Issued(request=fields.request, amount_wh=parts.issuing.issue(fields.request))


@router.post("/withdraw", dependencies=[OPERATOR])
def withdraw(fields: Withdrawal, parts: Parts) -> CertificateDetails:
    """Freeze what is not retired of a certificate; the operator's API key is needed."""
    parts.issuing.withdraw(fields.id, fields.reason)
    return _details(parts, fields.id)


@router.post("/reissue", dependencies=[OPERATOR])
def reissue(fields: Reissue, parts: Parts) -> CertificateDetails:
    """Issue a withdrawn certificate anew, for the right amount; the operator's API key is needed."""
    return _details(parts, parts.issuing.reissue(fields.id, fields.corrected_wh))


@router.post("/import", dependencies=[OPERATOR])
def import_certificate(fields: ImportFields, parts: Parts) -> CertificateDetails:
    """Issue what another registry has retired; the operator's API key is needed. Each serial number once."""
    codes = {"technology": technology_number(fields.technology), "fuel": fuel_number(fields.fuel)}
    certificate = parts.issuing.import_certificate(Import(**fields.model_dump() | codes))
    return _details(parts, certificate)


def _key(record: Record) -> tuple[int, ...]:
    return record.id.slot, record.id.device, int(record.id.kind), record.id.revision


def _kind(name: str) -> CertificateKind:
    try:
        return CertificateKind[name.upper()]
    except KeyError as error:
        names = ", ".join(kind.name.lower() for kind in CertificateKind)
        raise RequestError(f"field 'kind' is {name[:40]!r}: must be one of {names}", field="kind") from error


def _concerns(record: Record, account: bytes) -> bool:
    return record.owner == account or record.held[account] > 0 or record.claimed[account] > 0


def _holding(
    history: CertificateHistory, certificate: CertificateId, amount_wh: int, now: int, lifetime_s: int
) -> HoldingOut:
    state = state_of(history.records[certificate], now, lifetime_s)
    is_consumption = certificate.kind is CertificateKind.CONSUMPTION
    return HoldingOut(
        id=certificate,
        kind=certificate.kind,
        device=certificate.device,
        slot=certificate.slot,
        amount_wh=amount_wh,
        state=state,
        usable=state is CertificateState.VALID and not is_consumption,
    )
