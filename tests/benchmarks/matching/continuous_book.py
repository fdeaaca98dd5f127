"""Orders a second that the continuous book takes, one call each and replayed from columns, and its memory.

python -m tests.benchmarks.matching.continuous_book [--orders 100000]
"""

import argparse
import sys
import tracemalloc

import numpy as np

from matching import kernel
from matching.continuous import Events, events_from_arrays, replay
from matching.orderbook import Action, LimitOrderBook
from matching.orders import Side
from tests.benchmarks.matching.timing import side_by_side

ROUNDS = 7
ACCOUNTS = 10_000


def main() -> None:
    """Print rates for two order flows and the memory of resting orders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, default=100_000)
    orders = parser.parse_args().orders
    how = "compiled" if kernel.COMPILES else "not compiled: numba is not installed"
    for name, events in (("limit orders", limit_orders(orders)), ("all actions", all_actions(orders))):
        calls = [tuple(row) for row in zip(*(getattr(events, field).tolist() for field in FIELDS), strict=True)]
        seconds = side_by_side(
            {
                "one call each": lambda calls=calls: one_call_each(calls),
                "from columns": lambda events=events: replay(events),
            },
            rounds=ROUNDS,
        )
        for way, times in seconds.items():
            print(f"{name}, {way}: {orders / min(times):,.0f} events/s (least of {ROUNDS} rounds)")
    print(f"(the kernel is {how})")
    print(f"memory of a resting order, one call each: {bytes_per_resting_order(orders):.0f} bytes")


FIELDS = ("action", "side", "price", "quantity_wh", "account", "number")


def limit_orders(orders: int) -> Events:
    """Bids and offers at uniformly random prices; nearly half stay in the book."""
    draws = np.random.default_rng(3)
    return events_from_arrays(
        np.zeros(orders, dtype=np.int64),
        draws.integers(0, 2, orders),
        draws.integers(0, 400_001, orders),
        draws.integers(1, 5_001, orders),
        draws.integers(0, ACCOUNTS, orders),
    )


def all_actions(orders: int) -> Events:
    """Half limit orders, a tenth of each other type, and a tenth each amend and cancel earlier orders."""
    draws = np.random.default_rng(4)
    return events_from_arrays(
        draws.choice(list(Action), orders, p=[0.5, 0.1, 0.1, 0.1, 0.1, 0.1]),
        draws.integers(0, 2, orders),
        draws.normal(200_000, 20_000, orders).astype(np.int64),
        draws.integers(1, 5_001, orders),
        draws.integers(0, ACCOUNTS, orders),
        number=draws.integers(0, np.arange(1, orders + 1)),
    )


def one_call_each(calls: list[tuple[int, int, int, int, int, int]]) -> LimitOrderBook:
    """Give a book the events through its methods."""
    book = LimitOrderBook()
    sides, actions = list(Side), list(Action)
    for action, side, price, quantity_wh, account, number in calls:
        if action < Action.AMEND:
            book.submit(sides[side], price, quantity_wh, account, actions[action])
        elif action == Action.AMEND:
            book.amend(number, price, quantity_wh)
        else:
            book.cancel(number)
    return book


def bytes_per_resting_order(orders: int) -> float:
    """Traced memory of a book of bids alone, none of which trades, by order."""
    draws = np.random.default_rng(5)
    prices = draws.integers(0, 400_001, orders).tolist()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    book = LimitOrderBook()
    for account, price in enumerate(prices):
        book.submit(Side.BID, price, 1_000 + account, account)
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / orders


if __name__ == "__main__":
    sys.exit(main())
