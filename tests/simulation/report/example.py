"""Three variants of a small community, written by hand, over a number of days."""

import numpy as np

from simulation.results import Results, TradeTable
from tests.simulation.tables import MIDSUMMER, results

PER_DAY = 96
PRICE = 150_000
NOON, EVENING = 48, 72


def variants(days: int = 1) -> dict[str, Results]:
    """A sunny home and a dark one: with the utility alone, with a market, and with a battery between them."""
    return {
        "conventional": conventional(days),
        "market": market(days),
        "market with battery": with_battery(days),
    }


def day(**at: int) -> list[int]:
    """A day's column: energy in the slots named `noon` and `evening`."""
    column = [0] * PER_DAY
    column[NOON], column[EVENING] = at.get("noon", 0), at.get("evening", 0)
    return column


def conventional(days: int) -> Results:
    home, neighbour = 0, 1
    utility = 2
    return results(
        {
            "sunny": {"generation_wh": day(noon=1_000) * days, "exported_wh": day(noon=1_000) * days},
            "dark": {
                "consumption_wh": day(noon=400, evening=500) * days,
                "imported_wh": day(noon=400, evening=500) * days,
                "from_generation_wh": day(noon=400) * days,
            },
        },
        trades=_trades(days, (home, utility, 1_000), (utility, neighbour, 900)),
        scenario="example/conventional",
    )


def market(days: int) -> Results:
    return results(
        {
            "sunny": {
                "generation_wh": day(noon=1_000) * days,
                "sold_wh": day(noon=400) * days,
                "exported_wh": day(noon=600) * days,
                "amount_nano": day(noon=400 * PRICE) * days,
            },
            "dark": {
                "consumption_wh": day(noon=400, evening=500) * days,
                "bought_wh": day(noon=400) * days,
                "imported_wh": day(evening=500) * days,
                "from_generation_wh": day(noon=400) * days,
                "amount_nano": day(noon=-400 * PRICE) * days,
            },
        },
        trades=_trades(days, (0, 1, 400), (0, 2, 600), (2, 1, 500)),
        scenario="example/market",
    )


def with_battery(days: int) -> Results:
    stored = [0] * NOON + [500] * (EVENING - NOON) + [0] * (PER_DAY - EVENING)
    return results(
        {
            "sunny": {
                "generation_wh": day(noon=1_000) * days,
                "sold_wh": day(noon=950) * days,
                "exported_wh": day(noon=50) * days,
                "amount_nano": day(noon=950 * PRICE) * days,
            },
            "dark": {
                "consumption_wh": day(noon=400, evening=500) * days,
                "bought_wh": day(noon=400, evening=500) * days,
                "from_generation_wh": day(noon=400) * days,
                "from_storage_wh": day(evening=500) * days,
                "amount_nano": day(noon=-400 * PRICE, evening=-500 * 180_000) * days,
            },
            "battery": {
                "bought_wh": day(noon=550) * days,
                "charged_wh": day(noon=550) * days,
                "lost_wh": day(noon=50) * days,
                "stored_wh": stored * days,
                "discharged_wh": day(evening=500) * days,
                "sold_wh": day(evening=500) * days,
                "amount_nano": day(noon=-550 * PRICE, evening=500 * 180_000) * days,
            },
        },
        storages=["battery"],
        slots=MIDSUMMER + 900 * np.arange(PER_DAY * days, dtype=np.int64),
        trades=_trades(days, (0, 1, 400), (0, 2, 550), (0, 3, 50), (2, 1, 500)),
        scenario="example/battery",
    )


def _trades(days: int, *flows: tuple[int, int, int]) -> TradeTable:
    seller, buyer, energy = (np.array(column, dtype=np.int64) for column in zip(*flows, strict=True))
    return TradeTable(seller, buyer, energy * days, energy * days * PRICE)
