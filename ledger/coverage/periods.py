"""Calendar periods of slots: days, months and years of a named time zone, changes of the clock included."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from ledger.coverage.claims import Claims
from ledger.coverage.errors import InvalidCoverageError
from matching.book import Ints


class Granularity(StrEnum):
    """How long a period is: one slot, or a local calendar day, month or year."""

    SLOT = "slot"
    DAY = "day"
    MONTH = "month"
    YEAR = "year"


@dataclass(frozen=True, slots=True)
class Period:
    """Consecutive slots that figures are summed over.

    Attributes:
        name: `2017-03-12T01:45:00-08:00` for a slot, `2017-03-12`, `2017-03` or `2017`: local time.
        first: position of its first slot.
        end: position after its last slot. A period at the edge of the data holds the slots there are.
    """

    name: str
    first: int
    end: int


def periods_of(claims: Claims, time_zone: str, granularity: Granularity) -> tuple[Period, ...]:
    """The periods that the slots fall in, without gaps and in order; a slot belongs to the one it starts in.

    A local day begins where the calendar of `time_zone` (IANA name) says, so that days have 92 or 100
    quarter-hours when the clock changes.

    Raises:
        InvalidCoverageError: there is no such time zone.
    """
    zone = _zone(time_zone)
    slots = claims.slots
    if granularity is Granularity.SLOT:
        return tuple(
            Period(_local(at, zone).isoformat(), number, number + 1) for number, at in enumerate(slots.tolist())
        )
    names: list[str] = []
    starts: list[int] = []
    day = _first_day(_local(int(slots[0]), zone).date(), granularity)
    while (start := _midnight(day, zone)) <= int(slots[-1]):
        names.append(day.isoformat()[: _NAME_LENGTH[granularity]])
        starts.append(start)
        day = _first_day(day + timedelta(days=_DAYS_ON[granularity]), granularity)
    # The first period may have begun before the data. Two days start together where a time zone skipped one.
    edges = [0, *np.searchsorted(slots, starts[1:]).tolist(), len(slots)]
    return tuple(
        Period(name, first, end) for name, first, end in zip(names, edges, edges[1:], strict=False) if first < end
    )


def summed(values: Ints, periods: tuple[Period, ...]) -> Ints:
    """Sums of an int64 array (rows, slots) over adjoining periods that begin at slot 0: (rows, periods)."""
    sums: Ints = np.add.reduceat(values, [period.first for period in periods], axis=1)
    return sums


_NAME_LENGTH = {Granularity.DAY: 10, Granularity.MONTH: 7, Granularity.YEAR: 4}

_DAYS_ON = {Granularity.DAY: 1, Granularity.MONTH: 31, Granularity.YEAR: 366}
"""So many days after its first day, the next period has begun, and not yet the one after."""


def _first_day(day: date, granularity: Granularity) -> date:
    if granularity is Granularity.YEAR:
        return day.replace(month=1, day=1)
    return day.replace(day=1) if granularity is Granularity.MONTH else day


def _midnight(day: date, zone: ZoneInfo) -> int:
    """The first second of a local day, Unix seconds UTC.

    Where the clock skips midnight, the day begins at the change; where it shows it twice, at the first.
    """
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def _local(at: int, zone: ZoneInfo) -> datetime:
    return datetime.fromtimestamp(at, tz=UTC).astimezone(zone)


def _zone(time_zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        problem = f"is {time_zone!r}: must be the name of an IANA time zone such as 'Europe/Amsterdam'"
        raise InvalidCoverageError("time_zone", problem) from error
