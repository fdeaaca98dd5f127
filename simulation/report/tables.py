"""Tables of a report: the indicators of each variant, savings, a battery's economics, ours beside a reference."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import time
from fractions import Fraction

from simulation.certificates import certificates
from simulation.connection import hours_above, limit_w, peaks
from simulation.economics import (
    Investment,
    break_even_capex_nano,
    lcos,
    nano_floor,
    net_present_value_nano,
)
from simulation.localtime import between
from simulation.prices import mean_price
from simulation.report.charts import Table
from simulation.report.household_charts import members_of
from simulation.report.units import (
    NONE,
    shown_energy,
    shown_money,
    shown_number,
    shown_power,
    shown_price,
    shown_share,
)
from simulation.results import Results, bills_nano
from simulation.savings import gain_of_battery, savings
from simulation.supply import Supply, share, supply

Variants = Mapping[str, Results]

COST, OPTIMUM, MISSED = "cost_nano", "optimum_nano", "missed"
"""Parameters of a run that is held against its optimum: what it cost the community, wear of storages included, the
least it could have cost, nano-credit, and for how many slots and members not all goals could be planned for."""

SUNNY = (time(8, 30), time(17, 15))
EVENING = (time(17, 30), time(21, 0))
"""The local times of which the Groene Mient study reports prices."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One of our numbers beside a published one, as text with units, and why they differ."""

    quantity: str
    ours: str
    reference: str
    explanation: str


def indicator_table(variants: Variants) -> Table:
    """Every variant's indicators."""
    supplies = [supply(run) for run in variants.values()]
    pairs = list(zip(variants.values(), supplies, strict=True))
    return Table(
        title="Indicators",
        caption="Computed from metered data, with the utility outside the community; formulas in "
        "docs/indicators.md.",
        columns=("", *variants),
        rows=tuple((label, *(value(run, energy) for run, energy in pairs)) for label, value in _INDICATORS),
    )


def savings_table(variants: Variants) -> Table:
    """How much the households save in each variant, compared with the first, and how evenly."""
    names = list(variants)
    first = variants[names[0]]
    saved = [savings(first, variants[name]) for name in names[1:]]
    return Table(
        title=f"What the households save, compared with {names[0]}",
        caption="A saving below zero is a loss. The Gini coefficient is 0 if all save the same; it has no meaning "
        "if somebody loses.",
        columns=("", *names[1:]),
        rows=(
            ("all households together", *(shown_money(sum(each.saved_nano)) for each in saved)),
            ("smallest saving", *(shown_money(each.least_nano) for each in saved)),
            ("median saving", *(shown_money(each.median_nano) for each in saved)),
            ("largest saving", *(shown_money(each.most_nano) for each in saved)),
            ("households that pay more", *(str(sum(x < 0 for x in each.saved_nano)) for each in saved)),
            ("Gini coefficient of the savings", *(shown_number(each.gini, 2) for each in saved)),
        ),
    )


def bill_table(variants: Variants) -> Table:
    """Every member's bill in every variant."""
    bills = [dict(zip(results.info.members, bills_nano(results), strict=True)) for results in variants.values()]
    rows = [(member, *_shown_bills(bills, member)) for member in members_of(variants)]
    return Table(
        title="Bills",
        caption="Below zero the member receives more than it pays.",
        columns=("member", *variants),
        rows=(*rows, ("all together", *(shown_money(sum(each.values())) for each in bills))),
    )


def battery_table(investment: Investment, without: Results, with_battery: Results) -> Table:
    """Whether a battery that belongs to all pays, by itself and with what the other members gain by it."""
    gain = gain_of_battery(without, with_battery)
    bought_wh, discharged_wh, paid_nano = _storage_totals(with_battery)
    charging = Fraction(paid_nano, bought_wh) if bought_wh else None
    gains = (gain.own_nano, gain.community_nano)
    yearly = [gain.per_year_nano(each) for each in gains]
    return Table(
        title="Does the battery pay?",
        caption=f"Purchase {shown_money(investment.capex_nano)}, {investment.years} years, "
        f"{shown_share(Fraction(investment.discount_ppm, 10**6))} a year. The run's gain is scaled to 365 days, "
        "which is fair only to a run of whole years. The levelised cost takes the investment's cycles a year, not "
        "the run's.",
        columns=("", "the battery alone", "with the other members"),
        rows=(
            ("gain in the run", *(shown_money(each) for each in gains)),
            ("gain a year", *(shown_money(nano_floor(each)) for each in yearly)),
            ("net present value", *(shown_money(net_present_value_nano(investment, each)) for each in yearly)),
            (
                "break-even purchase price",
                *(shown_money(break_even_capex_nano(investment, each)) for each in yearly),
            ),
            ("mean price paid for charging", shown_price(charging), NONE),
            (
                "levelised cost of storage",
                shown_price(None if charging is None else lcos(investment, charging)),
                NONE,
            ),
            ("discharged in the run", shown_energy(discharged_wh), NONE),
        ),
    )


def optimum_table(variants: Variants) -> Table | None:
    """How far each variant is from what perfect foresight could do; None if no variant says."""
    known = {name: run.info.parameters for name, run in variants.items() if OPTIMUM in run.info.parameters}
    if not known:
        return None
    return Table(
        title="Beside the optimum",
        caption="Cost: all bills together and the wear of storages. Optimum: the least the same devices could "
        "have cost, knowing everything in advance, as one linear program; it bounds what any market could do.",
        columns=("", "cost", "optimum", "above it", "goals missed"),
        rows=tuple(
            (
                name,
                shown_money(found[COST]),
                shown_money(found[OPTIMUM]),
                shown_share(share(found[COST] - found[OPTIMUM], found[OPTIMUM])),
                str(found[MISSED]),
            )
            for name, found in known.items()
        ),
    )


def comparison_table(comparisons: Sequence[Comparison]) -> Table:
    """Our numbers beside published ones."""
    return Table(
        title="Beside the published numbers",
        caption="",
        columns=("quantity", "ours", "published", "why they differ"),
        rows=tuple((each.quantity, each.ours, each.reference, each.explanation) for each in comparisons),
        prose=True,
    )


def _storage_totals(results: Results) -> tuple[int, int, int]:
    """What the community's storages bought and discharged, Wh, and paid, fees included, nano-credit."""
    columns, rows = results.members, [results.info.members.index(name) for name in results.info.storages]
    paid = (columns["fee_nano"] - columns["amount_nano"])[rows]
    bought = columns["bought_wh"][rows]
    utility = columns["imported_wh"][rows]
    from_utility_nano = -columns["utility_nano"][rows][utility > 0].sum()
    return (
        int(bought.sum() + utility.sum()),
        int(columns["discharged_wh"][rows].sum()),
        int(paid[bought > 0].sum() + from_utility_nano),
    )


def _price_between(run: Results, start: time, end: time) -> str:
    positions = between(run.slots["slot"], run.info.time_zone, start, end)
    return shown_price(mean_price(run, positions))


def _shown_bills(bills: Sequence[Mapping[str, int]], member: str) -> list[str]:
    return [shown_money(each[member]) if member in each else NONE for each in bills]


def _hours_above_limit(run: Results) -> str:
    limit = limit_w(run)
    return NONE if limit is None else f"{shown_number(hours_above(run, limit), 2)} h"


def _traded_local_share(run: Results) -> Fraction | None:
    local = run.members["from_generation_wh"].sum() + run.members["from_storage_wh"].sum()
    return share(int(local), int(run.members["consumption_wh"].sum()))


_INDICATORS: tuple[tuple[str, Callable[[Results, Supply], str]], ...] = (
    ("self-sufficiency", lambda _, energy: shown_share(energy.self_sufficiency)),
    ("self-consumption", lambda _, energy: shown_share(energy.self_consumption)),
    ("consumption from members, by trades", lambda run, _: shown_share(_traded_local_share(run))),
    ("24/7 score of the certificates", lambda run, _: shown_share(certificates(run).score_24_7)),
    ("consumption", lambda _, energy: shown_energy(energy.consumption_wh)),
    ("generation", lambda _, energy: shown_energy(energy.generation_wh)),
    ("imported at the connection", lambda _, energy: shown_energy(energy.imported_wh)),
    ("exported at the connection", lambda _, energy: shown_energy(energy.exported_wh)),
    ("lost in storages", lambda _, energy: shown_energy(energy.lost_wh)),
    ("highest import", lambda run, _: shown_power(peaks(run).import_w)),
    ("import above the connection's limit", lambda run, _: _hours_above_limit(run)),
    ("highest export", lambda run, _: shown_power(peaks(run).export_w)),
    ("traded between members", lambda run, _: shown_energy(int(run.slots["traded_wh"].sum()))),
    ("mean price inside", lambda run, _: shown_price(mean_price(run))),
    ("mean price inside, 08:30 to 17:15", lambda run, _: _price_between(run, *SUNNY)),
    ("mean price inside, 17:30 to 21:00", lambda run, _: _price_between(run, *EVENING)),
    ("all bills together", lambda run, _: shown_money(sum(bills_nano(run)))),
)
