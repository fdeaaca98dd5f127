"""The uniform-price auction on plain arrays: fills, price and trades as `matching.uniform` has them.

With its default settings: the middle of the price interval, ticks of one nano-credit, ties by time. Rows are
ranked by their number. No account may have both a bid and an offer that reach one another, so that no trade
needs swapping.
"""

from typing import NamedTuple

import numpy as np

from matching.book import Ints
from matching.kernel import BID, compiled


class Orders(NamedTuple):
    """A book's rows: bid (0) or offer (1), limit price, what is still to trade, and the rows, earliest first."""

    side: Ints
    price: Ints
    left_wh: Ints
    arrival: Ints


class Trades(NamedTuple):
    """A log of trades, with room for all of them; `made[0]` is how many there are."""

    slot: Ints
    seller: Ints
    buyer: Ints
    quantity_wh: Ints
    price: Ints
    made: Ints


def empty_trades(room: int) -> Trades:
    """A log with room for so many trades."""
    slot, seller, buyer, quantity_wh, price = np.zeros((5, room), dtype=np.int64)
    return Trades(slot, seller, buyer, quantity_wh, price, np.zeros(1, dtype=np.int64))


@compiled
def add_trade(log: Trades, slot: int, seller: int, buyer: int, terms: tuple[int, int]) -> None:
    """Write a trade into the log; its terms are energy, Wh, and price, nano-credit per Wh."""
    trade = log.made[0]
    log.slot[trade], log.seller[trade], log.buyer[trade] = slot, seller, buyer
    log.quantity_wh[trade], log.price[trade] = terms
    log.made[0] = trade + 1


@compiled
def crosses(orders: Orders) -> bool:
    """Whether any bid reaches any offer."""
    best_bid, best_offer = -1, -1
    for row in range(len(orders.side)):
        price = orders.price[row]
        if orders.left_wh[row] <= 0:
            continue
        if orders.side[row] == BID:
            best_bid = max(best_bid, price)
        elif best_offer < 0 or price < best_offer:
            best_offer = price
    return best_offer >= 0 and best_bid >= best_offer


@compiled
def best_first(side: int, orders: Orders) -> Ints:
    """Rows of this side with anything left, best price first, and of one price the earliest first."""
    rows, keys = np.empty_like(orders.side), np.empty_like(orders.side)
    count = 0
    for row in orders.arrival:
        if orders.side[row] == side and orders.left_wh[row] > 0:
            rows[count] = row
            keys[count] = -orders.price[row] if side == BID else orders.price[row]
            count += 1
    return rows[:count][np.argsort(keys[:count], kind="mergesort")]


@compiled
def first_above(rows: Ints, left_wh: Ints, volume_wh: int) -> int:
    """Position of the first row up to and including which there is more than this energy."""
    total_wh = 0
    for position in range(len(rows)):
        total_wh += left_wh[rows[position]]
        if total_wh > volume_wh:
            return position
    return len(rows)


@compiled
def crossing(bids: Ints, offers: Ints, orders: Orders) -> tuple[int, int]:
    """Energy that trades and its price, of a book in which some bid reaches some offer."""
    price, left_wh = orders.price, orders.left_wh
    wanted_wh, offered_wh = 0, left_wh[offers[0]]
    next_offer, last_bid = 0, 0
    for position in range(len(bids)):
        while next_offer < len(offers) and offered_wh <= wanted_wh:
            next_offer += 1
            if next_offer < len(offers):
                offered_wh += left_wh[offers[next_offer]]
        if next_offer == len(offers) or price[bids[position]] < price[offers[next_offer]]:
            break
        last_bid = position
        wanted_wh += left_wh[bids[position]]
    lowest_bid = price[bids[last_bid]]
    affordable_wh = 0
    for row in offers:
        if price[row] <= lowest_bid:
            affordable_wh += left_wh[row]
    volume_wh = min(wanted_wh, affordable_wh)
    low, high = price[offers[first_above(offers, left_wh, volume_wh - 1)]], lowest_bid
    bid, offer = first_above(bids, left_wh, volume_wh), first_above(offers, left_wh, volume_wh)
    if bid < len(bids):
        low = max(low, price[bids[bid]])
    if offer < len(offers):
        high = min(high, price[offers[offer]])
    return volume_wh, low + (high - low) // 2


@compiled
def take(rows: Ints, left_wh: Ints, volume_wh: int, fills_wh: Ints) -> None:
    """Fill rows in this order until the volume is used up."""
    for row in rows:
        fills_wh[row] = min(left_wh[row], volume_wh)
        volume_wh -= fills_wh[row]


@compiled
def clear(orders: Orders, slot: int, log: Trades) -> None:
    """Trade what crosses: write the trades, by row, into the log and take their energy out of `left_wh`."""
    if not crosses(orders):
        return
    bids, offers = best_first(0, orders), best_first(1, orders)
    volume_wh, price = crossing(bids, offers, orders)
    fills_wh = np.zeros_like(orders.left_wh)
    take(bids, orders.left_wh, volume_wh, fills_wh)
    take(offers, orders.left_wh, volume_wh, fills_wh)
    # filled bids and offers laid end to end, each in the order of their ranks
    seller, sold_wh = 0, 0
    for buyer in range(len(fills_wh)):
        wanted_wh = fills_wh[buyer] if orders.side[buyer] == BID else 0
        while wanted_wh > 0:
            while orders.side[seller] == BID or sold_wh == fills_wh[seller]:
                seller, sold_wh = seller + 1, 0
            quantity_wh = min(wanted_wh, fills_wh[seller] - sold_wh)
            add_trade(log, slot, seller, buyer, (quantity_wh, price))
            wanted_wh -= quantity_wh
            sold_wh += quantity_wh
    orders.left_wh[:] -= fills_wh
