"""Makes disclosures: a period's consumption, what covers it, and what became of the period's certificates.

What counts is defined in `ledger.coverage.counting`. What a member's loads took in a slot is what the Exchange
delivered, less what charged storages, and as corrected since: by how much, the revisions of consumption
certificates say. Where nothing was delivered, these certificates are all there is. What a storage gives back
covers consumption like any other generation, with the origin of what charged it.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from ledger.allocation.rule import pro_rata
from ledger.certificates.claims import Topic
from ledger.certificates.history import CertificateHistory
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.certificates.records import Record
from ledger.certificates.records import Retirement as Claimed
from ledger.coverage.counting import MATCHED_TOPICS, is_final_consumption
from ledger.coverage.errors import UnknownFactorError
from ledger.coverage.factors import Basis, annual_factor, annual_factors
from ledger.coverage.matching import Coverage
from ledger.statements.errors import CannotStateError
from ledger.statements.facts import (
    CLAIMS,
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

_BySlot = Mapping[tuple[bytes, int], int]
"""Wh by account and slot."""

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
    accounts = members(facts.history, scope)
    if not accounts:
        raise CannotStateError("scope.market has no devices: there is nothing to disclose")
    consumption = _consumption(facts, scope, accounts)
    claims = [(record, claim) for record, claim in claims_in(facts, scope) if claim.subject in accounts]
    matches = [(record, claim) for record, claim in claims if claim.topic in MATCHED_TOPICS]
    covered = list(_covered(matches, consumption))
    retired: dict[tuple[bytes, int], int] = defaultdict(int)
    for record, claim in matches:
        retired[claim.subject, record.id.slot] += claim.amount_wh
    apart, together = by_members(consumption, retired), pool(consumption, retired)
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
            members=len(accounts),
            consumption_wh=apart.consumption_wh,
            retired_wh=apart.retired_wh,
            matched_wh=apart.matched_wh,
            claimed_wh=sum(claim.amount_wh for _, claim in claims) - apart.retired_wh,
            score_ppm=apart.score_ppm,
            annual_ppm=apart.annual_ppm,
            pool_score_ppm=together.score_ppm,
            shares=shares,
            flow=_flow(facts, scope, accounts),
            carbon=_carbon(scope.factors, apart.consumption_wh, apart.consumption_wh - apart.matched_wh, shares),
        ),
    )


def members(history: CertificateHistory, scope: Scope) -> frozenset[bytes]:
    """The accounts that a disclosure is about; none if there is no such market."""
    if scope.account is not None:
        return frozenset([scope.account])
    devices = [record.device for record in history.devices.values()]
    return frozenset(each.owner for each in devices if history.areas[each.area].market == scope.market)


def _consumption(facts: Facts, scope: Scope, accounts: Collection[bytes]) -> dict[tuple[bytes, int], int]:
    """Final consumption by member and slot: never less than the member's loads have certificates of.

    It would be less where a load was delivered with 0 Wh, of which no certificate can be issued that a correction
    would revise. Then what all of the member's loads took is certified.
    """
    certified: dict[tuple[bytes, int], int] = defaultdict(int)
    final = {key: amount for key, amount in facts.deliveries.items() if key[0] in accounts}
    for each, record in facts.history.records.items():
        is_first = each.kind is CertificateKind.CONSUMPTION and each.revision == 0
        in_time = scope.first_slot <= each.slot < scope.end_slot
        if not (is_first and in_time and record.owner in accounts):
            continue
        key = record.owner, each.slot
        delivered_wh, counts_wh = record.issued_wh + record.paid_wh, 0
        if is_final_consumption(facts.history.devices[each.device].device.kind):
            counts_wh = _latest_wh(facts.history, record)
            certified[key] += counts_wh
        final[key] = final.get(key, 0) + counts_wh - delivered_wh
    return {key: max(amount_wh, certified[key]) for key, amount_wh in final.items()}


def _latest_wh(history: CertificateHistory, record: Record) -> int:
    """What was metered by the last revision of a consumption certificate, whose first `record` is."""
    latest = history.latest_revision(record.id) or record
    return record.issued_wh + record.paid_wh if latest.correction is None else latest.correction.corrected_wh


def _covered(claims: Iterable[tuple[Record, Claimed]], consumption: _BySlot) -> Iterator[_Covered]:
    """What the claims cover, the earlier claim first; what exceeds a slot's consumption covers nothing."""
    left = dict(consumption)
    for record, claim in claims:
        key = claim.subject, record.id.slot
        part = min(left.get(key, 0), claim.amount_wh)
        if part:
            left[key] -= part
            yield _Covered(record.id, origin_of(record, claim), part)


def by_members(consumption: _BySlot, claimed: _BySlot) -> Coverage:
    """Coverage as the sum over the members, as `ledger.coverage.matching.by_members` has it of arrays."""
    consumed, retired = Counter[bytes](), Counter[bytes]()
    for (account, _), amount_wh in consumption.items():
        consumed[account] += amount_wh
    for (account, _), amount_wh in claimed.items():
        retired[account] += amount_wh
    return Coverage(
        consumption_wh=consumed.total(),
        retired_wh=retired.total(),
        matched_wh=sum(min(amount_wh, claimed.get(key, 0)) for key, amount_wh in consumption.items()),
        annual_matched_wh=(consumed & retired).total(),
    )


def pool(consumption: _BySlot, claimed: _BySlot) -> Coverage:
    """Coverage as if the members were one, as `ledger.coverage.matching.pool` has it of arrays."""
    consumed, retired = Counter[int](), Counter[int]()
    for (_, slot), amount_wh in consumption.items():
        consumed[slot] += amount_wh
    for (_, slot), amount_wh in claimed.items():
        retired[slot] += amount_wh
    return Coverage(
        consumption_wh=consumed.total(),
        retired_wh=retired.total(),
        matched_wh=(consumed & retired).total(),
        annual_matched_wh=min(consumed.total(), retired.total()),
    )


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


def _flow(facts: Facts, scope: Scope, accounts: Collection[bytes]) -> Flow:
    """Where the members' certificates came from and went."""
    issued = received = given = frozen = expired = held = 0
    used: dict[Topic, int] = defaultdict(int)
    for record in records_in(facts, scope):
        issued += record.issued_wh if record.owner in accounts else 0
        for move in record.transfers:
            comes, goes = move.receiver in accounts, move.sender in accounts
            received += move.amount_wh if comes and not goes else 0
            given += move.amount_wh if goes and not comes else 0
        for claim in record.retirements:
            used[claim.topic] += claim.amount_wh if claim.holder in accounts else 0
        left = sum(amount for account, amount in record.held.items() if account in accounts)
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
        retired_wh=sum(used[topic] for topic in CLAIMS),
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
