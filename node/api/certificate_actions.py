"""`/v1/certificates/{action}/prepare`: what members do with their certificates, for their own keys to sign."""

import secrets
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from ledger.certificates import actions
from ledger.certificates.actions import Call, Pair
from ledger.certificates.claims import NO_TEXT, SALT_BYTES, Claim, Purpose, text_hash
from ledger.certificates.ids import CertificateKind
from ledger.certificates.selection import Part, bundle
from ledger.chain import ZERO_ADDRESS
from ledger.evidence.tree import DAY_S
from node.api.fields import Address, DeviceNumber, Hash, Named, Slot, TokenId
from node.api.operator import OPERATOR
from node.api.services import Parts
from node.api.transactions import UnsignedOut, unsigned_out
from node.deciding import evidence_hash
from node.pairing import pairs_of
from node.problems import RequestError
from node.store.records import PrivateText

router = APIRouter(prefix="/certificates", tags=["certificates"])

MAX_TEXT = 1_000
MAX_REQUEST_S = 366 * DAY_S
"""Longest period of a request for certificates; as in `contracts/devices.vy`."""


class PartOut(BaseModel):
    """Some Wh of a certificate."""

    model_config = ConfigDict(extra="forbid", strict=True)

    id: TokenId
    amount_wh: int = Field(ge=1)


class SelectionFields(BaseModel):
    """Whose certificates, and which: so many Wh, the oldest first, or these `parts`.

    The slots, the device and the kind narrow the selection by amount.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    account: Address
    amount_wh: int | None = Field(default=None, ge=1)
    parts: list[PartOut] = []
    first_slot: Slot | None = None
    last_slot: Slot | None = None
    device: DeviceNumber | None = None
    kind: Annotated[CertificateKind, Named(CertificateKind)] | None = None


class TransferFields(SelectionFields):
    """Certificates to give to another account."""

    to: Address


class ClaimFields(BaseModel):
    """What certificates are retired for; of the private `text`, the chain gets the salted hash only."""

    model_config = ConfigDict(extra="forbid", strict=True)

    purpose: Annotated[Purpose, Named(Purpose)]
    country: str
    first_slot: Slot
    last_slot: Slot
    beneficiary: Address = ZERO_ADDRESS
    text: str = Field(default="", max_length=MAX_TEXT)


class RetireFields(SelectionFields):
    """Certificates to use up, and what for."""

    claim: ClaimFields


class ExportFields(SelectionFields):
    """Certificates to retire in favour of another registry, under its serial number."""

    registry: str
    serial: str


class PairsFields(BaseModel):
    """Certificates to retire against what one's own devices consumed in the same slots, as much as fits.

    At most `amount_wh`, if given, in these slots; the oldest first.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    account: Address
    amount_wh: int | None = Field(default=None, ge=1)
    first_slot: Slot | None = None
    last_slot: Slot | None = None


class RequestFields(BaseModel):
    """Slots of one's device that certificates are asked for."""

    model_config = ConfigDict(extra="forbid", strict=True)

    account: Address
    device: DeviceNumber
    first_slot: Slot
    last_slot: Slot


class PairOut(BaseModel):
    """Some Wh of a certificate, and the consumption that it is retired against."""

    id: TokenId
    consumption: TokenId
    amount_wh: int


class Prepared(BaseModel):
    """A transaction to sign and to hand to `/v1/transactions`, and which certificates it is about.

    `text_hash` and `salt` are of the claim's private text, if there is one.
    """

    transaction: UnsignedOut
    parts: list[PartOut] = []
    pairs: list[PairOut] = []
    evidence: Hash | None = None
    text_hash: Hash | None = None
    salt: Hash | None = None


class PrivateTextOut(BaseModel):
    """A retirement's private text, its salt and the hash of both, which is on chain if it came to that."""

    text_hash: Hash
    text: str
    salt: Hash


class PrivateTexts(BaseModel):
    """The private texts that an account gave this node."""

    items: list[PrivateTextOut]


@router.get("/texts", dependencies=[OPERATOR])
def list_private_texts(account: Address, parts: Parts) -> PrivateTexts:
    """What an account's retirements were for, in its own words; the operator's API key is needed."""
    found = parts.store.private_texts(account)
    return PrivateTexts(
        items=[PrivateTextOut(text_hash=each.hash, text=each.text, salt=each.salt) for each in found]
    )


@router.post("/transfer/prepare")
def prepare_transfer(fields: TransferFields, parts: Parts) -> Prepared:
    """Give certificates to another account."""
    chosen = _chosen(fields, parts)
    call = actions.transfer(parts.certificates.contracts, fields.account, fields.to, chosen)
    return _prepared(parts, fields.account, call, chosen)


@router.post("/retire/prepare")
def prepare_retirement(fields: RetireFields, parts: Parts) -> Prepared:
    """Use certificates up, forever, for what the claim says."""
    chosen = _chosen(fields, parts)
    said = fields.claim
    private = None
    if said.text:
        salt = secrets.token_bytes(SALT_BYTES)
        private = PrivateText(text_hash(said.text, salt), fields.account, said.text, salt)
    claim = Claim(
        purpose=said.purpose,
        country=said.country,
        first_slot=said.first_slot,
        last_slot=said.last_slot,
        beneficiary=said.beneficiary,
        text_hash=NO_TEXT if private is None else private.hash,
    )
    found = _prepared(parts, fields.account, actions.retire(parts.certificates.contracts, chosen, claim), chosen)
    if private is None:
        return found
    parts.store.add_private_text(private)
    return found.model_copy(update={"text_hash": private.hash, "salt": private.salt})


@router.post("/retire_pairs/prepare")
def prepare_pairs(fields: PairsFields, parts: Parts) -> Prepared:
    """Retire certificates against one's own consumption, slot by slot, in one transaction."""
    with parts.certificates.history() as history:
        pairs = pairs_of(
            history,
            parts.certificates.usable_in(history, fields.account),
            fields.account,
            amount_wh=fields.amount_wh,
            slots=_range(fields.first_slot, fields.last_slot),
        )
    found = _prepared(parts, fields.account, actions.retire_pairs(parts.certificates.contracts, pairs), [])
    return found.model_copy(update={"pairs": [_pair_out(pair) for pair in pairs]})


@router.post("/export/prepare")
def prepare_export(fields: ExportFields, parts: Parts) -> Prepared:
    """Retire certificates so that another registry issues them."""
    chosen = _chosen(fields, parts)
    call = actions.export(parts.certificates.contracts, chosen, registry=fields.registry, serial=fields.serial)
    return _prepared(parts, fields.account, call, chosen)


@router.post("/request/prepare")
def prepare_request(fields: RequestFields, parts: Parts) -> Prepared:
    """Ask for certificates of what one's device metered; the node says what the evidence comes to."""
    device = parts.store.device(fields.device)
    if device is None:
        raise RequestError(f"there is no device {fields.device}", code="device.unknown")
    if fields.last_slot >= fields.first_slot + MAX_REQUEST_S:
        raise RequestError(
            f"field 'last_slot' is {fields.last_slot}: must be within 366 days of 'first_slot'", field="last_slot"
        )
    slots = range(fields.first_slot, fields.last_slot + 1, device.details.slot_length_s)
    evidence = evidence_hash(parts.store, fields.device, slots)
    call = actions.request(
        parts.certificates.contracts,
        device=fields.device,
        first_slot=fields.first_slot,
        last_slot=fields.last_slot,
        evidence=evidence,
    )
    found = _prepared(parts, fields.account, call, [])
    return found.model_copy(update={"evidence": evidence})


def _chosen(fields: SelectionFields, parts: Parts) -> list[Part]:
    if (fields.amount_wh is None) == (not fields.parts):
        raise RequestError("give either 'amount_wh' or 'parts'", field="amount_wh")
    if fields.parts:
        return [Part(part.id, part.amount_wh) for part in fields.parts]
    slots = _range(fields.first_slot, fields.last_slot)
    held = [
        part
        for part in parts.certificates.usable(fields.account)
        if part.id.slot in slots
        and (fields.device is None or part.id.device == fields.device)
        and (fields.kind is None or part.id.kind is fields.kind)
    ]
    assert fields.amount_wh is not None  # noqa: S101 - it is one of the two, as was just checked
    return bundle(held, fields.amount_wh)


def _range(first_slot: int | None, last_slot: int | None) -> range:
    return range(first_slot or 0, 2**62 if last_slot is None else last_slot + 1)


def _prepared(parts: Parts, sender: bytes, call: Call, chosen: list[Part]) -> Prepared:
    fields = parts.transactions.prepare(sender, call.contract.address, call.data)
    return Prepared(
        transaction=unsigned_out(fields),
        parts=[PartOut(id=part.id, amount_wh=part.amount_wh) for part in chosen],
    )


def _pair_out(pair: Pair) -> PairOut:
    return PairOut(id=pair.id, consumption=pair.consumption, amount_wh=pair.amount_wh)
