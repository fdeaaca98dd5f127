"""Emissions of consumed electricity by the two methods of the GHG Protocol Scope 2 Guidance.

- **Location-based**: all consumption at the mean of the grid that it was taken from, whatever was bought.
- **Market-based**: consumption that certificates of its slot cover at the direct emissions of the technology that
  generated it, and the rest at the residual mix: what the market generated without anybody claiming it.

Energy in Wh times factors in mg CO2 per Wh are whole mg: no division, so no rounding. That the market-based method
matches slot by slot is stricter than the Guidance of 2015 asks, which accepts certificates of the same year.

Source of the methods: World Resources Institute, GHG Protocol Scope 2 Guidance, 2015, chapters 4 and 6.
"""

from dataclasses import dataclass

import numpy as np

from ledger.coverage.claims import Claims
from ledger.coverage.errors import InvalidCoverageError
from ledger.coverage.factors import MAX_FACTOR_MG_PER_WH
from ledger.coverage.periods import Period, summed
from matching.book import Ints

SOLAR_MG_PER_WH = 0
"""Direct emissions of photovoltaic generation: it burns nothing. Making the panels is no part of Scope 2."""


@dataclass(frozen=True, slots=True, eq=False)
class TechnologyCertificates:
    """The retired certificates of one technology.

    Attributes:
        technology: its name.
        direct_mg_per_wh: direct emissions of its generation, mg CO2 per Wh.
        retired_wh: retired for each member's consumption in each slot, int64 array (members, slots).
    """

    technology: str
    direct_mg_per_wh: int
    retired_wh: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Carbon:
    """What the emissions of claims are computed with.

    Attributes:
        location_mg_per_wh: grid-average factor of each slot, int64 array (slots), mg/Wh.
        residual_mg_per_wh: residual-mix factor of each slot, likewise.
        certificates: the retired certificates by technology; together they are the claims' `retired_wh`.
    """

    location_mg_per_wh: Ints
    residual_mg_per_wh: Ints
    certificates: tuple[TechnologyCertificates, ...]

    def check(self, claims: Claims) -> None:
        """Check that the factors are of the claims' slots and the certificates those of the claims.

        Raises:
            InvalidCoverageError: they are not, or a factor is outside 0 to 2,000 mg/Wh.
        """
        _check_factors("location_mg_per_wh", self.location_mg_per_wh, claims)
        _check_factors("residual_mg_per_wh", self.residual_mg_per_wh, claims)
        total = np.zeros_like(claims.retired_wh)
        for each in self.certificates:
            claims.check_energy(f"retired_wh of {each.technology}", each.retired_wh)
            if not 0 <= each.direct_mg_per_wh <= MAX_FACTOR_MG_PER_WH:
                problem = f"is {each.direct_mg_per_wh}: must be between 0 and {MAX_FACTOR_MG_PER_WH}"
                raise InvalidCoverageError(f"direct_mg_per_wh of {each.technology}", problem)
            total += each.retired_wh
        wrong = np.argwhere(total != claims.retired_wh)
        if len(wrong):
            member, slot = wrong[0].tolist()
            where = f"{claims.members[member]} in slot {claims.slots[slot]}"
            problem = f"of {where} sum to {total[member, slot]} Wh: must be {claims.retired_wh[member, slot]}"
            raise InvalidCoverageError("certificates", problem)


@dataclass(frozen=True, slots=True, eq=False)
class Emissions:
    """Emissions of each member in each period: int64 arrays (members, periods), mg CO2."""

    location_based_mg: Ints
    market_based_mg: Ints


def emissions(claims: Claims, carbon: Carbon, periods: tuple[Period, ...]) -> Emissions:
    """Both figures of each member in each period, exact.

    Raises:
        InvalidCoverageError: factors or certificates do not fit the claims.
    """
    carbon.check(claims)
    return Emissions(
        location_based_mg=summed(claims.consumption_wh * carbon.location_mg_per_wh, periods),
        market_based_mg=summed(_market_based_mg(claims, carbon), periods),
    )


def community_mg(members_mg: Ints) -> list[int]:
    """Emissions of the community in each period: the sum over its members, in Python integers of any size.

    There is none for the pool: certificates retired for one member are no claim of another's.
    """
    return [sum(column) for column in members_mg.T.tolist()]


def _market_based_mg(claims: Claims, carbon: Carbon) -> Ints:
    """Slot by slot; where certificates exceed consumption, those with the highest emissions count first."""
    uncovered_wh = claims.consumption_wh.copy()
    mg = np.zeros_like(uncovered_wh)
    for each in sorted(carbon.certificates, key=lambda each: -each.direct_mg_per_wh):
        covered_wh = np.minimum(uncovered_wh, each.retired_wh)
        mg += covered_wh * each.direct_mg_per_wh
        uncovered_wh -= covered_wh
    mg += uncovered_wh * carbon.residual_mg_per_wh
    return mg


def _check_factors(field: str, factors: Ints, claims: Claims) -> None:
    if factors.dtype != np.int64 or factors.shape != claims.slots.shape:
        problem = f"is {factors.dtype} of shape {factors.shape}: must be int64, one a slot, {claims.slots.shape}"
        raise InvalidCoverageError(field, problem)
    low, high = int(factors.min()), int(factors.max())
    if low < 0 or high > MAX_FACTOR_MG_PER_WH:
        raise InvalidCoverageError(field, f"is {low} to {high} mg/Wh: must be 0 to {MAX_FACTOR_MG_PER_WH}")
