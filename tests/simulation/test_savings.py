from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.results import Results
from simulation.savings import IncomparableRunsError, Savings, gain_of_battery, savings
from tests.simulation.tables import FEED_IN, RETAIL, results

PRICE = 150_000


def utility_only() -> Results:
    return results(
        {
            "A": {"generation_wh": [1_000], "exported_wh": [1_000]},
            "B": {"consumption_wh": [600], "imported_wh": [600]},
        }
    )


def with_market() -> Results:
    return results(
        {
            "A": {
                "generation_wh": [1_000],
                "sold_wh": [600],
                "exported_wh": [400],
                "amount_nano": [600 * PRICE],
            },
            "B": {
                "consumption_wh": [600],
                "bought_wh": [600],
                "from_generation_wh": [600],
                "amount_nano": [-600 * PRICE],
            },
        }
    )


def test_savings_count_the_revenue_from_sales() -> None:
    saved = savings(utility_only(), with_market())
    assert saved.households == ("A", "B")
    assert saved.before_nano == (-1_000 * FEED_IN, 600 * RETAIL)
    # A buys nothing: counting purchases alone, it would save nothing.
    assert saved.saved_nano == (600 * (PRICE - FEED_IN), 600 * (RETAIL - PRICE))


def test_what_the_households_save_is_what_the_utility_no_longer_earns() -> None:
    saved = savings(utility_only(), with_market())
    assert sum(saved.saved_nano) == 600 * (RETAIL - FEED_IN)


def test_the_battery_is_no_household_and_its_gain_is_its_own() -> None:
    # The battery buys A's surplus at 10 ct/kWh and sells it to B a slot later at 20, losing a tenth.
    without = results(
        {
            "A": {"generation_wh": [1_000, 0], "exported_wh": [1_000, 0]},
            "B": {"consumption_wh": [0, 900], "imported_wh": [0, 900]},
        }
    )
    with_battery = results(
        {
            "A": {"generation_wh": [1_000, 0], "sold_wh": [1_000, 0], "amount_nano": [1_000 * 100_000, 0]},
            "B": {
                "consumption_wh": [0, 900],
                "bought_wh": [0, 900],
                "from_storage_wh": [0, 900],
                "amount_nano": [0, -900 * 200_000],
            },
            "battery": {
                "bought_wh": [1_000, 0],
                "charged_wh": [1_000, 0],
                "lost_wh": [100, 0],
                "stored_wh": [900, 0],
                "discharged_wh": [0, 900],
                "sold_wh": [0, 900],
                "amount_nano": [-1_000 * 100_000, 900 * 200_000],
            },
        },
        storages=["battery"],
    )
    gain = gain_of_battery(without, with_battery)
    assert gain.own_nano == 900 * 200_000 - 1_000 * 100_000
    assert gain.members_nano == (1_000 * (100_000 - FEED_IN), 900 * (RETAIL - 200_000))
    assert gain.community_nano == 900 * RETAIL - 1_000 * FEED_IN
    assert gain.period_s == 2 * 900


def test_runs_of_other_households_or_other_slots_are_not_compared() -> None:
    nobody = results({"A": {"consumption_wh": [1], "imported_wh": [1]}})
    with pytest.raises(IncomparableRunsError, match="must be A, B"):
        savings(utility_only(), nobody)
    longer = results({name: {"consumption_wh": [1, 1], "imported_wh": [1, 1]} for name in ("A", "B")})
    with pytest.raises(IncomparableRunsError, match="slots differ"):
        savings(utility_only(), longer)


def saved(*amounts_nano: int) -> Savings:
    return Savings(tuple("abcdefghij"[: len(amounts_nano)]), amounts_nano, (0,) * len(amounts_nano))


def test_the_spread_of_savings() -> None:
    spread = saved(4, 1, 3, 10)
    assert (spread.least_nano, spread.median_nano, spread.most_nano) == (1, Fraction(7, 2), 10)
    assert saved(5, 5, 5).gini == 0
    assert saved(0, 0, 0, 8).gini == Fraction(3, 4)
    assert saved(0, 0).gini is None
    assert saved(-1, 5).gini is None


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=10))
def test_the_gini_coefficient_agrees_with_its_double_sum(amounts: list[int]) -> None:
    if sum(amounts):
        double_sum = sum(abs(one - other) for one in amounts for other in amounts)
        assert saved(*amounts).gini == Fraction(double_sum, 2 * len(amounts) * sum(amounts))
