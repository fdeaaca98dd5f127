"""The commands for certificates, devices and payments against a served node."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from datetime import time as time_of_day
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner

from ledger.certificates.ids import CertificateId
from node.cli.main import app
from tests.system.homes import LENGTH, LOAD, PANELS, Homes, homes
from tests.system.street import BUYER, SELLER_OF_SUN, SLOT, meter_key

CERTIFICATE = hex(int(CertificateId(SLOT, PANELS)))
PERIOD = ("--from", str(SLOT), "--until", str(SLOT + LENGTH))


@contextmanager
def traded(folder: Path) -> Iterator[Homes]:
    """Homes that have traded for a slot."""
    with homes(folder) as found:
        found.trade(SLOT, 300)
        found.slot(SLOT, {PANELS: 1_000, LOAD: 700})
        yield found


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Homes]:
    """Shared by tests that leave nothing that another would trip over."""
    with traded(tmp_path_factory.mktemp("node")) as found:
        yield found


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Homes]:
    """A test's own."""
    with traded(tmp_path / "node") as found:
        yield found


def run(found: Homes, *arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, [*arguments, "--url", found.street.node.url])
    assert result.exit_code == status, result.output
    assert all(len(line) <= 80 for line in result.stdout.splitlines() if "0x" not in line), result.output
    return result.output


def office(found: Homes) -> tuple[str, str]:
    return "--api-key", found.street.node.services.operator_api_key


def test_members_see_use_and_state_their_certificates(untouched: Homes, tmp_path: Path) -> None:
    found = untouched
    key = tmp_path / "key"
    key.write_text(found.street.keys[SELLER_OF_SUN].secret.hex())
    assert "generation" in run(found, "certificates")
    held = run(found, "certificates", "holdings", "--key-file", str(key))
    assert "generation" in held
    assert "0.700 kWh may be transferred or retired" in held
    assert "of consumption" not in held
    bought = run(found, "certificates", "holdings", "--account", found.address(BUYER))
    assert "consumption" in bought
    assert "0.000 kWh may be transferred or retired" in bought
    assert "0.400 kWh of consumption, which is not covered" in bought
    moved = run(found, "certificates", "transfer", found.address(BUYER), "--kwh", "0.2", "--key-file", str(key))
    assert "0.200 kWh of 1 certificate transferred" in moved
    too_much = run(
        found, "certificates", "transfer", found.address(1), "--kwh", "9", "--key-file", str(key), status=1
    )
    assert "at most 0.500 kWh" in too_much
    use = ("--country", "US", "--used-from", str(SLOT), "--used-until", str(SLOT + LENGTH))
    assert "retired" in run(found, "certificates", "retire", "--kwh", "0.1", *use, "--key-file", str(key))
    assert "retired" in run(found, "certificates", "show", CERTIFICATE)
    assert "42.8 %" in run(found, "certificates", "coverage", *PERIOD, "--by", "slot")
    file = tmp_path / "statement.pdf"
    assert "not over" not in run(found, "certificates", "statement", *PERIOD, "--file", str(file))
    rpc = ("--rpc", found.street.node.chain_url)
    checked = CliRunner().invoke(app, ["certificates", "verify", str(file), *rpc])
    assert checked.exit_code == 0, checked.output


def test_a_period_that_ends_before_it_begins_is_refused_in_words(found: Homes, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text(found.street.keys[SELLER_OF_SUN].secret.hex())
    commands = {
        "coverage": (),
        "statement": (),
        "transfer": (found.address(BUYER), "--kwh", "0.1", "--key-file", str(key)),
        "request": (str(PANELS), "--key-file", str(key)),
    }
    wrong_way = ("--from", str(SLOT + LENGTH), "--until", str(SLOT))
    for command, more in commands.items():
        refused = run(found, "certificates", command, *more, *wrong_way, status=1)
        assert "--until must be after --from" in refused


def test_a_day_is_one_of_the_named_time_zone_and_may_not_be_over(found: Homes) -> None:
    day = datetime.fromtimestamp(SLOT, UTC).date()
    days = ("--from", f"{day}", "--until", f"{day + timedelta(1)}")
    stated = run(found, "certificates", "statement", *days, "--time-zone", "America/New_York", "--json")
    scope = json.loads(stated[stated.index("{") :])["statement"]["scope"]
    midnight = datetime.combine(day, time_of_day(), ZoneInfo("America/New_York"))
    assert scope["first_slot"] == midnight.timestamp()
    assert stated.startswith("note: the period is not over until")


def test_the_operator_puts_right_enters_and_imports(found: Homes, tmp_path: Path) -> None:
    withdrawn = run(found, "certificates", "withdraw", CERTIFICATE, "--reason", "test", *office(found))
    assert "frozen" in withdrawn
    assert "is issued for" in run(found, "certificates", "reissue", CERTIFICATE, "--kwh", "1", *office(found))
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"device": "1", "slot": 1, "energy_wh": 1}\n')
    assert "1 refused" in run(found, "readings", "import", str(rows), *office(found), status=2)


def test_a_device_is_entered_with_its_place_age_and_support(found: Homes) -> None:
    assert "generator" in run(found, "devices", "list")
    about = {
        "account": found.address(BUYER),
        "kind": "generator",
        "point": "roof",
        "meter-key": "0x" + meter_key(9).public_key().public_bytes_raw().hex(),
        "watts": "4000",
        "technology": "T010100",
        "fuel": "F01040100",
        "latitude": "52.37",
        "longitude": "-4.9",
        "commissioned": "2024-03-01",
        "support": "investment",
    }
    options = [part for name, value in about.items() for part in (f"--{name}", value)]
    assert "is registered" in run(found, "devices", "register", "9", *options, *office(found))
    registered = found.http.get("/v1/devices/9").json()
    shown = [registered[name] for name in ("latitude", "longitude", "commissioned_day", "support")]
    assert shown == [5_237, -490, 19_783, "investment"]


def test_a_payment_is_entered_with_the_given_key_or_the_data_folders(found: Homes, tmp_path: Path) -> None:
    paid = ("--account", found.address(BUYER), "--eur", "2")
    assert "2.0000 EUR" in run(found, "deposit", *paid, "--reference", "bank 9", *office(found))
    folder = ("--data", str(found.street.node.config.data))
    assert "2.0000 EUR" in run(found, "deposit", *paid, "--reference", "bank 10", *folder)
    assert "operator's API key" in run(
        found, "deposit", *paid, "--reference", "x", "--data", str(tmp_path), status=2
    )
