"""What a chain says up to one block, as far as a statement needs it; `ledger.statements.reading` reads it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ledger import eecs
from ledger.certificates.claims import Topic
from ledger.certificates.history import CertificateHistory
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.certificates.records import Record
from ledger.certificates.records import Retirement as Claimed
from ledger.coverage.counting import CLAIMED_TOPICS, MATCHED_TOPICS
from ledger.devices import Support
from ledger.statements.errors import CannotStateError
from ledger.statements.model import ChainPoint, Device, Discharge, ImportedFrom, Origin, Part, Scope

CLAIMS = (*CLAIMED_TOPICS, *MATCHED_TOPICS)
"""The topics that retire certificates for a beneficiary; the others put them into a storage or export them."""

_ORIGINS = {CertificateKind.STORED: Origin.STORAGE, CertificateKind.IMPORTED: Origin.IMPORTED}
_SUPPORT = {
    Support.NONE: "none",
    Support.INVESTMENT: "investment",
    Support.PRODUCTION: "production",
    Support.BOTH: "investment and production",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """A chain's certificates at one block.

    Attributes:
        issuer: who was issuer then.
        history: nothing later than the block is in it.
        deliveries: what members took as the Exchange delivered it, storages' charge included, by account and slot,
            Wh.
        lifetime_s: how long after its slot a certificate can be transferred and retired.
    """

    point: ChainPoint
    issuer: bytes
    history: CertificateHistory
    deliveries: Mapping[tuple[bytes, int], int]
    lifetime_s: int


def records_in(facts: Facts, scope: Scope) -> Iterator[Record]:
    """What was certified of generation in the scope's slots, corrections included, the oldest first."""
    for certificate in sorted(facts.history.records):
        in_time = scope.first_slot <= certificate.slot < scope.end_slot
        if in_time and certificate.kind is not CertificateKind.CONSUMPTION:
            yield facts.history.records[certificate]


def claims_in(facts: Facts, scope: Scope) -> list[tuple[Record, Claimed]]:
    """What of these certificates was retired for anybody, block by block, in a block by certificate."""
    claims = [
        (record, claim)
        for record in records_in(facts, scope)
        for claim in record.retirements
        if claim.topic in CLAIMS
    ]
    return sorted(claims, key=lambda each: each[1].point.block)


def origin_of(record: Record, claim: Claimed) -> Origin:
    """Where the energy of a claim came from, as its beneficiary sees it."""
    if claim.topic is Topic.SELF_CONSUMED and record.id.kind is CertificateKind.GENERATION:
        return Origin.SELF_CONSUMED
    return _ORIGINS.get(record.id.kind, Origin.BOUGHT)


def sources_of(
    facts: Facts, certificates: Iterable[CertificateId]
) -> tuple[tuple[Device, ...], tuple[ImportedFrom, ...], tuple[Discharge, ...]]:
    """The devices, imports and discharges behind certificates, those that a storage was charged with included.

    Raises:
        CannotStateError: the chain does not say where one of them came from.
    """
    devices: dict[int, Device] = {}
    imports: dict[int, ImportedFrom] = {}
    discharges: dict[CertificateId, Discharge] = {}
    waiting = set(certificates)
    while waiting:
        each = waiting.pop()
        if each.kind is CertificateKind.IMPORTED:
            imports[each.device] = imported_from(facts, each)
            continue
        devices[each.device] = device(facts, each.device)
        if each.kind is CertificateKind.STORED and each not in discharges:
            discharges[each] = discharge(facts, each)
            waiting |= {part.source for part in discharges[each].parts if part.source is not None}
    return (
        tuple(devices[number] for number in sorted(devices)),
        tuple(imports[number] for number in sorted(imports)),
        tuple(discharges[certificate] for certificate in sorted(discharges)),
    )


def device(facts: Facts, number: int) -> Device:
    """A device as statements describe it.

    Raises:
        CannotStateError: the chain knows none with this number.
    """
    if number not in facts.history.devices:
        raise CannotStateError(f"the chain knows no device {number}")
    found = facts.history.devices[number].device
    area = facts.history.areas[found.area]
    return Device(
        device=number,
        owner=found.owner,
        kind=found.kind.name.lower(),
        technology=eecs.technology_code(found.technology) if found.technology else "",
        fuel=eecs.fuel_code(found.fuel) if found.technology else "",
        nameplate_w=found.nameplate_w,
        slot_length_s=found.slot_length_s,
        latitude=found.latitude,
        longitude=found.longitude,
        market=area.market,
        zone=area.zone,
        commissioned_day=found.commissioned_day,
        support=_SUPPORT[found.support],
    )


def imported_from(facts: Facts, certificate: CertificateId) -> ImportedFrom:
    """Where an imported certificate came from.

    Raises:
        CannotStateError: the chain does not say.
    """
    details = facts.history.records[_first_revision(certificate)].imported
    if details is None:
        raise CannotStateError(f"the chain does not say where the {certificate} came from")
    return ImportedFrom(
        number=certificate.device,
        registry=details.registry,
        serial=details.serial,
        zone=facts.history.areas[details.area].zone,
        slot_length_s=details.slot_length_s,
        technology=eecs.technology_code(details.technology),
        fuel=eecs.fuel_code(details.fuel),
    )


def discharge(facts: Facts, certificate: CertificateId) -> Discharge:
    """What a storage's certificate was made of; a corrected one is of the same, only its amount was wrong."""
    first = facts.history.records[_first_revision(certificate)]
    return Discharge(
        certificate=certificate,
        metered_wh=first.metered_wh or 0,
        certified_wh=first.issued_wh,
        parts=tuple(Part(each.id, each.output_uwh) for each in first.sources),
    )


def _first_revision(certificate: CertificateId) -> CertificateId:
    return CertificateId(certificate.slot, certificate.device, certificate.kind)
