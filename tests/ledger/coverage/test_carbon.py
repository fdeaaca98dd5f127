from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.coverage.carbon import SOLAR_MG_PER_WH, Carbon, TechnologyCertificates, community_mg, emissions
from ledger.coverage.claims import MAX_SLOT_WH, Claims
from ledger.coverage.errors import InvalidCoverageError
from ledger.coverage.factors import MAX_FACTOR_MG_PER_WH
from ledger.coverage.matching import members
from ledger.coverage.periods import Period
from tests.ledger.coverage.strategies import any_claims, claims_of, whole


def ints(*values: Any) -> Any:
    return np.array(values, dtype=np.int64)


def solar(retired_wh: Any) -> TechnologyCertificates:
    return TechnologyCertificates("solar", SOLAR_MG_PER_WH, retired_wh)


def test_location_based_emissions_do_not_depend_on_certificates() -> None:
    claims = claims_of([[10, 20]], [[10, 0]])
    carbon = Carbon(ints(100, 300), ints(400, 400), (solar(claims.retired_wh),))
    assert emissions(claims, carbon, whole(claims)).location_based_mg.tolist() == [[10 * 100 + 20 * 300]]


def test_market_based_emissions_are_of_the_uncovered_consumption_slot_by_slot() -> None:
    claims = claims_of([[10, 20]], [[30, 5]])
    carbon = Carbon(ints(0, 0), ints(400, 500), (solar(claims.retired_wh),))
    each = emissions(claims, carbon, (Period("a", 0, 1), Period("b", 1, 2)))
    assert each.market_based_mg.tolist() == [[0, 15 * 500]]


def test_covered_consumption_has_the_direct_emissions_of_its_certificates() -> None:
    claims = claims_of([[10]], [[7]])
    gas = TechnologyCertificates("gas", 350, ints([4]))
    carbon = Carbon(ints(0), ints(600), (solar(ints([3])), gas))
    assert emissions(claims, carbon, whole(claims)).market_based_mg.tolist() == [[4 * 350 + 3 * 600]]


def test_of_too_many_certificates_those_with_the_highest_emissions_count() -> None:
    claims = claims_of([[10]], [[14]])
    gas = TechnologyCertificates("gas", 350, ints([6]))
    for certificates in ((solar(ints([8])), gas), (gas, solar(ints([8])))):
        carbon = Carbon(ints(0), ints(600), certificates)
        assert emissions(claims, carbon, whole(claims)).market_based_mg.tolist() == [[6 * 350]]


def test_the_largest_emissions_are_exact() -> None:
    claims = claims_of([[MAX_SLOT_WH] * 2] * 3, [[0] * 2] * 3)
    factor = ints(MAX_FACTOR_MG_PER_WH, MAX_FACTOR_MG_PER_WH)
    each = emissions(claims, Carbon(factor, factor, ()), whole(claims))
    assert community_mg(each.location_based_mg) == [6 * MAX_SLOT_WH * MAX_FACTOR_MG_PER_WH]


def test_a_community_may_emit_more_than_an_int64_holds() -> None:
    assert community_mg(ints([2**61, 1], [2**61, 2], [2**61, 3], [2**61, 4])) == [2**63, 10]


@given(any_claims(), st.integers(0, MAX_FACTOR_MG_PER_WH), st.integers(0, MAX_FACTOR_MG_PER_WH))
def test_with_constant_factors_emissions_follow_from_coverage(claims: Claims, mean: int, residual: int) -> None:
    slots = np.ones(len(claims.slots), dtype=np.int64)
    carbon = Carbon(slots * mean, slots * residual, (solar(claims.retired_wh),))
    each, coverage = emissions(claims, carbon, whole(claims)), members(claims, whole(claims))
    for row in range(len(claims.members)):
        assert each.location_based_mg[row, 0] == coverage.at(row, 0).consumption_wh * mean
        assert each.market_based_mg[row, 0] == coverage.at(row, 0).unmatched_wh * residual


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"location_mg_per_wh": ints(1)}, r"'location_mg_per_wh' is int64 of shape \(1,\)"),
        ({"residual_mg_per_wh": np.ones(2)}, "'residual_mg_per_wh' is float64"),
        ({"residual_mg_per_wh": ints(0, 2_001)}, "'residual_mg_per_wh' is 0 to 2001 mg/Wh"),
        ({"location_mg_per_wh": ints(-1, 0)}, "'location_mg_per_wh' is -1 to 0 mg/Wh"),
        ({"certificates": ()}, "'certificates' of member-0 in slot 1700000100 sum to 0 Wh: must be 5"),
        ({"certificates": (solar(ints([5, 7])),)}, "in slot 1700001000 sum to 7 Wh: must be 6"),
        ({"certificates": (solar(ints([5])),)}, r"'retired_wh of solar' has the shape \(1, 1\)"),
        (
            {"certificates": (TechnologyCertificates("gas", -1, ints([5, 6])),)},
            "'direct_mg_per_wh of gas' is -1: must be between 0 and 2000",
        ),
    ],
)
def test_factors_and_certificates_that_do_not_fit_are_refused(changed: dict[str, Any], message: str) -> None:
    claims = claims_of([[10, 20]], [[5, 6]])
    fits = {
        "location_mg_per_wh": ints(1, 2),
        "residual_mg_per_wh": ints(3, 4),
        "certificates": (solar(claims.retired_wh),),
    }
    emissions(claims, Carbon(**fits), whole(claims))
    with pytest.raises(InvalidCoverageError, match=message):
        emissions(claims, Carbon(**(fits | changed)), whole(claims))
