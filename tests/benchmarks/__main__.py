"""Run every benchmark, one after the other, each in a process of its own. Usage: python -m tests.benchmarks

The comparison with pymarket installs it into the cache directory at the first run, and is left out if it cannot.
"""

import subprocess
import sys

BENCHMARKS = (
    "matching.call_auctions",
    "matching.beside_pymarket",
    "matching.continuous_book",
    "matching.network_designs",
    "calldata",
    "gas_profile",
    "devchain_speed",
    "chain_growth",
    "settlement",
    "certificates",
    "simulation.year",
    "scheduler_day",
    "audit",
    "coverage",
    "intake",
)

for name in BENCHMARKS:
    print(f"\n== {name}", flush=True)
    subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=True)
