from dataclasses import replace

import numpy as np
import pytest

from agents.devices.battery import Battery
from agents.devices.electric_vehicle import ElectricVehicle, Stay
from agents.devices.heat_pump import HeatPump
from agents.devices.series import Series
from agents.devices.shiftable import ShiftableLoad, Window
from agents.devices.utility import Utility
from matching.book import Ints
from simulation.results import Results, RunInfo
from simulation.scenario import Household, Scenario
from simulation.stepwise.dwelling import Dwelling
from simulation.stepwise.run import run_stepwise
from simulation.stepwise.scheduling import Past, Planning, Scheduling

SLOT_S, DAY, FIRST = 3_600, 24, 1_718_316_000
SLOTS = FIRST + SLOT_S * np.arange(2 * DAY, dtype=np.int64)
SUN = np.tile(np.concatenate([np.zeros(8), np.full(8, 3_000), np.zeros(8)]), 3).astype(np.int64)
LOAD = np.full(3 * DAY, 400, dtype=np.int64)
CYCLE = (1_000, 500)


def at(hour: int) -> int:
    return FIRST + hour * SLOT_S


def street_of_everything() -> Scenario:
    demand = Series(FIRST, SLOT_S, np.tile(np.repeat([200, 900], 12), 2).astype(np.int64))
    retail = np.tile(np.repeat([200_000, 400_000], 12), 2).astype(np.int64)
    return Scenario(
        name="everything",
        time_zone="Europe/Amsterdam",
        slots=SLOTS,
        slot_s=SLOT_S,
        households=(
            Household(
                "sunny",
                LOAD[DAY:],
                SUN[DAY:],
                curtailable=True,
                battery=Battery(5_000, 2_000, 2_000, 900_000, 1_000, 20_000),
                shiftable=(ShiftableLoad(CYCLE, SLOT_S, (Window(at(2), at(20)), Window(at(26), at(44)))),),
            ),
            Household(
                "warm",
                LOAD[DAY:],
                np.zeros(2 * DAY, dtype=np.int64),
                vehicle=ElectricVehicle(
                    Battery(40_000, 7_400, 7_400, 900_000, degradation_nano_per_wh=50_000),
                    (Stay(at(18), at(31), 10_000, 25_000), Stay(at(42), at(55), 12_000, 25_000)),
                    may_discharge=True,
                ),
                heat_pump=HeatPump(2_000, 3_000_000, 6_000, demand, 10_000, 3_000),
            ),
        ),
        utility=Utility(retail, np.full(2 * DAY, 80_000), 10_000),
    )


def plan_and_run(scenario: Scenario) -> tuple[Results, list[Scheduling]]:
    dwellings = [Dwelling(home, scenario) for home in scenario.households]
    planning = Planning(season=DAY, horizon=36, trades=True, connection_wh=17_000)
    pasts = [Past(LOAD[:DAY], sun) for sun in (SUN[:DAY], SUN[:DAY] * 0)]
    planners = [
        Scheduling(number, dwelling, scenario, past, planning)
        for number, (dwelling, past) in enumerate(zip(dwellings, pasts, strict=True))
    ]
    info = RunInfo(
        scenario="everything",
        strategy="scheduler",
        design="uniform",
        seed=0,
        slot_s=SLOT_S,
        time_zone=scenario.time_zone,
        members=scenario.member_names,
        initial_stored_wh=tuple(dwelling.stored_wh for dwelling in dwellings),
        grid_fee=10_000,
    )
    return run_stepwise(scenario, planners, info, updates=0), planners


@pytest.fixture(scope="module")
def planned() -> tuple[Scenario, Results, list[Scheduling]]:
    scenario = street_of_everything()
    return scenario, *plan_and_run(scenario)


def test_every_device_is_planned_for_and_every_goal_is_met(
    planned: tuple[Scenario, Results, list[Scheduling]],
) -> None:
    _, results, planners = planned  # that energy and money add up in every slot, `Results` has checked itself
    assert not any(planner.missed for planner in planners)
    assert results.column("stored_wh", "warm")[30] == 25_000
    assert results.column("stored_wh", "warm")[31] == 12_000
    assert 0 <= results.column("stored_wh", "sunny").min() <= results.column("stored_wh", "sunny").max() <= 5_000


def test_every_run_takes_place_once_in_its_window(planned: tuple[Scenario, Results, list[Scheduling]]) -> None:
    _, results, _ = planned
    extra: Ints = results.column("consumption_wh", "sunny") - 400
    assert sorted(extra[extra > 0].tolist()) == [500, 500, 1_000, 1_000]
    starts = np.flatnonzero(extra == CYCLE[0])
    assert 2 <= starts[0] <= 18
    assert 26 <= starts[1] <= 42
    assert extra[starts + 1].tolist() == [500, 500]


def test_neighbours_trade_within_the_utility_prices(planned: tuple[Scenario, Results, list[Scheduling]]) -> None:
    scenario, results, _ = planned
    traded = results.slots["traded_wh"] > 0
    assert traded.any()
    assert (results.slots["price"][traded] >= 80_000).all()
    assert (results.slots["price"][traded] <= scenario.utility.retail_price[traded] - 10_000).all()


def test_nobody_plans_with_what_is_metered_later(planned: tuple[Scenario, Results, list[Scheduling]]) -> None:
    scenario, results, _ = planned
    known = 10
    sunny, warm = scenario.households
    assert warm.heat_pump is not None
    later = np.arange(2 * DAY) >= known
    other = replace(
        scenario,
        households=(
            replace(sunny, generation_wh=np.where(later, 0, sunny.generation_wh)),
            replace(
                warm,
                consumption_wh=np.where(later, 900, warm.consumption_wh),
                heat_pump=replace(
                    warm.heat_pump,
                    demand=Series(FIRST, SLOT_S, np.where(later, 0, warm.heat_pump.demand.energy_wh)),
                ),
            ),
        ),
    )
    changed, _ = plan_and_run(other)
    for name, column in results.members.items():
        assert (column[:, :known] == changed.members[name][:, :known]).all(), name
    assert (results.members["imported_wh"] != changed.members["imported_wh"]).any()


def test_a_car_that_cannot_be_ready_leaves_with_what_could_be_had_and_the_run_goes_on() -> None:
    home = Household(
        "hasty",
        LOAD[DAY:],
        np.zeros(2 * DAY, dtype=np.int64),
        vehicle=ElectricVehicle(
            Battery(40_000, 3_000, 3_000),
            (Stay(at(3), at(5), 10_000, 20_000), Stay(at(20), at(30), 8_000, 20_000)),
        ),
    )
    scenario = replace(street_of_everything(), households=(home,))
    dwelling = Dwelling(home, scenario)
    planning = Planning(season=DAY, horizon=36, trades=True, connection_wh=17_000)
    planner = Scheduling(0, dwelling, scenario, Past(LOAD[:DAY], LOAD[:DAY] * 0), planning)
    info = RunInfo(
        "hasty", "scheduler", "uniform", 0, SLOT_S, scenario.time_zone, ("hasty",), (), (10_000,), 10_000
    )
    stored = run_stepwise(scenario, [planner], info, updates=0).column("stored_wh", "hasty")
    assert stored[4] == 16_000
    assert stored[5] == 4_000  # home again with as much less as it left with
    assert stored[29] == 20_000
    position, error = planner.missed[0]
    assert position == 0
    assert (
        "the car cannot be charged for its trip by 05:00: 4.0 kWh short, charging at its limit of 3.0 kW"
        in str(error)
    )
