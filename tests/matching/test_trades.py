from collections import Counter

import numpy as np
from hypothesis import given

from matching import uniform
from matching.book import Book, from_arrays
from matching.trades import pair
from tests.matching.books import small_books

BID, OFFER = 0, 1


def pairs(orders: Book, fills_wh: list[int]) -> list[tuple[int, int, int]]:
    found = pair(orders, np.array(fills_wh))
    return list(zip(found.seller.tolist(), found.buyer.tolist(), found.quantity_wh.tolist(), strict=True))


def test_bids_and_offers_are_paired_in_the_order_of_their_hashes() -> None:
    orders = from_arrays([BID, BID, OFFER, OFFER], [1] * 4, [9] * 4, rank=[1, 0, 3, 2])
    assert pairs(orders, [3, 5, 4, 4]) == [(3, 1, 4), (2, 1, 1), (2, 0, 3)]


def test_an_account_does_not_trade_with_itself_if_others_will_swap() -> None:
    orders = from_arrays([BID, BID, OFFER, OFFER], [1] * 4, [9] * 4, account=[7, 8, 7, 9])
    assert pairs(orders, [4, 6, 4, 6]) == [(3, 0, 4), (2, 1, 4), (3, 1, 2)]


def test_an_account_that_is_alone_trades_with_itself() -> None:
    orders = from_arrays([BID, OFFER], [1] * 2, [9] * 2, account=[7, 7])
    assert pairs(orders, [4, 4]) == [(1, 0, 4)]


@given(small_books(accounts=3))
def test_an_account_trades_with_itself_only_what_nobody_else_can_take(orders: Book) -> None:
    clearing = uniform.clear(orders)
    with_itself: Counter[int] = Counter()
    for seller, buyer, quantity_wh in pairs(orders, clearing.fills_wh.tolist()):
        if orders.account[seller] == orders.account[buyer]:
            with_itself[int(orders.account[buyer])] += quantity_wh
    for account in set(orders.account.tolist()):
        own_wh = int(clearing.fills_wh[orders.account == account].sum())
        assert with_itself[account] == max(0, own_wh - clearing.volume_wh)


@given(small_books())
def test_there_are_fewer_trades_than_filled_orders_unless_accounts_repeat(orders: Book) -> None:
    distinct = from_arrays(orders.side, orders.price, orders.quantity_wh, rank=orders.rank)
    clearing = uniform.clear(distinct)
    assert len(clearing.trades) <= max(0, int((clearing.fills_wh > 0).sum()) - 1)
