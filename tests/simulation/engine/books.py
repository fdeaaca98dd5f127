"""Random slots for the engine, and the same slots traded order by order with the modules of `matching`."""

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from hypothesis import strategies as st

from agents.strategies.pricing import rate
from matching import uniform
from matching.book import Ints, from_arrays
from matching.orderbook import LimitOrderBook
from matching.orders import Side
from simulation.engine.slot import ROWS_PER_TRADER

Trade = tuple[int, int, int, int]
"""Row that sells, row that buys, energy, price."""


@dataclass(frozen=True)
class Slot:
    """A slot's rows as the engine has them: homes' orders, storages' bids, storages' offers."""

    traders: int
    side: Ints
    first: Ints
    last: Ints
    quantity_wh: Ints
    arrival: Ints
    updates: int


@st.composite
def slots(draw: st.DrawFn, *, max_traders: int = 4) -> Slot:
    """Few prices and quantities, so that ties and partial fills are common."""
    traders = draw(st.integers(1, max_traders))
    prices, bid_prices, offer_prices = st.integers(0, 9), st.integers(0, 4), st.integers(5, 9)
    quantity = st.integers(0, 4)
    rows = ROWS_PER_TRADER * traders
    side = [draw(st.integers(0, 1)) for _ in range(traders)] + [0] * traders + [1] * traders
    first, last, quantities = [], [], []
    for row in range(rows):
        price = (prices, bid_prices, offer_prices)[row // traders]
        ends = sorted((draw(price), draw(price)), reverse=bool(side[row]))
        first.append(ends[0])
        last.append(ends[1])
        quantities.append(draw(quantity))
    # a household that needs or spares energy has used its own battery up or filled it, as the engine sees to it
    for trader in range(traders):
        if quantities[trader]:
            quantities[trader + (2 - side[trader]) * traders] = 0
    return Slot(
        traders,
        *(np.array(column, dtype=np.int64) for column in (side, first, last, quantities)),
        arrival=np.array(draw(st.permutations(range(rows))), dtype=np.int64),
        updates=draw(st.integers(0, 4)),
    )


def rows_of(slot: Slot, fast: SimpleNamespace) -> object:
    """The engine's rows for a slot."""
    rows = fast.slot.empty_rows(slot.traders)
    for into, values in (
        (rows.orders.side, slot.side),
        (rows.orders.left_wh, slot.quantity_wh),
        (rows.orders.arrival, slot.arrival),
        (rows.first, slot.first),
        (rows.last, slot.last),
    ):
        into[:] = values
    return rows


def opposite(slot: Slot, row: int) -> int | None:
    """The row that withdraws when this one trades."""
    block = row // slot.traders
    return None if block == 0 else row + (slot.traders if block == 1 else -slot.traders)


def prices_at(slot: Slot, update: int) -> list[int]:
    """Every row's price after so many updates."""
    return [rate(int(a), int(b), update, slot.updates) for a, b in zip(slot.first, slot.last, strict=True)]


def traded_in_auctions(slot: Slot) -> list[Trade]:
    """The slot's trades if `matching.uniform` clears what is left at every update."""
    left = slot.quantity_wh.copy()
    trades: list[Trade] = []
    received = np.argsort(slot.arrival)
    for update in range(slot.updates + 1):
        rows = np.flatnonzero(left)
        prices = np.array(prices_at(slot, update), dtype=np.int64)[rows]
        book = from_arrays(
            slot.side[rows], prices, left[rows], account=rows % slot.traders, received=received[rows]
        )
        made = uniform.clear(book).trades
        for seller, buyer, quantity_wh, price in zip(
            rows[made.seller].tolist(),
            rows[made.buyer].tolist(),
            made.quantity_wh.tolist(),
            made.buyer_price.tolist(),
            strict=True,
        ):
            trades.append((seller, buyer, quantity_wh, price))
            left[seller] -= quantity_wh
            left[buyer] -= quantity_wh
        for row in {row for trade in trades for row in trade[:2]}:
            if (other := opposite(slot, row)) is not None:
                left[other] = 0
    return trades


def traded_in_a_book(slot: Slot) -> list[Trade]:
    """The slot's trades if each row is an order of a `LimitOrderBook`, amended at every update."""
    book = LimitOrderBook()
    number: dict[int, int] = {}
    left = dict(enumerate(slot.quantity_wh.tolist()))
    asked: dict[int, int] = {}
    trades: list[Trade] = []
    for update in range(slot.updates + 1):
        for row in slot.arrival.tolist():
            price = prices_at(slot, update)[row]
            if not left[row] or asked.get(row) == price:
                continue
            if row in number:
                outcome = book.amend(number[row], price, left[row])
            else:
                outcome = book.submit(Side(int(slot.side[row])), price, left[row], row % slot.traders)
            asked[row], number[row] = price, outcome.number
            owner = {order: owned for owned, order in number.items()}
            for made in outcome.executions:
                other = owner[made.resting]
                sells, buys = (row, other) if slot.side[row] else (other, row)
                trades.append((sells, buys, made.quantity_wh, made.price))
                for party in (row, other):
                    left[party] -= made.quantity_wh
                    withdrawn = opposite(slot, party)
                    if withdrawn is not None and left[withdrawn]:
                        left[withdrawn] = 0
                        if withdrawn in number:
                            book.cancel(number[withdrawn])
    return trades
