"""The perfect-foresight optimum of a whole community: one linear program that bounds what any market could do.

All members' devices act as one that knows everything from the first slot to the last: what is metered, when each
vehicle comes and goes, and the utility's prices. It is the planner's own model (`agents.scheduler.model`) with
every store of the community in it, as long as the run. Energy is exchanged freely: neither the grid fee nor
members' own connections are counted. So no run of the same scenario can cost the community less. Shiftable loads
are the exception: they run as early as they may, as choosing their starts would take binaries.
"""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np

from agents.devices.limits import slot_energy_wh
from agents.devices.shiftable import at_once
from agents.scheduler.devices import battery_store
from agents.scheduler.outlook import Outlook
from agents.scheduler.plan import Plan
from agents.scheduler.planner import Planner
from agents.scheduler.store import Store
from matching.book import Ints
from simulation.scenario import Scenario
from simulation.stepwise.dwelling import Dwelling

FREE_WH = 2**40
"""A connection's limit that nothing reaches, Wh a slot."""


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """The least that the community can pay.

    Attributes:
        cost_nano: paid to the utility, and for the wear of storages, nano-credit.
        wear_nano: the latter alone.
        net_wh: net flow at the community's connection in each slot, rounded to whole Wh.
        plan: what every store does, in the members' order.
    """

    cost_nano: int
    wear_nano: int
    net_wh: Ints
    plan: Plan


def optimum(scenario: Scenario, *, within_connection: bool = False) -> Optimum:
    """The optimum of a scenario.

    Args:
        scenario: the community.
        within_connection: whether the community's connection is a limit, too.

    Raises:
        InfeasibleError: not even with perfect foresight can all limits be kept; says which.
    """
    slots = len(scenario.slots)
    stores: list[Store] = []
    load, generation = np.zeros((2, slots), dtype=np.int64)
    for home in scenario.households:
        stores += Dwelling(home, scenario).stores(0, slots)
        load += home.consumption_wh
        generation += home.generation_wh
        for shiftable in home.shiftable:
            load += at_once(shiftable, scenario.slots)
    if scenario.community_battery is not None:
        battery = scenario.community_battery
        stores.append(battery_store(battery, battery.initial_wh, slots, scenario.slot_s))
    outlook = Outlook(
        first_slot=int(scenario.slots[0]),
        slot_s=scenario.slot_s,
        zone=ZoneInfo(scenario.time_zone),
        load_wh=load,
        generation_wh=generation,
        curtailable=all(home.curtailable for home in scenario.households),
        import_price=scenario.utility.retail_price.astype(np.float64),
        export_price=scenario.utility.feed_in_price.astype(np.float64),
        import_limit_wh=_limit(scenario, "max_import_w", slots, within_connection),
        export_limit_wh=_limit(scenario, "max_export_w", slots, within_connection),
    )
    plan = Planner().plan(outlook, stores)
    wear = sum(
        store.wear_nano_per_wh * float(given.sum()) for store, given in zip(stores, plan.discharge_wh, strict=True)
    )
    return Optimum(round(plan.cost_nano), round(wear), np.round(plan.net_wh).astype(np.int64), plan)


def _limit(scenario: Scenario, side: str, slots: int, within_connection: bool) -> Ints:
    power_w = getattr(scenario.connection, side)
    limit = FREE_WH if power_w is None or not within_connection else slot_energy_wh(power_w, scenario.slot_s)
    return np.full(slots, limit, dtype=np.int64)
