"""A part of a scenario's days."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from agents.devices.utility import Utility
from simulation.community import UnknownDayError
from simulation.localtime import local_days
from simulation.scenario import Scenario


def of_days(scenario: Scenario, first: date | None, days: int | None) -> Scenario:
    """The scenario on `days` local calendar days from `first` on; None for its first day, and for all that follow.

    Raises:
        UnknownDayError: the scenario does not have all of these days.
    """
    if first is None and days is None:
        return scenario
    known = local_days(scenario.slots, scenario.time_zone)
    start = min(known) if first is None else first
    end = max(known) if days is None else start + timedelta(days=days - 1)
    if start not in known or end not in known or end < start:
        raise UnknownDayError(f"days are {start} to {end}: must be within {min(known)} to {max(known)}")
    part = slice(int(known[start][0]), int(known[end][-1]) + 1)
    utility = scenario.utility
    return replace(
        scenario,
        slots=scenario.slots[part],
        households=tuple(
            replace(
                home,
                consumption_wh=np.ascontiguousarray(home.consumption_wh[part]),
                generation_wh=np.ascontiguousarray(home.generation_wh[part]),
            )
            for home in scenario.households
        ),
        utility=Utility(utility.retail_price[part], utility.feed_in_price[part], utility.grid_fee),
    )
