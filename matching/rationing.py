"""How orders that are equally good share energy that is not enough for all of them."""

from enum import StrEnum

import numpy as np

from matching.book import Book, Ints
from matching.exact import muldiv


class Margin(StrEnum):
    """Who goes first among orders at the marginal price when not all of them can be filled."""

    TIME = "time"
    """The earlier order."""
    PRO_RATA = "pro-rata"
    """Nobody: each gets the same share of its quantity; Wh left over by rounding down go, one each, to the
    largest remainders, and among equal ones to the lowest ranks."""


def ration(book: Book, rows: Ints, available_wh: int, margin: Margin) -> Ints:
    """How these rows share `available_wh`: Wh for each, at most its quantity."""
    quantity = book.quantity_wh[rows]
    total_wh = int(quantity.sum())
    if available_wh >= total_wh:
        return quantity
    shares: Ints
    if margin is Margin.TIME:
        order = np.argsort(book.received[rows])
        ends = np.cumsum(quantity[order])
        shares = np.empty_like(quantity)
        shares[order] = np.clip(available_wh - (ends - quantity[order]), 0, quantity[order])
        return shares
    shares, remainder = muldiv(quantity, available_wh, total_wh)
    left_over = available_wh - int(shares.sum())
    shares[np.lexsort((book.rank[rows], -remainder))[:left_over]] += 1
    return shares
