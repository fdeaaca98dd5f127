import numpy as np
import pytest

from agents.devices.battery import Battery
from agents.devices.connection import GridConnection
from agents.devices.utility import fixed
from agents.scheduler.shortfall import InfeasibleError
from matching.tariff import Tariff
from simulation.optimum import optimum
from simulation.scenario import Household, Scenario

SLOTS = 3_600 * np.arange(4, dtype=np.int64)


def wh(*energy: int) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.array(energy, dtype=np.int64)


def community(battery: Battery | None = None, max_import_w: int | None = None) -> Scenario:
    return Scenario(
        name="two homes",
        time_zone="Europe/Amsterdam",
        slots=SLOTS,
        slot_s=3_600,
        households=(
            Household("sunny", wh(100, 0, 0, 300), wh(1_000, 0, 0, 0)),
            Household("dark", wh(400, 0, 0, 200), wh(0, 0, 0, 0)),
        ),
        utility=fixed(Tariff(retail_price=220_000, feed_in_price=90_000), 4),
        community_battery=battery,
        connection=GridConnection(max_import_w=max_import_w),
    )


def test_without_storage_the_optimum_is_the_closed_form_of_the_community_as_one() -> None:
    found = optimum(community())
    assert found.cost_nano == 500 * 220_000 - 500 * 90_000
    assert found.net_wh.tolist() == [-500, 0, 0, 500]
    assert found.wear_nano == 0


def test_a_battery_shifts_the_surplus_as_far_as_it_pays_and_its_wear_is_counted() -> None:
    battery = Battery(1_000, 1_000, 1_000, 900_000, degradation_nano_per_wh=20_000)
    found = optimum(community(battery))
    assert found.cost_nano == 50 * 220_000 + 450 * 20_000
    assert found.wear_nano == 450 * 20_000
    assert found.net_wh.tolist() == [0, 0, 0, 50]


def test_the_connection_is_a_limit_only_if_asked_for() -> None:
    narrow = community(max_import_w=400)
    assert optimum(narrow).net_wh[3] == 500
    with pytest.raises(InfeasibleError, match="the connection would have to import"):
        optimum(narrow, within_connection=True)
