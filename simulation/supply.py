"""Where a community's consumption came from, and what became of its generation.

Computed from the meters and the origin that every stored Wh carries (`simulation.results`), never from trades: a
Wh that is sold to a neighbour's battery and sold again the next evening is two trades, but it is consumed once.
Exact: integers, or fractions of integers.
"""

from dataclasses import dataclass
from fractions import Fraction

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


def supply(results: Results) -> Supply:
    """The community's supply over the run."""
    return Supply(
        imported_wh=int(results.slots["imported_wh"].sum()),
        exported_wh=int(results.slots["exported_wh"].sum()),
        **{
            name: int(results.members[name].sum())
            for name in (
                "consumption_wh",
                "generation_wh",
                "lost_wh",
                "from_generation_wh",
                "from_storage_wh",
                "from_initial_wh",
                "from_utility_wh",
            )
        },
    )


def local_shares(results: Results) -> list[Fraction | None]:
    """For each member the share of its consumption that the community, itself included, generated.

    In the order of the run's members; None for a member without consumption.
    """
    columns = results.members
    local = (columns["from_generation_wh"] + columns["from_storage_wh"]).sum(axis=1)
    consumption = columns["consumption_wh"].sum(axis=1)
    return [share(int(part), int(whole)) for part, whole in zip(local, consumption, strict=True)]


def share(part: int, whole: int) -> Fraction | None:
    """The exact share, or None of nothing."""
    return Fraction(part, whole) if whole else None
