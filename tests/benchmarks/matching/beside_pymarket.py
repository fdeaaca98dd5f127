"""Time design 1 beside the two call auctions of pymarket 0.7.6, on the same orders.

    python -m tests.benchmarks.matching.beside_pymarket [--orders 100 1000 …]

pymarket needs older packages than ours, so it gets a virtual environment of its own, which is made in the cache
directory (`XDG_CACHE_HOME`, or `~/.cache`) and used again. If that fails, as without a network, this is said and
nothing is compared. Entering the orders is not counted on either side.
"""

import argparse
import json
import os
import subprocess
import tempfile
import venv
from pathlib import Path

import numpy as np

from matching import uniform
from matching.book import Book
from tests.benchmarks.matching.timing import milliseconds, rounds_for, side_by_side
from tests.matching.books import random_book

PYMARKET = ("pymarket==0.7.6", "pandas<3")  # with pandas 3 one of its mechanisms fails
WORKER = Path(__file__).with_name("pymarket_worker.py")
MECHANISMS = ("huang", "muda")
PATIENCE_S = 60


def main() -> None:
    """Print a table, a row for each number of orders."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orders", type=int, nargs="+", default=[100, 1_000, 10_000, 100_000])
    orders = parser.parse_args().orders
    directory = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wattbook" / "pymarket-0.7.6"
    print(f"{PYMARKET[0]} runs in an environment of its own: {directory}", flush=True)
    try:
        python = environment(directory)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"NOT COMPARED, as it could not be installed: {error}")
        return
    print(f"Milliseconds, ours least (median), pymarket's once and for at most {PATIENCE_S} s; and Wh traded.")
    print("| orders | uniform | " + " | ".join(MECHANISMS) + " |")
    print("|" + "---|" * (2 + len(MECHANISMS)))
    for number in orders:
        print(row(python, random_book(seed=0, orders=number)), flush=True)


def environment(directory: Path) -> Path:
    """The Python of pymarket's environment, which is made, or completed, if need be."""
    venv.create(directory, with_pip=True)
    python = directory / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *PYMARKET], check=True)
    return python


def row(python: Path, book: Book) -> str:
    """One row of the table."""
    seconds = side_by_side({"uniform": lambda: uniform.clear(book)}, rounds=rounds_for(len(book)))
    ours = f"{milliseconds(seconds['uniform'])}, {uniform.clear(book).volume_wh:,} Wh"
    with tempfile.TemporaryDirectory() as directory:
        orders = Path(directory) / "orders.npz"
        np.savez(orders, side=book.side, price=book.price, quantity_wh=book.quantity_wh)
        theirs = [cleared(python, orders, mechanism) for mechanism in MECHANISMS]
    return "| " + " | ".join([f"{len(book):,}", ours, *theirs]) + " |"


def cleared(python: Path, orders: Path, mechanism: str) -> str:
    """How long one of pymarket's mechanisms takes for these orders, and how much it trades."""
    command = [str(python), str(WORKER), str(orders), mechanism]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        return f"over {PATIENCE_S:,} s"
    if done.returncode:
        return f"failed: {done.stderr.decode().strip().splitlines()[-1]}"
    result = json.loads(done.stdout)
    return f"{result['seconds'] * 1e3:,.0f}, {result['traded_wh']:,} Wh"


if __name__ == "__main__":
    main()
