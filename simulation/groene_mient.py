"""33 households as in Groene Mient, The Hague: a year made from real shapes, as the real data are not public.

Source, licence, time basis and transformations: `simulation/data/groene-mient/README.md`.
"""

import csv
import lzma
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from zoneinfo import ZoneInfo

import numpy as np

from matching.book import Ints
from simulation.community import QUARTER_S, Community, HomeData

HOMES = 33
DAYS = 365
FIRST_DAY = date(2016, 1, 1)
TIME_ZONE = "Europe/Amsterdam"

LOADS = ("H0-A", "H0-B", "H0-C", "H0-G", "H0-L")
GENERATION = ("PV2", "PV3", "PV4", "PV5", "PV6", "PV8")

DAY_SLOTS = 96
WEEK_SLOTS = 7 * DAY_SLOTS
WHOLE_WEEKS = 52 * WEEK_SLOTS

NAMEPLATE_STEP_W = 10


def load_groene_mient() -> Community:
    """The community: 33 households, 365 days from 2016-01-01 00:00 Dutch time on.

    Together they consume 118.8 MWh and generate 99.0 MWh: 20 % more than they generate.
    """
    shapes = _shapes()
    slots = _slots()
    clock, sun = _clock_rows(slots), _sun_rows(slots)
    homes = []
    for number in range(HOMES):
        # steps of 7 and 13, which have no factor in common with 33, spread small and large over all shapes
        consumption_wh = 2_200_000 + number * 7 % HOMES * 87_500
        generation_wh = 1_400_000 + number * 13 % HOMES * 100_000
        weeks = number // len(LOADS) - 3
        load = np.roll(shapes[LOADS[number % len(LOADS)]][:WHOLE_WEEKS], weeks * WEEK_SLOTS)
        consumption = _scaled(load[clock % WHOLE_WEEKS], consumption_wh)
        generation = _scaled(shapes[GENERATION[number % len(GENERATION)]][sun], generation_wh)
        power_w = int(generation.max()) * 3_600 // QUARTER_S
        nameplate_w = -(-power_w // NAMEPLATE_STEP_W) * NAMEPLATE_STEP_W
        homes.append(HomeData(f"house-{number + 1:02}", nameplate_w, consumption, generation))
    return Community(homes=tuple(homes), slots=slots, slot_s=QUARTER_S, days=_days(slots))


def _shapes() -> dict[str, Ints]:
    packed = files("simulation").joinpath("data/groene-mient/shapes.csv.xz").read_bytes()
    lines = lzma.decompress(packed).decode().splitlines()[1:]
    table = np.loadtxt(lines[1:], dtype=np.int64, delimiter=",")
    return dict(zip(next(csv.reader(lines)), table.T, strict=True))


def _slots() -> Ints:
    first = datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=ZoneInfo(TIME_ZONE))
    slots = int(first.timestamp()) + QUARTER_S * np.arange(DAYS * DAY_SLOTS, dtype=np.int64)
    slots.setflags(write=False)
    return slots


def _clock_rows(slots: Ints) -> Ints:
    """The row of the source that each slot's local clock time names."""
    zone = ZoneInfo(TIME_ZONE)
    offsets_s = [int(datetime.fromtimestamp(slot, zone).utcoffset().total_seconds()) for slot in slots.tolist()]  # type: ignore[union-attr]  # it is aware
    start = int(datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC).timestamp())
    rows: Ints = (slots + np.array(offsets_s, dtype=np.int64) - start) // QUARTER_S
    return rows


def _sun_rows(slots: Ints) -> Ints:
    """The row of the source that each slot's time UTC names; the hour before the first row is as dark as it."""
    start = int(datetime(FIRST_DAY.year, FIRST_DAY.month, FIRST_DAY.day, tzinfo=UTC).timestamp())
    rows: Ints = np.maximum(slots - start, 0) // QUARTER_S
    return rows


def _scaled(shape: Ints, total_wh: int) -> Ints:
    """Whole Wh in proportion to a shape, which sum to exactly this total: cumulated shares rounded down."""
    cumulated = np.cumsum(shape)
    energy: Ints = np.diff(cumulated * total_wh // int(cumulated[-1]), prepend=0)
    energy.setflags(write=False)
    return energy


def _days(slots: Ints) -> dict[date, slice]:
    zone = ZoneInfo(TIME_ZONE)
    days: dict[date, slice] = {}
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        midnights = [
            datetime(d.year, d.month, d.day, tzinfo=zone).timestamp() for d in (day, day + timedelta(days=1))
        ]
        first, end = np.searchsorted(slots, midnights).tolist()
        days[day] = slice(first, end)
    return days
