from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulation.economics import (
    REFERENCE,
    InvalidInvestmentError,
    Investment,
    battery_gain,
    break_even_capex_nano,
    break_even_charging_price,
    lcos,
    margin_per_year_nano,
    nano_floor,
    net_present_value_nano,
)

CT_PER_KWH = 10_000
EUR = 10**9


@pytest.mark.parametrize(
    ("capex_eur", "charging_ct", "ours_ct", "published_ct"),
    [(33_000, 15, "31.79", 31.8), (33_000, 9, "25.26", 25.3), (26_400, 9, "22.17", 22)],
)
def test_the_three_reference_values_come_out(
    capex_eur: int, charging_ct: int, ours_ct: str, published_ct: float
) -> None:
    cost = lcos(replace(REFERENCE, capex_nano=capex_eur * EUR), charging_ct * CT_PER_KWH) / CT_PER_KWH
    assert f"{float(cost):.2f}" == ours_ct
    assert abs(float(cost) - published_ct) < 0.2


def test_the_formula_by_hand_for_two_years_with_every_term() -> None:
    # 1,000 for the battery; 100 a year for its operation; worth 242 in year 3; at 10 % a year. It discharges
    # 2 x 500 Wh a year, less 10 % of that in the first year and 20 % in the second.
    investment = Investment(
        capex_nano=1_000,
        capacity_wh=1_000,
        years=2,
        cycles_per_year=2,
        efficiency_ppm=800_000,
        depth_of_discharge_ppm=500_000,
        discount_ppm=100_000,
        operation_nano=100,
        residual_nano=1_331,
        degradation_ppm=100_000,
    )
    one, two = Fraction(10, 11), Fraction(100, 121)
    cost = 1_000 + 100 * one + 100 * two - 1_000
    discharged = 900 * one + 800 * two
    assert lcos(investment, 8) == cost / discharged + 10


def test_without_discounting_and_ageing_it_is_cost_over_energy() -> None:
    investment = Investment(
        capex_nano=365_000 * 10, capacity_wh=1_000, depth_of_discharge_ppm=10**6, discount_ppm=0
    )
    assert lcos(investment, 0) == 1


investments = st.builds(
    Investment,
    capex_nano=st.integers(0, 10**14),
    capacity_wh=st.integers(1, 10**6),
    years=st.integers(1, 25),
    cycles_per_year=st.integers(1, 700),
    efficiency_ppm=st.integers(1, 10**6),
    depth_of_discharge_ppm=st.integers(1, 10**6),
    discount_ppm=st.integers(0, 200_000),
    operation_nano=st.integers(0, 10**12),
    residual_nano=st.integers(0, 10**13),
    degradation_ppm=st.integers(0, 39_999),
)
prices = st.integers(-500_000, 1_000_000)


@given(investments, prices)
def test_sold_at_its_lcos_the_energy_pays_for_the_battery_exactly(investment: Investment, charging: int) -> None:
    gain = margin_per_year_nano(investment, selling_price=lcos(investment, charging), charging_price=charging)
    assert net_present_value_nano(investment, gain) == 0


@given(investments, prices, prices)
def test_at_the_break_even_prices_and_capex_the_net_present_value_is_zero(
    investment: Investment, selling: int, charging: int
) -> None:
    highest = break_even_charging_price(investment, selling)
    gain = margin_per_year_nano(investment, selling_price=selling, charging_price=highest)
    assert net_present_value_nano(investment, gain) == 0
    gain = margin_per_year_nano(investment, selling_price=selling, charging_price=charging)
    difference = break_even_capex_nano(investment, gain) - investment.capex_nano
    assert difference == net_present_value_nano(investment, gain)


def test_the_members_gain_counts_beside_the_batterys_own() -> None:
    gain = battery_gain(
        bills_without_nano=[100, 50, 7], bills_with_nano=[80, 55, 7], battery_bill_nano=-30, period_s=73 * 86_400
    )
    assert (gain.own_nano, gain.members_nano, gain.community_nano) == (30, (20, -5, 0), 45)
    assert gain.per_year_nano(gain.community_nano) == 225


def test_bills_of_other_members_are_refused() -> None:
    with pytest.raises(InvalidInvestmentError, match="must be of 2 members"):
        battery_gain(bills_without_nano=[1, 2], bills_with_nano=[1], battery_bill_nano=0, period_s=1)
    with pytest.raises(InvalidInvestmentError, match="period_s"):
        battery_gain(bills_without_nano=[], bills_with_nano=[], battery_bill_nano=0, period_s=0)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("capex_nano", -1),
        ("capacity_wh", 0),
        ("years", 0),
        ("cycles_per_year", 1.5),
        ("efficiency_ppm", 1_000_001),
        ("depth_of_discharge_ppm", 0),
        ("discount_ppm", -1),
        ("operation_nano", True),
        ("residual_nano", -1),
        ("degradation_ppm", 100_000),  # nothing would be left of it in its tenth year
    ],
)
def test_a_field_outside_its_limits_is_refused_by_name(field: str, bad: object) -> None:
    with pytest.raises(InvalidInvestmentError) as caught:
        replace(REFERENCE, **{field: bad})  # type: ignore[arg-type]  # that it is wrong is the point
    assert caught.value.field == field


def test_fractions_of_a_nano_credit_are_rounded_down() -> None:
    assert (nano_floor(Fraction(7, 2)), nano_floor(Fraction(-7, 2))) == (3, -4)
