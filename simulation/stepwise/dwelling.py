"""One household as a run goes on: what its meters say, what its storages hold, and what its actions do to them."""

from dataclasses import dataclass

import numpy as np

from agents.devices.heat_pump import HeatPump
from agents.devices.shiftable import ShiftableLoad, Window
from agents.scheduler.devices import battery_store, tank_store, vehicle_store
from agents.scheduler.plan import Action
from agents.scheduler.shiftable import with_run
from agents.scheduler.store import Store
from matching.book import Ints
from simulation.scenario import Household, Scenario

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Metered:
    """What one slot came to, Wh; see `simulation.results` for the terms."""

    consumption_wh: int
    generation_wh: int
    charged_wh: int
    discharged_wh: int
    lost_wh: int
    stored_wh: int


class Dwelling:
    """A household of a scenario, at some slot of it.

    Its stores are, in this order and as far as it has them, its battery, its vehicle and its heat pump's tank.
    What the tank holds is heat, so a heat pump's electricity is consumed at once, not stored.

    Args:
        home: the household.
        scenario: whose slots it lives through.

    Attributes:
        wear_nano: what the energy that its storages have given, trips apart, has cost in their lifetime,
        nano-credit.
    """

    def __init__(self, home: Household, scenario: Scenario) -> None:
        self.home = home
        self._starts = scenario.slots
        self._slot_s = scenario.slot_s
        self._levels: list[int] = []
        self._runs = [(load, window) for load in home.shiftable for window in load.windows]
        self._added_wh = np.zeros(len(scenario.slots), dtype=np.int64)
        self.wear_nano = 0
        if home.battery is not None:
            self._levels.append(home.battery.initial_wh)
        if home.vehicle is not None:
            stays = home.vehicle.stays
            self._levels.append(stays[0].arrives_with_wh if stays else 0)
        if home.heat_pump is not None:
            self._levels.append(home.heat_pump.initial_wh)

    @property
    def stored_wh(self) -> int:
        """Electricity that its storages can give, Wh."""
        return sum(self._levels[: len(self._levels) - self._tanks])

    @property
    def _tanks(self) -> int:
        return 0 if self.home.heat_pump is None else 1

    def load_wh(self, position: int) -> int:
        """What its fixed loads, and runs that have started, consume in this slot, Wh."""
        return int(self.home.consumption_wh[position] + self._added_wh[position])

    def added_wh(self, position: int, slots: int) -> Ints:
        """What runs that have started still consume in so many slots from this one on, Wh."""
        added = np.zeros(slots, dtype=np.int64)
        known = self._added_wh[position : position + slots]
        added[: len(known)] = known
        return added

    def stores(self, position: int, slots: int, heat_wh: Ints | None = None) -> tuple[Store, ...]:
        """Its stores, over so many slots from this one on.

        Args:
            position: of the first slot.
            slots: how many.
            heat_wh: what heat is expected to be taken from the tank; what will be, if not given.
        """
        home, levels = self.home, iter(self._levels)
        starts = int(self._starts[position]) + self._slot_s * np.arange(slots, dtype=np.int64)
        stores = []
        if home.battery is not None:
            stores.append(battery_store(home.battery, next(levels), slots, self._slot_s))
        if home.vehicle is not None:
            stores.append(vehicle_store(home.vehicle, next(levels), starts, self._slot_s))
        if home.heat_pump is not None:
            expected = self._heat(home.heat_pump, position, slots) if heat_wh is None else heat_wh
            stores.append(tank_store(home.heat_pump, next(levels), expected))
        return tuple(stores)

    def _heat(self, pump: HeatPump, position: int, slots: int) -> Ints:
        heat = np.zeros(slots, dtype=np.int64)
        known = pump.demand.energy_wh[position : position + slots]
        heat[: len(known)] = known
        return heat

    def waiting_runs(self, position: int, slots: int) -> list[tuple[ShiftableLoad, Window]]:
        """Runs that have not started and whose whole window lies ahead or has begun, within so many slots."""
        start = int(self._starts[position])
        end = start + slots * self._slot_s
        return [
            (load, window)
            for load, window in self._runs
            if load.starts(window)[-1] >= start and window.latest_end <= end
        ]

    def start(self, run: tuple[ShiftableLoad, Window], position: int) -> None:
        """Start a run in this slot."""
        self._runs.remove(run)
        self._added_wh = with_run(self._added_wh, run[0], position)

    def act(self, position: int, action: Action) -> Metered:
        """Do what the action says in this slot; what a storage has too little of for its use, it goes without."""
        consumption_wh = self.load_wh(position)
        charged_wh = discharged_wh = lost_wh = 0
        stores = self.stores(position, 1)
        for number, store in enumerate(stores):
            taken, given = action.charge_wh[number], action.discharge_wh[number]
            before = self._levels[number]
            left = store.level_after(taken, given)
            self.wear_nano += store.wear_nano_per_wh * given
            self._levels[number] = max(left, 0)
            if number >= len(stores) - self._tanks:
                consumption_wh += taken
                continue
            used = int(store.use_wh[0]) + min(left, 0)
            consumption_wh += used
            charged_wh += taken
            discharged_wh += given + used
            lost_wh += before + taken - given - used - self._levels[number]
        return Metered(
            consumption_wh=consumption_wh,
            generation_wh=int(self.home.generation_wh[position]) - action.curtailed_wh,
            charged_wh=charged_wh,
            discharged_wh=discharged_wh,
            lost_wh=lost_wh,
            stored_wh=self.stored_wh,
        )
