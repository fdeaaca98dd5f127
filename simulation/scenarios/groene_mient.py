"""Groene Mient: 33 households, with the utility alone, with a local market, and with a battery of their own.

The households are not the real ones, whose data are not public; see `simulation/data/groene-mient/README.md`.
"""

import dataclasses

from agents.devices.battery import Battery
from agents.devices.utility import fixed
from agents.strategies.pricing import Thresholds
from matching.tariff import Tariff
from simulation.groene_mient import TIME_ZONE, load_groene_mient
from simulation.scenario import Household, Scenario

TARIFF = Tariff(retail_price=220_000, feed_in_price=90_000)

BATTERY = Battery(capacity_wh=80_000, max_charge_w=40_000, max_discharge_w=40_000, efficiency_ppm=920_000)
"""80 kWh; half its capacity in an hour; the efficiency of the reference's levelised cost."""

THRESHOLDS = Thresholds(buy_price=150_000, sell_price=200_000)


def groene_mient(*, days: int | None = None) -> Scenario:
    """The 33 households' year from 2016-01-01 on, or its first days."""
    community = load_groene_mient()
    slots = community.slots if days is None else community.slots[: days * 96]
    return Scenario(
        name="groene-mient",
        time_zone=TIME_ZONE,
        slots=slots,
        slot_s=community.slot_s,
        households=tuple(
            Household(home.name, home.consumption_wh[: len(slots)], home.generation_wh[: len(slots)])
            for home in community.homes
        ),
        utility=fixed(TARIFF, len(slots)),
        thresholds=THRESHOLDS,
    )


def with_battery(scenario: Scenario, battery: Battery = BATTERY) -> Scenario:
    """The same households with a battery of the community's."""
    return dataclasses.replace(scenario, name=f"{scenario.name}/battery", community_battery=battery)
