"""The 17 homes of Fontana, California: a year of real data, August 2016 to July 2017.

Source, licence, time basis, transformations and oddities: `simulation/data/fontana/README.md`.
"""

import lzma
from datetime import date, timedelta
from importlib.resources import files

import numpy as np

from matching.book import Ints
from simulation.community import QUARTER_S, QUARTERS_PER_HOUR, Community, HomeData, quarters

SUNNY_DAY = date(2017, 6, 16)
"""A real sunny day on which neighbours have much to trade with one another; chosen in the data's README."""

FIRST_DAY = date(2016, 8, 1)
DAYS = 365

CLOCKS_BACK = date(2016, 11, 6)
"""The local day of 25 hours."""

CLOCKS_FORWARD = date(2017, 3, 12)
"""The local day of 23 hours."""


def load_fontana() -> Community:
    """The community: 17 homes, 35,040 quarter-hours from 2016-08-01 00:00 Pacific time on."""
    packed = files("simulation").joinpath("data/fontana/fontana.csv.xz").read_bytes()
    lines = lzma.decompress(packed).decode().splitlines()
    nameplates_w = [int(field) for field in lines[0].split(",")[1:]]
    names = [field.split(" ")[0] for field in lines[1].split(",")[1::2]]
    table = np.loadtxt(lines[2:], dtype=np.int64, delimiter=",")
    return Community(
        homes=tuple(
            HomeData(name, nameplate_w, quarters(consumption_wh), quarters(generation_wh))
            for name, nameplate_w, consumption_wh, generation_wh in zip(
                names, nameplates_w, table.T[1::2], table.T[2::2], strict=True
            )
        ),
        slots=_quarter_starts(table[:, 0]),
        slot_s=QUARTER_S,
        days=_days(),
    )


def _quarter_starts(hour_starts: Ints) -> Ints:
    starts = (hour_starts[:, np.newaxis] + np.arange(QUARTERS_PER_HOUR) * QUARTER_S).reshape(-1)
    starts.setflags(write=False)
    return starts


def _days() -> dict[date, slice]:
    """Positions of each local day's slots; the two days on which the clocks change differ in length."""
    hours = {CLOCKS_BACK: 25, CLOCKS_FORWARD: 23}
    days: dict[date, slice] = {}
    start = 0
    for number in range(DAYS):
        day = FIRST_DAY + timedelta(days=number)
        end = start + hours.get(day, 24) * QUARTERS_PER_HOUR
        days[day] = slice(start, end)
        start = end
    return days
