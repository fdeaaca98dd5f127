"""How a variant of a scenario is asked for and run, on the fast engine or slot by slot."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from agents.strategies.pricing import PRICINGS, InvalidStrategyError, Pricing
from simulation.connection import LIMIT
from simulation.optimum import optimum
from simulation.period import of_days
from simulation.report.tables import COST, MISSED, OPTIMUM
from simulation.results import Results
from simulation.results_files import write_results
from simulation.run import CONVENTIONAL, Progress, run
from simulation.scenario import Scenario
from simulation.settings import SettingError, Value, changed
from simulation.street import FIRST_DAY, street_with_evs
from simulation.street_variants import VARIANTS, keeping, run_street

STREET_DAYS = 7


@dataclass(frozen=True, slots=True)
class Request:
    """How a variant is to be run.

    Attributes:
        seed: of everything drawn at random.
        first_day, days: the local calendar days, see `simulation.period.of_days`.
        settings: changes to the variant by path, applied in their order (`simulation.settings`). `strategy` and
            `design` are the run's: `strategy` chooses one by name, `strategy.interval_s` changes its field. A
            variant without a market takes no notice of them.
    """

    seed: int = 0
    first_day: date | None = None
    days: int | None = None
    settings: Mapping[str, Value] = field(default_factory=dict)


Variant = Callable[[Request, Path | None, Progress | None], Results]
"""Runs a variant; writes its tables into the folder, if one is given, and goes on with what is there."""


@dataclass(frozen=True, slots=True)
class FastVariant:
    """A variant that runs on the fast engine.

    Attributes:
        build: makes the scenario.
        strategy, design: what `simulation.run.run` takes.
    """

    build: Callable[[], Scenario]
    strategy: str = "ramps"
    design: str = "uniform"

    def __call__(self, request: Request, folder: Path | None, progress: Progress | None) -> Results:
        """Run it."""
        scenario = of_days(self.build(), request.first_day, request.days)
        strategy: Pricing | str = self.strategy
        design = self.design
        for path, value in request.settings.items():
            head, _, rest = path.partition(".")
            if head not in ("strategy", "design"):
                scenario = changed(scenario, path, value)
            elif self.strategy == CONVENTIONAL:
                continue
            elif head == "strategy":
                strategy = _strategy(strategy, rest, value)
            else:
                design = str(value)
        return run(scenario, strategy=strategy, design=design, seed=request.seed, folder=folder, progress=progress)


@dataclass(frozen=True, slots=True)
class StreetVariant:
    """A variant of the street with vehicles, which members plan slot by slot; held against its optimum.

    Its days begin at noon. A run that is killed begins anew.

    Attributes:
        name: one of `simulation.street_variants.VARIANTS`.
    """

    name: str

    def __call__(self, request: Request, folder: Path | None, progress: Progress | None) -> Results:
        """Run it; strategy and design belong to the variant.

        Raises:
            SettingError: the request would change one of them.
        """
        street = street_with_evs(
            first_day=request.first_day or FIRST_DAY, days=request.days or STREET_DAYS, seed=request.seed
        )
        for path, value in request.settings.items():
            if path.partition(".")[0] in ("strategy", "design"):
                raise SettingError(f"setting '{path}': belongs to the variant; choose another variant instead")
            street = changed(street, f"scenario.{path}", value)
        found = run_street(street, self.name, seed=request.seed)
        scenario = street.scenario if VARIANTS[self.name].gives else keeping(street.scenario)
        parameters = {
            **found.results.info.parameters,
            COST: found.cost_nano,
            OPTIMUM: optimum(scenario).cost_nano,
            MISSED: sum(len(slots) for slots in found.missed.values()),
            LIMIT: scenario.connection.max_import_w,
        }
        results = replace(found.results, info=replace(found.results.info, parameters=parameters))
        if folder is not None:
            write_results(results, folder)
        if progress is not None:
            progress(len(street.scenario.slots), len(street.scenario.slots))
        return results


def _strategy(strategy: Pricing | str, field_name: str, value: Value) -> Pricing | str:
    if not field_name:
        return str(value)
    if isinstance(strategy, str):
        if strategy not in PRICINGS:
            raise InvalidStrategyError(f"strategy.{field_name}", value, f"'{strategy}' has no such setting")
        strategy = PRICINGS[strategy]()
    return changed(strategy, field_name, value)
