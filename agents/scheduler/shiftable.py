"""When to start a load that runs through without a break, somewhere in a window.

Choosing the start together with everything else would take a binary for each possible start. Instead the household
plans without the run first, and the run then takes the start at which its energy is worth least by that plan's
marginal values. For a run that moves no price and hits no limit that is the best start; otherwise the next best is
tried until there is a plan.
"""

import numpy as np

from agents.devices.shiftable import ShiftableLoad, Window
from agents.scheduler.outlook import Floats
from matching.book import Ints


def starts_by_cost(load: ShiftableLoad, window: Window, worth: Floats, first_slot: int) -> list[int]:
    """Positions of the slots at which the run may still start, cheapest first, the earliest of equals first.

    Args:
        load: the load.
        window: the window of the run.
        worth: what a Wh is worth in each slot of a plan, nano-credit.
        first_slot: start of the plan's first slot, Unix seconds UTC.
    """
    cycle = np.array(load.cycle_wh, dtype=np.float64)
    positions = [(start - first_slot) // load.slot_s for start in load.starts(window)]
    possible = [position for position in positions if 0 <= position <= len(worth) - len(cycle)]
    costs = [float(cycle @ worth[position : position + len(cycle)]) for position in possible]
    return [possible[index] for index in np.argsort(np.round(costs, 3), kind="stable").tolist()]


def with_run(load_wh: Ints, load: ShiftableLoad, position: int) -> Ints:
    """The fixed load, Wh, with a run added that starts in this position; what lies beyond the end is left out."""
    added = load_wh.copy()
    end = min(position + len(load.cycle_wh), len(added))
    added[position:end] += np.array(load.cycle_wh[: end - position], dtype=np.int64)
    return added
