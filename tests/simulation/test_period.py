from datetime import date

import pytest

from simulation.community import UnknownDayError
from simulation.period import of_days
from simulation.scenarios.fontana import fontana
from tests.simulation.small_scenario import PER_DAY, small_scenario


def test_days_are_local_days() -> None:
    scenario = small_scenario(days=3)
    part = of_days(scenario, date(2025, 6, 22), 1)
    assert part.slots.tolist() == scenario.slots[PER_DAY : 2 * PER_DAY].tolist()
    assert part.households[0].generation_wh.tolist() == scenario.households[0].generation_wh[:PER_DAY].tolist()
    assert len(part.utility.retail_price) == PER_DAY


def test_without_a_first_day_it_begins_at_the_beginning_and_without_a_length_it_goes_on_to_the_end() -> None:
    scenario = small_scenario(days=3)
    assert of_days(scenario, None, 2).slots.tolist() == scenario.slots[: 2 * PER_DAY].tolist()
    assert of_days(scenario, date(2025, 6, 22), None).slots.tolist() == scenario.slots[PER_DAY:].tolist()
    assert of_days(scenario, None, None) is scenario


def test_a_day_on_which_the_clocks_change_is_whole() -> None:
    assert len(of_days(fontana(), date(2016, 11, 6), 1).slots) == 100


@pytest.mark.parametrize(("first", "days"), [(date(2025, 6, 20), 1), (date(2025, 6, 22), 3), (None, 4)])
def test_days_that_are_not_there_are_refused(first: date | None, days: int) -> None:
    with pytest.raises(UnknownDayError, match="must be within 2025-06-21 to 2025-06-23"):
        of_days(small_scenario(days=3), first, days)
