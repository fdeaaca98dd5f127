"""Fontana: 17 real homes, a year; source and oddities in `simulation/data/fontana/README.md`."""

from agents.devices.utility import fixed
from matching.tariff import Tariff
from simulation.fontana import load_fontana
from simulation.scenario import Household, Scenario

TARIFF = Tariff(retail_price=220_000, feed_in_price=90_000)
TIME_ZONE = "America/Los_Angeles"


def fontana(*, days: int | None = None) -> Scenario:
    """The 17 homes' year from 2016-08-01 on, or its first days; nobody has a battery."""
    community = load_fontana()
    slots = community.slots if days is None else community.slots[: days * 96]
    return Scenario(
        name="fontana",
        time_zone=TIME_ZONE,
        slots=slots,
        slot_s=community.slot_s,
        households=tuple(
            Household(home.name, home.consumption_wh[: len(slots)], home.generation_wh[: len(slots)])
            for home in community.homes
        ),
        utility=fixed(TARIFF, len(slots)),
    )
