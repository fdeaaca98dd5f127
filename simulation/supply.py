"""Where a community's consumption came from, and what became of its generation: by its meters, not by its trades.

The community is taken as everything behind one meter. In a slot its generation serves consumption first, then
storages, then export; what storages give serves what consumption is left, then other storages, then export; the
rest comes from the utility. All storages are one pool, which gives the mix of origins that it holds. So a Wh
sold to a neighbour's battery, and sold again the next evening, is consumed once, and no trade changes any of
these numbers: a market without storages or flexible loads moves money, not energy.

Origins *by trades* are something else: `from_generation_wh` and the like of `simulation.results` follow who
sold to whom, so that a Wh bought from the utility is the utility's even if a neighbour fed in as much.
`local_shares` are of that kind.

Exact: integers, or fractions of integers. Mixes are split into whole Wh by cumulated shares rounded down.
"""

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from simulation.results import Results


@dataclass(frozen=True, slots=True)
class Supply:
    """A community over a run; energies in Wh.

    Attributes:
        consumption_wh: what its members consumed; neither what storages take in nor what they lose.
        generation_wh: what its members generated.
        imported_wh, exported_wh: net flow at the connection to the utility, slot by slot.
        lost_wh: lost in storages.
        from_generation_wh: consumption covered by the community's generation of the same slot.
        from_storage_wh: consumption covered by the community's generation stored before.
        from_initial_wh: consumption covered by what the storages held when the run began.
        from_utility_wh: consumption covered by the utility, through storages or not.
    """

    consumption_wh: int
    generation_wh: int
    imported_wh: int
    exported_wh: int
    lost_wh: int
    from_generation_wh: int
    from_storage_wh: int
    from_initial_wh: int
    from_utility_wh: int

    @property
    def local_wh(self) -> int:
        """Consumption covered by the community's own generation, at once or through storages."""
        return self.from_generation_wh + self.from_storage_wh

    @property
    def self_sufficiency(self) -> Fraction | None:
        """Share of the consumption that the community generated itself; None without consumption.

        (from generation + from storage) / consumption. What the storages held at the beginning is not in it.
        """
        return share(self.local_wh, self.consumption_wh)

    @property
    def self_consumption(self) -> Fraction | None:
        """Share of the generation that the community consumed itself; None without generation.

        (from generation + from storage) / generation. What the storages lost, or still hold, is not in it.
        """
        return share(self.local_wh, self.generation_wh)


class Mix(NamedTuple):
    """Energy by origin, Wh: the community's generation, the storages' initial contents, the utility."""

    generation_wh: int
    initial_wh: int
    utility_wh: int

    def plus(self, other: "Mix") -> "Mix":
        """Both together."""
        return Mix(*(mine + its for mine, its in zip(self, other, strict=True)))

    def minus(self, other: "Mix") -> "Mix":
        """What is left without the other, which is part of it."""
        return Mix(*(mine - its for mine, its in zip(self, other, strict=True)))

    def part(self, energy_wh: int) -> "Mix":
        """So much of it, at most all, in the same proportions."""
        total, cumulated, taken = sum(self), 0, [0]
        if energy_wh >= total:
            return self
        for origin_wh in self:
            cumulated += origin_wh
            taken.append(cumulated * energy_wh // total)
        return Mix(*(after - before for before, after in pairwise(taken)))


def supply(results: Results) -> Supply:
    """The community's supply over the run."""
    columns, slots = results.members, results.slots
    totals = [columns[name].sum(axis=0) for name in _METERED]
    pool = Mix(0, sum(results.info.initial_stored_wh), 0)
    at_once_wh, stored = 0, Mix(0, 0, 0)
    for consumed, generated, charged, discharged, lost in zip(*(total.tolist() for total in totals), strict=True):
        direct = min(generated, consumed)
        given = pool.part(discharged)
        pool = pool.minus(given)
        used = given.part(min(discharged, consumed - direct))
        at_once_wh += direct
        stored = stored.plus(used)
        own = min(charged, generated - direct)
        passed_on = given.minus(used).part(min(charged - own, discharged - sum(used)))
        taken = Mix(own, 0, charged - own - sum(passed_on)).plus(passed_on)
        # What is lost in a slot beyond what is charged was in the pool before.
        pool = pool.plus(taken)
        pool = pool.minus(taken.part(min(lost, charged)))
        pool = pool.minus(pool.part(max(0, lost - charged)))
    consumption_wh = int(totals[0].sum())
    return Supply(
        consumption_wh=consumption_wh,
        generation_wh=int(totals[1].sum()),
        imported_wh=int(slots["imported_wh"].sum()),
        exported_wh=int(slots["exported_wh"].sum()),
        lost_wh=int(totals[4].sum()),
        from_generation_wh=at_once_wh,
        from_storage_wh=stored.generation_wh,
        from_initial_wh=stored.initial_wh,
        from_utility_wh=consumption_wh - at_once_wh - stored.generation_wh - stored.initial_wh,
    )


_METERED = ("consumption_wh", "generation_wh", "charged_wh", "discharged_wh", "lost_wh")


def local_shares(results: Results) -> list[Fraction | None]:
    """For each member the share of its consumption that it or its trading partners generated, by trades.

    (from generation + from storage) / consumption, with the origins of `simulation.results`. In the order of the
    run's members; None for a member without consumption.
    """
    columns = results.members
    local = (columns["from_generation_wh"] + columns["from_storage_wh"]).sum(axis=1)
    consumption = columns["consumption_wh"].sum(axis=1)
    return [share(int(part), int(whole)) for part, whole in zip(local, consumption, strict=True)]


def share(part: int, whole: int) -> Fraction | None:
    """The exact share, or None of nothing."""
    return Fraction(part, whole) if whole else None
