import dataclasses

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from matching import mcafee, uniform
from matching.book import Book, from_arrays
from matching.rationing import Margin
from tests.matching.books import assert_keeps_promises, select, small_books

BID, OFFER = 0, 1
MARGINS = st.sampled_from(Margin)


def gain(values: Book, reports: Book, row: int, margin: Margin) -> int:
    """What the order's account gains at its true value when it reports what it reports, nano-credit."""
    clearing = mcafee.clear(reports, margin=margin)
    worth = int(values.price[row]) * int(clearing.fills_wh[row])
    return int(clearing.amounts_nano[row]) + (worth if values.side[row] == BID else -worth)


@settings(max_examples=300)
@given(small_books(max_orders=8, max_price=7, max_quantity_wh=3), MARGINS)
def test_no_account_gains_by_any_other_price(values: Book, margin: Margin) -> None:
    for row in range(len(values)):
        honest = gain(values, values, row, margin)
        for report in range(9):
            price = values.price.copy()
            price[row] = report
            assert gain(values, dataclasses.replace(values, price=price), row, margin) <= honest


@given(small_books(accounts=4), MARGINS)
def test_limits_energy_money_and_trades_agree(orders: Book, margin: Margin) -> None:
    assert_keeps_promises(orders, mcafee.clear(orders, margin=margin))


@given(small_books(), MARGINS)
def test_only_the_marginal_bid_and_offer_can_cost_volume(orders: Book, margin: Margin) -> None:
    efficient, truthful = uniform.clear(orders), mcafee.clear(orders, margin=margin)
    assert truthful.volume_wh >= efficient.volume_wh - 2 * int(orders.quantity_wh.max(initial=0))
    assert truthful.welfare_nano <= efficient.welfare_nano


@given(small_books(), MARGINS, st.data())
def test_the_order_of_rows_changes_nothing(orders: Book, margin: Margin, data: st.DataObject) -> None:
    rows = np.array(data.draw(st.permutations(range(len(orders)))), dtype=np.int64)
    straight, shuffled = mcafee.clear(orders, margin=margin), mcafee.clear(select(orders, rows), margin=margin)
    assert shuffled.amounts_nano.tolist() == straight.amounts_nano[rows].tolist()


def test_the_marginal_pair_sets_the_prices_and_the_market_keeps_the_difference() -> None:
    orders = from_arrays([BID] * 2 + [OFFER] * 2, [9, 8, 2, 3], [1] * 4)
    clearing = mcafee.clear(orders)
    assert clearing.fills_wh.tolist() == [1, 0, 1, 0]
    assert clearing.amounts_nano.tolist() == [-8, 0, 3, 0]
    assert clearing.surplus_nano == 5


def test_a_single_pair_cannot_trade_truthfully() -> None:
    assert mcafee.clear(from_arrays([BID, OFFER], [9, 2], [5, 5])).volume_wh == 0
