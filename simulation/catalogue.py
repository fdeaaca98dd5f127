"""What can be run by name: the shipped scenarios and any community file, each in its variants."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType

from agents.strategies.pricing import PRICINGS, InvalidStrategyError, Pricing
from matching.errors import WattbookError
from simulation.community_scenario import scenario_from_file
from simulation.economics import REFERENCE, Investment
from simulation.period import of_days
from simulation.results import Results
from simulation.run import CONVENTIONAL, Progress, run
from simulation.scenario import Scenario
from simulation.scenarios.fontana import fontana
from simulation.scenarios.groene_mient import groene_mient, with_battery
from simulation.settings import Value, changed

COMMUNITY_FILES = (".yaml", ".yml", ".toml")


class UnknownNameError(WattbookError):
    """There is no scenario, or no variant of it, of this name."""

    code = "simulation.unknown"


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
class Entry:
    """A scenario that can be run.

    Attributes:
        name: its name, or the path of its file.
        introduction: what it is, for people.
        variants: by name, the first the one that the others are compared with.
        investment: what the community's battery costs, or None.
    """

    name: str
    introduction: str
    variants: Mapping[str, Variant]
    investment: Investment | None = None

    def variant(self, name: str) -> Variant:
        """The variant of this name.

        Raises:
            UnknownNameError: there is none.
        """
        if name not in self.variants:
            raise UnknownNameError(f"variant is '{name}': must be one of {', '.join(self.variants)}")
        return self.variants[name]


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


def entry(name: str) -> Entry:
    """The scenario of this name, or the community of the file of this path.

    Raises:
        UnknownNameError: there is none.
    """
    if name.endswith(COMMUNITY_FILES):
        return _of_file(Path(name))
    if name not in SCENARIOS:
        known = ", ".join(SCENARIOS)
        raise UnknownNameError(f"scenario is '{name}': must be one of {known}, or a community file (.yaml, .toml)")
    return SCENARIOS[name]


def _of_file(path: Path) -> Entry:
    def build() -> Scenario:
        return scenario_from_file(path)

    return Entry(
        str(path),
        f"The community of {path.name}: with the utility alone, and with a market of its own.",
        {"conventional": FastVariant(build, strategy=CONVENTIONAL), "market": FastVariant(build)},
    )


def _strategy(strategy: Pricing | str, field_name: str, value: Value) -> Pricing | str:
    if not field_name:
        return str(value)
    if isinstance(strategy, str):
        if strategy not in PRICINGS:
            raise InvalidStrategyError(f"strategy.{field_name}", value, f"'{strategy}' has no such setting")
        strategy = PRICINGS[strategy]()
    return changed(strategy, field_name, value)


def _groene_mient_with_battery() -> Scenario:
    return with_battery(groene_mient())


SCENARIOS: Mapping[str, Entry] = MappingProxyType(
    {
        each.name: each
        for each in (
            Entry(
                "fontana",
                "17 real homes of Fontana, California, from August 2016 to July 2017, hourly data split into "
                "quarter hours: with the utility alone, and with a market of their own.",
                {"conventional": FastVariant(fontana, strategy=CONVENTIONAL), "market": FastVariant(fontana)},
            ),
            Entry(
                "groene-mient",
                "33 households as in Groene Mient, The Hague, made from real shapes, as the real data are not "
                "public: with the utility alone, with a market of their own, and with a battery of 80 kWh in it.",
                {
                    "conventional": FastVariant(groene_mient, strategy=CONVENTIONAL),
                    "market": FastVariant(groene_mient),
                    "market-with-battery": FastVariant(_groene_mient_with_battery),
                },
                investment=REFERENCE,
            ),
        )
    }
)
"""The shipped scenarios by name."""
