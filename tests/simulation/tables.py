"""Small results written by hand: every column that is not given is zero or follows from the others."""

from collections.abc import Mapping, Sequence

import numpy as np

from matching.book import Ints
from simulation.results import MEMBER_COLUMNS, Results, RunInfo, TradeTable, slot_columns

RETAIL, FEED_IN = 220_000, 90_000
MIDSUMMER = 1_750_456_800
"""2025-06-21 00:00 in Amsterdam."""

Rows = Mapping[str, Sequence[int]]


def results(
    members: Mapping[str, Rows],
    *,
    storages: Sequence[str] = (),
    initial_stored_wh: Sequence[int] = (),
    slots: Ints | None = None,
    trades: TradeTable | None = None,
    scenario: str = "example",
    slot_s: int = 900,
) -> Results:
    """Results of the members' rows by column name; what the utility gives and takes follows."""
    names = tuple(members)
    length = max(len(row) for rows in members.values() for row in rows.values())
    columns = {name: np.zeros((len(names), length), dtype=np.int64) for name in MEMBER_COLUMNS}
    for position, rows in enumerate(members.values()):
        for name, row in rows.items():
            columns[name][position] = row
    columns["utility_nano"] = FEED_IN * columns["exported_wh"] - RETAIL * columns["imported_wh"]
    covered = sum(columns[f"from_{origin}_wh"] for origin in ("generation", "storage", "initial"))
    columns["from_utility_wh"] = columns["consumption_wh"] - covered
    if slots is None:
        slots = MIDSUMMER + slot_s * np.arange(length, dtype=np.int64)
    nothing = np.zeros(0, dtype=np.int64)
    return Results(
        info=RunInfo(
            scenario=scenario,
            strategy="by hand",
            design="uniform",
            seed=0,
            slot_s=slot_s,
            time_zone="Europe/Amsterdam",
            members=names,
            storages=tuple(storages),
            initial_stored_wh=tuple(initial_stored_wh) or (0,) * len(names),
        ),
        slots=slot_columns(slots, columns, np.int64(RETAIL), np.int64(FEED_IN)),
        members=columns,
        trades=trades or TradeTable(nothing, nothing, nothing, nothing),
    )
