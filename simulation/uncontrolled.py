"""What a household's devices consume if nothing controls them: every device at once."""

import numpy as np

from agents.devices import electric_vehicle, heat_pump, shiftable
from matching.book import Ints
from simulation.scenario import Household, Scenario


def consumption_wh(household: Household, scenario: Scenario) -> Ints:
    """Consumption in each slot, Wh: fixed loads, shiftable loads at their earliest, heat and vehicle on demand.

    Raises:
        InvalidDeviceError: heat pump and tank cannot meet the demand.
    """
    total = household.consumption_wh.copy()
    for load in household.shiftable:
        total += shiftable.at_once(load, scenario.slots)
    if household.heat_pump is not None:
        total += heat_pump.thermostat(household.heat_pump)
    if household.vehicle is not None:
        total += electric_vehicle.uncontrolled(household.vehicle, scenario.slots, scenario.slot_s)
    return total


def metered(scenario: Scenario) -> tuple[Ints, Ints]:
    """Consumption and generation of all members, int64 arrays (members, slots); the community battery has none."""
    consumption, generation = np.zeros((2, len(scenario.member_names), len(scenario.slots)), dtype=np.int64)
    for row, household in enumerate(scenario.households):
        consumption[row] = consumption_wh(household, scenario)
        generation[row] = household.generation_wh
    return consumption, generation
