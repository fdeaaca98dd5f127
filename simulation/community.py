"""A community: homes and what they consumed and generated, slot by slot."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from matching.book import Ints
from matching.errors import WattbookError

QUARTER_S = 900
QUARTERS_PER_HOUR = 4


class UnknownDayError(WattbookError):
    """A day was asked for that the community's data do not contain."""

    code = "simulation.unknown-day"


@dataclass(frozen=True, slots=True, eq=False)
class HomeData:
    """One home's metered year.

    Attributes:
        name: e.g. `home-01`.
        pv_nameplate_w: nominal power of its photovoltaic system, W.
        consumption_wh: read-only int64 array, Wh, one entry a slot of the community.
        generation_wh: likewise.
    """

    name: str
    pv_nameplate_w: int
    consumption_wh: Ints
    generation_wh: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Community:
    """Homes with metered data over the same consecutive slots.

    Attributes:
        homes: the homes.
        slots: starts of the slots, Unix seconds UTC, read-only int64 array.
        slot_s: length of a slot, seconds.
        days: for each local calendar day the positions of its slots.
    """

    homes: tuple[HomeData, ...]
    slots: Ints
    slot_s: int
    days: Mapping[date, slice]

    def day(self, day: date) -> slice:
        """Positions of the slots of a local calendar day, for use as an index into any of the arrays.

        Raises:
            UnknownDayError: the data do not contain the day.
        """
        if day not in self.days:
            first, last = min(self.days), max(self.days)
            raise UnknownDayError(f"day is {day}: must be between {first} and {last}")
        return self.days[day]


def quarters(hourly_wh: Ints) -> Ints:
    """Four quarter-hours for each hour, each a quarter of its Wh, such that they sum to exactly the hour.

    Quarter j (0 … 3) of an hour of E Wh has floor((j + 1)·E / 4) - floor(j·E / 4): the quarters differ by at most
    1 Wh, and the remainder is spread over the hour rather than put at its end.

    Args:
        hourly_wh: int64 array of n hours, Wh, none negative.

    Returns:
        A read-only int64 array of 4·n quarter-hours, Wh.
    """
    edges = hourly_wh[:, np.newaxis] * np.arange(QUARTERS_PER_HOUR + 1) // QUARTERS_PER_HOUR
    split = np.diff(edges, axis=1).reshape(-1)
    split.setflags(write=False)
    return split
