import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from matching import discriminatory, uniform
from matching.book import Book, from_arrays
from matching.discriminatory import TradePrice
from matching.rationing import Margin
from matching.settings import InvalidSettingError
from tests.matching.books import assert_keeps_promises, random_book, select, small_books
from tests.matching.oracles import greatest_volume, greatest_welfare

BID, OFFER = 0, 1
TRADE_PRICES = st.sampled_from(TradePrice)


@given(small_books(), TRADE_PRICES, st.sampled_from(Margin))
def test_volume_and_welfare_are_the_greatest_possible(
    orders: Book, trade_price: TradePrice, margin: Margin
) -> None:
    clearing = discriminatory.clear(orders, trade_price=trade_price, margin=margin)
    assert clearing.volume_wh == greatest_volume(orders)
    assert clearing.welfare_nano == greatest_welfare(orders)


@given(small_books(accounts=4), TRADE_PRICES)
def test_limits_energy_money_and_trades_agree(orders: Book, trade_price: TradePrice) -> None:
    clearing = discriminatory.clear(orders, trade_price=trade_price)
    assert_keeps_promises(orders, clearing)
    assert clearing.surplus_nano == 0


@given(small_books(), TRADE_PRICES, st.data())
def test_the_order_of_rows_changes_nothing(orders: Book, trade_price: TradePrice, data: st.DataObject) -> None:
    rows = np.array(data.draw(st.permutations(range(len(orders)))), dtype=np.int64)
    straight = discriminatory.clear(orders, trade_price=trade_price)
    shuffled = discriminatory.clear(select(orders, rows), trade_price=trade_price)
    assert shuffled.amounts_nano.tolist() == straight.amounts_nano[rows].tolist()


@pytest.mark.parametrize(
    ("trade_price", "price"), [(TradePrice.BID, 10), (TradePrice.OFFER, 5), (TradePrice.MIDPOINT, 7)]
)
def test_a_trade_is_priced_at_its_bid_its_offer_or_the_midpoint_rounded_down(
    trade_price: TradePrice, price: int
) -> None:
    orders = from_arrays([BID, OFFER], [10, 5], [4, 4])
    clearing = discriminatory.clear(orders, trade_price=trade_price)
    assert clearing.trades.buyer_price.tolist() == [price]
    assert clearing.amounts_nano.tolist() == [-4 * price, 4 * price]


def test_fills_are_those_of_the_uniform_price() -> None:
    orders = random_book(seed=2, orders=2_000)
    assert discriminatory.clear(orders).fills_wh.tolist() == uniform.clear(orders).fills_wh.tolist()


def test_an_unknown_trade_price_is_refused() -> None:
    with pytest.raises(InvalidSettingError, match="'median'"):
        discriminatory.clear(from_arrays([BID, OFFER], [1, 1], [1, 1]), trade_price="median")
