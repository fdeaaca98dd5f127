from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.devices.battery import Battery
from agents.devices.electric_vehicle import ElectricVehicle, Stay
from agents.devices.heat_pump import HeatPump
from agents.devices.series import Series
from agents.scheduler.devices import tank_store, vehicle_store
from agents.scheduler.outlook import Outlook
from agents.scheduler.planner import Planner
from agents.scheduler.shortfall import InfeasibleError
from agents.scheduler.store import PPM, Store
from tests.agents.scheduler.parts import FIRST_SLOT, SLOT_S, battery, outlook

STARTS = FIRST_SLOT + SLOT_S * np.arange(24)


def car(needed_wh: int, *, arrives_in: int = 7, leaves_in: int = 11, power_w: int = 3_700) -> Store:
    """A car that comes home at 17:00 with 10 kWh and leaves at 21:00, if nothing else is said."""
    stay = Stay(FIRST_SLOT + arrives_in * SLOT_S, FIRST_SLOT + leaves_in * SLOT_S, 10_000, needed_wh)
    vehicle = ElectricVehicle(Battery(60_000, power_w, power_w), (stay,))
    return vehicle_store(vehicle, 10_000, STARTS, SLOT_S)


def refusal(seen: Outlook, *stores: Store) -> InfeasibleError:
    with pytest.raises(InfeasibleError) as caught:
        Planner().plan(seen, stores)
    return caught.value


def quiet(import_limit_wh: int = 20_000, load_wh: int = 0) -> Outlook:
    return outlook([load_wh] * 24, [200_000] * 24, import_limit_wh=import_limit_wh)


def test_a_car_that_cannot_be_full_in_time_says_by_how_much_and_that_its_charger_is_the_limit() -> None:
    error = refusal(quiet(), car(28_000))
    assert str(error) == (
        "the car cannot be charged for its trip by 21:00: 3.2 kWh short, "
        "charging at its limit of 3.7 kW from 17:00 on"
    )
    (short,) = error.shortfalls
    assert (short.store, short.position, short.short_wh) == (0, 10, 3_200)


def test_a_car_that_the_connection_holds_up_says_so() -> None:
    error = refusal(quiet(import_limit_wh=3_000, load_wh=1_000), car(20_000))
    assert str(error) == (
        "the car cannot be charged for its trip by 21:00: 2.0 kWh short, "
        "as the connection's limit of 3.0 kW leaves no more from 17:00 on"
    )


def test_a_store_that_is_not_connected_in_time_says_so() -> None:
    store = replace(battery(24, least_wh=[0] * 5 + [3] + [0] * 18), charge_limit_wh=np.zeros(24, dtype=np.int64))
    assert str(refusal(quiet(), store)) == (
        "the battery cannot be kept at its reserve by 16:00: 3 Wh short, it is not connected before 16:00"
    )


def test_a_tank_that_runs_cold_says_when() -> None:
    demand = np.zeros(24, dtype=np.int64)
    demand[8] = 13_000
    pump = HeatPump(1_000, 3_000_000, 9_000, Series(FIRST_SLOT, SLOT_S, np.zeros(1, dtype=np.int64)))
    error = refusal(quiet(), tank_store(pump, 9_000, demand, name="the boiler"))
    assert "the boiler cannot be warm enough by 19:00: 1.0 kWh short, as it holds at most 9.0 kWh" in str(error)


def test_a_load_beyond_the_connection_names_the_connection() -> None:
    seen = outlook([500, 4_200, 500], [200_000] * 3, import_limit_wh=4_000)
    error = refusal(seen)
    assert str(error) == (
        "the connection would have to import 4.2 kWh in the slot at 11:00: 0.2 kWh more than its limit of 4.0 kW"
    )


def test_sun_beyond_the_connection_names_it_unless_less_may_be_generated() -> None:
    glut = {"generation_wh": [0, 9_000], "export_limit_wh": 5_000}
    error = refusal(outlook([0, 500], [200_000] * 2, **glut))
    assert "would have to export 8.5 kWh in the slot at 11:00: 3.5 kWh more than its limit of 5.0 kW" in str(error)
    assert Planner().plan(outlook([0, 500], [200_000] * 2, curtailable=True, **glut), []).cost_nano == 0


def test_the_next_day_is_named() -> None:
    assert "by 01:00 on Saturday: " in str(refusal(quiet(), car(50_000, leaves_in=15)))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 40_000), st.integers(1, 11_000), st.integers(1, 6))
def test_the_number_is_exactly_what_was_asked_for_too_much(missing_wh: int, power_w: int, hours: int) -> None:
    needed = min(10_000 + power_w * hours + missing_wh, 60_000)
    missing = max(needed - 10_000 - power_w * hours, 0)
    store = car(needed, leaves_in=7 + hours, power_w=power_w)
    planner = Planner()
    plan, error = planner.best_effort(quiet(), [store])
    if missing == 0:
        assert error is None
    else:
        assert error is not None
        assert [short.short_wh for short in error.shortfalls] == [missing]
    assert plan.charge_wh[0].sum() == pytest.approx(min(power_w * hours, needed - 10_000))


def test_best_effort_keeps_what_can_be_kept() -> None:
    seen = quiet(import_limit_wh=3_000)
    goals = [car(20_000), battery(24, capacity_wh=500, power_wh=500, least_wh=[0] * 11 + [500] + [0] * 12)]
    plan, error = Planner().best_effort(seen, goals)
    assert error is None
    assert plan.level_wh[1, 11] >= 500
    plan, error = Planner().best_effort(seen, [car(30_000), goals[1]])
    assert error is not None
    # the battery gives the car what it can and is charged again within an hour
    assert [short.short_wh for short in error.shortfalls] == [7_500]
    assert plan.level_wh[1, 11] >= 500
    assert plan.level_wh[0, 10] == pytest.approx(22_500)


def test_nothing_of_a_refused_plan_is_left_in_the_next() -> None:
    planner = Planner()
    with pytest.raises(InfeasibleError):
        planner.plan(quiet(), [car(28_000)])
    plan = planner.plan(quiet(), [car(24_000)])
    assert plan.charge_wh.sum() == pytest.approx(14_000)


def test_best_effort_cannot_stretch_the_connection() -> None:
    with pytest.raises(InfeasibleError, match="the connection would have to import"):
        Planner().best_effort(outlook([900], [200_000], import_limit_wh=800), [])


def test_losses_are_counted() -> None:
    stay = Stay(FIRST_SLOT, FIRST_SLOT + 2 * SLOT_S, 0, 10_000)
    vehicle = ElectricVehicle(Battery(60_000, 5_000, 0, PPM * 9 // 10), (stay,))
    error = refusal(quiet(), vehicle_store(vehicle, 0, STARTS, SLOT_S))
    assert [short.short_wh for short in error.shortfalls] == [1_000]
