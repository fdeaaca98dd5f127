"""Months of a run that are done, kept on disk until the run is, so that a killed run goes on where it was."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from matching.book import Ints
from simulation.engine.slots import Stock
from simulation.origins import Holdings
from simulation.trade_table import TradeRows

FOLDER = "parts"
FINGERPRINT = "fingerprint"


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A month's member columns and trades, and the state at its end."""

    columns: Mapping[str, Ints]
    trades: TradeRows
    stock: Stock
    holdings: Holdings


class Parts:
    """The parts of one run in its results' folder.

    Args:
        folder: the results' folder; None keeps nothing.
        fingerprint: of the run; parts of another run are thrown away.
    """

    def __init__(self, folder: Path | None, fingerprint: str) -> None:
        self._folder = None if folder is None else folder / FOLDER
        if self._folder is None:
            return
        mark = self._folder / FINGERPRINT
        if not mark.exists() or mark.read_text() != fingerprint:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(parents=True)
            mark.write_text(fingerprint)

    def read(self, number: int) -> Part | None:
        """The part of this number, or None if it is not done."""
        if self._folder is None or not self._file(self._folder, number).exists():
            return None
        with np.load(self._file(self._folder, number)) as saved:
            groups: dict[str, dict[str, Ints]] = {"columns": {}, "trades": {}, "stock": {}, "holdings": {}}
            for key in saved.files:
                group, name = key.split(".")
                groups[group][name] = saved[key]
        return Part(
            groups["columns"],
            TradeRows(**groups["trades"]),
            Stock(**groups["stock"]),
            Holdings(**groups["holdings"]),
        )

    def write(self, number: int, part: Part) -> None:
        """Keep a part; whole or not at all."""
        if self._folder is None:
            return
        arrays: dict[str, Any] = {f"columns.{name}": column for name, column in part.columns.items()}
        arrays |= {f"trades.{name}": column for name, column in part.trades._asdict().items()}
        arrays |= {f"stock.{name}": column for name, column in part.stock._asdict().items()}
        arrays["holdings.stored_wh"] = part.holdings.stored_wh
        arrays["holdings.consumed_wh"] = part.holdings.consumed_wh
        unfinished = self._folder / "unfinished.npz"
        np.savez(unfinished, **arrays)
        unfinished.replace(self._file(self._folder, number))

    def remove(self) -> None:
        """Throw the parts away, once the run is written."""
        if self._folder is not None:
            shutil.rmtree(self._folder)

    @staticmethod
    def _file(folder: Path, number: int) -> Path:
        return folder / f"{number:04}.npz"
