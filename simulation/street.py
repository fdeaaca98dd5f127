"""Ten homes with electric vehicles that must be charged by morning, on one street.

**Homes.** Ten of the Fontana homes (`simulation/data/fontana/README.md`), unchanged: those whose meters show
nothing odd in summer. All have photovoltaic systems.

**Vehicles.** Synthetic, drawn from a seed. A vehicle comes home at a time normally distributed around 17:36 with a
standard deviation of 3.4 h, and has driven a distance whose logarithm (in miles) is normally distributed with mean
3.2 and standard deviation 0.88: the fit to the US National Household Travel Survey of 2001 that much of the
literature on vehicle charging uses. We cut arrivals to 13:00 … 23:00 and trips to 30 kWh, at 180 Wh a kilometre.
Our assumptions are: departures normal around 7:30 with 1 h, cut to 5:30 … 10:00; batteries of 60 kWh, chargers of
7.4 kW, a round trip of 90 %, a wear of 5 ct for each kWh given back, and owners who want 54 kWh every morning.

**Prices.** Retail by time of use, as in `pricing.csv` of the same source as the homes, with USD read as credits:
from 16:00 to 21:00 54 ct/kWh, on weekends 40, from October to May 50 on all days; at other times 22, from
October to May 21. The feed-in price of 8 ct/kWh is our assumption.

**Transformer.** 50 kW, our assumption: 5 kW a home. No variant is held to it; the duration curve of the connection
shows which would overload it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from agents.devices.battery import Battery
from agents.devices.connection import GridConnection
from agents.devices.electric_vehicle import ElectricVehicle, Stay
from agents.devices.utility import Utility
from matching.book import Ints
from simulation.community import QUARTER_S, Community, HomeData
from simulation.fontana import load_fontana
from simulation.scenario import Household, Scenario
from simulation.stepwise.scheduling import Past

NAME = "street-with-evs"
TIME_ZONE = "America/Los_Angeles"
FIRST_DAY = date(2017, 6, 12)
HOMES = ("01", "02", "03", "06", "08", "09", "10", "11", "13", "16")
TRANSFORMER_W = 50_000
FEED_IN_PRICE = 80_000
BATTERY = Battery(
    capacity_wh=60_000,
    max_charge_w=7_400,
    max_discharge_w=7_400,
    efficiency_ppm=900_000,
    degradation_nano_per_wh=50_000,
)
NEEDED_WH = 54_000
WH_PER_KM = 180
KM_PER_MILE = 1.609344
MAX_TRIP_WH = 30_000
PEAK_HOURS = range(16, 21)


@dataclass(frozen=True, slots=True, eq=False)
class Street:
    """The scenario, and what its members metered before it begins.

    Attributes:
        scenario: from noon to noon, so that all vehicles are away at both ends.
        pasts: one for each household: all that is known of it, up to four weeks.
    """

    scenario: Scenario
    pasts: tuple[Past, ...]


def street_with_evs(*, first_day: date = FIRST_DAY, days: int = 7, seed: int = 0) -> Street:
    """The street, from noon of a local day on.

    Args:
        first_day: of the run; at least a week after the data begin, 2016-08-01.
        days: length of the run.
        seed: of the vehicles' comings and goings.
    """
    zone = ZoneInfo(TIME_ZONE)
    data = load_fontana()
    first, end = (
        int(np.searchsorted(data.slots, int(datetime(day.year, day.month, day.day, 12, tzinfo=zone).timestamp())))
        for day in (first_day, first_day + timedelta(days=days))
    )
    span, before = slice(first, end), slice(max(first - 4 * 7 * 96, 0), first)
    draws = np.random.default_rng(seed)
    homes = _homes(data)
    slots = data.slots[span]
    scenario = Scenario(
        name=NAME,
        time_zone=TIME_ZONE,
        slots=slots,
        slot_s=QUARTER_S,
        households=tuple(
            Household(
                name=home.name,
                consumption_wh=home.consumption_wh[span],
                generation_wh=home.generation_wh[span],
                vehicle=_vehicle(first_day, days, zone, draws),
            )
            for home in homes
        ),
        utility=Utility(retail_prices(slots), np.full(len(slots), FEED_IN_PRICE)),
        connection=GridConnection(max_import_w=TRANSFORMER_W, max_export_w=TRANSFORMER_W),
        parameters={"first_day": first_day.isoformat(), "days": days, "vehicles": "synthetic"},
    )
    pasts = tuple(Past(home.consumption_wh[before], home.generation_wh[before]) for home in homes)
    return Street(scenario, pasts)


def _homes(data: Community) -> list[HomeData]:
    return [home for home in data.homes if home.name.removeprefix("home-") in HOMES]


def retail_prices(slots: Ints) -> Ints:
    """The time-of-use retail price in each slot, nano-credit per Wh."""
    zone = ZoneInfo(TIME_ZONE)
    return np.array([_retail_price(datetime.fromtimestamp(slot, zone)) for slot in slots.tolist()], np.int64)


def _retail_price(moment: datetime) -> int:
    summer = 6 <= moment.month <= 9
    if moment.hour not in PEAK_HOURS:
        return 220_000 if summer else 210_000
    if not summer:
        return 500_000
    return 540_000 if moment.weekday() < 5 else 400_000


def _vehicle(first_day: date, days: int, zone: ZoneInfo, draws: np.random.Generator) -> ElectricVehicle:
    """A vehicle that comes home on every day of the run, and on two more, so that the last is like the others."""
    stays = []
    for number in range(days + 2):
        day = first_day + timedelta(days=number)
        arrival = _clock(day, float(np.clip(draws.normal(17.6, 3.4), 13, 23)), zone)
        departure = _clock(day + timedelta(days=1), float(np.clip(draws.normal(7.5, 1.0), 5.5, 10)), zone)
        distance_km = draws.lognormal(3.2, 0.88) * KM_PER_MILE
        trip_wh = min(int(distance_km * WH_PER_KM), MAX_TRIP_WH)
        stays.append(Stay(arrival, departure, NEEDED_WH - trip_wh, NEEDED_WH))
    return ElectricVehicle(BATTERY, tuple(stays), may_discharge=True)


def _clock(day: date, hours: float, zone: ZoneInfo) -> int:
    """This time of a local day, rounded down to whole minutes, Unix seconds UTC."""
    minutes = int(hours * 60)
    return int(datetime(day.year, day.month, day.day, minutes // 60, minutes % 60, tzinfo=zone).timestamp())
