"""Small made-up communities for tests of the engine."""

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from agents.devices.battery import Battery
from agents.devices.utility import Utility, fixed
from agents.strategies.pricing import Thresholds
from matching.tariff import Tariff
from simulation.scenario import Household, Scenario

TARIFF = Tariff(retail_price=220_000, feed_in_price=90_000, grid_fee=10_000)
FIRST_SLOT = 1_704_063_600  # 2024-01-01 00:00 in Amsterdam
MEMBERS = 4


def street(
    consumption: list[list[int]],
    generation: list[list[int]],
    *,
    batteries: dict[int, Battery] | None = None,
    community_battery: Battery | None = None,
    utility: Utility | None = None,
) -> Scenario:
    """Households in rows, slots in columns, Wh."""
    slots = len(consumption[0])
    return Scenario(
        name="street",
        time_zone="Europe/Amsterdam",
        slots=FIRST_SLOT + 900 * np.arange(slots, dtype=np.int64),
        slot_s=900,
        households=tuple(
            Household(
                f"house-{number}",
                np.array(needed, dtype=np.int64),
                np.array(spare, dtype=np.int64),
                battery=(batteries or {}).get(number),
            )
            for number, (needed, spare) in enumerate(zip(consumption, generation, strict=True))
        ),
        utility=utility or fixed(TARIFF, slots),
        community_battery=community_battery,
        thresholds=Thresholds(buy_price=140_000, sell_price=160_000),
    )


@st.composite
def streets(draw: st.DrawFn, *, max_slots: int = 12) -> Scenario:
    """Members that need and spare much or little, some with batteries that start empty, full or in between."""
    members, slots = draw(st.integers(1, MEMBERS)), draw(st.integers(1, max_slots))
    energy = st.one_of(st.just(0), st.integers(0, 3_000))
    table = st.lists(st.lists(energy, min_size=slots, max_size=slots), min_size=members, max_size=members)
    owners = draw(st.sets(st.integers(0, members - 1)))
    return street(
        draw(table),
        draw(table),
        batteries={owner: draw(small_batteries()) for owner in owners},
        community_battery=draw(st.none() | small_batteries()),
        utility=draw(st.none() | utilities(slots)),
    )


@st.composite
def small_batteries(draw: st.DrawFn) -> Battery:
    """Batteries that are soon full and soon empty."""
    capacity_wh = draw(st.integers(1, 5_000))
    return Battery(
        capacity_wh=capacity_wh,
        max_charge_w=draw(st.integers(0, 10_000)),
        max_discharge_w=draw(st.integers(0, 10_000)),
        efficiency_ppm=draw(st.integers(500_000, 1_000_000)),
        initial_wh=draw(st.integers(0, capacity_wh)),
        degradation_nano_per_wh=draw(st.sampled_from([0, 20_000])),
    )


@st.composite
def utilities(draw: st.DrawFn, slots: int) -> Utility:
    """Prices that change from slot to slot, at times negative, at times without anything to gain from trade."""
    retail = draw(st.lists(st.integers(-50_000, 300_000), min_size=slots, max_size=slots))
    spread = draw(st.lists(st.integers(0, 200_000), min_size=slots, max_size=slots))
    prices = np.array(retail, dtype=np.int64)
    return Utility(prices, prices - np.array(spread, dtype=np.int64), draw(st.sampled_from([0, 10_000])))


def without_batteries(scenario: Scenario) -> Scenario:
    """The same households without any battery."""
    households = tuple(replace(household, battery=None) for household in scenario.households)
    return replace(scenario, households=households, community_battery=None)
