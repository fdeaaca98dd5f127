"""Lists as tables that people take away: CSV, or Parquet with integers; streamed, units in the columns' names."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Annotated, Any, Generic, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from fastapi import Query
from fastapi.responses import StreamingResponse

from ledger.spreadsheets import cell

BATCH_ROWS = 5_000
"""Rows that are fetched, and written, at once."""

T = TypeVar("T")
K = TypeVar("K")
Cell = int | str | bool | None


class Form(StrEnum):
    """How a list is written; a CSV or Parquet file holds all of it."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"


AskedForm = Annotated[
    Form,
    Query(alias="format", description="`csv` and `parquet` hold all that the filters leave, not one page."),
]

MEDIA = {Form.CSV: "text/csv", Form.PARQUET: "application/vnd.apache.parquet"}

TABLE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": {
            MEDIA[Form.CSV]: {"schema": {"type": "string"}},
            MEDIA[Form.PARQUET]: {"schema": {"type": "string", "format": "binary"}},
        }
    }
}
"""What a route that answers with tables, too, says of that."""


class LinesResponse(StreamingResponse):
    """JSON, one object a line."""

    media_type = "application/jsonl"


class CellKind(StrEnum):
    """What a column holds; as Arrow names it."""

    INTEGER = "int64"
    NAME = "uint64"
    TEXT = "string"
    FLAG = "bool"


@dataclass(frozen=True, slots=True)
class Column(Generic[T]):
    """A column: its name, with the unit last, what it holds, and how that is had from a row."""

    name: str
    value: Callable[[T], Cell]
    kind: CellKind = CellKind.INTEGER


@dataclass(frozen=True, slots=True)
class Table(Generic[T]):
    """A table of rows of one kind; `name` is its file's."""

    name: str
    columns: tuple[Column[T], ...]


def text(name: str, value: Callable[[T], str | None]) -> Column[T]:
    """A column of text."""
    return Column(name, value, CellKind.TEXT)


def batches(fetch: Callable[[K | None], Sequence[T]], key: Callable[[T], K]) -> Iterator[Sequence[T]]:
    """All rows of a list that is fetched page by page: `fetch` gives up to `BATCH_ROWS` behind a key."""
    after: K | None = None
    while rows := fetch(after):
        yield rows
        if len(rows) < BATCH_ROWS:
            return
        after = key(rows[-1])


def streamed(table: Table[T], form: Form, found: Iterable[Sequence[T]]) -> StreamingResponse:
    """A table as an answer. What is refused with the first rows is refused before anything is answered."""
    rest = iter(found)
    rows = chain([next(rest, ())], rest)
    content = _parquet(table, rows) if form is Form.PARQUET else _csv(table, rows)
    headers = {"Content-Disposition": f'attachment; filename="{table.name}.{form.value}"'}
    return StreamingResponse(content, media_type=MEDIA[form], headers=headers)


def _csv(table: Table[T], found: Iterable[Sequence[T]]) -> Iterator[str]:
    yield _lines([[column.name for column in table.columns]])
    for rows in found:
        yield _lines([[_shown(column.value(row)) for column in table.columns] for row in rows])


def _lines(cells: list[list[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(cells)
    return out.getvalue()


def _shown(value: Cell) -> object:
    return str(value).lower() if isinstance(value, bool) else cell(value)


def _parquet(table: Table[T], found: Iterable[Sequence[T]]) -> Iterator[bytes]:
    schema = pa.schema([(column.name, pa.type_for_alias(column.kind.value)) for column in table.columns])
    out = _Taken()
    with pq.ParquetWriter(pa.PythonFile(out, mode="w"), schema) as writer:
        for rows in found:
            columns = [[column.value(row) for row in rows] for column in table.columns]
            arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield out.taken()
    yield out.taken()


class _Taken(io.RawIOBase):
    """A file that is handed on as it is written."""

    def __init__(self) -> None:
        super().__init__()
        self._written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written += data
        return len(data)

    def taken(self) -> bytes:
        """What was written since this was last asked for."""
        found = bytes(self._written)
        self._written.clear()
        return found
