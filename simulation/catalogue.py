"""What can be run by name: the shipped scenarios and any community file, each in its variants."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from matching.errors import WattbookError
from simulation.community_scenario import scenario_from_file
from simulation.economics import REFERENCE, Investment
from simulation.report.tables import Comparison
from simulation.results import Results
from simulation.run import CONVENTIONAL
from simulation.scenario import Scenario
from simulation.scenarios.fontana import fontana
from simulation.scenarios.groene_mient import groene_mient, with_battery
from simulation.scenarios.groene_mient_reference import compare
from simulation.street_variants import VARIANTS
from simulation.variants import FastVariant, StreetVariant, Variant

COMMUNITY_FILES = (".yaml", ".yml", ".toml")


class UnknownNameError(WattbookError):
    """There is no scenario, or no variant of it, of this name."""

    code = "simulation.unknown"


@dataclass(frozen=True, slots=True)
class Entry:
    """A scenario that can be run.

    Attributes:
        name: its name, or the path of its file.
        introduction: what it is, for people.
        variants: by name, the first the one that the others are compared with.
        investment: what the community's battery costs, or None.
        compare: sets the results of all variants, over the whole scenario, beside published numbers; or None.
    """

    name: str
    introduction: str
    variants: Mapping[str, Variant]
    investment: Investment | None = None
    compare: Callable[[Mapping[str, Results]], Sequence[Comparison]] | None = None

    def variant(self, name: str) -> Variant:
        """The variant of this name.

        Raises:
            UnknownNameError: there is none.
        """
        if name not in self.variants:
            raise UnknownNameError(f"variant is '{name}': must be one of {', '.join(self.variants)}")
        return self.variants[name]


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
                    "battery": FastVariant(_groene_mient_with_battery),
                },
                investment=REFERENCE,
                compare=compare,
            ),
            Entry(
                "street-with-evs",
                "Ten of the Fontana homes on one street, each with a made-up electric vehicle that must be "
                "charged by morning: at once, by price, traded by ramps, by a schedule, and giving energy back.",
                {name: StreetVariant(name) for name in VARIANTS},
            ),
        )
    }
)
"""The shipped scenarios by name."""
