from dataclasses import replace

import numpy as np
import pytest

from agents.devices.battery import Battery
from agents.strategies.pricing import Ramps
from matching.errors import WattbookError
from simulation.scenario import Scenario
from simulation.settings import SettingError, Value, changed, parsed
from tests.simulation.small_scenario import small_scenario


def test_a_field_of_a_field_is_changed_in_a_copy() -> None:
    scenario = small_scenario()
    other = changed(scenario, "utility.grid_fee", 20_000)
    assert (scenario.utility.grid_fee, other.utility.grid_fee) == (0, 20_000)
    assert other.households is scenario.households


def test_a_household_is_found_by_name_and_by_position() -> None:
    battery = Battery(capacity_wh=5_000, max_charge_w=1_000, max_discharge_w=1_000)
    scenario = small_scenario()
    homes = tuple(replace(home, battery=battery) for home in scenario.households)
    scenario = replace(scenario, households=homes)
    for path in ("households.dark.battery.capacity_wh", "households.1.battery.capacity_wh"):
        other = changed(scenario, path, 7_000)
        assert [home.battery.capacity_wh for home in other.households if home.battery] == [5_000, 7_000]


def test_a_price_that_varies_by_slot_becomes_the_same_in_every_slot() -> None:
    other: Scenario = changed(small_scenario(), "utility.retail_price", 300_000)
    assert np.unique(other.utility.retail_price).tolist() == [300_000]


def test_a_strategy_is_changed_like_anything_else() -> None:
    assert changed(Ramps(), "interval_s", 30) == Ramps(interval_s=30)


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        ("utility.fee", 1, "there is no 'fee', only retail_price, feed_in_price, grid_fee"),
        ("households.bright.name", "x", "there is no 'bright', only sunny, dark"),
        ("community_battery.capacity_wh", 1, "the scenario has no 'community_battery'; another variant"),
        ("utility", 1, "has parts"),
        ("utility.grid_fee", "much", "must be of the kind of 0"),
        ("utility.grid_fee", None, "must be of the kind of 0"),
        ("utility.retail_price", "much", "must be an integer"),
    ],
)
def test_what_is_no_setting_or_no_value_of_it_is_refused(path: str, value: Value, problem: str) -> None:
    with pytest.raises(SettingError, match=problem):
        changed(small_scenario(), path, value)


def test_the_changed_part_checks_its_limits() -> None:
    with pytest.raises(WattbookError, match="interval_s"):
        changed(Ramps(), "interval_s", 0)


def test_what_the_command_line_means() -> None:
    assert [parsed(text) for text in ("12_000", "-3", "true", "null", "ramps")] == [
        12_000,
        -3,
        True,
        None,
        "ramps",
    ]
