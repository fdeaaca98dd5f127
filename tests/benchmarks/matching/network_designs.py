"""Time designs 5 and 6: orders with preferences, and orders on a feeder of 100 nodes.

python -m tests.benchmarks.matching.network_designs [--orders 1000 10000]
"""

import argparse
import sys

import numpy as np

from matching import grid, preferences
from matching.book import Book
from matching.grid import Feeder
from matching.wishes import Trait, Wish
from tests.benchmarks.matching.timing import milliseconds, side_by_side
from tests.matching.books import random_book

ROUNDS = 5
NODES = 100
SOURCES, AREAS = 4, 10


def main() -> None:
    """Print a table, a row for each number of orders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, nargs="+", default=[1_000, 10_000])
    print("| orders | feeder, ms | full lines | preferences, ms | kinds | favourite sellers, ms | kinds |")
    print("|" + "---|" * 7)
    for orders in parser.parse_args().orders:
        print(row(random_book(seed=5, orders=orders)), flush=True)


def row(book: Book) -> str:
    """One row of the table."""
    feeder, node = random_feeder(book)
    source, area, wishes = random_wishes(book)
    favourites = favourite_sellers(book)

    def on_feeder() -> grid.GridClearing:
        return grid.clear(book, feeder=feeder, node=node)

    def by_preference() -> preferences.PreferenceClearing:
        return preferences.clear(book, wishes=wishes, source=source, area=area)

    def by_favourites() -> preferences.PreferenceClearing:
        return preferences.clear(book, wishes=favourites)

    seconds = side_by_side({f.__name__: f for f in (on_feeder, by_preference, by_favourites)}, rounds=ROUNDS)
    cells = [
        f"{len(book):,}",
        milliseconds(seconds["on_feeder"]),
        str(len(on_feeder().full_lines)),
        milliseconds(seconds["by_preference"]),
        str(len(by_preference().kind_price)),
        milliseconds(seconds["by_favourites"]),
        str(len(by_favourites().kind_price)),
    ]
    return "| " + " | ".join(cells) + " |"


def random_feeder(book: Book) -> tuple[Feeder, np.ndarray]:
    """A feeder whose lines are narrow enough that several are full, and each order's node."""
    draws = np.random.default_rng(1)
    lines = NODES - 1
    total_wh = int(book.quantity_wh.sum())
    feeder = Feeder(
        parent=tuple(int(draws.integers(max(0, line - 3), line + 1)) for line in range(lines)),
        capacity_wh=tuple(draws.integers(total_wh // 2_000, total_wh // 100, lines).tolist()),
        fee=tuple(draws.integers(0, 20_000, lines).tolist()),
    )
    return feeder, draws.integers(0, NODES, len(book))


def random_wishes(book: Book) -> tuple[np.ndarray, np.ndarray, list[Wish]]:
    """Each order's source and area; most bids and some offers state a wish or two."""
    draws = np.random.default_rng(2)
    source, area = draws.integers(0, SOURCES, len(book)), draws.integers(0, AREAS, len(book))
    wishes = []
    for bid in book.bids.tolist():
        near = frozenset({int(area[bid])})
        if draws.random() < 0.5:
            wishes.append(Wish(bid, Trait.SOURCE, frozenset({1}), premium=20_000))
        if draws.random() < 0.5:
            wishes.append(Wish(bid, Trait.AREA, near, premium=10_000))
        if draws.random() < 0.1:
            wishes.append(Wish(bid, Trait.SOURCE, frozenset({1, 2})))
    choosy = book.offers[draws.random(len(book.offers)) < 0.1]
    wishes += [Wish(offer, Trait.AREA, frozenset({int(area[offer])})) for offer in choosy.tolist()]
    return source, area, wishes


def favourite_sellers(book: Book) -> list[Wish]:
    """Three favourite sellers for each of 200 bids: the costly case, as nearly every such bid is its own kind."""
    draws = np.random.default_rng(3)
    sellers = book.account[book.offers]
    return [
        Wish(bid, Trait.ACCOUNT, frozenset(draws.choice(sellers, 3).tolist()), premium=15_000)
        for bid in book.bids[:200].tolist()
    ]


if __name__ == "__main__":
    sys.exit(main())
