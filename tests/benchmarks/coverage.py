"""24/7 coverage and emissions of 100 members over a year of quarter-hours, from arrays to rows.

Usage: python -m tests.benchmarks.coverage

Each time is the best of five; the rows of single slots are 50,000 of 3.6 million, made as they are read.
"""

import time
from collections.abc import Callable
from itertools import islice

import numpy as np

from ledger.coverage import matching
from ledger.coverage.carbon import Carbon, TechnologyCertificates, emissions
from ledger.coverage.claims import Claims
from ledger.coverage.periods import Granularity, periods_of
from ledger.coverage.table import csv_lines, rows

MEMBERS = 100
SLOTS = 365 * 96
SLOT_S = 900
FIRST_SLOT = 1_672_531_200
ZONE = "Europe/Amsterdam"
RUNS = 5
ROWS = 50_000


def best_s(work: Callable[[], object]) -> float:
    """The shortest of a few runs."""
    times = []
    for _ in range(RUNS):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return min(times)


def main() -> None:
    """Make up a year, and measure what is computed of it."""
    random = np.random.default_rng(1)
    consumed, retired = random.integers(0, 1_000, (2, MEMBERS, SLOTS))
    slots = FIRST_SLOT + SLOT_S * np.arange(SLOTS, dtype=np.int64)
    claims = Claims(tuple(map(str, range(MEMBERS))), slots, SLOT_S, consumed, retired)
    factors = random.integers(0, 500, (2, SLOTS))
    carbon = Carbon(factors[0], factors[1], (TechnologyCertificates("solar", 0, retired),))
    months = periods_of(claims, ZONE, Granularity.MONTH)

    def table() -> list[str]:
        return list(csv_lines(rows(claims, ZONE, Granularity.MONTH, carbon=carbon)))

    for name, work in (
        ("months of every member", lambda: matching.members(claims, months)),
        ("months of the pool", lambda: matching.pool(claims, months)),
        ("emissions by both methods", lambda: emissions(claims, carbon, months)),
        ("the table of months as CSV", table),
    ):
        print(f"{name:28} {best_s(work) * 1_000:7.1f} ms", flush=True)
    single = rows(claims, ZONE, Granularity.SLOT, carbon=carbon)
    next(single)
    began = time.perf_counter()
    read = sum(1 for _ in islice(single, ROWS))
    print(f"{'rows of single slots':28} {read / (time.perf_counter() - began):7,.0f} a second", flush=True)


if __name__ == "__main__":
    main()
