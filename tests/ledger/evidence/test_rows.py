"""Files of evidence, line by line: whatever a file holds, it is read, or refused in words, in bounded memory."""

import io
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.evidence.errors import ColumnsError, EmptyFileError, EncodingError, EvidenceError
from ledger.evidence.rows import MAX_LINE_BYTES, FileFormat, Row, RowKind, UnreadableRow, read_rows

HEADER = b"device,slot,energy_wh\n"


def read(
    data: bytes, file_format: FileFormat = FileFormat.CSV, device: int | None = None
) -> list[Row | UnreadableRow]:
    return list(read_rows(io.BytesIO(data), file_format, device=device))


def fields(data: bytes, file_format: FileFormat = FileFormat.CSV) -> list[tuple[int, dict[str, Any]]]:
    rows = read(data, file_format)
    assert all(isinstance(row, Row) for row in rows), rows
    return [(row.line, row.fields) for row in rows if isinstance(row, Row)]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(HEADER + b"7,900,5\n7,1800,6\n", id="LF"),
        pytest.param(HEADER.replace(b"\n", b"\r\n") + b"7,900,5\r\n7,1800,6\r\n", id="CRLF"),
        pytest.param(b"\xef\xbb\xbf" + HEADER + b"7,900,5\n7,1800,6", id="byte order mark, no last line end"),
        pytest.param(b'"device", slot ,energy_wh\n"7",900,"5"\n7,1800,6\n', id="quotes, and spaces in the header"),
    ],
)
def test_the_ways_to_write_csv_read_the_same(data: bytes) -> None:
    expected = [("7", "900", "5"), ("7", "1800", "6")]
    assert [tuple(row.values()) for _, row in fields(data)] == expected


def test_lines_are_numbered_as_an_editor_does() -> None:
    assert [line for line, _ in fields(HEADER + b"\n7,900,5\n\n\r\n7,1800,6\n")] == [3, 6]


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        ("signature,sequence,register_wh,energy_wh,slot,device,market,chain_id", RowKind.COMPACT),
        ("ocmf,device", RowKind.OCMF),
        ("slot,device,energy_wh", RowKind.SUBSTITUTE),
        ("slot,device,energy_wh,reason,method,signature", RowKind.SUBSTITUTE),
    ],
)
def test_the_columns_in_any_order_say_of_which_kind_rows_are(columns: str, kind: RowKind) -> None:
    count = columns.count(",")
    (row,) = read(f"{columns}\n1{',1' * count}\n".encode())
    assert isinstance(row, Row)
    assert row.kind is kind


@pytest.mark.parametrize(
    ("header", "named"),
    [
        (b"device,slot\n1,2\n", "energy_wh"),
        (b"device,slot,energy_wh,colour\n1,2,3,4\n", "colour"),
        (b"device,slot,slot,energy_wh\n1,2,3,4\n", "slot"),
        (b"chain_id,market,device,slot,energy_wh,register_wh,sequence\n", "signature"),
        (b"7,900,5\n", "device"),
        (b"device;slot;energy_wh\n", "device"),
        (b'"device,slot\n', "CSV"),
        (b"\xff\xff\n", "UTF-8"),
        (b"x" * (MAX_LINE_BYTES + 1), "longer"),
    ],
)
def test_wrong_columns_are_named(header: bytes, named: str) -> None:
    with pytest.raises(ColumnsError, match=named):
        read(header)


@pytest.mark.parametrize("file_format", [FileFormat.CSV, FileFormat.JSON_LINES])
@pytest.mark.parametrize("data", [b"", b"\n\r\n  \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_refused(data: bytes, file_format: FileFormat) -> None:
    with pytest.raises(EmptyFileError):
        read(data, file_format)


def test_a_file_of_a_header_alone_is_empty() -> None:
    with pytest.raises(EmptyFileError):
        read(HEADER)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_refused_as_such(encoding: str) -> None:
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    with pytest.raises(EncodingError):
        read(mark + HEADER.decode().encode(encoding))


@pytest.mark.parametrize(
    "bad",
    [
        pytest.param(b"7,900", id="too few fields"),
        pytest.param(b"7,900,5,6", id="too many fields"),
        pytest.param(b'7,900,"5', id="a quote without end"),
        pytest.param("7,900,5 für".encode("latin-1"), id="Latin-1"),
        pytest.param(b"7," + b"9" * MAX_LINE_BYTES, id="a line without end"),
        pytest.param(b"7," + b"9" * (5 * MAX_LINE_BYTES + 3), id="a line that is even longer"),
    ],
)
def test_a_bad_line_is_reported_and_the_next_is_read(bad: bytes) -> None:
    good, unreadable, after = read(HEADER + b"7,900,5\n" + bad + b"\n7,1800,6\n")
    assert isinstance(unreadable, UnreadableRow)
    assert (unreadable.line, unreadable.error.code) == (3, "row.malformed")
    assert isinstance(good, Row)
    assert isinstance(after, Row)
    assert (good.line, after.line, after.fields["slot"]) == (2, 4, "1800")


@pytest.mark.parametrize(
    "bad",
    [
        b"{",
        b"[]",
        b"7",
        b"{}",
        b'{"device":7,"device":8,"ocmf":"x"}',
        b'{"device":7,"slot":900,"energy_wh":NaN}',
        b'{"device":7,"slot":900,"energy_wh":5,"colour":1}',
        b"[" * 100_000,
        b'{"device":' + b"1" * 5_000 + b',"ocmf":"x"}',
        b"\xff",
    ],
)
def test_a_bad_json_line_is_reported_and_the_next_is_read(bad: bytes) -> None:
    good = json.dumps({"device": 7, "slot": 900, "energy_wh": 5}).encode()
    first, last = read(bad + b"\n" + good, FileFormat.JSON_LINES)
    assert isinstance(first, UnreadableRow)
    assert isinstance(last, Row)


def test_json_lines_may_mix_kinds() -> None:
    lines = [{"device": 7, "slot": 900, "energy_wh": 5}, {"device": 8, "ocmf": "OCMF|{}|{}"}]
    rows = read("\n".join(map(json.dumps, lines)).encode(), FileFormat.JSON_LINES)
    assert [row.kind for row in rows if isinstance(row, Row)] == [RowKind.SUBSTITUTE, RowKind.OCMF]


def test_bare_ocmf_lines_are_of_one_device() -> None:
    good, bad, worse = read(b"OCMF|{}|{}\r\nnot OCMF\n\xff\n", FileFormat.OCMF, device=8)
    assert isinstance(good, Row)
    assert good.fields == {"device": 8, "ocmf": "OCMF|{}|{}"}
    assert isinstance(bad, UnreadableRow)
    assert isinstance(worse, UnreadableRow)
    with pytest.raises(ColumnsError, match="device"):
        read(b"OCMF|{}|{}", FileFormat.OCMF)


@given(st.binary(max_size=200), st.sampled_from(FileFormat))
def test_any_bytes_are_rows_or_a_refusal(data: bytes, file_format: FileFormat) -> None:
    try:
        rows = read(data, file_format, device=1)
    except EvidenceError as error:
        refused = error.code
    else:
        refused = ""
    assert refused in {"file.empty", "file.columns", "file.encoding"} or rows
