"""A report as one HTML file that needs nothing else: plotly's script is inside it, and it may load nothing.

A content security policy in the page forbids every connection, so that opening it tells nobody.
"""

import json
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from plotly.offline import get_plotlyjs

from simulation.report.charts import (
    BLUE,
    GREY,
    BarChart,
    Chart,
    Floats,
    FlowChart,
    Kind,
    LineChart,
    Report,
    Section,
    Series,
    Table,
)

_POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:"
_SIGNIFICANT = 6
_HEIGHT_PX = 430
_MARGIN_PX = {"l": 70, "r": 20, "t": 30, "b": 60}
_FLOW_PX_PER_PARTY = 42
_LABEL_CHARACTERS = 120
"""Category labels stand upright when they would together be longer than this."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 68rem; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.9rem; } h2 { margin-top: 3rem; border-bottom: 2px solid #0072b2; }
nav ul { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; padding: 0; list-style: none; }
a { color: #005a8f; }
figure { margin: 2rem 0; } figure h3, .table h3 { margin: 0 0 .2rem; }
figcaption, .caption { color: #444; margin: 0 0 .5rem; }
.table { overflow-x: auto; margin: 2rem 0; }
table { border-collapse: collapse; }
th, td { padding: .3rem .8rem; border-bottom: 1px solid #ccc; text-align: right; vertical-align: top; }
thead th { border-bottom: 2px solid #444; }
th:first-child { text-align: left; font-weight: normal; }
thead th:first-child { font-weight: bold; }
.prose th, .prose td { text-align: left; }
"""

# plotly's own buttons would offer to send the data to its maker's server.
_SCRIPT = """
const config = {responsive: true, displaylogo: false, showSendToCloud: false, plotlyServerURL: ""};
for (const chart of JSON.parse(document.getElementById("charts").textContent)) {
  Plotly.newPlot(chart.key, chart.data, chart.layout, config);
}
"""


def write_page(report: Report, path: Path) -> None:
    """Write the report as an HTML file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page(report), encoding="utf-8")


def page(report: Report) -> str:
    """The report as HTML; the same text for the same report."""
    links = "".join(f'<li><a href="#{_anchor(s)}">{escape(s.title)}</a></li>' for s in report.sections)
    sections = "".join(_section(section) for section in report.sections)
    charts = json.dumps([figure(chart) for chart in report.charts], allow_nan=False)
    charts = charts.replace("</", "<\\/")  # which would end the script element
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{escape(report.title)}</h1><p>{escape(report.introduction)}</p></header>"
        f'<nav aria-label="Sections"><ul>{links}</ul></nav><main>{sections}</main>'
        f'<script type="application/json" id="charts">{charts}</script>'
        f"<script>{get_plotlyjs()}</script><script>{_SCRIPT}</script></body></html>\n"
    )


def figure(chart: Chart) -> dict[str, Any]:
    """The chart as plotly's `data` and `layout`, with the key of the element it is drawn in."""
    if isinstance(chart, FlowChart):
        data, layout = _flows(chart)
    elif isinstance(chart, LineChart):
        data, layout = _lines(chart)
    else:
        data, layout = _bars(chart)
    common = {
        "font": {"family": "system-ui, sans-serif", "size": 13, "color": "#1a1a1a"},
        "margin": _MARGIN_PX,
        "paper_bgcolor": "white",
        "plot_bgcolor": "white",
    }
    return {"key": chart.key, "data": data, "layout": common | layout}


def _section(section: Section) -> str:
    parts = "".join(_table(part) if isinstance(part, Table) else _figure(part) for part in section.content)
    return f'<section id="{_anchor(section)}"><h2>{escape(section.title)}</h2>{parts}</section>'


def _anchor(section: Section) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in section.title.lower())


def _figure(chart: Chart) -> str:
    title, caption, height_px = escape(chart.title), escape(chart.caption), _height_px(chart)
    return (
        f"<figure><h3>{title}</h3><figcaption>{caption}</figcaption>"
        f'<div id="{chart.key}" role="img" aria-label="{title}" style="height:{height_px}px"></div></figure>'
    )


def _height_px(chart: Chart) -> int:
    if isinstance(chart, FlowChart):
        return max(_HEIGHT_PX, _FLOW_PX_PER_PARTY * max(len(chart.sellers), len(chart.buyers)))
    return _HEIGHT_PX


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in table.columns)
    rows = "".join(f"<tr>{_cells(row)}</tr>" for row in table.rows)
    kind = "table prose" if table.prose else "table"
    caption = f'<p class="caption">{escape(table.caption)}</p>' if table.caption else ""
    return (
        f'<div class="{kind}"><h3>{escape(table.title)}</h3>{caption}'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _cells(row: tuple[str, ...]) -> str:
    first, *rest = row
    cells = "".join(f"<td>{escape(cell)}</td>" for cell in rest)
    return f'<th scope="row">{escape(first)}</th>{cells}'


def _lines(chart: LineChart) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    data = [_trace(series, chart) for series in chart.series]
    x_axis: dict[str, Any] = {"title": {"text": chart.x_label}, "showgrid": False, "zeroline": False}
    if chart.ticks:
        x_axis |= {"tickvals": [at for at, _ in chart.ticks], "ticktext": [label for _, label in chart.ticks]}
    has_bars = any(series.kind is Kind.BAR for series in chart.series)
    layout = _axes(x_axis, chart.y_label) | {"hovermode": "x unified" if has_bars else "closest"}
    return data, layout | ({"barmode": "relative", "bargap": 0} if has_bars else {})


def _trace(series: Series, chart: LineChart) -> dict[str, Any]:
    unit = chart.y_label.rsplit(", ", 1)[-1]
    x, y, labels = series.x, series.y, list(chart.labels)
    if series.kind is Kind.STEP:  # the last step is as wide as the others
        x, y, labels = np.append(x, x[-1] + chart.width), np.append(y, y[-1]), [*labels, *labels[-1:]]
    trace: dict[str, Any] = {"name": series.name, "x": _rounded(x), "y": _rounded(y)}
    # "%{x}" would be hours; a reader wants the local time
    trace["hovertemplate"] = f"{'%{text}<br>' if labels else ''}%{{y:,.4~g}} {unit}"
    if labels:
        trace["text"] = labels
    if series.kind is Kind.BAR:
        # "textposition": otherwise the labels are written on the bars
        return trace | {
            "type": "bar",
            "offset": 0,
            "width": chart.width,
            "textposition": "none",
            "marker": {"color": series.colour, "line": {"width": 0}},
        }
    return trace | {
        "type": "scatter",
        "mode": "lines",
        "connectgaps": False,
        "line": {
            "color": series.colour,
            "dash": str(series.dash),
            "width": 2,
            "shape": "hv" if series.kind is Kind.STEP else "linear",
        },
    }


def _bars(chart: BarChart) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    unit = chart.y_label.rsplit(", ", 1)[-1]
    few = len(chart.categories) * len(chart.groups) <= 16
    data = [
        {
            "type": "bar",
            "name": group.name,
            "x": list(chart.categories),
            "y": _rounded(group.values),
            "marker": {"color": group.colour},
            "hovertemplate": f"%{{x}}<br>%{{y:,.{chart.decimals}f}} {unit}",
            **({"texttemplate": f"%{{y:,.{chart.decimals}f}}", "textposition": "auto"} if few else {}),
        }
        for group in chart.groups
    ]
    axis: dict[str, Any] = {"title": {"text": chart.x_label}, "type": "category", "automargin": True}
    if sum(map(len, chart.categories)) > _LABEL_CHARACTERS:
        axis["tickangle"] = -90
    # Above, where no upright label reaches, and below plotly's buttons.
    above = {
        "legend": {"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0},
        "margin": _MARGIN_PX | {"t": 70},
    }
    return data, _axes(axis, chart.y_label) | above | {"barmode": "stack" if chart.stacked else "group"}


def _flows(chart: FlowChart) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    sellers, buyers = chart.sellers, chart.buyers
    data = {
        "type": "sankey",
        "arrangement": "fixed",
        "valuesuffix": " kWh",
        "valueformat": ",.1f",
        "node": {
            "label": [*sellers, *buyers],
            "color": [BLUE] * len(sellers) + [GREY] * len(buyers),
            "pad": 12,
            "thickness": 14,
        },
        "link": {
            "source": [sellers.index(flow.seller) for flow in chart.flows],
            "target": [len(sellers) + buyers.index(flow.buyer) for flow in chart.flows],
            "value": [round(flow.energy_kwh, 3) for flow in chart.flows],
            "color": "rgba(0,114,178,0.25)",
        },
    }
    return [data], {}


def _axes(x_axis: dict[str, Any], y_label: str) -> dict[str, Any]:
    y_axis = {
        "title": {"text": y_label},
        "gridcolor": "#dddddd",
        "zeroline": True,
        "zerolinecolor": "#000000",
        "rangemode": "tozero",
        "exponentformat": "none",
        "separatethousands": True,
        "automargin": True,
    }
    return {
        "xaxis": x_axis,
        "yaxis": y_axis,
        "legend": {"orientation": "h", "yanchor": "top", "y": -0.2, "x": 0},
        "showlegend": True,
    }


def _rounded(values: Floats) -> list[float | None]:
    """Six significant digits, which nobody can see the difference of, and null for NaN, which JSON lacks."""
    return [None if np.isnan(value) else float(f"{value:.{_SIGNIFICANT}g}") for value in values.tolist()]
