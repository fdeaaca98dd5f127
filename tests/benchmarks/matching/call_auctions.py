"""Time designs 1 and 2 beside two sorts of the same prices.

    python -m tests.benchmarks.matching.call_auctions [--orders 100 1000 …]

The two `np.argsort`, of the bids' and of the offers' prices, stand for the least that any auction has to do. A
design's time is that of clearing, trades and verification. Checking the columns, `from_arrays`, is counted apart;
the last column is the uniform price with it. Times are in milliseconds: least (median).
"""

import argparse
import sys

import numpy as np

from matching import discriminatory, uniform
from matching.book import Book, from_arrays
from matching.rationing import Margin
from tests.benchmarks.matching.timing import milliseconds, ratio, rounds_for, side_by_side
from tests.matching.books import random_book

DESIGNS = ("uniform", "pro rata", "discriminatory")


def main() -> None:
    """Print a table, a row for each number of orders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, nargs="+", default=[10**exponent for exponent in range(2, 7)])
    arguments = parser.parse_args()
    designs = " | x sorts | ".join(DESIGNS)
    print(f"| orders | two argsorts | from_arrays | {designs} | x sorts | from_arrays + uniform, x sorts |")
    print("|" + "---|" * (4 + 2 * len(DESIGNS)))
    for orders in arguments.orders:
        print(row(random_book(seed=0, orders=orders)), flush=True)


def row(book: Book) -> str:
    """One row of the table."""
    bid_prices, offer_prices = book.price[book.bids], book.price[book.offers]
    seconds = side_by_side(
        {
            "sorts": lambda: (np.argsort(bid_prices), np.argsort(offer_prices)),
            "check": lambda: from_arrays(
                book.side,
                book.price,
                book.quantity_wh,
                account=book.account,
                received=book.received,
                rank=book.rank,
            ),
            "uniform": lambda: uniform.clear(book),
            "pro rata": lambda: uniform.clear(book, margin=Margin.PRO_RATA),
            "discriminatory": lambda: discriminatory.clear(book),
        },
        rounds=rounds_for(len(book)),
    )
    cells = [f"{len(book):,}", milliseconds(seconds["sorts"]), milliseconds(seconds["check"])]
    for design in DESIGNS:
        cells += [milliseconds(seconds[design]), ratio(seconds[design], seconds["sorts"])]
    both = [check + clear for check, clear in zip(seconds["check"], seconds["uniform"], strict=True)]
    cells.append(ratio(both, seconds["sorts"]))
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
