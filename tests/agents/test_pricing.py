import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.devices.utility import Utility, fixed
from agents.strategies.pricing import (
    PRICINGS,
    FixedPrice,
    InvalidStrategyError,
    Ramps,
    Thresholds,
    Truthful,
    ZeroIntelligence,
    price_range,
    rate,
)
from matching.orders import MAX_PRICE
from matching.tariff import Tariff

prices = st.integers(0, MAX_PRICE)
LOW, HIGH = np.array([90_000, 100_000]), np.array([220_000, 100_000])


def draws() -> np.random.Generator:
    return np.random.default_rng(1)


def test_a_quarter_hour_has_fourteen_updates_a_minute_apart() -> None:
    """n = max(floor(slot / interval) - 1, 1)."""
    assert Ramps().updates(900) == 14
    assert Ramps(interval_s=300).updates(900) == 2
    assert Ramps(interval_s=600).updates(900) == 1
    assert Ramps(interval_s=3_600).updates(900) == 1


def test_the_reference_rule_by_hand() -> None:
    """Initial + i · (final - initial) / n, held at final: the load of the reference, 9 to 22 ct/kWh."""
    bid = [rate(90_000, 220_000, update, 14) for update in range(16)]
    assert bid[:3] == [90_000, 99_285, 108_571]
    assert bid[7] == 155_000
    assert bid[14:] == [220_000, 220_000]
    offer = [rate(220_000, 90_000, update, 14) for update in range(15)]
    assert offer[0] == 220_000
    assert offer[7] == 155_000
    assert offer[14] == 90_000


@given(prices, prices, st.integers(1, 60), st.data())
def test_a_rate_is_the_exact_one_rounded_down(first: int, last: int, updates: int, data: st.DataObject) -> None:
    update = data.draw(st.integers(0, updates))
    exact = first * updates + update * (last - first)
    assert 0 <= exact - rate(first, last, update, updates) * updates < updates
    assert min(first, last) <= rate(first, last, update, updates) <= max(first, last)
    assert rate(first, last, updates + update, updates) == last


@pytest.mark.parametrize("name", PRICINGS)
def test_every_strategy_stays_in_the_range_and_names_itself(name: str) -> None:
    pricing = PRICINGS[name]()
    assert pricing.name == name
    for priced in (pricing.bids, pricing.offers):
        for ends in priced(LOW, HIGH, draws()):
            assert ((ends >= LOW) & (ends <= HIGH)).all()


def test_ramps_start_at_the_own_end_of_the_range_and_end_at_the_others() -> None:
    assert [end.tolist() for end in Ramps().bids(LOW, HIGH, draws())] == [LOW.tolist(), HIGH.tolist()]
    assert [end.tolist() for end in Ramps().offers(LOW, HIGH, draws())] == [HIGH.tolist(), LOW.tolist()]


def test_a_fixed_price_is_the_middle_or_the_one_given_within_the_range() -> None:
    assert FixedPrice().bids(LOW, HIGH, draws()).first.tolist() == [155_000, 100_000]
    assert FixedPrice(120_000).offers(LOW, HIGH, draws()).last.tolist() == [120_000, 100_000]
    assert FixedPrice().updates(900) == 0


def test_truth_is_the_far_end() -> None:
    assert Truthful().bids(LOW, HIGH, draws()).first.tolist() == HIGH.tolist()
    assert Truthful().offers(LOW, HIGH, draws()).first.tolist() == LOW.tolist()


def test_zero_intelligence_draws_over_the_whole_range_and_by_seed() -> None:
    low, high = np.full(4_000, 10), np.full(4_000, 13)
    first = ZeroIntelligence().bids(low, high, draws())
    assert first.first is first.last
    assert set(first.first.tolist()) == {10, 11, 12, 13}
    assert abs(first.first.mean() - 11.5) < 0.1
    assert (first.first == ZeroIntelligence().bids(low, high, draws()).first).all()


def test_the_range_is_between_feed_in_and_retail_less_the_fee() -> None:
    low, high = price_range(fixed(Tariff(retail_price=220_000, feed_in_price=90_000, grid_fee=20_000), 1))
    assert (low.tolist(), high.tolist()) == ([90_000], [200_000])
    negative = Utility(np.array([10_000]), np.array([-30_000]))
    assert price_range(negative)[0].tolist() == [0]


@pytest.mark.parametrize(("buy", "sell"), [(150_000, 150_000), (-1, 10), (10, MAX_PRICE + 1)])
def test_a_storage_buys_below_what_it_sells_at(buy: int, sell: int) -> None:
    with pytest.raises(InvalidStrategyError, match="buy_price"):
        Thresholds(buy, sell)


def test_an_interval_is_at_least_a_second() -> None:
    with pytest.raises(InvalidStrategyError, match="interval_s"):
        Ramps(interval_s=0)
