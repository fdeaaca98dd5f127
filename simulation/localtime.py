"""Slots in the community's local time: its days, of 23 to 25 hours, and its clock."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np

from matching.book import Ints

MINUTES_PER_DAY = 1_440


def local_times(slots: Ints, time_zone: str) -> list[datetime]:
    """The slots' starts as local times that know their offset from UTC."""
    zone = ZoneInfo(time_zone)
    return [datetime.fromtimestamp(slot, tz=UTC).astimezone(zone) for slot in slots.tolist()]


def local_days(slots: Ints, time_zone: str) -> dict[date, Ints]:
    """Positions of each local calendar day's slots, in the order of the days."""
    positions: dict[date, list[int]] = {}
    for position, at in enumerate(local_times(slots, time_zone)):
        positions.setdefault(at.date(), []).append(position)
    return {day: np.array(members, dtype=np.int64) for day, members in positions.items()}


def local_minutes(slots: Ints, time_zone: str) -> Ints:
    """What the local clock shows at each slot's start, minutes after midnight.

    An hour that the clock shows twice, in autumn, has its minutes twice; one that it skips, in spring, has none.
    """
    return np.array([60 * at.hour + at.minute for at in local_times(slots, time_zone)], dtype=np.int64)


def between(slots: Ints, time_zone: str, start: time, end: time) -> Ints:
    """Positions of the slots that begin at or after `start` and before `end` by the local clock."""
    minutes = local_minutes(slots, time_zone)
    first, last = 60 * start.hour + start.minute, 60 * end.hour + end.minute
    return np.flatnonzero((first <= minutes) & (minutes < last))
