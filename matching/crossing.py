"""Where supply and demand cross: the most that can trade, and at which prices."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np

from matching.book import Book, Ints
from matching.orders import Side
from matching.rationing import Margin, ration

_QUANTITY_BITS = 31
_QUANTITY_MASK = 2**_QUANTITY_BITS - 1
_BUCKET_BITS = 10


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
    """Orders of one side, best price first, and the side's energy up to and including each of them, Wh."""

    price: Ints
    cumulative_wh: Ints


def demand(book: Book) -> Curve:
    """All bids, dearest first."""
    return _curve(book, book.bids, Side.BID, 0)


def supply(book: Book) -> Curve:
    """All offers, cheapest first."""
    return _curve(book, book.offers, Side.OFFER, 0)


def cross(book: Book) -> Crossing | None:
    """Where demand and supply cross, or None if no bid reaches any offer.

    Prices are counted into buckets first, so that only orders of the buckets around the crossing need
    sorting.
    """
    if not len(book):
        return None
    is_bid = book.side == Side.BID
    lowest = int(book.price.min())
    shift = max(0, (int(book.price.max()) - lowest).bit_length() - _BUCKET_BITS)
    bucket = (book.price - lowest) >> shift
    buckets = int(bucket.max()) + 1
    wanted_wh = _per_bucket(bucket, book.quantity_wh * is_bid, buckets)
    offered_wh = _per_bucket(bucket, book.quantity_wh * ~is_bid, buckets)
    wanted_from_wh = np.cumsum(wanted_wh[::-1])[::-1]
    offered_to_wh = np.cumsum(offered_wh)
    # from this bucket on bids surely trade: strictly cheaper offers cover them and all dearer bids
    dear = int(np.count_nonzero(wanted_from_wh > offered_to_wh - offered_wh))
    # up to this bucket offers surely trade: strictly dearer bids take them and all cheaper offers
    cheap = int(np.count_nonzero(offered_to_wh <= wanted_from_wh - wanted_wh)) - 1
    first, last = _window(wanted_wh, cheap, dear)
    near = np.flatnonzero(is_bid & (bucket >= first) & (bucket <= last))
    near_demand = _curve(book, near, Side.BID, int(wanted_wh[last + 1 :].sum()))
    first, last = _window(offered_wh, cheap, dear)
    near = np.flatnonzero(~is_bid & (bucket >= first) & (bucket <= last))
    near_supply = _curve(book, near, Side.OFFER, int(offered_wh[:first].sum()))
    return cross_curves(near_demand, near_supply)


def _per_bucket(bucket: Ints, quantity_wh: Ints, buckets: int) -> Ints:
    """Energy in each bucket, Wh; exact in floats, as a book's total is at most 2**53."""
    return np.bincount(bucket, quantity_wh, buckets).astype(np.int64)


def _window(energy_wh: Ints, cheap: int, dear: int) -> tuple[int, int]:
    """First and last bucket to look into: those between, and on either side the next one with any orders."""
    filled = np.flatnonzero(energy_wh)
    below, above = filled[filled <= cheap], filled[filled >= dear]
    return int(below[-1]) if len(below) else 0, int(above[0]) if len(above) else len(energy_wh) - 1


def _curve(book: Book, rows: Ints, side: Side, better_wh: int) -> Curve:
    """The curve of these rows; `better_wh` is what orders of better prices, left out, come to."""
    # price and quantity fit one integer (32 + 31 bits), and values sort faster than indices
    keys = (book.price[rows] << _QUANTITY_BITS) | book.quantity_wh[rows]
    keys.sort()
    if side is Side.BID:
        keys = keys[::-1]
    return Curve(price=keys >> _QUANTITY_BITS, cumulative_wh=better_wh + np.cumsum(keys & _QUANTITY_MASK))


def cross_curves(demand: Curve, supply: Curve) -> Crossing | None:
    """Where curves cross that hold at least all orders around the crossing, or None if they do not."""

    def starts_below_supply(i: int) -> bool:
        """Whether bid i's first Wh is worth less than the next offer asks."""
        before_wh = 0 if i == 0 else int(demand.cumulative_wh[i - 1])
        j = int(np.searchsorted(supply.cumulative_wh, before_wh, side="right"))
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
