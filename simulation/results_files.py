"""A run's folder: `run.json` and the tables as Parquet; the same run always gives the same bytes."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from matching.book import Ints
from matching.errors import WattbookError
from simulation.results import MEMBER_COLUMNS, SLOT_COLUMNS, UTILITY, Results, RunInfo, TradeTable

RUN, SLOTS, MEMBERS, TRADES, SLOT_TRADES = (
    "run.json",
    "slots.parquet",
    "members.parquet",
    "trades.parquet",
    "slot_trades.parquet",
)
ROWS_PER_GROUP = 131_072


class UnreadableResultsError(WattbookError):
    """A folder does not hold the results of a run."""

    code = "simulation.results"


def write_results(results: Results, folder: Path) -> None:
    """Write a run's tables into a folder, made if it is missing; files of an earlier run are overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    names = results.info.members
    _write(folder / SLOTS, slots_table(results.slots))
    _write(folder / MEMBERS, members_table(results.slots["slot"], results.members, names))
    _write(folder / TRADES, _trades_table(results.trades, names))
    if results.trades_by_slot is not None:
        _write(folder / SLOT_TRADES, _trades_table(results.trades_by_slot, names))
    # last, so that a folder with it is whole
    (folder / RUN).write_text(json.dumps(results.info.to_json(), indent=1, sort_keys=True) + "\n")


def read_results(folder: Path) -> Results:
    """The results in a folder.

    Raises:
        UnreadableResultsError: it holds none, or not all of them.
        BrokenRunError: they do not add up.
    """
    try:
        info = RunInfo.from_json(json.loads((folder / RUN).read_text()))
        slots = _columns(pq.read_table(folder / SLOTS), SLOT_COLUMNS)
        members = _columns(pq.read_table(folder / MEMBERS), MEMBER_COLUMNS)
        trades = _read_trades(folder / TRADES, info.members)
        by_slot = _read_trades(folder / SLOT_TRADES, info.members) if (folder / SLOT_TRADES).exists() else None
    except (OSError, KeyError, ValueError) as error:
        raise UnreadableResultsError(f"folder {folder} does not hold the results of a run: {error}") from error
    shape = (len(slots["slot"]), len(info.members))
    return Results(
        info=info,
        slots=slots,
        members={name: np.ascontiguousarray(column.reshape(shape).T) for name, column in members.items()},
        trades=trades,
        trades_by_slot=by_slot,
    )


def slots_table(slots: Mapping[str, Ints]) -> pa.Table:
    """The slots as a table; the price is null where nothing traded."""
    table = {name: pa.array(slots[name]) for name in SLOT_COLUMNS}
    table["price"] = pa.array(slots["price"], mask=slots["traded_wh"] == 0)
    return pa.table(table)


def members_table(slots: Ints, members: Mapping[str, Ints], names: Sequence[str]) -> pa.Table:
    """The members as a table, slot by slot, in each slot in the order of the names."""
    indices = pa.array(np.tile(np.arange(len(names), dtype=np.int32), len(slots)))
    columns: dict[str, Any] = {
        "slot": pa.array(np.repeat(slots, len(names))),
        "member": pa.DictionaryArray.from_arrays(indices, pa.array(names)),
    }
    return pa.table(columns | {name: pa.array(members[name].T.reshape(-1)) for name in MEMBER_COLUMNS})


def _trades_table(trades: TradeTable, names: Sequence[str]) -> pa.Table:
    parties = pa.array([*names, UTILITY])
    slot = {} if trades.slot is None else {"slot": pa.array(trades.slot)}
    return pa.table(
        slot
        | {
            name: pa.DictionaryArray.from_arrays(pa.array(getattr(trades, name).astype(np.int32)), parties)
            for name in ("seller", "buyer")
        }
        | {name: pa.array(getattr(trades, name)) for name in ("quantity_wh", "amount_nano")}
    )


def _read_trades(path: Path, names: Sequence[str]) -> TradeTable:
    table = pq.read_table(path)
    number = {name: position for position, name in enumerate([*names, UTILITY])}

    def parties(column: str) -> Ints:
        return np.array([number[name] for name in table[column].to_pylist()], dtype=np.int64)

    energy, money = (table[name].to_numpy() for name in ("quantity_wh", "amount_nano"))
    slot = table["slot"].to_numpy() if "slot" in table.column_names else None
    return TradeTable(parties("seller"), parties("buyer"), energy, money, slot)


def _columns(table: pa.Table, names: Sequence[str]) -> dict[str, Ints]:
    return {name: table[name].fill_null(0).to_numpy() for name in names}


def _write(path: Path, table: pa.Table) -> None:
    whole = path.with_suffix(".part")
    pq.write_table(table, whole, compression="zstd", row_group_size=ROWS_PER_GROUP)
    whole.replace(path)
