"""Where supply and demand cross: the most that can trade, and at which prices."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from matching.book import Book, Ints
from matching.orders import Side
from matching.rationing import Margin, ration

_QUANTITY_BITS = 31
_QUANTITY_MASK = 2**_QUANTITY_BITS - 1


@dataclass(frozen=True, slots=True)
class Crossing:
    """The crossing of demand and supply; prices are nano-credit per Wh.

    Attributes:
        volume_wh: the most energy that bids and offers can trade at one price.
        bid: price of the last bid that trades; every dearer bid trades whole.
        offer: price of the last offer that trades; every cheaper offer trades whole.
        low: lowest and
        high: highest price at which `volume_wh` trades and no order strictly better than it goes short.
    """

    volume_wh: int
    bid: int
    offer: int
    low: int
    high: int


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One side of a book from its best price on: prices, and energy cumulated up to each order, Wh."""

    price: Ints
    cumulative_wh: Ints


def demand(book: Book) -> Curve:
    """The bids, dearest first."""
    return _curve(_sorted_keys(book, book.bids)[::-1])


def supply(book: Book) -> Curve:
    """The offers, cheapest first."""
    return _curve(_sorted_keys(book, book.offers))


def _sorted_keys(book: Book, rows: Ints) -> Ints:
    """Price and quantity in one integer (32 + 31 bits), ascending: values sort faster than indices."""
    keys = ((book.price << _QUANTITY_BITS) | book.quantity_wh)[rows]
    keys.sort()
    return keys


def _curve(keys: Ints) -> Curve:
    return Curve(price=keys >> _QUANTITY_BITS, cumulative_wh=np.cumsum(keys & _QUANTITY_MASK))


def cross(demand: Curve, supply: Curve) -> Crossing | None:
    """Where the curves cross, or None if no bid reaches any offer."""

    def starts_below_supply(i: int) -> bool:
        """Whether bid i's first Wh is worth less than the next offer asks."""
        before = int(demand.cumulative_wh[i - 1]) if i else 0
        j = int(np.searchsorted(supply.cumulative_wh, before, side="right"))
        return j == len(supply.price) or bool(demand.price[i] < supply.price[j])

    trading_bids = bisect_left(range(len(demand.price)), True, key=starts_below_supply)
    if not trading_bids:
        return None
    last_bid = trading_bids - 1
    bid = int(demand.price[last_bid])
    affordable = int(np.searchsorted(supply.price, bid, side="right"))
    volume_wh = min(int(demand.cumulative_wh[last_bid]), int(supply.cumulative_wh[affordable - 1]))
    offer = int(supply.price[np.searchsorted(supply.cumulative_wh, volume_wh)])
    next_bid = int(np.searchsorted(demand.cumulative_wh, volume_wh, side="right"))
    next_offer = int(np.searchsorted(supply.cumulative_wh, volume_wh, side="right"))
    return Crossing(
        volume_wh=volume_wh,
        bid=bid,
        offer=offer,
        low=max(offer, int(demand.price[next_bid])) if next_bid < len(demand.price) else offer,
        high=min(bid, int(supply.price[next_offer])) if next_offer < len(supply.price) else bid,
    )


def fill(book: Book, crossing: Crossing, margin: Margin) -> Ints:
    """The fills that trade `crossing.volume_wh` with the greatest welfare, Wh per row."""
    is_bid = book.side == Side.BID
    is_offer = ~is_bid
    # a product with a mask is several times faster than selecting by it
    fills: Ints = book.quantity_wh * (
        (is_bid & (book.price > crossing.bid)) | (is_offer & (book.price < crossing.offer))
    )
    for side, limit in ((is_bid, crossing.bid), (is_offer, crossing.offer)):
        left_wh = crossing.volume_wh - int((fills * side).sum())
        marginal = np.flatnonzero(side & (book.price == limit))
        fills[marginal] = ration(book, marginal, left_wh, margin)
    return fills
