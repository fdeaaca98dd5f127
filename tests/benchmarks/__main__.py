"""Run every benchmark, one after the other, each in a process of its own. Usage: python -m tests.benchmarks"""

import subprocess
import sys

BENCHMARKS = (
    "matching.call_auctions",
    "matching.continuous_book",
    "matching.network_designs",
    "calldata",
    "devchain_speed",
)

for name in BENCHMARKS:
    print(f"\n== {name}", flush=True)
    subprocess.run([sys.executable, "-m", f"tests.benchmarks.{name}"], check=True)
