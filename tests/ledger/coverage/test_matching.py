from dataclasses import replace
from fractions import Fraction
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.coverage.claims import MAX_SLOT_WH, Claims
from ledger.coverage.errors import BrokenCoverageError, InvalidCoverageError
from ledger.coverage.matching import Coverage, Origins, by_members, matched_wh, members, pool
from ledger.coverage.periods import Period
from tests.ledger.coverage.strategies import any_claims, claims_of, whole


def test_a_surplus_in_one_slot_covers_nothing_in_another() -> None:
    claims = claims_of([[100, 100]], [[200, 0]])
    coverage = members(claims, whole(claims)).at(0, 0)
    assert coverage.annual_ppm == 1_000_000
    assert coverage.score_ppm == 500_000
    assert (coverage.matched_wh, coverage.unmatched_wh, coverage.excess_wh) == (100, 100, 100)


def test_the_pool_covers_what_members_without_certificates_consume_and_the_members_sum_does_not() -> None:
    claims = claims_of([[100], [100]], [[150], [0]])
    assert by_members(claims, whole(claims)).at(0, 0).score == Fraction(1, 2)
    assert pool(claims, whole(claims)).at(0, 0).score == Fraction(3, 4)


def test_the_annual_score_of_the_members_nets_across_slots_and_not_across_members() -> None:
    claims = claims_of([[100, 0], [0, 100]], [[0, 200], [0, 0]])
    period = whole(claims)
    assert by_members(claims, period).at(0, 0).annual == Fraction(1, 2)
    assert pool(claims, period).at(0, 0).annual == 1


def test_without_consumption_there_is_no_score() -> None:
    claims = claims_of([[0, 0]], [[7, 0]])
    coverage = members(claims, whole(claims)).at(0, 0)
    assert (coverage.score, coverage.score_ppm, coverage.annual, coverage.annual_ppm) == (None,) * 4
    assert coverage.excess_wh == 7


def test_millionths_are_rounded_down_so_that_only_full_coverage_reads_as_full() -> None:
    claims = claims_of([[MAX_SLOT_WH]], [[MAX_SLOT_WH - 1]])
    assert members(claims, whole(claims)).at(0, 0).score_ppm == 999_999


def test_each_period_has_its_own_figures() -> None:
    claims = claims_of([[10, 20, 30]], [[10, 0, 40]])
    each = members(claims, (Period("a", 0, 2), Period("b", 2, 3)))
    assert each.at(0, 0) == Coverage(30, 10, 10, 10)
    assert each.at(0, 1) == Coverage(30, 40, 30, 30)


def test_the_largest_energies_sum_exactly() -> None:
    claims = claims_of([[MAX_SLOT_WH] * 3] * 5, [[MAX_SLOT_WH] * 3] * 5)
    assert pool(claims, whole(claims)).at(0, 0) == Coverage(*(15 * MAX_SLOT_WH,) * 4)


@pytest.mark.parametrize("figures", [(10, 10, -1, 5), (10, 10, 6, 5), (10, 4, 4, 5), (4, 10, 4, 5)])
def test_a_coverage_that_cannot_be_is_a_defect(figures: tuple[int, int, int, int]) -> None:
    with pytest.raises(BrokenCoverageError, match="must be 0 <= matched"):
        Coverage(*figures)


@given(any_claims())
def test_in_no_slot_is_more_matched_than_consumed_or_retired(claims: Claims) -> None:
    matched = matched_wh(claims)
    assert (matched <= claims.consumption_wh).all()
    assert (matched <= claims.retired_wh).all()
    assert (matched >= 0).all()


@given(any_claims())
def test_no_score_is_above_one_or_above_the_annual_one_and_the_pool_is_never_below_the_members(
    claims: Claims,
) -> None:
    period = whole(claims)
    members_sum, pooled = by_members(claims, period).at(0, 0), pool(claims, period).at(0, 0)
    assert pooled.matched_wh >= members_sum.matched_wh
    each = members(claims, period)
    for coverage in (members_sum, pooled, *(each.at(row, 0) for row in range(len(claims.members)))):
        if coverage.score is None or coverage.annual is None:
            assert coverage.consumption_wh == 0
            continue
        assert 0 <= coverage.score <= coverage.annual <= 1
        assert coverage.score_ppm == coverage.score * 1_000_000 // 1


@given(any_claims())
def test_the_community_is_the_sum_of_its_members(claims: Claims) -> None:
    period = whole(claims)
    each = members(claims, period)
    coverages = [each.at(row, 0) for row in range(len(claims.members))]
    community, pooled = by_members(claims, period).at(0, 0), pool(claims, period).at(0, 0)
    assert community.matched_wh == sum(coverage.matched_wh for coverage in coverages)
    assert community.consumption_wh == pooled.consumption_wh == int(claims.consumption_wh.sum())
    assert community.retired_wh == pooled.retired_wh == int(claims.retired_wh.sum())


@given(any_claims(), st.randoms(use_true_random=False))
def test_the_order_of_slots_in_a_period_does_not_matter(claims: Claims, random: Random) -> None:
    order = list(range(len(claims.slots)))
    random.shuffle(order)
    shuffled = replace(
        claims, consumption_wh=claims.consumption_wh[:, order], retired_wh=claims.retired_wh[:, order]
    )
    period = whole(claims)
    for coverages in (members, by_members, pool):
        before, after = coverages(claims, period), coverages(shuffled, period)
        assert [before.at(row, 0) for row in range(len(before.matched_wh))] == [
            after.at(row, 0) for row in range(len(after.matched_wh))
        ]


@given(any_claims(), st.data())
def test_sharing_a_slots_certificates_differently_among_members_changes_no_total(
    claims: Claims, data: st.DataObject
) -> None:
    giver, taker = (data.draw(st.integers(0, len(claims.members) - 1)) for _ in range(2))
    slot = data.draw(st.integers(0, len(claims.slots) - 1))
    room = MAX_SLOT_WH - int(claims.retired_wh[taker, slot])
    moved = data.draw(st.integers(0, min(room, int(claims.retired_wh[giver, slot]))))
    retired = claims.retired_wh.copy()
    retired[giver, slot] -= moved
    retired[taker, slot] += moved
    shared = replace(claims, retired_wh=retired)
    period = whole(claims)
    assert pool(shared, period).at(0, 0) == pool(claims, period).at(0, 0)
    assert by_members(shared, period).at(0, 0).retired_wh == by_members(claims, period).at(0, 0).retired_wh


@given(any_claims())
def test_slots_matched_one_by_one_sum_to_the_period(claims: Claims) -> None:
    slot_by_slot = tuple(Period(str(n), n, n + 1) for n in range(len(claims.slots)))
    for coverages in (members, by_members, pool):
        whole_period = coverages(claims, whole(claims)).matched_wh
        assert (coverages(claims, slot_by_slot).matched_wh.sum(axis=1, keepdims=True) == whole_period).all()


def origins_of(*arrays: list[list[int]]) -> Origins:
    return Origins(*(np.array(array, dtype=np.int64) for array in arrays))


def test_origins_that_sum_to_the_consumption_are_taken() -> None:
    origins_of([[1, 2]], [[3, 0]], [[0, 4]], [[6, 14]]).check(claims_of([[10, 20]], [[0, 0]]))


def test_origins_that_do_not_sum_to_the_consumption_are_refused() -> None:
    with pytest.raises(InvalidCoverageError, match="member-0 in slot 1700001000 sum to 19 Wh: must be 20"):
        origins_of([[1, 2]], [[3, 0]], [[0, 4]], [[6, 13]]).check(claims_of([[10, 20]], [[0, 0]]))


def test_a_negative_origin_is_refused_even_if_the_sum_is_right() -> None:
    with pytest.raises(InvalidCoverageError, match="'from_storage_wh' is -4 to -4 Wh"):
        origins_of([[10]], [[0]], [[-4]], [[4]]).check(claims_of([[10]], [[0]]))
