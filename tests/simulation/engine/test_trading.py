from types import SimpleNamespace

import numpy as np
from hypothesis import given, settings

from matching import uniform
from matching.book import Book, from_arrays
from matching.orderbook import Action, Event, LimitOrderBook
from matching.orders import Side
from tests.matching.books import random_book, small_books
from tests.simulation.engine.books import Slot, Trade, rows_of, slots, traded_in_a_book, traded_in_auctions


def log_of(log: object) -> list[Trade]:
    made = int(log.made[0])  # type: ignore[attr-defined]
    columns = (log.seller, log.buyer, log.quantity_wh, log.price)  # type: ignore[attr-defined]
    return list(zip(*(column[:made].tolist() for column in columns), strict=True))


def check_auction(book: Book, fast: SimpleNamespace) -> None:
    """The engine's auction gives the trades, prices and fills of `matching.uniform`, order by order."""
    rows = np.arange(len(book))
    book = from_arrays(book.side, book.price, book.quantity_wh, received=book.received)  # ranked by row
    log = fast.auction.empty_trades(len(book))
    left = book.quantity_wh.copy()
    orders = fast.auction.Orders(book.side.copy(), book.price.copy(), left, rows[np.argsort(book.received)])
    fast.auction.clear(orders, 0, log)
    clearing = uniform.clear(book)
    trades = clearing.trades
    columns = (trades.seller, trades.buyer, trades.quantity_wh, trades.buyer_price)
    assert log_of(log) == list(zip(*(column.tolist() for column in columns), strict=True))
    assert (book.quantity_wh - left).tolist() == clearing.fills_wh.tolist()


@settings(max_examples=400)
@given(small_books())
def test_the_auction_is_that_of_matching_order_by_order(fast: SimpleNamespace, book: Book) -> None:
    check_auction(book, fast)


def test_the_auction_of_a_large_book_is_that_of_matching(fast: SimpleNamespace) -> None:
    for seed in range(5):
        check_auction(random_book(seed, 500), fast)


@settings(max_examples=300)
@given(slots())
def test_a_slot_of_auctions_is_traded_as_matching_would(fast: SimpleNamespace, slot: Slot) -> None:
    rows, log = rows_of(slot, fast), fast.auction.empty_trades(3 * slot.traders)
    fast.slot.trade_uniform(rows, slot.updates, 0, log)
    assert log_of(log) == traded_in_auctions(slot)


@settings(max_examples=300)
@given(slots())
def test_a_slot_of_continuous_trade_is_traded_as_the_order_book_would(fast: SimpleNamespace, slot: Slot) -> None:
    rows, log = rows_of(slot, fast), fast.auction.empty_trades(3 * slot.traders)
    book = fast.slot.empty_book(slot.traders, slot.updates)
    fast.slot.trade_continuous(rows, slot.updates, 0, log, book)
    assert log_of(log) == traded_in_a_book(slot)
    assert replayed_trades(book, slot) == log_of(log)


def replayed_trades(book: object, slot: Slot) -> list[Trade]:
    """The trades of the events that the engine's book kept, in the order book of `matching`."""
    again = LimitOrderBook()
    trades: list[Trade] = []
    events = int(book.events[0])  # type: ignore[attr-defined]
    columns = [column[:events].tolist() for column in book.columns]  # type: ignore[attr-defined]
    rows = book.row.tolist()  # type: ignore[attr-defined]
    for event, (action, side, price, quantity_wh, account, number) in enumerate(zip(*columns, strict=True)):
        outcome = again.apply(Event(Action(action), Side(side), price, quantity_wh, account, number))
        for made in outcome.executions:
            resting, incoming = rows[made.resting], rows[event]
            pair = (incoming, resting) if slot.side[incoming] else (resting, incoming)
            trades.append((*pair, made.quantity_wh, made.price))
    return trades


@given(slots())
def test_no_storage_trades_on_both_sides_of_a_slot(fast: SimpleNamespace, slot: Slot) -> None:
    for design in ("uniform", "continuous"):
        rows, log = rows_of(slot, fast), fast.auction.empty_trades(3 * slot.traders)
        if design == "uniform":
            fast.slot.trade_uniform(rows, slot.updates, 0, log)
        else:
            fast.slot.trade_continuous(
                rows, slot.updates, 0, log, fast.slot.empty_book(slot.traders, slot.updates)
            )
        buying = {buyer % slot.traders for _, buyer, _, _ in log_of(log) if buyer >= slot.traders}
        selling = {seller % slot.traders for seller, _, _, _ in log_of(log) if seller >= slot.traders}
        assert not buying & selling
