"""Random small books for property tests, and the invariants every clearing keeps."""

import numpy as np
from hypothesis import strategies as st

from matching.book import Book, Ints, from_arrays
from matching.orders import Side
from matching.result import Clearing


@st.composite
def small_books(
    draw: st.DrawFn, *, max_orders: int = 10, max_price: int = 6, max_quantity_wh: int = 5, accounts: int = 20
) -> Book:
    """Few prices and quantities, so that ties, touching prices and partial fills are common."""
    n = draw(st.integers(0, max_orders))

    def column(low: int, high: int) -> list[int]:
        return draw(st.lists(st.integers(low, high), min_size=n, max_size=n))

    return from_arrays(
        column(0, 1),
        column(0, max_price),
        column(1, max_quantity_wh),
        account=column(0, accounts - 1),
        received=draw(st.permutations(range(n))),
        rank=draw(st.permutations(range(n))),
    )


def select(book: Book, rows: Ints) -> Book:
    """The same orders in another row order."""
    return from_arrays(
        book.side[rows],
        book.price[rows],
        book.quantity_wh[rows],
        account=book.account[rows],
        received=book.received[rows],
        rank=book.rank[rows],
    )


def random_book(seed: int, orders: int, *, max_price: int = 400_000, max_quantity_wh: int = 5_000) -> Book:
    """A larger book with prices and quantities as in a neighbourhood; every order its own account."""
    draws = np.random.default_rng(seed)
    return from_arrays(
        draws.integers(0, 2, orders),
        draws.integers(0, max_price + 1, orders),
        draws.integers(1, max_quantity_wh + 1, orders),
        received=draws.permutation(orders),
        rank=draws.permutation(orders),
    )


def assert_keeps_promises(book: Book, clearing: Clearing) -> None:
    """Limits kept, energy and money balanced, and the trades add up to the fills and amounts."""
    bought = np.zeros(len(book), dtype=object)
    sold = np.zeros(len(book), dtype=object)
    money = np.zeros(len(book), dtype=object)
    trades = clearing.trades
    for seller, buyer, quantity_wh, buyer_price, seller_price in zip(
        trades.seller.tolist(),
        trades.buyer.tolist(),
        trades.quantity_wh.tolist(),
        trades.buyer_price.tolist(),
        trades.seller_price.tolist(),
        strict=True,
    ):
        assert book.side[seller] == Side.OFFER
        assert book.side[buyer] == Side.BID
        assert quantity_wh > 0
        assert book.price[seller] <= seller_price <= buyer_price <= book.price[buyer]
        sold[seller] += quantity_wh
        bought[buyer] += quantity_wh
        money[seller] += seller_price * quantity_wh
        money[buyer] -= buyer_price * quantity_wh
    assert (bought + sold).tolist() == clearing.fills_wh.tolist()
    assert money.tolist() == clearing.amounts_nano.tolist()
    assert (clearing.fills_wh <= book.quantity_wh).all()
    assert clearing.surplus_nano >= 0
    assert clearing.surplus_nano == -sum(clearing.amounts_nano.tolist())
    gains = sum(
        int(book.price[row]) * fill * (1 if book.side[row] == Side.BID else -1)
        for row, fill in enumerate(clearing.fills_wh.tolist())
    )
    assert clearing.welfare_nano == gains
