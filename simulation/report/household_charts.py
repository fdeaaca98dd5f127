"""Charts of the members beside one another: bills, how much of their energy is local, who traded with whom."""

from collections.abc import Mapping

import numpy as np

from simulation.report.charts import BarChart, Flow, FlowChart, Group, variant_colour
from simulation.report.units import WH_PER_KWH, eur
from simulation.results import UTILITY, Results, bills_nano
from simulation.supply import local_shares

Variants = Mapping[str, Results]

MOST_PARTIES = 10
"""Sellers, and buyers, that a chart of flows names; the others appear together."""


def bills_chart(variants: Variants) -> BarChart:
    """Every household's bill in every variant."""
    households = households_of(variants)
    groups = []
    for number, (name, results) in enumerate(variants.items()):
        bills = dict(zip(results.info.members, eur(np.array(bills_nano(results), dtype=np.int64)), strict=True))
        groups.append(
            Group(
                name, np.array([bills.get(household, np.nan) for household in households]), variant_colour(number)
            )
        )
    return BarChart(
        key="bills",
        title="Each household's bill",
        caption="Everything it pays less everything it receives, its sales included; below zero it earns. What "
        "its devices cost to buy is not in it.",
        x_label="household",
        y_label="bill, EUR",
        categories=tuple(households),
        groups=tuple(groups),
        decimals=2,
    )


def local_chart(variants: Variants) -> BarChart:
    """For every household and variant the share of its consumption that the community generated."""
    households = households_of(variants)
    groups = []
    for number, (name, results) in enumerate(variants.items()):
        shares = dict(zip(results.info.members, local_shares(results), strict=True))
        found = [shares.get(household) for household in households]
        values = np.array([np.nan if share is None else 100 * float(share) for share in found])
        groups.append(Group(name, values, variant_colour(number)))
    return BarChart(
        key="local-share",
        title="Local share of each household's consumption",
        caption="By trades: the part of its consumption that it or the members it bought from generated, in the "
        "same slot or before.",
        x_label="household",
        y_label="share of consumption, %",
        categories=tuple(households),
        groups=tuple(groups),
    )


def flow_chart(name: str, number: int, results: Results) -> FlowChart | None:
    """Who sold to whom over the run; None if nobody traded."""
    trades = results.trades
    parties = [*results.info.members, UTILITY]
    energy: dict[tuple[str, str], int] = {}
    rows = zip(trades.seller.tolist(), trades.buyer.tolist(), trades.quantity_wh.tolist(), strict=True)
    for seller, buyer, quantity_wh in rows:
        pair = (parties[seller], parties[buyer])
        energy[pair] = energy.get(pair, 0) + quantity_wh
    if not any(energy.values()):
        return None
    sellers, buyers = (_largest(energy, side, results.info.storages) for side in (0, 1))
    merged: dict[tuple[str, str], int] = {}
    for (seller, buyer), quantity_wh in energy.items():
        pair = (sellers.get(seller, _OTHERS), buyers.get(buyer, _OTHERS))
        merged[pair] = merged.get(pair, 0) + quantity_wh
    return FlowChart(
        key=f"flows-{number}",
        title=f"Who traded with whom: {name}",
        caption=f"Energy sold (left) and bought (right). Households beyond the {MOST_PARTIES} largest of each "
        "side appear together.",
        flows=tuple(
            Flow(seller, buyer, quantity_wh / WH_PER_KWH)
            for (seller, buyer), quantity_wh in sorted(merged.items(), key=lambda item: (-item[1], item[0]))
            if quantity_wh
        ),
    )


def members_of(variants: Variants) -> list[str]:
    """Every member of any variant, in the order in which they first appear."""
    return list(dict.fromkeys(member for results in variants.values() for member in results.info.members))


def households_of(variants: Variants) -> list[str]:
    """The same without the storages that belong to all."""
    storages = {name for results in variants.values() for name in results.info.storages}
    return [member for member in members_of(variants) if member not in storages]


_OTHERS = "other households"


def _largest(energy: Mapping[tuple[str, str], int], side: int, storages: tuple[str, ...]) -> dict[str, str]:
    """The parties of one side that keep their names: the largest, the storages, and the utility."""
    total: dict[str, int] = {}
    for pair, quantity_wh in energy.items():
        total[pair[side]] = total.get(pair[side], 0) + quantity_wh
    homes = [name for name in total if name not in storages and name != UTILITY]
    kept = sorted(homes, key=lambda name: (-total[name], name))[:MOST_PARTIES]
    return {name: name for name in (*kept, *storages, UTILITY)}
