"""Seconds for a day of 33 households that plan 36 hours ahead each hour and bid in every slot. One table row.

Run it with `python -m tests.benchmarks.scheduler_day`. Households have real loads and generation (Fontana's, used
twice) and a 10 kWh battery each; every third has a car that may give energy. Planning from the basis before is
measured beside planning afresh, in the same run.
"""

import time
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

import numpy as np

from agents.devices.battery import Battery
from agents.devices.electric_vehicle import ElectricVehicle, Stay
from agents.scheduler.curve import orders
from agents.scheduler.devices import battery_store, vehicle_store
from agents.scheduler.outlook import Outlook
from agents.scheduler.plan import first_action
from agents.scheduler.planner import Planner
from agents.scheduler.store import Store
from matching.book import Ints
from matching.tariff import Tariff
from simulation.community import HomeData
from simulation.fontana import SUNNY_DAY, load_fontana

HOUSEHOLDS, SLOTS, DAY, HOUR, SLOT_S = 33, 144, 96, 4, 900
TARIFF = Tariff(retail_price=220_000, feed_in_price=90_000)
CELLS = Battery(10_000, 5_000, 5_000, 920_000, degradation_nano_per_wh=20_000)
CAR = Battery(60_000, 7_400, 7_400, 900_000, degradation_nano_per_wh=50_000)
LIMIT_WH = 6_000
TARGET_S = 60


@dataclass(slots=True)
class Home:
    """A household, its planner and its storages' levels."""

    data: HomeData
    car: ElectricVehicle | None
    planner: Planner = field(default_factory=Planner)
    levels: list[int] = field(default_factory=list)

    def stores(self, starts: Ints) -> list[Store]:
        """Its stores now."""
        stores = [battery_store(CELLS, self.levels[0], SLOTS, SLOT_S)]
        if self.car is not None:
            stores.append(vehicle_store(self.car, self.levels[1], starts, SLOT_S))
        return stores


def outlook(home: Home, starts: Ints, first: int, prices: Ints) -> Outlook:
    """What it expects: the real series, and prices between feed-in and retail."""
    ahead = slice(first, first + SLOTS)
    seen = prices[first % DAY : first % DAY + SLOTS].astype(np.float64)
    return Outlook(
        first_slot=int(starts[0]),
        slot_s=SLOT_S,
        zone=ZoneInfo("America/Los_Angeles"),
        load_wh=home.data.consumption_wh[ahead],
        generation_wh=home.data.generation_wh[ahead],
        curtailable=False,
        import_price=seen,
        export_price=seen,
        import_limit_wh=np.full(SLOTS, LIMIT_WH),
        export_limit_wh=np.full(SLOTS, LIMIT_WH),
    )


def a_day(homes: list[Home], slots: Ints, first: int, prices: Ints, *, every: int, afresh: bool) -> int:
    """Plan, bid and act every so many slots of a day; return the number of steps bid."""
    steps = 0
    for position in range(first, first + DAY, every):
        starts = slots[position : position + SLOTS]
        for home in homes:
            planner = Planner() if afresh else home.planner
            seen, stores = outlook(home, starts, position, prices), home.stores(starts)
            planner.plan(seen, stores)
            demand = planner.demand(TARIFF.feed_in_price, TARIFF.retail_price)
            curve = orders(demand, TARIFF)
            steps += len(curve.bids) + len(curve.offers)
            home.levels = list(first_action(planner.at_net(demand.clamp(0)), seen, stores).level_wh)
    return steps


def community(slots: Ints, first: int) -> list[Home]:
    """33 households, 11 of them with a car that comes at 18:00 and leaves at 7:00."""
    data = load_fontana().homes
    evening, morning = int(slots[first]) + 18 * 3_600, int(slots[first]) + 31 * 3_600
    stays = tuple(Stay(evening + day, morning + day, 40_000, 54_000) for day in range(-86_400, 3 * 86_400, 86_400))
    homes = []
    for number in range(HOUSEHOLDS):
        car = ElectricVehicle(CAR, stays, may_discharge=True) if number % 3 == 0 else None
        homes.append(Home(data[number % len(data)], car, levels=[2_000, 50_000] if car else [2_000]))
    return homes


def main() -> None:
    """Print the table."""
    fontana = load_fontana()
    first = fontana.day(SUNNY_DAY).start
    prices = np.random.default_rng(0).integers(TARIFF.feed_in_price, TARIFF.retail_price, DAY + SLOTS)
    print(f"{HOUSEHOLDS} households, {SLOTS} slots ahead, one day; target: each hour in {TARGET_S} s")
    for name, every, afresh in (
        ("each hour, from the basis before", HOUR, False),
        ("each hour, afresh", HOUR, True),
        ("each quarter-hour, from the basis before", 1, False),
    ):
        homes = community(fontana.slots, first)
        started, busy = time.perf_counter(), time.process_time()
        steps = a_day(homes, fontana.slots, first, prices, every=every, afresh=afresh)
        seconds, busy = time.perf_counter() - started, time.process_time() - busy
        plans = HOUSEHOLDS * DAY // every
        print(
            f"{name:42} {plans:5} plans {seconds:6.1f} s (CPU {busy:5.1f} s) "
            f"{busy / plans * 1_000:5.2f} ms a plan {steps / plans:4.1f} steps a curve",
            flush=True,
        )


if __name__ == "__main__":
    main()
