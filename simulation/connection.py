"""The community's connection to the utility's grid: how much flows, how high the peaks are, how long they last."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from matching.book import Ints
from simulation.results import Results

HOUR_S = 3_600

LIMIT = "max_import_w"
"""Parameter of a run whose report should show what the connection can carry, W; absent or None: no limit."""


@dataclass(frozen=True, slots=True)
class Peaks:
    """The highest mean power of a slot at the connection, W; 0 in a direction that never occurred."""

    import_w: int
    export_w: int


def power_w(results: Results) -> Ints:
    """Mean power at the connection in each slot, W: positive is import, negative is export.

    (imported - exported) · 3600 s / slot length, exact for every slot length that divides an hour.
    """
    net_wh = results.slots["imported_wh"] - results.slots["exported_wh"]
    return net_wh * HOUR_S // results.info.slot_s


def peaks(results: Results) -> Peaks:
    """The highest import and the highest export."""
    power = power_w(results)
    return Peaks(import_w=int(power.max(initial=0)), export_w=int(-power.min(initial=0)))


def duration_curve_w(results: Results) -> Ints:
    """The slots' powers from the highest import to the highest export, W."""
    return np.sort(power_w(results))[::-1]


def limit_w(results: Results) -> int | None:
    """What the run says the connection can carry, W."""
    limit: int | None = results.info.parameters.get(LIMIT)
    return limit


def hours_above(results: Results, limit_w: int) -> Fraction:
    """For how long the import exceeded a limit, hours."""
    slots = int(np.count_nonzero(power_w(results) > limit_w))
    return Fraction(slots * results.info.slot_s, HOUR_S)
