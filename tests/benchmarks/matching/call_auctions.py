"""Time designs 1 and 2 beside two sorts of the same prices, and pymarket.

    python -m tests.benchmarks.matching.call_auctions [--orders 100 1000 …] [--pymarket DIRECTORY]

The two `np.argsort`, of the bids' and of the offers' prices, stand for the least that any auction has to do. With
`--pymarket` its version 0.7.6 is timed on the same orders, in a virtual environment of its own that is made in
DIRECTORY if it is not there. Times are in milliseconds: least (median).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import numpy as np

from matching import discriminatory, uniform
from matching.book import Book, from_arrays
from matching.rationing import Margin
from tests.benchmarks.matching.timing import milliseconds, ratio, rounds_for, side_by_side
from tests.matching.books import random_book

PYMARKET = ("pymarket==0.7.6", "pandas<3")  # with pandas 3 one of its mechanisms fails
WORKER = Path(__file__).with_name("pymarket_worker.py")
PATIENCE_S = 60
DESIGNS = ("uniform", "pro rata", "discriminatory")


def main() -> None:
    """Print a table, a row for each number of orders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, nargs="+", default=[10**exponent for exponent in range(2, 7)])
    parser.add_argument("--pymarket", type=Path, metavar="DIRECTORY")
    arguments = parser.parse_args()
    print("| orders | two argsorts | from_arrays | " + " | x sorts | ".join(DESIGNS) + " | x sorts |")
    print("|" + "---|" * (3 + 2 * len(DESIGNS)))
    for orders in arguments.orders:
        book = random_book(seed=0, orders=orders)
        print(row(book))
        if arguments.pymarket:
            print(f"  pymarket: {pymarket_times(arguments.pymarket, book)}", flush=True)


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
    return "| " + " | ".join(cells) + " |"


def pymarket_times(environment: Path, book: Book) -> str:
    """Seconds that pymarket's mechanisms take to clear these orders, entering the orders not counted."""
    python = environment / "bin" / "python"
    if not python.exists():
        venv.create(environment, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PYMARKET], check=True)
    found = []
    with tempfile.TemporaryDirectory() as directory:
        orders = Path(directory) / "orders.npz"
        np.savez(orders, side=book.side, price=book.price, quantity_wh=book.quantity_wh)
        for mechanism in ("huang", "muda", "p2p"):
            command = [str(python), str(WORKER), str(orders), mechanism]
            try:
                done = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE_S)
            except subprocess.TimeoutExpired:
                found.append(f"{mechanism} over {PATIENCE_S} s")
                continue
            if done.returncode:
                found.append(f"{mechanism} failed: {done.stderr.decode().strip().splitlines()[-1]}")
                continue
            result = json.loads(done.stdout)
            found.append(f"{mechanism} {result['seconds'] * 1e3:.0f} ms, {result['traded_wh']} Wh traded")
    traded_wh = uniform.clear(book).volume_wh
    return "; ".join([*found, f"uniform price trades {traded_wh} Wh"])


if __name__ == "__main__":
    sys.exit(main())
