"""Trades, who sells to whom, derived from the fills by one rule.

The rule, which needs nothing but what the chain knows (hashes, sides, accounts and fills):

1. Lay the filled bids end to end in ascending rank, each as long as its fill, and the filled offers
   likewise next to them. Where a bid and an offer lie next to one another they trade: at most m + n - 1
   trades, in that order.
2. No account trades with itself as long as that can be avoided. Account by account, in the order in which
   they first do so: its trades with itself swap sellers with the first trades in which it takes no part, as
   far as they last. A swap splits at most one trade, whose rest goes to the end. What cannot be swapped,
   because an account's own fills are more than everything traded, stays.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from matching.book import Book, Ints
from matching.orders import Side


@dataclass(frozen=True, slots=True, eq=False)
class Trades:
    """Trades as columns, read-only int64: row of the offer, row of the bid, energy, and the two prices.

    Attributes:
        seller: the offer's row in the book.
        buyer: the bid's row in the book.
        quantity_wh: traded energy, Wh, above zero.
        buyer_price: what the buyer pays, nano-credit per Wh.
        seller_price: what the seller receives. It differs only in designs whose market keeps a surplus,
            over all
            trades: with a price per node, one trade may well pay its seller more than its buyer pays.
    """

    seller: Ints
    buyer: Ints
    quantity_wh: Ints
    buyer_price: Ints
    seller_price: Ints

    def __post_init__(self) -> None:
        """Freeze the columns."""
        for column in (self.seller, self.buyer, self.quantity_wh, self.buyer_price, self.seller_price):
            column.setflags(write=False)

    def __len__(self) -> int:
        return len(self.quantity_wh)

    @property
    def single_price(self) -> int | None:
        """The price of all trades, buyers' and sellers', or None if there are several or there is no trade."""
        if not len(self) or (self.buyer_price != self.buyer_price[0]).any():
            return None
        price = int(self.buyer_price[0])
        return price if (self.seller_price == price).all() else None

    def fills_wh(self, orders: int) -> Ints:
        """How much of each of a book's orders these trades fill, Wh per row."""
        fills = np.zeros(orders, dtype=np.int64)
        np.add.at(fills, self.buyer, self.quantity_wh)
        np.add.at(fills, self.seller, self.quantity_wh)
        return fills

    def amounts_nano(self, orders: int) -> Ints:
        """What each of a book's orders receives (+) or pays (-), nano-credit per row."""
        amounts = np.zeros(orders, dtype=np.int64)
        np.subtract.at(amounts, self.buyer, self.buyer_price * self.quantity_wh)
        np.add.at(amounts, self.seller, self.seller_price * self.quantity_wh)
        return amounts


_NONE = np.zeros(0, dtype=np.int64)

NO_TRADES = Trades(seller=_NONE, buyer=_NONE, quantity_wh=_NONE, buyer_price=_NONE, seller_price=_NONE)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Trades before they have prices: who with whom, how much."""

    seller: Ints
    buyer: Ints
    quantity_wh: Ints

    def __len__(self) -> int:
        return len(self.quantity_wh)

    def priced(self, buyer_price: Ints | int, seller_price: Ints | int) -> Trades:
        """The trades at these prices, one each or one for all."""
        return Trades(
            seller=self.seller,
            buyer=self.buyer,
            quantity_wh=self.quantity_wh,
            buyer_price=np.broadcast_to(buyer_price, self.quantity_wh.shape).astype(np.int64),
            seller_price=np.broadcast_to(seller_price, self.quantity_wh.shape).astype(np.int64),
        )


def joined(parts: Sequence[Pairs]) -> Pairs:
    """These pairs, one after another."""
    return Pairs(
        seller=np.concatenate([_NONE, *(part.seller for part in parts)]),
        buyer=np.concatenate([_NONE, *(part.buyer for part in parts)]),
        quantity_wh=np.concatenate([_NONE, *(part.quantity_wh for part in parts)]),
    )


def pair(book: Book, fills_wh: Ints) -> Pairs:
    """Who trades with whom, by the module's rule, given fills whose bought and sold energy are equal."""
    ranked = book.rows_by_rank()
    bought_by_rank = (fills_wh * (book.side == Side.BID))[ranked]
    sold_by_rank = (fills_wh * (book.side == Side.OFFER))[ranked]
    bids, offers = np.flatnonzero(bought_by_rank), np.flatnonzero(sold_by_rank)
    bid, offer, quantity_wh = _overlay(bought_by_rank[bids], sold_by_rank[offers])
    pairs = Pairs(seller=ranked[offers[offer]], buyer=ranked[bids[bid]], quantity_wh=quantity_wh)
    with_itself = book.account[pairs.seller] == book.account[pairs.buyer]
    if not with_itself.any():
        return pairs
    return _separate(book, pairs, np.flatnonzero(with_itself))


def _overlay(bought_wh: Ints, sold_wh: Ints) -> tuple[Ints, Ints, Ints]:
    """Step 1 of the rule: for each trade the indices of the bid and the offer, and the energy.

    Merges the ends of the bids and of the offers in linear time; of two ends at one place the bid's comes
    first, and the piece of no length after it is dropped.
    """
    ends = np.concatenate((np.cumsum(bought_wh), np.cumsum(sold_wh)))
    order = np.argsort(ends, kind="stable")
    quantity_wh = np.diff(ends[order], prepend=0)
    is_bid_end = order < len(bought_wh)
    bid: Ints = np.cumsum(is_bid_end) - is_bid_end
    offer = np.arange(len(ends)) - bid
    pieces = np.flatnonzero(quantity_wh)
    return bid[pieces], offer[pieces], quantity_wh[pieces]


def _separate(book: Book, pairs: Pairs, with_itself: Ints) -> Pairs:
    """The pairs after step 2 of the rule; `with_itself` are the trades of one account with itself.

    Linear time: an account's search only moves on, past trades in which that account takes part.
    """
    seller: list[int] = pairs.seller.tolist()
    buyer: list[int] = pairs.buyer.tolist()
    quantity: list[int] = pairs.quantity_wh.tolist()
    account: list[int] = book.account.tolist()
    own: dict[int, deque[int]] = {}
    for trade in with_itself.tolist():
        own.setdefault(account[buyer[trade]], deque()).append(trade)

    def cut(trade: int, kept: int) -> None:
        """Shorten a trade; the rest goes to the end and, if it needs a swap too, into its account's queue."""
        if quantity[trade] == kept:
            return
        if account[seller[trade]] == account[buyer[trade]]:
            own[account[buyer[trade]]].appendleft(len(quantity))
        seller.append(seller[trade])
        buyer.append(buyer[trade])
        quantity.append(quantity[trade] - kept)
        quantity[trade] = kept

    for me, mine in own.items():
        other = 0
        while mine and other < len(quantity):
            if account[seller[mine[0]]] != me:  # a swap for another account's sake took care of it
                mine.popleft()
            elif me in (account[buyer[other]], account[seller[other]]):
                other += 1
            else:
                trade = mine.popleft()
                swapped = min(quantity[trade], quantity[other])
                cut(trade, swapped)
                cut(other, swapped)
                seller[trade], seller[other] = seller[other], seller[trade]
    return Pairs(seller=np.array(seller), buyer=np.array(buyer), quantity_wh=np.array(quantity))
