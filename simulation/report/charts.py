"""What a chart shows, said once for everything that draws it: the HTML page and the PNG plots."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# Okabe and Ito's colours, which people with any kind of colour blindness tell apart.
BLACK, GREY = "#000000", "#8c8c8c"
ORANGE, SKY, GREEN, BLUE = "#e69f00", "#56b4e9", "#009e73", "#0072b2"
VERMILLION, PURPLE = "#d55e00", "#cc79a7"

VARIANT_COLOURS = (GREY, BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK)
"""Of a scenario's variants in their order; a ninth begins again."""


class Kind(StrEnum):
    """How a series is drawn; bars of one chart are stacked, above and below the axis."""

    LINE = "line"
    STEP = "step"
    BAR = "bar"


class Dash(StrEnum):
    """How a line is dashed, so that lines differ in print as well."""

    SOLID = "solid"
    DASHED = "dash"
    DASH_DOTTED = "dashdot"
    DOTTED = "dot"


VARIANT_DASHES = (Dash.SOLID, Dash.DASHED, Dash.DASH_DOTTED)
"""Likewise; dots are left for the utility."""


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """One line or set of bars; `y` is NaN where there is nothing to show."""

    name: str
    x: Floats
    y: Floats
    colour: str
    kind: Kind = Kind.STEP
    dash: Dash = Dash.SOLID


@dataclass(frozen=True, slots=True, eq=False)
class LineChart:
    """Series over a numeric axis whose ticks have labels of their own, such as local times.

    Attributes:
        key: name of the chart among the report's, and of its file.
        title, caption: one line, and what it means.
        x_label, y_label: what the axes show, with units.
        series: what is drawn.
        width: of a bar or step, which begins at its x; 0 if there are none.
        ticks: positions on the x axis and their labels; none for plain numbers.
        labels: for each x of the series the label a reader sees, or none for plain numbers.
    """

    key: str
    title: str
    caption: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    width: float = 0.0
    ticks: tuple[tuple[float, str], ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """One value for each of a bar chart's categories; NaN where there is none."""

    name: str
    values: Floats
    colour: str


@dataclass(frozen=True, slots=True, eq=False)
class BarChart:
    """Bars by category, beside one another or stacked.

    Attributes:
        key, title, caption, y_label: as of a `LineChart`.
        x_label: what the categories are.
        categories: their names.
        groups: the bars.
        stacked: on top of one another.
        decimals: of the numbers shown at the bars or when pointed at.
    """

    key: str
    title: str
    caption: str
    x_label: str
    y_label: str
    categories: tuple[str, ...]
    groups: tuple[Group, ...]
    stacked: bool = False
    decimals: int = 1


@dataclass(frozen=True, slots=True)
class Flow:
    """Energy from a seller on the left to a buyer on the right, kWh."""

    seller: str
    buyer: str
    energy_kwh: float


@dataclass(frozen=True, slots=True, eq=False)
class FlowChart:
    """Who sold to whom: sellers on the left, buyers on the right, bands as wide as the energy.

    Attributes:
        key, title, caption: as of a `LineChart`.
        flows: the bands.
    """

    key: str
    title: str
    caption: str
    flows: tuple[Flow, ...]

    @property
    def sellers(self) -> list[str]:
        """The sellers, the largest first."""
        return _by_size([(flow.seller, flow.energy_kwh) for flow in self.flows])

    @property
    def buyers(self) -> list[str]:
        """The buyers, the largest first."""
        return _by_size([(flow.buyer, flow.energy_kwh) for flow in self.flows])


Chart = LineChart | BarChart | FlowChart


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under a heading; the first column names the row. `prose`: the cells are words, not numbers."""

    title: str
    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    prose: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Section:
    """A part of the report under one heading."""

    title: str
    content: tuple[Chart | Table, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """Everything a report shows, in order."""

    title: str
    introduction: str
    sections: tuple[Section, ...]

    @property
    def tables(self) -> list[Table]:
        """All tables."""
        return [part for section in self.sections for part in section.content if isinstance(part, Table)]

    @property
    def charts(self) -> list[Chart]:
        """All charts."""
        return [part for section in self.sections for part in section.content if not isinstance(part, Table)]


def variant_colour(number: int) -> str:
    """Colour of a scenario's variant, numbered from 0."""
    return VARIANT_COLOURS[number % len(VARIANT_COLOURS)]


def variant_dash(number: int) -> Dash:
    """Dash of a scenario's variant, numbered from 0."""
    return VARIANT_DASHES[number % len(VARIANT_DASHES)]


def _by_size(sizes: Sequence[tuple[str, float]]) -> list[str]:
    total: dict[str, float] = {}
    for name, size in sizes:
        total[name] = total.get(name, 0.0) + size
    return sorted(total, key=lambda name: (-total[name], name))
