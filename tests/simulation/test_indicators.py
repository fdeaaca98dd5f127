import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching.book import Ints
from matching.tariff import Tariff
from simulation.indicators import (
    InvalidPeriodError,
    Period,
    bills,
    community_indicators,
    market_bill,
    utility_bill,
)

TARIFF = Tariff(retail_price=220_000, feed_in_price=90_000, grid_fee=10_000)
PRICE = 150_000


def grid(*rows: list[int]) -> Ints:
    return np.array(rows, dtype=np.int64)


def period(consumption: Ints, generation: Ints, bought: Ints, sold: Ints, price: int = PRICE) -> Period:
    return Period(consumption, generation, bought, sold, (sold - bought) * price)


# Two homes, three slots. Slot 0: home 1 sells home 0 all of its surplus, as forecast. Slot 1: the forecast said
# the same, but home 1's sun did not shine. Slot 2: both have a surplus and nothing is traded.
EXAMPLE = period(
    grid([500, 500, 100], [100, 100, 100]),
    grid([0, 0, 200], [400, 0, 300]),
    grid([300, 300, 0], [0, 0, 0]),
    grid([0, 0, 0], [300, 300, 0]),
)


def test_the_examples_energies() -> None:
    result = community_indicators(EXAMPLE)
    assert (result.consumption_wh, result.generation_wh) == (1_400, 900)
    assert (result.imported_wh, result.exported_wh) == (200 + 600, 300)
    assert (result.exchanged_wh, result.traded_wh) == (300, 600)
    assert result.self_sufficiency == Fraction(600, 1_400)
    assert result.self_consumption == Fraction(600, 900)


def test_the_examples_bills() -> None:
    first, second = bills(EXAMPLE, TARIFF)
    assert first.utility_nano == 220_000 * 1_000 - 90_000 * 100
    assert first.market_nano == (150_000 + 10_000) * 600 + 220_000 * 400 - 90_000 * 100
    assert second.utility_nano == 220_000 * 100 - 90_000 * (300 + 200)
    assert second.market_nano == -150_000 * 600 + 220_000 * 400 - 90_000 * 200
    assert first.saving_nano > 0 > second.saving_nano


def test_shares_of_nothing_are_none() -> None:
    nothing = grid([0], [0])
    result = community_indicators(period(nothing, nothing, nothing, nothing))
    assert result.self_sufficiency is None
    assert result.self_consumption is None


@st.composite
def periods(draw: st.DrawFn, *, perfect: bool = False) -> tuple[Period, list[int]]:
    """Random metered energies and trades, and each slot's price; `perfect`: trades within what is metered."""
    homes, slots = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    energy = st.integers(0, 3_000)
    consumption, generation, bought, sold = np.zeros((4, homes, slots), dtype=np.int64)
    prices = []
    for slot in range(slots):
        for home in range(homes):
            consumption[home, slot], generation[home, slot] = draw(energy), draw(energy)
        net = (
            consumption[:, slot] - generation[:, slot]
            if perfect
            else np.array([draw(st.integers(-3_000, 3_000)) for _ in range(homes)])
        )
        prices.append(draw(st.integers(TARIFF.feed_in_price, TARIFF.retail_price - TARIFF.grid_fee)))
        left = int(min(np.maximum(net, 0).sum(), np.maximum(-net, 0).sum()))
        for side, column in ((1, bought), (-1, sold)):
            remaining = left
            for home in range(homes):
                column[home, slot] = min(remaining, max(0, side * int(net[home])))
                remaining -= int(column[home, slot])
    amounts = (sold - bought) * np.array(prices)
    return Period(consumption, generation, bought, sold, amounts), prices


@given(periods())
def test_energies_agree_with_the_definitions_summed_by_hand(example: tuple[Period, list[int]]) -> None:
    data, _ = example
    homes, slots = data.consumption_wh.shape
    imported = exported = exchanged = 0
    for slot in range(slots):
        nets = [
            int(data.consumption_wh[home, slot]) - int(data.generation_wh[home, slot]) for home in range(homes)
        ]
        imported += max(0, sum(nets))
        exported += max(0, -sum(nets))
        exchanged += min(sum(net for net in nets if net > 0), sum(-net for net in nets if net < 0))
    result = community_indicators(data)
    assert (result.imported_wh, result.exported_wh, result.exchanged_wh) == (imported, exported, exchanged)


@given(periods())
def test_bills_agree_with_the_definitions_summed_by_hand(example: tuple[Period, list[int]]) -> None:
    data, prices = example
    for home, bill in enumerate(bills(data, TARIFF)):
        market = utility = 0
        for slot, price in enumerate(prices):
            net = int(data.consumption_wh[home, slot]) - int(data.generation_wh[home, slot])
            bought, sold = int(data.bought_wh[home, slot]), int(data.sold_wh[home, slot])
            utility += 220_000 * net if net > 0 else 90_000 * net
            imbalance = net - bought + sold
            market += (price + 10_000) * bought - price * sold
            market += 220_000 * imbalance if imbalance > 0 else 90_000 * imbalance
        assert (bill.market_nano, bill.utility_nano) == (market, utility)


@given(periods())
def test_energy_is_conserved_at_the_communitys_border(example: tuple[Period, list[int]]) -> None:
    data, _ = example
    result = community_indicators(data)
    needed = int(np.maximum(data.net_wh, 0).sum())
    spare = int(np.maximum(-data.net_wh, 0).sum())
    assert result.generation_wh + result.imported_wh == result.consumption_wh + result.exported_wh
    assert result.exchanged_wh + result.imported_wh == needed
    assert result.exchanged_wh + result.exported_wh == spare
    for share in (result.self_sufficiency, result.self_consumption):
        assert share is None or 0 <= share <= 1


@given(periods())
def test_the_homes_together_pay_the_utility_and_nobody_else(example: tuple[Period, list[int]]) -> None:
    data, _ = example
    imbalance = data.net_wh - data.bought_wh + data.sold_wh
    utility_receives = (
        TARIFF.retail_price * int(np.maximum(imbalance, 0).sum())
        - TARIFF.feed_in_price * int(np.maximum(-imbalance, 0).sum())
        + TARIFF.grid_fee * int(data.bought_wh.sum())
    )
    assert sum(bill.market_nano for bill in bills(data, TARIFF)) == utility_receives


@given(periods(perfect=True))
def test_with_perfect_forecasts_nobody_pays_more_than_with_the_utility_alone(
    example: tuple[Period, list[int]],
) -> None:
    data, _ = example
    assert all(bill.saving_nano >= 0 for bill in bills(data, TARIFF))
    assert community_indicators(data).traded_wh == community_indicators(data).exchanged_wh


@given(periods())
def test_without_trades_the_market_changes_no_bill(example: tuple[Period, list[int]]) -> None:
    data, _ = example
    nothing = np.zeros_like(data.bought_wh)
    idle = dataclasses.replace(data, bought_wh=nothing, sold_wh=nothing, amounts_nano=nothing)
    for home in range(len(data.consumption_wh)):
        assert market_bill(idle, home, TARIFF) == utility_bill(idle, home, TARIFF)


@pytest.mark.parametrize(
    ("field", "bad", "problem"),
    [
        ("generation_wh", grid([0, 0, 0]), "shape"),
        ("bought_wh", np.zeros((2, 3)), "float64"),
        ("consumption_wh", grid([-1, 0, 0], [0, 0, 0]), "at least 0"),
        ("bought_wh", grid([300, 299, 0], [0, 0, 0]), "slot 1"),
        ("amounts_nano", grid([0, 0, 0], [0, 0, 1]), "slot 2"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused_by_name(field: str, bad: Ints, problem: str) -> None:
    with pytest.raises(InvalidPeriodError, match=problem) as caught:
        dataclasses.replace(EXAMPLE, **{field: bad})
    assert caught.value.field == field
