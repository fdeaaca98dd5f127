"""Batch import: each row stands or falls alone, a bad one changes nothing, and the same one again is harmless."""

import csv
import io
import json
import sys
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ledger.evidence.batch import HISTORICAL_REASON, DeviceState, Outcome, RowReport, import_rows
from ledger.evidence.evidence import Evidence, Method, Quality, Substitution
from ledger.evidence.report import COLUMNS, Totals, write_csv, write_json_lines
from ledger.evidence.rows import FileFormat, Row, RowKind, read_rows
from ledger.hexcodec import to_data
from matching.readings import SignedReading
from tests.ledger.evidence.makers import (
    AUTHORITY,
    CHARGER_TERMS,
    METER,
    NOON,
    SLOT_S,
    STRANGER,
    TERMS,
    MemoryShelf,
    payload_text,
    point,
    sealed,
    signed_reading,
    signed_substitute,
)


def compact(signed: SignedReading, **changes: Any) -> dict[str, Any]:
    reading = signed.reading
    return {
        "chain_id": reading.chain_id,
        "market": to_data(reading.market),
        "device": reading.device,
        "slot": reading.slot,
        "energy_wh": reading.energy_wh,
        "register_wh": reading.register_wh,
        "sequence": reading.sequence,
        "signature": to_data(signed.signature),
    } | changes


def row(index: int, energy_wh: int, register_wh: int, /, **changes: Any) -> dict[str, Any]:
    return compact(signed_reading(index, energy_wh, register_wh), **changes)


def historical(index: int, energy_wh: int, /, **changes: Any) -> dict[str, Any]:
    return {"device": TERMS.device, "slot": NOON + index * SLOT_S, "energy_wh": energy_wh} | changes


def ocmf(page: int, *points: str, device: int = CHARGER_TERMS.device) -> dict[str, Any]:
    return {"device": device, "ocmf": sealed(payload_text(page, *points)).decode()}


def take(*rows: dict[str, Any], shelf: MemoryShelf | None = None, signer: Any = None) -> list[RowReport]:
    stream = io.BytesIO("\n".join(map(json.dumps, rows)).encode())
    return list(import_rows(read_rows(stream, FileFormat.JSON_LINES), shelf or MemoryShelf(), signer=signer))


def outcomes(reports: list[RowReport]) -> list[str]:
    return [report.code or report.outcome.value for report in reports]


GOOD = [row(0, 100, 100), row(1, 50, 150), row(2, 0, 150)]


def test_good_rows_are_kept_as_measured_evidence() -> None:
    shelf = MemoryShelf()
    reports = take(*GOOD, shelf=shelf)
    assert reports == [RowReport(n + 1, 7, NOON + n * SLOT_S, Outcome.ACCEPTED, slots=1) for n in range(3)]
    assert [(item.slot, item.energy_wh, item.quality) for item in shelf.kept.values()] == [
        (NOON, 100, Quality.MEASURED),
        (NOON + SLOT_S, 50, Quality.MEASURED),
        (NOON + 2 * SLOT_S, 0, Quality.MEASURED),
    ]


def test_csv_and_json_lines_import_the_same() -> None:
    text = io.StringIO()
    writer = csv.DictWriter(text, GOOD[0])
    writer.writeheader()
    writer.writerows(GOOD)
    by_csv, by_json = MemoryShelf(), MemoryShelf()
    stream = io.BytesIO(text.getvalue().encode("utf-8-sig"))
    reports = list(import_rows(read_rows(stream, FileFormat.CSV), by_csv))
    assert outcomes(reports) == ["accepted"] * 3
    take(*GOOD, shelf=by_json)
    assert by_csv == by_json


def test_the_same_rows_again_are_known_and_change_nothing() -> None:
    shelf = MemoryShelf()
    take(*GOOD, shelf=shelf)
    before = (dict(shelf.states), dict(shelf.kept))
    assert outcomes(take(*GOOD, GOOD[1], shelf=shelf)) == ["known"] * 4
    assert (shelf.states, shelf.kept) == before


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        pytest.param(row(1, 50, 150, device=99), "row.device", id="unknown device"),
        pytest.param(row(1, 50, 150, signature=to_data(b"\x01" * 64)), "evidence.signature", id="bad signature"),
        pytest.param(row(1, 50, 150, energy_wh=51), "evidence.signature", id="altered"),
        pytest.param(row(1, 50, 150, chain_id=1), "evidence.device", id="another chain"),
        pytest.param(row(1, 50, 151), "evidence.register", id="not the sum"),
        pytest.param(compact(signed_reading(1, 50, 150, sequence=3)), "evidence.sequence", id="one is missing"),
        pytest.param(row(1, 2_501, 2_601), "evidence.nameplate", id="above the nameplate"),
        pytest.param(row(1, 50, 150, slot=NOON + 1), "evidence.slot", id="not the start of a slot"),
        pytest.param(row(0, 99, 100), "row.conflict", id="another value for a slot"),
        pytest.param(row(1, 50, 150, energy_wh=1.5), "row.malformed", id="a fraction"),
        pytest.param(row(1, 50, 150, energy_wh=True), "row.malformed", id="a truth value"),
        pytest.param(row(1, 50, 150, energy_wh=None), "row.malformed", id="nothing"),
        pytest.param(row(1, 50, 150, energy_wh="-1"), "row.malformed", id="below zero as text"),
        pytest.param(row(1, 50, 150, energy_wh=-1), "row.malformed", id="below zero"),
        pytest.param(row(1, 50, 150, energy_wh=10**30), "row.malformed", id="too many digits"),
        pytest.param(row(1, 50, 150, energy_wh=2**32), "reading.invalid", id="too large"),
        pytest.param(row(1, 50, 150, market="11" * 32), "row.malformed", id="market without 0x"),
        pytest.param(row(1, 50, 150, market="0x11"), "reading.invalid", id="short market"),
        pytest.param(row(1, 50, 150, market=7), "row.malformed", id="market is a number"),
        pytest.param(row(1, 50, 150, signature="0xzz"), "row.malformed", id="signature is no hexadecimal"),
        pytest.param(row(1, 50, 150, signature="0x01"), "evidence.signature", id="short signature"),
        pytest.param(historical(1, 50), "row.unsigned", id="nobody signed"),
        pytest.param(historical(1, 50, method="guess"), "row.malformed", id="unknown method"),
        pytest.param(
            historical(1, 50, reason="a\nb", signature="0x00"), "evidence.substitute", id="reason of two lines"
        ),
        pytest.param(
            historical(1, 50, signature=to_data(b"\x01" * 64)), "evidence.substitute", id="not the authority"
        ),
        pytest.param({"device": 8, "ocmf": "OCMF|{}|{}"}, "ocmf.field", id="OCMF without fields"),
        pytest.param({"device": 8, "ocmf": "\ud800"}, "row.malformed", id="half a surrogate pair"),
        pytest.param({"device": 8, "ocmf": 5}, "row.malformed", id="OCMF is a number"),
        pytest.param(ocmf(1, point(0, "1"), device=7), "evidence.device", id="OCMF of a compact meter"),
    ],
)
def test_a_bad_row_is_reported_and_changes_nothing(bad: dict[str, Any], code: str) -> None:
    shelf, without = MemoryShelf(), MemoryShelf()
    reports = take(GOOD[0], bad, GOOD[1], shelf=shelf)
    assert outcomes(reports) == ["accepted", code, "accepted"]
    assert reports[1].message
    assert reports[1].line == 2
    take(GOOD[0], GOOD[1], shelf=without)
    assert shelf == without


def test_a_refused_row_names_its_device_and_slot_as_far_as_they_can_be_read() -> None:
    (report,) = take(row(1, 50, 150, device="99"))
    assert (report.device, report.slot) == (99, NOON + SLOT_S)
    (report,) = take(row(1, 50, 150, device="x"))
    assert (report.device, report.slot) == (None, NOON + SLOT_S)


# --------------------------------------------------------------------------------------------- historical values


def test_values_that_no_meter_signed_become_substitutes_by_the_authoritys_signature() -> None:
    shelf = MemoryShelf()
    rows = [historical(0, 40), historical(1, 60, method="Zero", reason="inverter off")]
    assert outcomes(take(*rows, shelf=shelf, signer=AUTHORITY)) == ["accepted", "accepted"]
    assert [item.basis for item in shelf.kept.values()] == [
        Substitution(Method.HISTORICAL, HISTORICAL_REASON),
        Substitution(Method.ZERO, "inverter off"),
    ]
    assert outcomes(take(*rows, shelf=shelf, signer=AUTHORITY)) == ["known", "known"]


@pytest.mark.parametrize("signer", [METER, STRANGER])
def test_nobody_but_the_authority_turns_values_into_substitutes(signer: Any) -> None:
    assert outcomes(take(historical(0, 40), signer=signer)) == ["evidence.substitute"]


def test_a_row_may_bring_the_authoritys_signature() -> None:
    signed = signed_substitute(0, 40)
    value = historical(0, 40, method="persistence", reason="meter silent", signature=to_data(signed.signature))
    assert outcomes(take(value)) == ["accepted"]
    assert outcomes(take(value | {"energy_wh": 41})) == ["evidence.substitute"]


def test_a_substitute_does_not_replace_a_measured_value_nor_the_other_way_round() -> None:
    assert outcomes(take(row(0, 40, 40), historical(0, 40), signer=AUTHORITY)) == ["accepted", "row.conflict"]
    assert outcomes(take(historical(0, 40), row(0, 40, 40), signer=AUTHORITY)) == ["accepted", "row.conflict"]


def test_substitutes_close_a_gap_that_held_up_a_meter() -> None:
    late = compact(signed_reading(3, 10, 400))
    reports = take(GOOD[0], late, historical(1, 5), historical(2, 5), late, signer=AUTHORITY)
    assert outcomes(reports) == ["accepted", "evidence.sequence", "accepted", "accepted", "accepted"]


# --------------------------------------------------------------------------------------------------------- OCMF

TRANSACTION = [
    ocmf(1, point(432, "10.0", "B")),
    ocmf(2, point(900, "10.5", "T")),
    ocmf(3, point(1_800, "12.5", "C"), point(2_400, "13.25", "E")),
    ocmf(4, point(2_700, "13.25", "B"), point(4_500, "13.25", "E")),
]


def test_ocmf_messages_complete_slots_as_they_come() -> None:
    shelf = MemoryShelf()
    reports = take(*TRANSACTION, shelf=shelf)
    assert [report.slots for report in reports] == [0, 1, 1, 2]
    assert [(item.slot - NOON) // SLOT_S for item in shelf.kept.values()] == [0, 1, 2, 4]
    assert [item.energy_wh for item in shelf.kept.values()] == [500, 2_000, 750, 0]


@pytest.mark.parametrize("read_again", range(1, 5))
def test_ocmf_messages_again_are_known_whether_their_slots_are_complete_or_not(read_again: int) -> None:
    shelf = MemoryShelf()
    take(*TRANSACTION[:read_again], shelf=shelf)
    before = dict(shelf.states)
    assert outcomes(take(*TRANSACTION[:read_again], shelf=shelf)) == ["known"] * read_again
    assert shelf.states == before


def test_an_ocmf_message_signed_anew_is_known_and_one_of_another_content_is_not() -> None:
    shelf = MemoryShelf()
    take(*TRANSACTION, shelf=shelf)
    again = ocmf(2, point(900, "10.5", "T"))
    assert again != TRANSACTION[1]  # ECDSA is randomised
    assert outcomes(take(again, ocmf(2, point(900, "10.4", "T")), shelf=shelf)) == ["known", "row.conflict"]


def test_a_message_of_which_one_slot_fails_changes_nothing() -> None:
    shelf = MemoryShelf()
    take(TRANSACTION[0], shelf=shelf)
    before = (dict(shelf.states), dict(shelf.kept))
    above = ocmf(2, point(900, "10.5", "T"), point(1_800, "19", "E"))
    assert outcomes(take(above, shelf=shelf)) == ["evidence.nameplate"]
    assert (shelf.states, shelf.kept) == before
    assert outcomes(take(*TRANSACTION[1:], shelf=shelf)) == ["accepted"] * 3


def test_a_forged_message_takes_no_part_even_in_a_slot_that_is_not_complete() -> None:
    forged = {"device": 8, "ocmf": TRANSACTION[0]["ocmf"].replace("10.0", "10.4")}
    assert outcomes(take(forged, *TRANSACTION)) == ["evidence.signature"] + ["accepted"] * 4


def test_substitutes_cover_slots_that_a_missing_reading_left_open() -> None:
    begin, first = TRANSACTION[:2]
    end = ocmf(3, point(2_000, "13", "E"))
    after = ocmf(4, point(2_700, "13.5", "B"), point(3_600, "14", "E"))
    guessed = [{"device": 8, "slot": NOON + index * SLOT_S, "energy_wh": 1_500} for index in (1, 2)]
    reports = take(begin, first, end, *guessed, end, after, signer=AUTHORITY)
    assert outcomes(reports) == ["accepted", "accepted", "ocmf.span"] + ["accepted"] * 4
    assert [report.slots for report in reports] == [0, 1, 0, 1, 1, 0, 1]


def test_bare_ocmf_lines_are_imported_for_their_device() -> None:
    data = "\r\n".join(item["ocmf"] for item in TRANSACTION).encode()
    shelf = MemoryShelf()
    reports = list(import_rows(read_rows(io.BytesIO(data), FileFormat.OCMF, device=8), shelf))
    assert outcomes(reports) == ["accepted"] * 4
    assert len(shelf.kept) == 4


# ------------------------------------------------------------------------------------------------------- reports

MIXED = [GOOD[0], GOOD[0], row(1, 50, 999), GOOD[1]]


def reports_of(rows: list[dict[str, Any]]) -> Iterator[RowReport]:
    return iter(take(*rows))


def test_the_report_is_written_as_csv() -> None:
    out = io.StringIO()
    assert write_csv(reports_of(MIXED), out) == Totals(accepted=2, known=1, refused=1, slots=2)
    lines = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert tuple(lines[0]) == COLUMNS
    assert [line["outcome"] for line in lines] == ["accepted", "known", "refused", "accepted"]
    assert lines[2]["code"] == "evidence.register"
    assert lines[2]["line"] == "3"


def test_a_message_that_is_a_formula_has_an_apostrophe_before_it_in_csv() -> None:
    (report,) = reports_of(MIXED[:1])
    out = io.StringIO()
    write_csv([replace(report, message="=1+1")], out)
    (line,) = csv.DictReader(io.StringIO(out.getvalue()))
    assert (line["message"], line["device"]) == ("'=1+1", "7")


def test_the_report_is_written_as_json_lines() -> None:
    out = io.StringIO()
    assert write_json_lines(reports_of(MIXED), out) == Totals(accepted=2, known=1, refused=1, slots=2)
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines[0] == {
        "line": 1, "device": 7, "slot": NOON, "outcome": "accepted", "slots": 1, "code": "", "message": ""
    }  # fmt: skip
    assert "register" in lines[2]["message"]


# -------------------------------------------------------------------------------------------------------- memory


class EndlessFile(io.RawIOBase):
    """A file of the same row, as often as wanted, that is never in memory."""

    def __init__(self, header: bytes, line: bytes, rows: int) -> None:
        self._next, self._line, self._rows = header, line, rows

    def readline(self, size: int | None = -1, /) -> bytes:
        text, self._rows = self._next, self._rows - 1
        self._next = self._line if self._rows >= 0 else b""
        return text


def peak_bytes(rows: int) -> int:
    line = b"99,900,5\n"  # an unknown device: reading and reporting, without waiting for signatures
    stream: Any = EndlessFile(b"device,slot,energy_wh\n", line, rows)
    out = io.TextIOWrapper(io.FileIO("/dev/null", "w"), newline="")
    tracemalloc.start()
    try:
        totals = write_csv(import_rows(read_rows(stream, FileFormat.CSV), MemoryShelf()), out)
        assert totals.refused == rows
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_rows() -> None:
    peak_bytes(100)  # what is allocated once, such as compiled patterns
    assert peak_bytes(20_000) < 2 * peak_bytes(1_000)


def test_the_state_of_a_device_does_not_grow_with_its_rows() -> None:
    sizes = []
    for count in (20, 300):
        shelf = MemoryShelf()
        list(import_rows([Row(n, RowKind.COMPACT, row(n, 1, n + 1)) for n in range(count)], shelf))
        assert len(shelf.kept) == count
        sizes.append(len(repr(shelf.states[7])))
    assert sizes[1] < 1.1 * sizes[0]


class ForgetfulShelf(MemoryShelf):
    """Keeps states and lets evidence go, as if it were on a disk."""

    def save(self, device: int, state: DeviceState, evidence: Sequence[Evidence]) -> None:
        self.states[device] = state


@pytest.mark.slow
def test_a_hundred_thousand_signed_rows_are_imported_in_the_memory_of_a_few() -> None:
    rows = (Row(n, RowKind.COMPACT, row(n, 1, n + 1)) for n in range(100_000))
    blocks = {}
    for count, report in enumerate(import_rows(rows, ForgetfulShelf()), 1):
        assert report.outcome is Outcome.ACCEPTED
        if count in {1_000, 100_000}:
            blocks[count] = sys.getallocatedblocks()
    assert blocks[100_000] < blocks[1_000] + 10_000
