"""Charts of the community as a whole: prices, energy, storage, connection, and where its consumption came from."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import chain

import numpy as np

from simulation.certificates import certificates
from simulation.connection import duration_curve_w, limit_w
from simulation.report.charts import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    BarChart,
    Dash,
    Floats,
    Group,
    Kind,
    LineChart,
    Series,
    variant_colour,
    variant_dash,
)
from simulation.report.units import PRICE_PER_CT, WH_PER_KWH, kwh, mean_ct_per_kwh
from simulation.report.views import View
from simulation.results import Results
from simulation.supply import Supply, supply

Variants = Mapping[str, Results]

CURVE_POINTS = 1_000
"""A duration curve is drawn with at most so many of its points, evenly spaced, both ends among them."""


def price_chart(variants: Variants, view: View) -> LineChart:
    """Mean price of the trades inside the community, and the utility's two prices around it."""
    first = next(iter(variants.values()))
    outside = [
        Series(name, view.x, view.mean(first.slots[column]) / PRICE_PER_CT, BLACK, dash=Dash.DOTTED)
        for name, column in (("utility, bought", "retail_price"), ("utility, sold", "feed_in_price"))
    ]
    inside = [
        Series(
            name,
            view.x,
            mean_ct_per_kwh(view.sums(results.slots["traded_nano"]), view.sums(results.slots["traded_wh"])),
            variant_colour(number),
            dash=variant_dash(number),
        )
        for number, (name, results) in enumerate(variants.items())
        if results.slots["traded_wh"].any()
    ]
    return _over_time(
        view,
        key="price",
        title="Price inside and outside the community",
        caption="Mean price of the trades between members, weighted by energy; a gap where nothing was traded. "
        "Dotted: what the utility charges and pays.",
        y_label="price, ct/kWh",
        series=(*outside, *inside),
    )


def all_trades_price_chart(variants: Variants, view: View) -> LineChart:
    """Mean price of all trades, those with the utility too: what a Wh changed hands for."""
    series = []
    for number, (name, results) in enumerate(variants.items()):
        slots = results.slots
        imported, exported = (results.members[f"{way}_wh"].sum(axis=0) for way in ("imported", "exported"))
        money = slots["traded_nano"] + imported * slots["retail_price"] + exported * slots["feed_in_price"]
        prices = mean_ct_per_kwh(view.sums(money), view.sums(slots["traded_wh"] + imported + exported))
        series.append(Series(name, view.x, prices, variant_colour(number), dash=variant_dash(number)))
    return _over_time(
        view,
        key="all-trades-price",
        title="Price of everything traded, with the utility too",
        caption="Mean price of the trades between members and with the utility, weighted by energy: low where "
        "most is sold to the utility, high where most is bought from it.",
        y_label="price, ct/kWh",
        series=tuple(series),
    )


def energy_chart(name: str, number: int, results: Results, view: View) -> LineChart:
    """What the members bought, above the axis, and sold, below it, with consumption and generation as lines."""
    columns = {column: view.energy(results.members[column].sum(axis=0)) for column in _ENERGY_COLUMNS}
    bars = (
        ("bought from members", columns["bought_wh"], BLUE),
        ("bought from the utility", columns["imported_wh"], GREY),
        ("sold to members", -columns["sold_wh"], SKY),
        ("sold to the utility", -columns["exported_wh"], ORANGE),
    )
    lines = (
        ("consumption", columns["consumption_wh"], VERMILLION, Dash.SOLID),
        ("generation", columns["generation_wh"], BLACK, Dash.DASHED),
    )
    return _over_time(
        view,
        key=f"energy-{number}",
        title=f"Energy bought and sold: {name}",
        caption="Above the axis what members bought, below it what they sold; storages are members too. What a "
        "home generates and consumes itself is neither.",
        y_label=f"energy, {view.energy_unit}",
        series=tuple(
            chain(
                (
                    Series(label, view.x, values, colour, Kind.BAR)
                    for label, values, colour in bars
                    if values.any()
                ),
                (Series(label, view.x, values, colour, dash=dash) for label, values, colour, dash in lines),
            )
        ),
    )


def storage_chart(variants: Variants, view: View) -> LineChart | None:
    """What all storages hold; None if no variant has any."""
    series = tuple(
        Series(
            name,
            view.x if view.total else view.x + view.width,  # a slot's value is that at its end
            view.mean(results.slots["stored_wh"]) / WH_PER_KWH,
            variant_colour(number),
            Kind.STEP if view.total else Kind.LINE,
            variant_dash(number),
        )
        for number, (name, results) in enumerate(variants.items())
        if results.slots["stored_wh"].any()
    )
    if not series:
        return None
    return _over_time(
        view,
        key="storage",
        title="Energy in the storages",
        caption="What all the community's storages hold together.",
        y_label="stored energy, kWh",
        series=series,
    )


def duration_chart(variants: Variants) -> LineChart:
    """The power at the community's connection, slots in descending order, and what it can carry, if a run says."""
    limits = {limit for results in variants.values() if (limit := limit_w(results)) is not None}
    everywhere = np.array([0.0, 100.0])
    return LineChart(
        key="duration",
        title="Load duration of the grid connection",
        caption="The mean power of every slot, from the highest import to the highest export (below zero).",
        x_label="share of the time, %",
        y_label="power, kW",
        series=(
            *(
                Series(name, *_duration(results), variant_colour(number), Kind.LINE, variant_dash(number))
                for number, (name, results) in enumerate(variants.items())
            ),
            *(
                Series("limit", everywhere, np.full(2, limit / WH_PER_KWH), BLACK, Kind.LINE, Dash.DOTTED)
                for limit in sorted(limits)
            ),
        ),
    )


def sufficiency_chart(variants: Variants) -> BarChart:
    """Self-sufficiency and self-consumption by variant."""
    supplies = [supply(results) for results in variants.values()]
    return BarChart(
        key="self-sufficiency",
        title="Self-sufficiency and self-consumption",
        caption="The share of its consumption that the community generated, and of its generation that it used.",
        x_label="scenario",
        y_label="share, %",
        categories=tuple(variants),
        groups=(
            Group("self-sufficiency", _percent([each.self_sufficiency for each in supplies]), BLUE),
            Group("self-consumption", _percent([each.self_consumption for each in supplies]), ORANGE),
        ),
    )


def certificate_chart(variants: Variants) -> BarChart:
    """How much of the consumption certificates match, slot by slot and over the whole run."""
    found = [certificates(results) for results in variants.values()]
    return BarChart(
        key="certificates",
        title="Certificates and 24/7 score",
        caption="The share of the consumption that is matched by certificates of the community's generation in "
        "the same slot (24/7 score), and what counting over the whole run would claim.",
        x_label="scenario",
        y_label="share of consumption, %",
        categories=tuple(variants),
        groups=(
            Group("matched slot by slot", _percent([each.score_24_7 for each in found]), GREEN),
            Group("matched over the run", _percent([each.matched_over_the_run for each in found]), GREY),
        ),
    )


def origin_chart(variants: Variants) -> BarChart:
    """Where the consumption came from, by variant."""
    supplies = [supply(results) for results in variants.values()]
    origins = (
        ("generated in the same slot", "from_generation_wh", GREEN),
        ("generated before, through storage", "from_storage_wh", SKY),
        ("in storage at the beginning", "from_initial_wh", PURPLE),
        ("from the utility", "from_utility_wh", GREY),
    )
    return BarChart(
        key="origin",
        title="Where the consumption came from",
        caption="By the meters of the whole community, whoever traded what; storages pass on what they took in.",
        x_label="scenario",
        y_label="share of consumption, %",
        categories=tuple(variants),
        groups=tuple(
            Group(name, _shares_of_consumption(supplies, column), colour) for name, column, colour in origins
        ),
        stacked=True,
    )


_ENERGY_COLUMNS = (
    "bought_wh",
    "imported_wh",
    "sold_wh",
    "exported_wh",
    "consumption_wh",
    "generation_wh",
)


def _over_time(
    view: View, *, key: str, title: str, caption: str, y_label: str, series: tuple[Series, ...]
) -> LineChart:
    return LineChart(
        key=f"{view.key}-{key}",
        title=title,
        caption=caption,
        x_label=view.x_label,
        y_label=y_label,
        series=series,
        width=view.width,
        ticks=view.ticks,
        labels=view.labels,
    )


def _duration(results: Results) -> tuple[Floats, Floats]:
    """The points of a duration curve: share of the time in %, power in kW."""
    curve = kwh(duration_curve_w(results))
    chosen = np.unique(np.linspace(0, len(curve) - 1, min(CURVE_POINTS, len(curve))).astype(np.int64))
    return 100 * (chosen + 0.5) / len(curve), curve[chosen]


def _percent(shares: Sequence[Fraction | None]) -> Floats:
    return np.array([np.nan if each is None else 100 * float(each) for each in shares])


def _shares_of_consumption(supplies: list[Supply], column: str) -> Floats:
    return np.array(
        [100 * getattr(each, column) / each.consumption_wh if each.consumption_wh else np.nan for each in supplies]
    )
