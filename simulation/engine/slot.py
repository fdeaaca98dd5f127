"""One slot's trading: orders are priced anew at every update and traded, under either design.

A slot has three rows for each trader: its home's order, its storage's bid and its storage's offer, in blocks of
that order. At each update every row with anything left is priced, in order of arrival; a uniform-price market
then clears, a continuous one trades each order as it is priced. A storage that has traded on one side withdraws
from the other: no battery charges and discharges at once.
"""

from typing import NamedTuple

import numpy as np

from agents.strategies.pricing import rate
from matching.book import Ints
from matching.kernel import AMEND, BID, CANCEL, Columns, Log, State, compiled, empty_log, enter, leaves_its_place
from simulation.engine.auction import Orders, Trades, add_trade, clear

ROWS_PER_TRADER = 3
LIMIT = 0


class Rows(NamedTuple):
    """A slot's orders, and the prices they have at its start and at the last update."""

    orders: Orders
    first: Ints
    last: Ints


class Book(NamedTuple):
    """A continuous book's working space, see `matching.kernel`.

    `row` is the row of each event, `order` the event that put each row's order into the book, or -1; `events[0]`
    counts the events.
    """

    columns: Columns
    state: State
    log: Log
    row: Ints
    order: Ints
    events: Ints


def empty_rows(traders: int) -> Rows:
    """Room for a slot's orders."""
    side, price, left_wh, arrival, first, last = np.zeros((6, ROWS_PER_TRADER * traders), dtype=np.int64)
    side[2 * traders :] = 1
    return Rows(Orders(side, price, left_wh, arrival), first, last)


def empty_book(traders: int, updates: int) -> Book:
    """Working space for a continuous book of a slot: every row once an update, and once withdrawn."""
    rows = ROWS_PER_TRADER * traders
    events = rows * (updates + 2)
    left_wh, outcome, removed, row = np.zeros((4, events), dtype=np.int64)
    return Book(
        columns=Columns(*np.zeros((6, events), dtype=np.int64)),
        state=State(
            left_wh=left_wh,
            outcome=outcome,
            removed=removed,
            heaps=np.empty((2, events), dtype=np.int64),
            sizes=np.zeros(2, dtype=np.int64),
            pending=np.empty(events + 2, dtype=np.int64),
        ),
        log=empty_log(rows),
        row=row,
        order=np.empty(rows, dtype=np.int64),
        events=np.zeros(1, dtype=np.int64),
    )


@compiled
def other_side(row: int, rows: int) -> int:
    """The row that a storage withdraws when this row has traded, or -1 if the row is not a storage's."""
    traders = rows // ROWS_PER_TRADER
    if row < traders:
        return -1
    return row + traders if row < 2 * traders else row - traders


@compiled
def trade_uniform(rows: Rows, updates: int, slot: int, log: Trades) -> None:
    """Trade a slot in one auction for each update."""
    orders = rows.orders
    for update in range(updates + 1):
        for row in range(len(orders.side)):
            orders.price[row] = rate(rows.first[row], rows.last[row], update, updates)
        before = log.made[0]
        clear(orders, slot, log)
        for trade in range(before, log.made[0]):
            for row in (log.seller[trade], log.buyer[trade]):
                opposite = other_side(row, len(orders.side))
                if opposite >= 0:
                    orders.left_wh[opposite] = 0


@compiled
def trade_continuous(rows: Rows, updates: int, slot: int, log: Trades, book: Book) -> None:
    """Trade a slot in a continuous book; the book keeps the events."""
    orders, state = rows.orders, book.state
    for column in (state.left_wh, state.outcome, state.removed, state.sizes, book.events):
        column[:] = 0
    book.order[:] = -1
    made = 0
    for update in range(updates + 1):
        for row in orders.arrival:
            orders.price[row] = rate(rows.first[row], rows.last[row], update, updates)
            order = book.order[row]
            if order < 0:
                if update > 0 or orders.left_wh[row] == 0:
                    continue
                put(book, orders, LIMIT, row)
            elif state.left_wh[order] == 0 or book.columns.price[order] == orders.price[row]:
                continue
            else:
                put(book, orders, AMEND, row)
            already, made = made, enter(book.columns, state, book.log, book.order[row], made)
            for trade in range(already, made):
                withdraw_opposite(book, orders, book.row[book.log.resting[trade]])
                withdraw_opposite(book, orders, row)
    for trade in range(made):
        resting, incoming = book.row[book.log.resting[trade]], book.row[book.log.incoming[trade]]
        buyer, seller = (incoming, resting) if orders.side[incoming] == BID else (resting, incoming)
        add_trade(log, slot, seller, buyer, (book.log.quantity_wh[trade], book.log.price[trade]))


@compiled
def put(book: Book, orders: Orders, action: int, row: int) -> None:
    """Make an event of a row's order: enter it, change its price, or cancel it."""
    columns, event, order = book.columns, book.events[0], book.order[row]
    columns.action[event], columns.side[event], columns.price[event] = action, orders.side[row], orders.price[row]
    columns.quantity_wh[event] = orders.left_wh[row] if action == LIMIT else book.state.left_wh[order]
    columns.account[event] = row % (len(orders.side) // ROWS_PER_TRADER)
    columns.number[event] = max(order, 0)
    book.row[event] = row
    book.events[0] = event + 1
    if action != LIMIT:
        leaves_its_place(columns, book.state, event)
    if action != CANCEL:
        book.order[row] = event


@compiled
def withdraw_opposite(book: Book, orders: Orders, row: int) -> None:
    """Cancel what the storage that traded with this row has on its other side."""
    opposite = other_side(row, len(orders.side))
    if opposite < 0:
        return
    if book.order[opposite] < 0:
        orders.left_wh[opposite] = 0  # it has not entered yet, and will not
        return
    if book.state.left_wh[book.order[opposite]] == 0:
        return
    put(book, orders, CANCEL, opposite)
