import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.devices.battery import Battery
from agents.devices.connection import GridConnection
from agents.devices.electric_vehicle import ElectricVehicle, Stay, uncontrolled
from agents.devices.heat_pump import HeatPump, thermostat
from agents.devices.series import InvalidDeviceError, Series
from agents.devices.shiftable import ShiftableLoad, Window, at_once
from agents.devices.utility import Utility, fixed
from matching.tariff import Tariff

SLOT_S = 900
BATTERY = Battery(capacity_wh=10_000, max_charge_w=4_000, max_discharge_w=8_000, efficiency_ppm=900_000)
SLOTS = SLOT_S * np.arange(96, dtype=np.int64)


@given(
    st.integers(1, 10**6),
    st.integers(0, 10**6),
    st.integers(1, 1_000_000),
    st.floats(0, 1),
    st.sampled_from([300, 900]),
)
def test_a_battery_charged_as_much_as_it_can_is_never_above_its_capacity(
    capacity_wh: int, power_w: int, efficiency_ppm: int, share: float, slot_s: int
) -> None:
    battery = Battery(capacity_wh, power_w, power_w, efficiency_ppm)
    stored_wh = int(share * capacity_wh)
    charged_wh = battery.most_charged_wh(stored_wh, slot_s)
    assert charged_wh <= power_w * slot_s // 3_600
    assert stored_wh + battery.gained_wh(charged_wh) <= capacity_wh
    assert battery.most_discharged_wh(stored_wh, slot_s) <= stored_wh


def test_a_batterys_power_and_room_limit_what_it_takes() -> None:
    assert BATTERY.most_charged_wh(0, SLOT_S) == 1_000
    assert BATTERY.most_charged_wh(9_910, SLOT_S) == 100
    assert BATTERY.gained_wh(100) == 90
    assert BATTERY.most_discharged_wh(10_000, SLOT_S) == 2_000


def test_an_uncontrolled_vehicle_charges_on_arrival_until_it_has_what_it_needs() -> None:
    stay = Stay(arrival=10 * SLOT_S + 1, departure=40 * SLOT_S, arrives_with_wh=1_000, needed_wh=3_250)
    charged = uncontrolled(ElectricVehicle(BATTERY, (stay,)), SLOTS, SLOT_S)
    assert np.flatnonzero(charged).tolist() == [11, 12, 13]  # slot 10 has begun when it arrives
    assert charged[11:14].tolist() == [1_000, 1_000, 500]
    assert 1_000 + sum(map(BATTERY.gained_wh, charged.tolist())) >= 3_250


def test_a_vehicle_that_leaves_early_leaves_with_less() -> None:
    stay = Stay(arrival=0, departure=2 * SLOT_S, arrives_with_wh=0, needed_wh=9_000)
    assert uncontrolled(ElectricVehicle(BATTERY, (stay,)), SLOTS, SLOT_S).sum() == 2_000


def test_a_vehicle_is_there_in_slots_wholly_within_its_stay() -> None:
    stay = Stay(arrival=SLOT_S, departure=3 * SLOT_S, arrives_with_wh=0, needed_wh=0)
    vehicle = ElectricVehicle(BATTERY, (stay,))
    assert [vehicle.stay_in(slot * SLOT_S, SLOT_S) is stay for slot in range(4)] == [False, True, True, False]


def test_stays_that_overlap_or_ask_too_much_are_refused() -> None:
    first, second = Stay(0, 10, 0, 0), Stay(9, 20, 0, 0)
    with pytest.raises(InvalidDeviceError, match="arrival"):
        ElectricVehicle(BATTERY, (first, second))
    with pytest.raises(InvalidDeviceError, match="needed_wh"):
        ElectricVehicle(BATTERY, (Stay(0, 10, 0, 10_001),))


def test_a_thermostat_keeps_the_tank_full() -> None:
    demand = Series(0, SLOT_S, np.array([0, 1_500, 0], dtype=np.int64))
    pump = HeatPump(max_w=2_000, performance_ppm=3_000_000, tank_wh=1_200, demand=demand)
    assert thermostat(pump).tolist() == [400, 500, 0]


def test_heat_that_cannot_be_had_is_named_with_what_is_missing() -> None:
    demand = Series(0, SLOT_S, np.array([1_700], dtype=np.int64))
    with pytest.raises(InvalidDeviceError, match="200 Wh more"):
        thermostat(HeatPump(max_w=2_000, performance_ppm=3_000_000, tank_wh=0, demand=demand))


def test_a_tank_loses_its_standing_loss() -> None:
    demand = Series(0, SLOT_S, np.zeros(3, dtype=np.int64))
    pump = HeatPump(
        max_w=2_000,
        performance_ppm=1_000_000,
        tank_wh=1_000,
        demand=demand,
        standing_loss_ppm=100_000,
        initial_wh=1_000,
    )
    assert thermostat(pump).tolist() == [100, 100, 100]


def test_a_shiftable_load_left_alone_runs_at_once() -> None:
    load = ShiftableLoad((100, 50), SLOT_S, (Window(SLOT_S + 1, 10 * SLOT_S),))
    assert np.flatnonzero(at_once(load, SLOTS)).tolist() == [2, 3]
    assert list(load.starts(load.windows[0])) == [SLOT_S * slot for slot in range(2, 9)]


def test_a_window_too_short_for_the_run_is_refused() -> None:
    with pytest.raises(InvalidDeviceError, match="latest_end"):
        ShiftableLoad((1, 1), SLOT_S, (Window(0, SLOT_S),))
    with pytest.raises(InvalidDeviceError, match="no whole slots"):
        ShiftableLoad((1, 1), SLOT_S, (Window(1, 2 * SLOT_S + 1),))


def test_limits_are_named() -> None:
    with pytest.raises(InvalidDeviceError, match="max_import_w"):
        GridConnection(max_import_w=-1)
    with pytest.raises(InvalidDeviceError, match="efficiency_ppm"):
        Battery(1, 1, 1, 1_000_001)
    with pytest.raises(InvalidDeviceError, match="initial_wh"):
        Battery(1, 1, 1, initial_wh=2)


def test_a_utility_never_pays_more_than_it_asks() -> None:
    with pytest.raises(InvalidDeviceError, match="slot number 1"):
        Utility(np.array([5, 5]), np.array([5, 6]))
    assert Utility(np.array([-5]), np.array([-6])).grid_fee == 0
    utility = fixed(Tariff(retail_price=3, feed_in_price=2, grid_fee=1), 2)
    assert (utility.retail_price.tolist(), utility.feed_in_price.tolist(), utility.grid_fee) == ([3, 3], [2, 2], 1)
