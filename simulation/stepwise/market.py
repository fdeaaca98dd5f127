"""One slot's trading at a uniform price, between members whose prices may change while it lasts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from agents.strategies.pricing import rate
from matching.book import Ints, from_arrays
from matching.orders import Side
from matching.uniform import clear


@dataclass(frozen=True, slots=True)
class Quote:
    """One order of a slot.

    Attributes:
        member: number of the member.
        side: bid or offer.
        first: its limit price at the slot's start, nano-credit per Wh.
        last: its limit price at the last update.
        quantity_wh: the most it trades, Wh, at least 1.
    """

    member: int
    side: Side
    first: int
    last: int
    quantity_wh: int


@dataclass(frozen=True, slots=True, eq=False)
class Traded:
    """What a slot's quotes traded; int64 arrays.

    Attributes:
        fills_wh: energy of each quote, Wh.
        amounts_nano: received (+) or paid (-) for it, grid fee excluded.
        seller, buyer: members of each trade.
        quantity_wh, paid_nano: the trades' energy and money.
        price: mean price of the slot's trades, rounded down; None if nothing traded.
    """

    fills_wh: Ints
    amounts_nano: Ints
    seller: Ints
    buyer: Ints
    quantity_wh: Ints
    paid_nano: Ints
    price: int | None


def trade(quotes: Sequence[Quote], updates: int) -> Traded:
    """Clear the quotes once at the slot's start and once after each update, what has traded withdrawn.

    Args:
        quotes: the orders; ties are by their order.
        updates: how often prices change within the slot; 0 if they do not.
    """
    side = np.array([quote.side for quote in quotes], dtype=np.int64)
    member = np.array([quote.member for quote in quotes], dtype=np.int64)
    left = np.array([quote.quantity_wh for quote in quotes], dtype=np.int64)
    fills, amounts = np.zeros((2, len(quotes)), dtype=np.int64)
    pairs: list[tuple[Ints, Ints, Ints, Ints]] = []
    for update in range(updates + 1):
        rows = np.flatnonzero(left)
        prices = np.array(
            [rate(quotes[row].first, quotes[row].last, update, updates) for row in rows.tolist()], dtype=np.int64
        )
        bids, offers = prices[side[rows] == Side.BID], prices[side[rows] == Side.OFFER]
        if not bids.size or not offers.size or bids.max() < offers.min():
            continue
        clearing = clear(from_arrays(side[rows], prices, left[rows], account=member[rows]))
        fills[rows] += clearing.fills_wh
        left[rows] -= clearing.fills_wh
        amounts[rows] += clearing.amounts_nano
        trades = clearing.trades
        seller, buyer = member[rows[trades.seller]], member[rows[trades.buyer]]
        pairs.append((seller, buyer, trades.quantity_wh, trades.quantity_wh * trades.buyer_price))
    seller, buyer, quantity, paid = (np.concatenate(columns) for columns in zip(_NO_TRADES, *pairs, strict=True))
    traded_wh = int(quantity.sum())
    return Traded(
        fills_wh=fills,
        amounts_nano=amounts,
        seller=seller,
        buyer=buyer,
        quantity_wh=quantity,
        paid_nano=paid,
        price=int(paid.sum()) // traded_wh if traded_wh else None,
    )


_NONE = np.zeros(0, dtype=np.int64)
_NO_TRADES = (_NONE, _NONE, _NONE, _NONE)
