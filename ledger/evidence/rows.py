"""Rows of evidence from files: CSV, JSON lines, or bare OCMF lines, read one line at a time in bounded memory.

A row is one line. Its columns say of which kind it is:

- a compact reading: `chain_id, market, device, slot, energy_wh, register_wh, sequence, signature`;
- an OCMF message: `device, ocmf`;
- a substitute value: `device, slot, energy_wh`, and if wanted `method, reason, signature`.

Lines end with LF or CRLF; a byte order mark of UTF-8 and blank lines are passed over.
"""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, BinaryIO, NoReturn

from ledger.evidence.errors import ColumnsError, EmptyFileError, EncodingError, MalformedRowError
from ledger.evidence.ocmf import HEADER, MAX_MESSAGE_BYTES

MAX_LINE_BYTES = 2 * MAX_MESSAGE_BYTES + 1_024
"""An OCMF message doubles at most when its quotes are escaped."""

COMPACT_COLUMNS = frozenset(
    ("chain_id", "market", "device", "slot", "energy_wh", "register_wh", "sequence", "signature")
)
OCMF_COLUMNS = frozenset(("device", "ocmf"))
SUBSTITUTE_COLUMNS = frozenset(("device", "slot", "energy_wh"))
OPTIONAL_SUBSTITUTE_COLUMNS = frozenset(("method", "reason", "signature"))

_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class RowKind(Enum):
    """What a row holds."""

    COMPACT = "compact"
    OCMF = "ocmf"
    SUBSTITUTE = "substitute"


class FileFormat(Enum):
    """How a file writes its rows."""

    CSV = "csv"
    JSON_LINES = "jsonl"
    OCMF = "ocmf"


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a file: its number from 1 on, its kind, and its fields as text, or as JSON has them."""

    line: int
    kind: RowKind
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A line that is no row, and why."""

    line: int
    error: MalformedRowError


def read_rows(
    stream: BinaryIO, file_format: FileFormat, *, device: int | None = None
) -> Iterator[Row | UnreadableRow]:
    """The rows of a file, one after the other. `device` is whose messages a file of bare OCMF lines holds.

    Raises:
        EncodingError: the file is UTF-16, not UTF-8.
        EmptyFileError: there is no row.
        ColumnsError: a CSV file's columns are of no kind of row, or bare OCMF lines come without a device.
    """
    lines = _lines(stream)
    if file_format is FileFormat.CSV:
        rows = _csv_rows(lines)
    elif file_format is FileFormat.JSON_LINES:
        rows = (_json_row(line, text) for line, text in lines)
    elif device is None:
        raise ColumnsError("a file of bare OCMF lines does not name its device: must be given")
    else:
        rows = (_ocmf_row(line, text, device) for line, text in lines)
    read = 0
    for row in rows:
        read += 1
        yield row
    if not read:
        raise EmptyFileError("file has no rows")


def kind_of(columns: frozenset[str]) -> RowKind:
    """The kind of a row with these columns.

    Raises:
        ColumnsError: there is none.
    """
    if columns == COMPACT_COLUMNS:
        return RowKind.COMPACT
    if columns == OCMF_COLUMNS:
        return RowKind.OCMF
    if SUBSTITUTE_COLUMNS <= columns <= SUBSTITUTE_COLUMNS | OPTIONAL_SUBSTITUTE_COLUMNS:
        return RowKind.SUBSTITUTE
    kinds = (COMPACT_COLUMNS, OCMF_COLUMNS, SUBSTITUTE_COLUMNS | OPTIONAL_SUBSTITUTE_COLUMNS)
    nearest = max(kinds, key=lambda kind: len(kind & columns))
    missing, unknown = sorted(nearest - columns - OPTIONAL_SUBSTITUTE_COLUMNS), sorted(columns - nearest)
    if nearest is COMPACT_COLUMNS and "signature" not in columns:
        missing.append("signature")
    shown = [name[:40] for name in unknown[:10]]
    raise ColumnsError(f"columns are of no kind of row: missing are {missing}, unknown are {shown}")


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes | MalformedRowError]]:
    number = 0
    while text := stream.readline(MAX_LINE_BYTES + 1):
        number += 1
        if number == 1:
            if text.startswith(_UTF16_MARKS):
                raise EncodingError("file begins with the byte order mark of UTF-16: must be UTF-8")
            text = text.removeprefix(_UTF8_MARK)
        if len(text) > MAX_LINE_BYTES:
            while not text.endswith(b"\n") and (text := stream.readline(MAX_LINE_BYTES)):
                pass
            yield number, MalformedRowError(f"line is longer than {MAX_LINE_BYTES} bytes")
        elif stripped := text.strip():
            yield number, stripped


def _decoded(text: bytes | MalformedRowError) -> str:
    if isinstance(text, MalformedRowError):
        raise text
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRowError(f"line is not UTF-8: {error.reason} at byte {error.start}") from error


def _csv_rows(lines: Iterator[tuple[int, bytes | MalformedRowError]]) -> Iterator[Row | UnreadableRow]:
    first = next(lines, None)
    if first is None:
        return
    try:
        header = [name.strip() for name in _cells(_decoded(first[1]), None)]
    except MalformedRowError as error:
        raise ColumnsError(f"header cannot be read: {error}") from error
    columns = frozenset(header)
    if len(columns) != len(header):
        raise ColumnsError(f"columns come twice: {sorted(name for name in columns if header.count(name) > 1)}")
    kind = kind_of(columns)
    for line, text in lines:
        try:
            cells = _cells(_decoded(text), len(header))
        except MalformedRowError as error:
            yield UnreadableRow(line, error)
        else:
            yield Row(line, kind, dict(zip(header, cells, strict=True)))


def _cells(text: str, expected: int | None) -> list[str]:
    try:
        cells = next(csv.reader([text], strict=True))
    except csv.Error as error:
        raise MalformedRowError(f"row is no CSV: {error}") from error
    if expected is not None and len(cells) != expected:
        raise MalformedRowError(f"row has {len(cells)} fields: must have {expected}")
    return cells


def _json_row(line: int, text: bytes | MalformedRowError) -> Row | UnreadableRow:
    try:
        fields = _json_object(_decoded(text))
        return Row(line, kind_of(frozenset(fields)), fields)
    except MalformedRowError as error:
        return UnreadableRow(line, error)
    except ColumnsError as error:
        return UnreadableRow(line, MalformedRowError(str(error)))


def _json_object(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text, object_pairs_hook=_distinct, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedRowError(f"row is no JSON: {error}") from error
    if not isinstance(fields, dict):
        raise MalformedRowError(f"row is a JSON {type(fields).__name__}: must be an object")
    return fields


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("a key comes twice in one object")
    return fields


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _ocmf_row(line: int, text: bytes | MalformedRowError, device: int) -> Row | UnreadableRow:
    try:
        message = _decoded(text)
    except MalformedRowError as error:
        return UnreadableRow(line, error)
    if not message.startswith(HEADER.decode()):
        return UnreadableRow(line, MalformedRowError(f"line begins with {message[:16]!r}: must be OCMF|..."))
    return Row(line, RowKind.OCMF, {"device": device, "ocmf": message})
