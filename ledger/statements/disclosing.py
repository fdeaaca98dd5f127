"""Makes disclosures: a period's consumption, what covers it, and what became of the period's certificates.

Consumption is final consumption: what the Exchange delivered to a member in a slot, or where it delivered nothing
the member's consumption certificates, both without what charged a storage. What a storage gives back covers
consumption like any other generation, with the origin of what charged it.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ledger.allocation.rule import pro_rata
from ledger.certificates.claims import Topic
from ledger.certificates.history import CertificateHistory
from ledger.certificates.ids import MAX_REVISION, SLOT_UNIT_S, CertificateId, CertificateKind
from ledger.certificates.records import Record
from ledger.certificates.records import Retirement as Claimed
from ledger.coverage.claims import Claims
from ledger.coverage.errors import UnknownFactorError
from ledger.coverage.factors import Basis, annual_factor, annual_factors
from ledger.coverage.matching import by_members, pool
from ledger.coverage.periods import Period
from ledger.devices import DeviceKind
from ledger.statements.errors import CannotStateError
from ledger.statements.facts import (
    CLAIMS_OF_CONSUMPTION,
    Facts,
    claims_in,
    device,
    discharge,
    imported_from,
    origin_of,
    records_in,
    sources_of,
)
from ledger.statements.model import (
    FORMAT,
    Carbon,
    Disclosure,
    Flow,
    Kind,
    Origin,
    Scope,
    Share,
    Statement,
)

_FOSSIL = "F02"
_ORIGIN_ORDER = list(Origin)


@dataclass(frozen=True, slots=True)
class _Covered:
    """Some of a member's consumption in a slot, and the certificate that covers it."""

    certificate: CertificateId
    origin: Origin
    amount_wh: int


def disclosure_statement(facts: Facts, scope: Scope) -> Statement:
    """A member's or a community's disclosure.

    Raises:
        CannotStateError: the community has no members, or an origin or an emission factor is not known.
    """
    places = members(facts.history, scope)
    if not places:
        raise CannotStateError("scope.market has no devices: there is nothing to disclose")
    consumption = _consumption(facts, scope, places)
    claims = [(record, claim) for record, claim in claims_in(facts, scope) if claim.subject in places]
    covered = list(_covered(claims, consumption))
    arrays = _arrays(scope, places, consumption, claims)
    whole = (Period("whole", 0, len(arrays.slots)),)
    apart, together = by_members(arrays, whole).at(0, 0), pool(arrays, whole).at(0, 0)
    if sum(each.amount_wh for each in covered) != apart.matched_wh:
        raise CannotStateError(f"claims do not cover {apart.matched_wh} Wh one by one: a defect of this module")
    shares = _shares(facts, covered)
    devices, imports, discharges = sources_of(facts, (each.certificate for each in covered))
    return Statement(
        format=FORMAT,
        kind=Kind.DISCLOSURE,
        chain=facts.point,
        issuer=facts.issuer,
        scope=scope,
        total_wh=apart.consumption_wh,
        retirements=(),
        devices=devices,
        imports=imports,
        discharges=discharges,
        disclosure=Disclosure(
            members=len(places),
            consumption_wh=apart.consumption_wh,
            claimed_wh=apart.retired_wh,
            matched_wh=apart.matched_wh,
            score_ppm=apart.score_ppm,
            annual_ppm=apart.annual_ppm,
            pool_score_ppm=together.score_ppm,
            shares=shares,
            flow=_flow(facts, scope, places),
            carbon=_carbon(scope.factors, apart.consumption_wh, apart.consumption_wh - apart.matched_wh, shares),
        ),
    )


def members(history: CertificateHistory, scope: Scope) -> dict[bytes, int]:
    """The accounts that a disclosure is about, ascending, and their places; none if there is no such market."""
    if scope.account is not None:
        return {scope.account: 0}
    devices = [record.device for record in history.devices.values()]
    owners = {each.owner for each in devices if history.areas[each.area].market == scope.market}
    return {account: place for place, account in enumerate(sorted(owners))}


def _consumption(facts: Facts, scope: Scope, places: Mapping[bytes, int]) -> dict[tuple[bytes, int], int]:
    """Final consumption by member and slot."""
    loads: dict[tuple[bytes, int], int] = defaultdict(int)
    charged: dict[tuple[bytes, int], int] = defaultdict(int)
    for each, record in facts.history.records.items():
        is_latest = each.revision == MAX_REVISION or each.next_revision not in facts.history.records
        if each.kind is CertificateKind.CONSUMPTION and is_latest and record.owner in places:
            metered_wh = record.issued_wh if record.correction is None else record.correction.corrected_wh
            by_kind = charged if facts.history.devices[each.device].device.kind is DeviceKind.CHARGE else loads
            by_kind[record.owner, each.slot] += metered_wh
    for key, delivered_wh in facts.deliveries.items():
        loads[key] = max(delivered_wh - charged[key], 0)
    return {
        (account, slot): amount_wh
        for (account, slot), amount_wh in loads.items()
        if account in places and scope.first_slot <= slot < scope.end_slot
    }


def _covered(
    claims: Iterable[tuple[Record, Claimed]], consumption: Mapping[tuple[bytes, int], int]
) -> Iterator[_Covered]:
    """What the claims cover, the earlier claim first; what exceeds a slot's consumption covers nothing."""
    left = dict(consumption)
    for record, claim in claims:
        key = claim.subject, record.id.slot
        part = min(left.get(key, 0), claim.amount_wh)
        if part:
            left[key] -= part
            yield _Covered(record.id, origin_of(record, claim), part)


def _arrays(
    scope: Scope,
    places: Mapping[bytes, int],
    consumption: Mapping[tuple[bytes, int], int],
    claims: Iterable[tuple[Record, Claimed]],
) -> Claims:
    """The same as arrays, in steps of the unit that every slot starts at a multiple of."""
    first = scope.first_slot // SLOT_UNIT_S * SLOT_UNIT_S
    slots = np.arange(first, scope.end_slot, SLOT_UNIT_S, dtype=np.int64)
    consumed, retired = np.zeros((2, len(places), len(slots)), dtype=np.int64)
    for (account, slot), amount_wh in consumption.items():
        consumed[places[account], (slot - first) // SLOT_UNIT_S] += amount_wh
    for record, claim in claims:
        retired[places[claim.subject], (record.id.slot - first) // SLOT_UNIT_S] += claim.amount_wh
    return Claims(tuple(account.hex() for account in places), slots, SLOT_UNIT_S, consumed, retired)


def _shares(facts: Facts, covered: Iterable[_Covered]) -> tuple[Share, ...]:
    totals: dict[tuple[Origin, str, str], int] = defaultdict(int)
    for each in covered:
        for technology, fuel, amount_wh in _generated_by(facts, each.certificate, each.amount_wh):
            totals[each.origin, technology, fuel] += amount_wh
    ranked = sorted(totals.items(), key=lambda item: (_ORIGIN_ORDER.index(item[0][0]), item[0][1:]))
    return tuple(Share(*key, matched_wh=amount) for key, amount in ranked if amount)


def _generated_by(facts: Facts, certificate: CertificateId, amount_wh: int) -> Iterator[tuple[str, str, int]]:
    """What generated some Wh of a certificate; a storage's are of what it was charged with, in proportion."""
    if certificate.kind is CertificateKind.STORED:
        parts = [part for part in discharge(facts, certificate).parts if part.source is not None]
        for part, share in zip(parts, pro_rata(amount_wh, [each.output_uwh for each in parts]), strict=True):
            if part.source is not None:
                yield from _generated_by(facts, part.source, share)
        return
    is_imported = certificate.kind is CertificateKind.IMPORTED
    source = imported_from(facts, certificate) if is_imported else device(facts, certificate.device)
    yield source.technology, source.fuel, amount_wh


def _flow(facts: Facts, scope: Scope, places: Mapping[bytes, int]) -> Flow:
    """Where the members' certificates came from and went."""
    issued = received = given = frozen = expired = held = 0
    used: dict[Topic, int] = defaultdict(int)
    for record in records_in(facts, scope):
        issued += record.issued_wh if record.owner in places else 0
        for move in record.transfers:
            comes, goes = move.receiver in places, move.sender in places
            received += move.amount_wh if comes and not goes else 0
            given += move.amount_wh if goes and not comes else 0
        for claim in record.retirements:
            used[claim.topic] += claim.amount_wh if claim.holder in places else 0
        left = sum(amount for account, amount in record.held.items() if account in places)
        if record.withdrawal is not None:
            frozen += left
        elif record.expires_at(facts.lifetime_s) <= facts.point.time:
            expired += left
        else:
            held += left
    flow = Flow(
        issued_wh=issued,
        received_wh=received,
        given_wh=given,
        retired_wh=sum(used[topic] for topic in CLAIMS_OF_CONSUMPTION),
        stored_wh=used[Topic.STORED],
        exported_wh=used[Topic.EXPORTED],
        frozen_wh=frozen,
        expired_wh=expired,
        held_wh=held,
    )
    gone = flow.given_wh + flow.retired_wh + flow.stored_wh + flow.exported_wh
    if issued + received != gone + frozen + expired + held:
        raise CannotStateError(f"certificates do not add up: {flow}")
    return flow


def _carbon(
    factors: str | None, consumption_wh: int, uncovered_wh: int, shares: tuple[Share, ...]
) -> Carbon | None:
    """Both figures of the Scope 2 Guidance, with the packaged annual factors that are named `region/year`."""
    if factors is None:
        return None
    region, _, year = factors.partition("/")
    if not (year.isascii() and year.isdigit()):
        raise CannotStateError(f"scope.factors is {factors!r}: must be a region and a year such as 'NL/2023'")
    burnt = [share.fuel for share in shares if share.fuel.startswith(_FOSSIL)]
    if burnt:
        raise CannotStateError(f"no direct emission factor is known for energy source {burnt[0]}")
    known = annual_factors()
    try:
        location = annual_factor(known, region, int(year), Basis.GRID_AVERAGE)
        residual = annual_factor(known, region, int(year), Basis.RESIDUAL_MIX)
    except UnknownFactorError as error:
        raise CannotStateError(str(error)) from error
    return Carbon(
        factors=f"{region} {year}: {location.source}, {location.gas}; {residual.source}, {residual.gas}",
        location_mg_per_wh=location.mg_per_wh,
        residual_mg_per_wh=residual.mg_per_wh,
        location_mg=consumption_wh * location.mg_per_wh,
        market_mg=uncovered_wh * residual.mg_per_wh,
    )
