"""A load that must run, but not at once: a washing machine, a dishwasher."""

from dataclasses import dataclass

import numpy as np

from agents.devices.limits import require
from agents.devices.series import InvalidDeviceError
from matching.book import Ints


@dataclass(frozen=True, slots=True)
class Window:
    """One run and when it may take place.

    Attributes:
        earliest: earliest start, Unix seconds UTC.
        latest_end: when it must have ended, Unix seconds UTC.
    """

    earliest: int
    latest_end: int


@dataclass(frozen=True, slots=True)
class ShiftableLoad:
    """A load whose runs may start anywhere in a window, and then go through without a break.

    Attributes:
        cycle_wh: consumption in each slot of a run, Wh.
        slot_s: length of a slot, seconds.
        windows: one for each run, in order of time, not overlapping.

    Raises:
        InvalidDeviceError: a run is empty or does not fit its window, or windows overlap.
    """

    cycle_wh: tuple[int, ...]
    slot_s: int
    windows: tuple[Window, ...]

    def __post_init__(self) -> None:
        """Check runs and windows."""
        require("slot_s", self.slot_s, 1)
        require("cycle_wh", len(self.cycle_wh), 1)
        for energy_wh in self.cycle_wh:
            require("cycle_wh", energy_wh, 0)
        free_from = 0
        for window in self.windows:
            if window.earliest < free_from:
                raise InvalidDeviceError("earliest", window.earliest, f"must not be before {free_from}")
            free_from = window.latest_end
            require("latest_end", window.latest_end, window.earliest + len(self.cycle_wh) * self.slot_s)
            if not self.starts(window):
                raise InvalidDeviceError("earliest", window.earliest, "leaves no whole slots for the run")

    def starts(self, window: Window) -> range:
        """Every start of a slot at which the window's run may start."""
        first = -(-window.earliest // self.slot_s) * self.slot_s
        return range(first, window.latest_end - len(self.cycle_wh) * self.slot_s + 1, self.slot_s)


def at_once(load: ShiftableLoad, slots: Ints) -> Ints:
    """Consumption in each slot if every run starts as early as it may, Wh.

    Args:
        load: the load.
        slots: starts of consecutive slots, Unix seconds UTC; runs that are not wholly inside are left out.
    """
    consumption = np.zeros(len(slots), dtype=np.int64)
    for window in load.windows:
        first = (load.starts(window)[0] - int(slots[0])) // load.slot_s
        if first >= 0 and first + len(load.cycle_wh) <= len(slots):
            consumption[first : first + len(load.cycle_wh)] += load.cycle_wh
    return consumption
