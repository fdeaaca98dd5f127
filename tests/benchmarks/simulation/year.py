"""Seconds that a year of 33 households with a battery takes on one core, from devices to tables in memory.

python -m tests.benchmarks.simulation.year

The reference: Grid Singularity's simulator took 13 to 14 minutes for one day of the same community, that is 33
households of the same size with the same strategy, on a machine of this kind.
"""

import os
import sys
import time
from collections.abc import Callable

from matching import kernel
from simulation.run import run
from simulation.scenarios.groene_mient import groene_mient, with_battery

ROUNDS = 5
LIMIT_S = 60
REFERENCE_DAY_S = 13.5 * 60


def main() -> None:
    """Print the least time of each design, and how many times as fast a slot is as in the reference."""
    os.sched_setaffinity(0, {next(iter(os.sched_getaffinity(0)))})
    scenario = with_battery(groene_mient())
    slots = len(scenario.slots)
    how = "compiled" if kernel.COMPILES else "not compiled: numba is not installed"
    print(f"{len(scenario.households)} households and a battery, {slots} slots, 15 prices a slot; {how}")
    print(f"{'design':<12}{'a year':>10}{'of the CPU':>12}{'a slot':>12}{'reference':>14}{'times as fast':>16}")
    for design in ("uniform", "continuous"):
        run(scenario, design=design)  # compiles, or reads what is compiled
        least_s, cpu_s = min(timed(lambda design=design: run(scenario, design=design)) for _ in range(ROUNDS))
        slot_s, reference_s = least_s / slots, REFERENCE_DAY_S / 96
        print(
            f"{design:<12}{least_s:>8.2f} s{cpu_s:>10.2f} s{slot_s * 1e6:>9.0f} us{reference_s:>7.1f} s/slot"
            f"{reference_s / slot_s:>16,.0f}"
        )
        if least_s > LIMIT_S:
            sys.exit(f"{design}: {least_s:.1f} s is above the limit of {LIMIT_S} s")


def timed(function: Callable[[], object]) -> tuple[float, float]:
    """Seconds that a call takes, and seconds of the CPU, which other work on the machine changes little."""
    start, cpu_start = time.perf_counter(), time.process_time()
    function()
    return time.perf_counter() - start, time.process_time() - cpu_start


if __name__ == "__main__":
    main()
