"""When: the days and months of a run that its charts show, in the community's local time."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from matching.book import Ints
from simulation.localtime import MINUTES_PER_DAY, local_days, local_minutes, local_times
from simulation.report.charts import Floats
from simulation.report.units import WH_PER_KWH
from simulation.results import Results

HOUR_S = 3_600
SHORT_RUN_DAYS = 3
"""Up to so many days are shown slot by slot; longer runs by their mean day, their sunniest and their months."""
MONTHS_FROM_DAYS = 59
TICK_HOURS = 3


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """Groups of a run's slots, each of which a chart shows as one point.

    Attributes:
        key, title: e.g. `mean-day`, `Mean day`.
        x: where each group begins on the axis.
        width: how much of the axis a group takes.
        groups: for each group the positions of its slots.
        total: a group shows the sum of its slots' energy, not the mean.
        x_label: what the axis shows.
        energy_unit: unit of a group's energy.
        ticks: positions on the axis and their labels.
        labels: each group's label.
    """

    key: str
    title: str
    x: Floats
    width: float
    groups: tuple[Ints, ...]
    total: bool
    x_label: str
    energy_unit: str
    ticks: tuple[tuple[float, str], ...]
    labels: tuple[str, ...]

    def energy(self, energy_wh: Ints) -> Floats:
        """Energy of each group, kWh: mean or total of its slots."""
        gathered = [energy_wh[group].sum() if self.total else energy_wh[group].mean() for group in self.groups]
        return np.array(gathered) / WH_PER_KWH

    def sums(self, values: Ints) -> Ints:
        """Sum of a column over each group's slots."""
        return np.array([values[group].sum() for group in self.groups], dtype=np.int64)

    def mean(self, values: Ints) -> Floats:
        """Mean of a column over each group's slots."""
        return np.array([values[group].mean() for group in self.groups])


def views(results: Results) -> list[View]:
    """The views of a run: all of it, if it is short; else its mean day, its sunniest day and its months."""
    slots, zone, slot_s = results.slots["slot"], results.info.time_zone, results.info.slot_s
    days = local_days(slots, zone)
    if len(days) <= SHORT_RUN_DAYS:
        title = " to ".join(dict.fromkeys((_day(min(days)), _day(max(days)))))
        return [_slot_by_slot("all", title, results, np.arange(len(slots)))]
    sunniest = _sunniest(results, days)
    found = [
        _mean_day(slots, zone, slot_s),
        _slot_by_slot("sunniest-day", f"Sunniest day, {_day(sunniest)}", results, days[sunniest]),
    ]
    return [*found, _months(days)] if len(days) >= MONTHS_FROM_DAYS else found


def _sunniest(results: Results, days: Mapping[date, Ints]) -> date:
    generation = results.members["generation_wh"].sum(axis=0)
    return max(days, key=lambda day: int(generation[days[day]].sum()))


def _slot_by_slot(key: str, title: str, results: Results, positions: Ints) -> View:
    slots = results.slots["slot"][positions]
    hours = (slots - slots[0]) / HOUR_S
    times = local_times(slots, results.info.time_zone)
    several = times[0].date() != times[-1].date()
    step = TICK_HOURS * (1 if len(slots) * results.info.slot_s <= 26 * HOUR_S else 2)
    # By the local clock: on the days on which it is changed, three hours may be two or four.
    marked = [
        (float(hour), at.strftime("%a %H:%M" if several else "%H:%M"))
        for hour, at in zip(hours, times, strict=True)
        if at.minute == 0 and at.hour % step == 0 and (at.fold == 0 or at.hour % step)
    ]
    return View(
        key=key,
        title=title,
        x=hours,
        width=results.info.slot_s / HOUR_S,
        groups=tuple(positions[:, np.newaxis]),
        total=False,
        x_label=f"local time ({results.info.time_zone})",
        energy_unit=f"kWh per {results.info.slot_s // 60} min",
        ticks=tuple(marked),
        labels=tuple(at.strftime("%Y-%m-%d %H:%M %Z") for at in times),
    )


def _mean_day(slots: Ints, zone: str, slot_s: int) -> View:
    minutes = local_minutes(slots, zone)
    shown = np.unique(minutes)
    return View(
        key="mean-day",
        title="Mean day",
        x=shown / 60,
        width=slot_s / HOUR_S,
        groups=tuple(np.flatnonzero(minutes == minute) for minute in shown),
        total=False,
        x_label=f"local time ({zone})",
        energy_unit=f"kWh per {slot_s // 60} min",
        ticks=tuple((float(hour), f"{hour:02}:00") for hour in range(0, MINUTES_PER_DAY // 60 + 1, TICK_HOURS)),
        labels=tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in shown.tolist()),
    )


def _months(days: Mapping[date, Ints]) -> View:
    months: dict[str, list[Ints]] = {}
    for day, positions in days.items():
        months.setdefault(day.strftime("%b %Y"), []).append(positions)
    return View(
        key="months",
        title="Month by month",
        x=np.arange(len(months), dtype=np.float64),
        width=1.0,
        groups=tuple(_joined(parts) for parts in months.values()),
        total=True,
        x_label="month",
        energy_unit="kWh per month",
        ticks=tuple((number + 0.5, name) for number, name in enumerate(months)),
        labels=tuple(months),
    )


def _joined(parts: Iterable[Ints]) -> Ints:
    return np.concatenate(list(parts))


def _day(day: date) -> str:
    return day.strftime("%A, %-d %B %Y")
