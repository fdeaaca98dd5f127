"""A report's charts as PNG, drawn by matplotlib without a display."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch, Rectangle
from matplotlib.path import Path as Outline

from simulation.report.charts import (
    BLACK,
    BLUE,
    GREY,
    BarChart,
    Chart,
    Dash,
    FlowChart,
    Kind,
    LineChart,
    Report,
    Series,
)

INCHES = (10.0, 5.2)
DPI = 130
_DASHES: dict[Dash, Any] = {
    Dash.SOLID: "solid",
    Dash.DASHED: (0, (5, 2)),
    Dash.DASH_DOTTED: (0, (5, 1.5, 1, 1.5)),
    Dash.DOTTED: (0, (1, 1.5)),
}
_LABEL_CHARACTERS = 60
"""Category labels stand upright when they would together be longer than this."""


def write_plots(report: Report, folder: Path) -> list[Path]:
    """Write every chart into a folder, made if absent, as `<key>.png`; the same data give the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for chart in report.charts:
        path = folder / f"{chart.key}.png"
        draw(chart).savefig(path, dpi=DPI, metadata={"Software": None})
        paths.append(path)
    return paths


def draw(chart: Chart) -> Figure:
    """The chart as a figure."""
    figure = Figure(figsize=INCHES, layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(chart.title, loc="left", fontsize=13, fontweight="bold")
    if isinstance(chart, FlowChart):
        _draw_flows(axes, chart)
        return figure
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    axes.grid(axis="y", color="#dddddd", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if isinstance(chart, LineChart):
        _draw_lines(axes, chart)
    else:
        _draw_bars(axes, chart)
    # Outside the axes, where it hides no data.
    figure.legend(loc="outside lower center", ncols=4, frameon=False, fontsize=9)
    return figure


def _draw_lines(axes: Axes, chart: LineChart) -> None:
    stacked: dict[bool, Any] = {}
    for series in chart.series:
        if series.kind is Kind.BAR:
            above = bool(np.nansum(series.y) >= 0)
            bottom = stacked.get(above, np.zeros_like(series.y))
            axes.bar(series.x, series.y, chart.width, bottom, align="edge", color=series.colour, label=series.name)
            stacked[above] = bottom + series.y
        else:
            _draw_line(axes, series, chart.width)
    if stacked:
        axes.axhline(0, color=BLACK, linewidth=0.8)
    if chart.ticks:
        axes.set_xticks([at for at, _ in chart.ticks], [label for _, label in chart.ticks])
    if min(np.nanmin(series.y, initial=0) for series in chart.series) >= 0:
        axes.set_ylim(bottom=0)
    axes.margins(x=0.01)


def _draw_line(axes: Axes, series: Series, width: float) -> None:
    x, y = series.x, series.y
    if series.kind is Kind.STEP:  # the last step is as wide as the others
        x, y = np.append(x, x[-1] + width), np.append(y, y[-1])
    axes.plot(
        x,
        y,
        color=series.colour,
        linestyle=_DASHES[series.dash],
        linewidth=1.8,
        drawstyle="steps-post" if series.kind is Kind.STEP else "default",
        label=series.name,
    )


def _draw_bars(axes: Axes, chart: BarChart) -> None:
    places = np.arange(len(chart.categories))
    width = 0.6 if chart.stacked else 0.8 / len(chart.groups)
    bottom = np.zeros(len(places))
    for number, group in enumerate(chart.groups):
        shift = 0.0 if chart.stacked else (number - (len(chart.groups) - 1) / 2) * width
        bars = axes.bar(places + shift, group.values, width, bottom, color=group.colour, label=group.name)
        if len(places) * len(chart.groups) <= 16:
            shown = [f"{value:.{chart.decimals}f}" if value else "" for value in group.values]
            axes.bar_label(bars, shown, label_type="center" if chart.stacked else "edge", fontsize=9)
        if chart.stacked:
            bottom += np.nan_to_num(group.values)
    upright = sum(map(len, chart.categories)) > _LABEL_CHARACTERS
    axes.set_xticks(places, chart.categories, rotation=90 if upright else 0, fontsize=8 if upright else 10)
    axes.axhline(0, color=BLACK, linewidth=0.8)
    axes.margins(x=0.01)


_GAP = 0.012
_NODE_WIDTH = 0.015


def _draw_flows(axes: Axes, chart: FlowChart) -> None:
    sold = {name: sum(flow.energy_kwh for flow in chart.flows if flow.seller == name) for name in chart.sellers}
    bought = {name: sum(flow.energy_kwh for flow in chart.flows if flow.buyer == name) for name in chart.buyers}
    height = (1 - _GAP * max(len(sold), len(bought))) / sum(sold.values())
    left, right = _stack(axes, sold, height, on_left=True), _stack(axes, bought, height, on_left=False)
    # In the order of the parties on both sides, so that bands cross as little as may be.
    places = {name: place for place, name in enumerate(chart.buyers)}
    for seller in chart.sellers:
        own = [flow for flow in chart.flows if flow.seller == seller]
        for flow in sorted(own, key=lambda flow: places[flow.buyer]):
            thick = flow.energy_kwh * height
            left[flow.seller] -= thick
            right[flow.buyer] -= thick
            axes.add_patch(_band(left[flow.seller], right[flow.buyer], thick))
    axes.set_xlim(-0.3, 1.3)
    axes.set_ylim(-0.02, 1.02)
    axes.set_axis_off()


def _stack(axes: Axes, sizes: Mapping[str, float], height: float, *, on_left: bool) -> dict[str, float]:
    """Draw one side's parties from the top; where each one's bands begin."""
    tops: dict[str, float] = {}
    top = 1.0
    for name, energy_kwh in sizes.items():
        tall = energy_kwh * height
        start = 0.0 if on_left else 1.0 - _NODE_WIDTH
        axes.add_patch(Rectangle((start, top - tall), _NODE_WIDTH, tall, color=BLUE if on_left else GREY))
        axes.text(
            -0.01 if on_left else 1.01,
            top - tall / 2,
            f"{name}  {energy_kwh:,.1f} kWh",
            ha="right" if on_left else "left",
            va="center",
            fontsize=8,
        )
        tops[name] = top
        top -= tall + _GAP
    return tops


def _band(left: float, right: float, thick: float) -> PathPatch:
    """A band from a seller to a buyer, given the lower edge at both ends."""
    start, end = _NODE_WIDTH, 1 - _NODE_WIDTH
    corners = [
        (start, left),
        (0.5, left),
        (0.5, right),
        (end, right),
        (end, right + thick),
        (0.5, right + thick),
        (0.5, left + thick),
        (start, left + thick),
    ]
    curve = [Outline.CURVE4] * 3
    codes = [Outline.MOVETO, *curve, Outline.LINETO, *curve]
    return PathPatch(Outline(corners, codes), facecolor=BLUE, alpha=0.25, linewidth=0)
