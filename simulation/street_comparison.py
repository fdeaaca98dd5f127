"""The variants of `street-with-evs` side by side, and how far each is from the optimum.

Run it with `python -m simulation.street_comparison [days [first day [seed]]]`, the day as YYYY-MM-DD.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np

from matching.book import Ints
from simulation.optimum import optimum
from simulation.results import Results
from simulation.street import FIRST_DAY, Street, street_with_evs
from simulation.street_variants import VARIANTS, StreetRun, keeping, run_street

NANO = 10**9
HOUR_S = 3_600
DEFAULTS = ["7", FIRST_DAY.isoformat(), "0"]


@dataclass(frozen=True, slots=True)
class Row:
    """One variant.

    Attributes:
        variant: its name.
        cost_nano: what the run cost the community, wear included, nano-credit.
        optimum_nano: the least it could have cost with the same devices.
        peak_w: highest import at the street's connection, W.
        imported_wh: at the street's connection.
        traded_wh: between neighbours.
        missed: for how many slots and members not all goals could be planned for any more.
    """

    variant: str
    cost_nano: int
    optimum_nano: int
    peak_w: int
    imported_wh: int
    traded_wh: int
    missed: int

    @property
    def gap(self) -> float:
        """How much more than the optimum it cost, as a share of the optimum."""
        return self.cost_nano / self.optimum_nano - 1


def load_duration_w(results: Results) -> Ints:
    """Import less export at the street's connection, W, from the highest slot to the lowest."""
    net = results.slots["imported_wh"] - results.slots["exported_wh"]
    return np.sort(net)[::-1] * HOUR_S // results.info.slot_s


def row(run: StreetRun, variant: str, optimum_nano: int) -> Row:
    """One variant's row."""
    return Row(
        variant=variant,
        cost_nano=run.cost_nano,
        optimum_nano=optimum_nano,
        peak_w=int(load_duration_w(run.results)[0]),
        imported_wh=int(run.results.slots["imported_wh"].sum()),
        traded_wh=int(run.results.slots["traded_wh"].sum()),
        missed=sum(len(slots) for slots in run.missed.values()),
    )


def compare(street: Street) -> Iterator[Row]:
    """Every variant, held against the optimum with the same devices: with V2G only where it may be used."""
    best = {True: optimum(street.scenario).cost_nano, False: optimum(keeping(street.scenario)).cost_nano}
    for name, variant in VARIANTS.items():
        yield row(run_street(street, name), name, best[variant.gives])


def main() -> None:
    """Print the table of the run that the command line names, else of the default week."""
    days, first_day, seed = (sys.argv[1:] + DEFAULTS[len(sys.argv) - 1 :])[:3]
    street = street_with_evs(first_day=date.fromisoformat(first_day), days=int(days), seed=int(seed))
    print(
        f"{'variant':22} {'cost':>9} {'optimum':>9} {'gap':>7} {'peak kW':>8} {'import':>9} {'traded':>8} missed"
    )
    for found in compare(street):
        costs = f"{found.cost_nano / NANO:9.2f} {found.optimum_nano / NANO:9.2f} {found.gap:7.1%}"
        flows = f"{found.peak_w / 1_000:8.1f} {found.imported_wh / 1_000:9.1f} {found.traded_wh / 1_000:8.1f}"
        print(f"{found.variant:22} {costs} {flows} {found.missed}", flush=True)


if __name__ == "__main__":
    main()
