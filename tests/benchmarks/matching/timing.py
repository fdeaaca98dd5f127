"""Time several things side by side in one run, so that a busy or slow machine changes ratios little."""

import gc
import time
from collections.abc import Callable, Mapping
from statistics import median


def side_by_side(functions: Mapping[str, Callable[[], object]], *, rounds: int) -> dict[str, list[float]]:
    """Seconds each function takes in each round, in which all run one after the other; one round goes before."""
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    for round_number in range(rounds + 1):
        for name, function in functions.items():
            gc.collect()
            start = time.perf_counter()
            function()
            if round_number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def rounds_for(orders: int) -> int:
    """More rounds for what takes less time."""
    return max(7, min(100, 3_000_000 // orders))


def milliseconds(seconds: list[float]) -> str:
    """Least and median, in milliseconds."""
    return f"{min(seconds) * 1e3:.2f} ({median(seconds) * 1e3:.2f})"


def ratio(seconds: list[float], reference: list[float]) -> str:
    """How many times the reference: of the least times, and the median over the rounds."""
    in_rounds = median(a / b for a, b in zip(seconds, reference, strict=True))
    return f"{min(seconds) / min(reference):.2f} ({in_rounds:.2f})"
