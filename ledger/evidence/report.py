"""Writes what became of imported rows, as CSV or as JSON lines, while the import runs."""

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TextIO

from ledger.evidence.batch import Outcome, RowReport
from ledger.spreadsheets import cell

COLUMNS = ("line", "device", "slot", "outcome", "slots", "code", "message")


@dataclass(frozen=True, slots=True)
class Totals:
    """How many rows had which outcome, and how many slots they completed."""

    accepted: int
    known: int
    refused: int
    slots: int


def write_csv(reports: Iterable[RowReport], out: TextIO) -> Totals:
    """Write a header, and a line for each report. Open `out` with `newline=""`.

    Messages repeat what stood in the rows; what a spreadsheet would take for a formula is as
    `ledger.spreadsheets.cell` makes it.
    """
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    return _write(reports, lambda fields: writer.writerow({name: cell(value) for name, value in fields.items()}))


def write_json_lines(reports: Iterable[RowReport], out: TextIO) -> Totals:
    """Write a JSON object for each report, one a line."""
    return _write(reports, lambda fields: out.write(json.dumps(fields, ensure_ascii=False) + "\n"))


def _write(reports: Iterable[RowReport], write: Callable[[dict[str, object]], object]) -> Totals:
    outcomes: Counter[Outcome] = Counter()
    slots = 0
    for report in reports:
        fields: dict[str, object] = {name: getattr(report, name) for name in COLUMNS}
        write(fields | {"outcome": report.outcome.value})
        outcomes[report.outcome] += 1
        slots += report.slots
    return Totals(outcomes[Outcome.ACCEPTED], outcomes[Outcome.KNOWN], outcomes[Outcome.REFUSED], slots)
