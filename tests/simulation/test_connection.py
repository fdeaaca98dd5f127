from datetime import date, time
from fractions import Fraction

import numpy as np

from simulation.connection import duration_curve_w, hours_above, peaks, power_w
from simulation.localtime import between, local_days, local_minutes
from simulation.prices import mean_price
from tests.simulation.tables import results

# 100 Wh in, 300 Wh out, 50 Wh in, in quarter hours.
EXAMPLE = results({"home": {"consumption_wh": [100, 0, 50], "imported_wh": [100, 0, 50],
                            "generation_wh": [0, 300, 0], "exported_wh": [0, 300, 0]}})  # fmt: skip


def test_power_is_energy_over_the_slots_length() -> None:
    assert power_w(EXAMPLE).tolist() == [400, -1_200, 200]
    assert duration_curve_w(EXAMPLE).tolist() == [400, 200, -1_200]
    assert (peaks(EXAMPLE).import_w, peaks(EXAMPLE).export_w) == (400, 1_200)
    assert hours_above(EXAMPLE, 200) == Fraction(1, 4)


def test_what_flows_between_members_does_not_load_the_connection() -> None:
    example = results({"A": {"generation_wh": [300], "exported_wh": [300]},
                       "B": {"consumption_wh": [300], "imported_wh": [300]}})  # fmt: skip
    assert power_w(example).tolist() == [0]


def test_the_mean_price_weighs_by_energy() -> None:
    example = results(
        {
            "A": {"generation_wh": [100, 300, 0], "sold_wh": [100, 300, 0], "amount_nano": [100 * 8, 300 * 4, 0]},
            "B": {"consumption_wh": [100, 300, 0], "bought_wh": [100, 300, 0],
                  "from_generation_wh": [100, 300, 0], "amount_nano": [-100 * 8, -300 * 4, 0]},
        }
    )  # fmt: skip
    assert mean_price(example) == 5
    assert mean_price(example, np.array([0, 2])) == 8
    assert mean_price(example, np.array([2])) is None


def starts(first: int, hours: int) -> np.ndarray:
    return first + 900 * np.arange(4 * hours, dtype=np.int64)


def test_local_days_have_23_to_25_hours() -> None:
    # From 2025-10-25 00:00 to 2025-10-28 00:00 in Amsterdam: the clocks go back on the 26th.
    days = local_days(starts(1_761_343_200, 73), "Europe/Amsterdam")
    assert {day: len(positions) for day, positions in days.items()} == {
        date(2025, 10, 25): 96,
        date(2025, 10, 26): 100,
        date(2025, 10, 27): 96,
    }
    # From 2025-03-30 00:00 in Amsterdam: the clocks go forward.
    days = local_days(starts(1_743_289_200, 23), "Europe/Amsterdam")
    assert [len(positions) for positions in days.values()] == [92]


def test_the_clock_shows_an_hour_twice_or_never() -> None:
    autumn = local_minutes(starts(1_761_429_600, 25), "Europe/Amsterdam")
    assert np.count_nonzero((autumn >= 120) & (autumn < 180)) == 8
    spring = local_minutes(starts(1_743_289_200, 23), "Europe/Amsterdam")
    assert np.count_nonzero((spring >= 120) & (spring < 180)) == 0


def test_an_interval_of_the_local_day_includes_its_start_and_excludes_its_end() -> None:
    slots = starts(1_750_456_800, 48)
    chosen = between(slots, "Europe/Amsterdam", time(8, 30), time(9, 0))
    assert chosen.tolist() == [34, 35, 96 + 34, 96 + 35]
