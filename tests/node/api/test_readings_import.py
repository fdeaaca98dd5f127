"""Files of readings over HTTP: what is taken, what is refused, and the same file once more."""

import csv
import io
import json
from typing import Any

import httpx
import pytest

from ledger.evidence.evidence import Quality
from matching.readings import SignedReading
from node.api.services import Services
from node.clock import SteppedClock
from tests.node.ocmf_meter import OCMF_METER_KEY, REGISTER, ocmf
from tests.node.parts import LOAD, SLOT, SOLAR, device, reading
from tests.node.small_node import API_KEY

CHARGER = 9
HEADERS = {"X-API-Key": API_KEY}


def row(signed: SignedReading, **changes: Any) -> dict[str, Any]:
    content = signed.reading
    return {
        "chain_id": content.chain_id,
        "market": "0x" + content.market.hex(),
        "device": str(content.device),
        "slot": content.slot,
        "energy_wh": content.energy_wh,
        "register_wh": content.register_wh,
        "sequence": content.sequence,
        "signature": "0x" + signed.signature.hex(),
    } | changes


def compact_rows() -> list[dict[str, Any]]:
    """Two good rows of one meter, one with a forged amount between them, and one of nobody's meter."""
    first, second = reading(), reading(slot=SLOT + 900, register_wh=10_500, sequence=42)
    return [row(first), row(second, energy_wh=251), row(second), row(first, device="7")]


def csv_file(rows: list[dict[str, Any]]) -> bytes:
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def lines_file(rows: list[dict[str, Any]]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def imported(http: httpx.Client, content: bytes, file_format: str, **query: str) -> list[tuple[int, str]]:
    """Each line of the file, and the refusal's code or what became of it."""
    answer = http.post(
        "/v1/readings/import", content=content, params={"format": file_format, **query}, headers=HEADERS
    )
    assert answer.status_code == 200
    reports = [json.loads(line) for line in answer.text.splitlines()]
    return [(report["line"], report["code"] or report["outcome"]) for report in reports]


@pytest.fixture(autouse=True)
def _after_some_slots(clock: SteppedClock, services: Services) -> None:
    clock.advance_to(SLOT + 5_400)
    services.store.add_device(device(CHARGER, key=OCMF_METER_KEY, register=REGISTER))


@pytest.mark.parametrize(("file_format", "write", "header"), [("csv", csv_file, 1), ("jsonl", lines_file, 0)])
def test_good_rows_are_taken_and_bad_ones_refused_and_the_same_file_changes_nothing(
    http: httpx.Client, services: Services, file_format: str, write: Any, header: int
) -> None:
    content = write(compact_rows())
    found = [(line - header, outcome) for line, outcome in imported(http, content, file_format)]
    refused = [(2, "evidence.signature"), (4, "row.device")]
    assert found == sorted([(1, "accepted"), (3, "accepted"), *refused])
    before = services.store.latest_readings()
    assert [(record.evidence.slot, record.energy_wh) for record in before] == [(SLOT + 900, 250), (SLOT, 250)]
    again = [(line - header, outcome) for line, outcome in imported(http, content, file_format)]
    assert again == sorted([(1, "known"), (3, "known"), *refused])
    assert services.store.latest_readings() == before


def test_a_file_of_ocmf_messages_completes_slots_once(http: httpx.Client, services: Services) -> None:
    messages = [ocmf(n + 1, SLOT + 900 * n, f"{10 + n / 10:.4f}") for n in range(3)]
    forged = messages[1].replace(b"10.1000", b"10.9000")
    content = b"\n".join([messages[0], forged, *messages[1:]])
    found = imported(http, content, "ocmf", device=str(CHARGER))
    assert found == [(1, "accepted"), (2, "evidence.signature"), (3, "accepted"), (4, "accepted")]
    before = services.store.latest_readings(device=CHARGER)
    assert [record.energy_wh for record in before] == [100, 100]
    again = imported(http, content, "ocmf", device=str(CHARGER))
    assert again == [(1, "known"), (2, "evidence.signature"), (3, "known"), (4, "known")]
    assert services.store.latest_readings(device=CHARGER) == before


def test_substitutes_are_signed_by_the_authority_and_an_ocmf_meter_goes_on_after_them(
    http: httpx.Client, services: Services
) -> None:
    for n in range(2):
        services.metering.submit_ocmf(CHARGER, ocmf(n + 1, SLOT + 900 * n, f"{10 + n / 10:.4f}"))
    guess = [{"device": str(number), "slot": SLOT + 900, "energy_wh": 70} for number in (CHARGER, LOAD)]
    assert imported(http, lines_file(guess), "jsonl") == [(1, "accepted"), (2, "accepted")]
    assert services.store.readings(SLOT + 900)[LOAD].evidence.quality is Quality.SUBSTITUTE
    before = services.store.latest_readings()
    assert imported(http, lines_file(guess), "jsonl") == [(1, "known"), (2, "known")]
    assert services.store.latest_readings() == before
    # After a start, the meter's messages go on behind the substitute, too.
    services.metering._journals.clear()
    messages = [ocmf(3, SLOT + 1_800, "10.4000"), ocmf(4, SLOT + 2_700, "10.5000")]
    assert imported(http, b"\n".join(messages), "ocmf", device=str(CHARGER)) == [(1, "accepted"), (2, "accepted")]
    energies = {slot: wh for number, slot, wh in services.store.energies(SLOT, SLOT + 3_600) if number == CHARGER}
    assert energies == {SLOT: 100, SLOT + 900: 70, SLOT + 1_800: 100}


def test_a_reading_takes_the_place_of_a_substitute_once(http: httpx.Client, services: Services) -> None:
    services.metering.substitute(SOLAR, SLOT)
    content = lines_file([row(reading())])
    assert imported(http, content, "jsonl") == [(1, "accepted")]
    assert imported(http, content, "jsonl") == [(1, "known")]
    assert [record.energy_wh for record in services.store.revisions(SOLAR, SLOT)] == [0, 250]


@pytest.mark.parametrize(
    ("content", "file_format", "code"),
    [
        (b"", "csv", "file.empty"),
        (b"device,when\n1,2\n", "csv", "file.columns"),
        (b"OCMF|{}|{}", "ocmf", "file.columns"),
        ("device".encode("utf-16"), "csv", "file.encoding"),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(
    http: httpx.Client, content: bytes, file_format: str, code: str
) -> None:
    answer = http.post("/v1/readings/import", content=content, params={"format": file_format}, headers=HEADERS)
    (line,) = answer.text.splitlines()
    assert json.loads(line)["problem"]["code"] == code


def test_only_the_operator_imports(http: httpx.Client, services: Services) -> None:
    answer = http.post("/v1/readings/import", content=lines_file(compact_rows()), params={"format": "jsonl"})
    assert answer.status_code == 401
    assert services.store.latest_readings() == []
