"""What a scenario saves each household, and how evenly.

A bill is everything a member pays less everything it receives: trades, grid fees, the utility, **and its sales**
(`simulation.results.bills_nano`). A battery that belongs to all is a member with a bill of its own; it is no
household, and what it cost to buy is in no bill (`simulation.economics`).
"""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from matching.errors import WattbookError
from simulation.economics import BatteryGain, battery_gain
from simulation.results import Results, bills_nano


class IncomparableRunsError(WattbookError):
    """Two runs do not have the same households in the same slots."""

    code = "simulation.incomparable"


@dataclass(frozen=True, slots=True)
class Savings:
    """What each household pays in two runs, nano-credit; negative if it receives more than it pays.

    Attributes:
        households: their names.
        before_nano: bills in the run compared with, such as the conventional scenario.
        after_nano: bills in the other.
    """

    households: tuple[str, ...]
    before_nano: tuple[int, ...]
    after_nano: tuple[int, ...]

    @property
    def saved_nano(self) -> tuple[int, ...]:
        """What each household saves; negative if it pays more than before."""
        return tuple(before - after for before, after in zip(self.before_nano, self.after_nano, strict=True))

    @property
    def least_nano(self) -> int:
        """The smallest saving."""
        return min(self.saved_nano)

    @property
    def most_nano(self) -> int:
        """The largest saving."""
        return max(self.saved_nano)

    @property
    def median_nano(self) -> Fraction:
        """The middle saving, or the mean of the two in the middle."""
        ordered = sorted(self.saved_nano)
        return Fraction(ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2], 2)

    @property
    def gini(self) -> Fraction | None:
        """Gini coefficient of the savings: 0 if all save the same, towards 1 if one household takes all.

        Σi Σj |xi - xj| / (2 n Σi xi). None where it has no meaning: somebody loses, or nobody saves anything.
        """
        ordered = sorted(self.saved_nano)
        total = sum(ordered)
        if ordered[0] < 0 or total == 0:
            return None
        # With the values in ascending order, the double sum is 2 Σi (2i - n - 1) xi, i from 1.
        count = len(ordered)
        weighted = sum((2 * place - count - 1) * saved for place, saved in enumerate(ordered, start=1))
        return Fraction(weighted, count * total)


def savings(before: Results, after: Results) -> Savings:
    """What each household saves from one run to another.

    Raises:
        IncomparableRunsError: the runs do not have the same households in the same slots.
    """
    first, second = _household_bills(before), _household_bills(after)
    if list(first) != list(second):
        raise IncomparableRunsError(f"households are {', '.join(second)}: must be {', '.join(first)}")
    if not np.array_equal(before.slots["slot"], after.slots["slot"]):
        raise IncomparableRunsError("slots differ: both runs must be over the same period")
    return Savings(tuple(first), tuple(first.values()), tuple(second.values()))


def gain_of_battery(without: Results, with_battery: Results) -> BatteryGain:
    """Who gains from the batteries that belong to all, between two runs of the same market.

    Raises:
        IncomparableRunsError: the runs do not have the same households in the same slots.
    """
    saved = savings(without, with_battery)
    bills = bills_nano(with_battery)
    members = with_battery.info.members
    return battery_gain(
        bills_without_nano=saved.before_nano,
        bills_with_nano=saved.after_nano,
        battery_bill_nano=sum(bills[members.index(name)] for name in with_battery.info.storages),
        period_s=len(with_battery.slots["slot"]) * with_battery.info.slot_s,
    )


def _household_bills(results: Results) -> dict[str, int]:
    storages = set(results.info.storages)
    bills = zip(results.info.members, bills_nano(results), strict=True)
    return {name: bill for name, bill in bills if name not in storages}
