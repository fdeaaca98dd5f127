"""Coverage: what members consumed by their latest readings, and which certificates cover it, as arrays."""

import numpy as np

from ledger.certificates.history import CertificateHistory
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.coverage.carbon import Carbon, TechnologyCertificates
from ledger.coverage.claims import Claims
from ledger.coverage.counting import CLAIMED_TOPICS, MATCHED_TOPICS, is_final_consumption
from ledger.coverage.factors import Basis, annual_factors, factors_by_year
from ledger.eecs import fuel_code
from matching.book import Ints
from matching.errors import WattbookError
from node.certificate_view import CertificateView
from node.store import Store

MAX_PERIOD_S = 366 * 86_400
"""Longest period that is looked at at once."""

_WITHOUT_EMISSIONS = ("F01", "F03")  # renewable and nuclear sources


class CoveragePeriodError(WattbookError):
    """The period is empty, too long, or not of whole slots."""

    code = "coverage.period"


class UnknownEmissionsError(WattbookError):
    """A certificate's energy source burns something, and nothing here says what that emits."""

    code = "coverage.emissions"


def claims_of(
    store: Store,
    view: CertificateView,
    *,
    slot_length_s: int,
    first_slot: int,
    end_slot: int,
    account: bytes | None,
) -> Claims:
    """Consumption and retired certificates of one member, or of all, in the slots from first to end.

    What counts is defined in `ledger.coverage.counting`: a signed disclosure comes to the same, once the slots are
    certified and certificates follow their corrections.

    Raises:
        CoveragePeriodError: the period is empty, too long, or not of whole slots.
    """
    _check_period(first_slot, end_slot, slot_length_s)
    members = [member.account for member in store.members() if account in (None, member.account)]
    if not members:
        raise CoveragePeriodError("there is no such member, or none at all")
    rows = {member: row for row, member in enumerate(members)}
    slots = np.arange(first_slot, end_slot, slot_length_s, dtype=np.int64)
    consumed, retired, claimed = np.zeros((3, len(members), len(slots)), dtype=np.int64)
    owners = {
        device.device: device.account for device in store.devices() if is_final_consumption(device.details.kind)
    }
    for device, slot, energy_wh in store.energies(first_slot, end_slot):
        if owners.get(device) in rows:
            consumed[rows[owners[device]], (slot - first_slot) // slot_length_s] += energy_wh
    with view.history() as history:
        for retirement in history.retirements():
            slot, of_period = retirement.id.slot, first_slot <= retirement.id.slot < end_slot
            if not of_period or retirement.subject not in rows:
                continue
            cell = rows[retirement.subject], (slot - first_slot) // slot_length_s
            if retirement.topic in MATCHED_TOPICS:
                retired[cell] += retirement.amount_wh
                _require_no_emissions(history, retirement.id)
            elif retirement.topic in CLAIMED_TOPICS:
                claimed[cell] += retirement.amount_wh
    names = tuple("0x" + member.hex() for member in members)
    return Claims(names, slots, slot_length_s, consumed, retired, claimed)


def carbon_of(claims: Claims, region: str, time_zone: str) -> Carbon:
    """Annual factors of a region; what is certified here is generated without direct emissions.

    Raises:
        UnknownFactorError: one is not known of the region and a year.
    """
    known = annual_factors()
    factors: list[Ints] = [
        factors_by_year(known, region, basis, claims, time_zone)
        for basis in (Basis.GRID_AVERAGE, Basis.RESIDUAL_MIX)
    ]
    certificates = TechnologyCertificates("renewable", 0, claims.retired_wh)
    return Carbon(factors[0], factors[1], (certificates,))


def _check_period(first_slot: int, end_slot: int, slot_length_s: int) -> None:
    if first_slot % slot_length_s or end_slot % slot_length_s:
        raise CoveragePeriodError(
            f"period is {first_slot} to {end_slot}: must begin and end with slots of {slot_length_s} s"
        )
    if not 0 < end_slot - first_slot <= MAX_PERIOD_S:
        raise CoveragePeriodError(f"period is {end_slot - first_slot} s long: must be 1 to {MAX_PERIOD_S}")


def _require_no_emissions(history: CertificateHistory, certificate: CertificateId) -> None:
    if certificate.kind is CertificateKind.STORED:
        for source in history.records[certificate].sources:
            if source.id is not None:
                _require_no_emissions(history, source.id)
        return
    imported = history.records[certificate].imported
    fuel = fuel_code(history.devices[certificate.device].device.fuel if imported is None else imported.fuel)
    if not fuel.startswith(_WITHOUT_EMISSIONS):
        raise UnknownEmissionsError(f"{certificate} is of {fuel}: its direct emissions are not known here")
