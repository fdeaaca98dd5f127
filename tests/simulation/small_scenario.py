"""Two homes over a few days of an Amsterdam summer: one has sun at noon, the other needs energy."""

import numpy as np

from agents.devices.utility import fixed
from matching.tariff import Tariff
from simulation.scenario import Household, Scenario
from tests.simulation.tables import FEED_IN, MIDSUMMER, RETAIL

PER_DAY = 96

COMMUNITY = """
name = "street"
time_zone = "Europe/Amsterdam"
first_day = 2025-06-21
days = 2
slot_s = 3600
utility = {retail_price = 220_000, feed_in_price = 90_000}

[[members]]
name = "one"
load = {daily_wh = [9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9]}

[[members]]
name = "two"
photovoltaic.generation = {daily_wh = [0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9, 9, 9, 9, 9, 9, 0, 0, 0, 0, 0, 0, 0, 0]}
"""
"""A community file: 9 Wh an hour are needed, and generated for 8 hours of each of two days."""


def small_scenario(days: int = 2) -> Scenario:
    """From 2025-06-21 00:00 in Amsterdam on."""
    slots = MIDSUMMER + 900 * np.arange(PER_DAY * days, dtype=np.int64)
    of_day = np.arange(len(slots)) % PER_DAY
    nothing = np.zeros(len(slots), dtype=np.int64)
    sun = np.where((of_day >= 40) & (of_day < 60), 500, 0)
    return Scenario(
        name="small",
        time_zone="Europe/Amsterdam",
        slots=slots,
        slot_s=900,
        households=(Household("sunny", nothing + 20, sun), Household("dark", nothing + 100, nothing)),
        utility=fixed(Tariff(RETAIL, FEED_IN), len(slots)),
    )
