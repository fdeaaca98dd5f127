import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching import uniform
from matching.book import Book, from_arrays
from matching.orders import MAX_PRICE, MAX_QUANTITY_WH
from matching.rationing import Margin
from matching.settings import InvalidSettingError
from tests.matching.books import assert_keeps_promises, random_book, select, small_books
from tests.matching.oracles import clearing_prices, greatest_volume, greatest_welfare

BID, OFFER = 0, 1
MARGINS = st.sampled_from(Margin)


def book(*orders: tuple[int, int, int], **columns: list[int]) -> Book:
    side, price, quantity_wh = zip(*orders, strict=True)
    return from_arrays(side, price, quantity_wh, **columns)


@given(small_books(), MARGINS)
def test_volume_and_welfare_are_the_greatest_possible(orders: Book, margin: Margin) -> None:
    clearing = uniform.clear(orders, margin=margin)
    assert clearing.volume_wh == greatest_volume(orders)
    assert clearing.welfare_nano == greatest_welfare(orders)


@given(small_books(accounts=4), MARGINS)
def test_limits_energy_money_and_trades_agree(orders: Book, margin: Margin) -> None:
    clearing = uniform.clear(orders, margin=margin)
    assert_keeps_promises(orders, clearing)
    assert clearing.surplus_nano == 0


@given(small_books(), MARGINS, st.fractions(0, 1, max_denominator=5))
def test_orders_strictly_better_than_the_price_are_filled_whole(orders: Book, margin: Margin, k: Fraction) -> None:
    clearing = uniform.clear(orders, margin=margin, k=k)
    if clearing.price is None:
        assert not clearing.fills_wh.any()
        return
    better = np.where(orders.side == BID, orders.price > clearing.price, orders.price < clearing.price)
    assert (clearing.fills_wh[better] == orders.quantity_wh[better]).all()


@given(small_books(max_price=40), st.fractions(0, 1, max_denominator=7), st.integers(1, 9))
def test_the_price_is_the_stated_point_of_all_prices_that_would_do(orders: Book, k: Fraction, tick: int) -> None:
    clearing = uniform.clear(orders, k=k, tick=tick)
    if clearing.price is None:
        assert greatest_volume(orders) == 0
        return
    prices = clearing_prices(orders)
    point = int(prices[0] + k * (prices[-1] - prices[0]))
    on_tick = [price for price in prices if price % tick == 0]
    below = [price for price in on_tick if price <= point]
    assert clearing.price == (below[-1] if below else on_tick[0] if on_tick else point)


@given(small_books(), MARGINS, st.data())
def test_the_order_of_rows_changes_nothing(orders: Book, margin: Margin, data: st.DataObject) -> None:
    rows = np.array(data.draw(st.permutations(range(len(orders)))), dtype=np.int64)
    straight = uniform.clear(orders, margin=margin)
    shuffled = uniform.clear(select(orders, rows), margin=margin)
    assert shuffled.price == straight.price
    assert shuffled.fills_wh.tolist() == straight.fills_wh[rows].tolist()
    assert rows[shuffled.trades.seller].tolist() == straight.trades.seller.tolist()
    assert rows[shuffled.trades.buyer].tolist() == straight.trades.buyer.tolist()
    assert shuffled.trades.quantity_wh.tolist() == straight.trades.quantity_wh.tolist()


@given(small_books(), st.integers(2, 10**6), st.integers(2, 10**6))
def test_other_units_of_price_and_energy_scale_the_result(orders: Book, prices: int, quantities: int) -> None:
    scaled = from_arrays(
        orders.side,
        orders.price * prices,
        orders.quantity_wh * quantities,
        received=orders.received,
        rank=orders.rank,
    )
    small, large = (uniform.clear(each, k=Fraction(0)) for each in (orders, scaled))
    assert large.fills_wh.tolist() == (small.fills_wh * quantities).tolist()
    assert large.welfare_nano == small.welfare_nano * prices * quantities
    assert large.price == (None if small.price is None else small.price * prices)


@given(small_books(), MARGINS, st.data())
def test_a_keener_limit_never_lowers_the_fill(orders: Book, margin: Margin, data: st.DataObject) -> None:
    if not len(orders):
        return
    row = data.draw(st.integers(0, len(orders) - 1))
    price = orders.price.copy()
    limit = int(price[row])
    price[row] = data.draw(st.integers(limit, 8) if orders.side[row] == BID else st.integers(0, limit))
    keener = dataclasses.replace(orders, price=price)
    before, after = uniform.clear(orders, margin=margin), uniform.clear(keener, margin=margin)
    assert after.fills_wh[row] >= before.fills_wh[row]


def test_nothing_crosses_and_an_empty_book_clear_to_nothing() -> None:
    for orders in (from_arrays([], [], []), book((BID, 10, 5), (OFFER, 11, 5)), book((BID, 10, 5))):
        clearing = uniform.clear(orders)
        assert clearing.price is None
        assert not clearing.fills_wh.any()
        assert len(clearing.trades) == 0


def test_the_earlier_order_goes_first_at_the_margin() -> None:
    orders = book((BID, 10, 6), (BID, 10, 6), (OFFER, 10, 8), received=[2, 1, 0])
    assert uniform.clear(orders).fills_wh.tolist() == [2, 6, 8]


def test_pro_rata_gives_left_over_energy_to_the_largest_remainders_then_the_lowest_ranks() -> None:
    thirds = book((BID, 9, 4), (BID, 9, 4), (BID, 9, 4), (OFFER, 1, 8), rank=[2, 0, 1, 3])
    assert uniform.clear(thirds, margin=Margin.PRO_RATA).fills_wh.tolist() == [2, 3, 3, 8]
    unequal = book((BID, 9, 1), (BID, 9, 3), (OFFER, 1, 2))
    assert uniform.clear(unequal, margin=Margin.PRO_RATA).fills_wh.tolist() == [1, 1, 2]
    # shares 0.5 and 1.5: equal remainders, so the lower rank gets the Wh


@given(small_books(max_price=40))
def test_a_utility_is_two_more_orders_that_take_and_give_whatever_is_left(members: Book) -> None:
    feed_in, retail = 10, 30
    orders = from_arrays(
        [*members.side, BID, OFFER], [*members.price, feed_in, retail], [*members.quantity_wh, 1_000, 1_000]
    )
    clearing = uniform.clear(orders)
    certain = np.where(orders.side == BID, orders.price > retail, orders.price < feed_in)
    assert (clearing.fills_wh[certain] == orders.quantity_wh[certain]).all()
    assert clearing.price is None or feed_in <= clearing.price <= retail


def test_the_largest_orders_and_prices_clear_exactly() -> None:
    n = 1_000
    orders = from_arrays(
        [BID] * n + [OFFER] * n, [MAX_PRICE] * n + [MAX_PRICE - 2] * n, [MAX_QUANTITY_WH] * (2 * n)
    )
    clearing = uniform.clear(orders, margin=Margin.PRO_RATA)
    assert clearing.price == MAX_PRICE - 1
    assert clearing.volume_wh == n * MAX_QUANTITY_WH
    assert clearing.welfare_nano == 2 * n * MAX_QUANTITY_WH
    assert clearing.amounts_nano[0] == -(MAX_PRICE - 1) * MAX_QUANTITY_WH
    assert clearing.surplus_nano == 0


@pytest.mark.parametrize("margin", Margin)
def test_a_large_book_keeps_every_promise(margin: Margin) -> None:
    orders = random_book(seed=1, orders=1_000, max_price=100)
    clearing = uniform.clear(orders, margin=margin)
    assert_keeps_promises(orders, clearing)
    assert clearing.volume_wh == greatest_volume(orders)


@pytest.mark.parametrize(
    ("setting", "bad"),
    [
        ("k", 0.5),
        ("k", Fraction(3, 2)),
        ("k", Fraction(-1)),
        ("tick", 0),
        ("tick", 1.0),
        ("tick", MAX_PRICE + 1),
    ],
)
def test_a_setting_outside_its_limits_is_refused_and_named(setting: str, bad: object) -> None:
    with pytest.raises(InvalidSettingError, match=f"'{setting}'"):
        uniform.clear(from_arrays([], [], []), **{setting: bad})
