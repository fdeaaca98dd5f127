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

from ledger.certificates.ids import CertificateId, CertificateKind
from node.cli.main import app
from tests.system.homes import LENGTH, LOAD, OWN_LOAD, PANELS, Homes, homes
from tests.system.recourse import command_line
from tests.system.street import BUYER, OTHER_BUYER, SELLER_OF_SUN, SLOT, meter_key

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


def key_file(found: Homes, member: int, folder: Path) -> tuple[str, str]:
    path = folder / f"key {member}"
    path.write_text(found.street.keys[member].secret.hex())
    return "--key-file", str(path)


def office(found: Homes) -> tuple[str, str]:
    return "--api-key", found.street.node.services.operator_api_key


def test_members_see_use_and_state_their_certificates(untouched: Homes, tmp_path: Path) -> None:
    found = untouched
    key = key_file(found, SELLER_OF_SUN, tmp_path)
    assert "generation" in run(found, "certificates")
    held = run(found, "certificates", "holdings", *key)
    assert "generation" in held
    assert "0.700 kWh may be transferred or retired" in held
    assert "of consumption" not in held
    bought = run(found, "certificates", "holdings", "--account", found.address(BUYER))
    assert "consumption" in bought
    assert "0.000 kWh may be transferred or retired" in bought
    assert "0.400 kWh of consumption, which is not covered" in bought
    moved = run(found, "certificates", "transfer", found.address(BUYER), "--kwh", "0.2", *key)
    assert "0.200 kWh of 1 certificate transferred" in moved
    too_much = run(found, "certificates", "transfer", found.address(1), "--kwh", "9", *key, status=1)
    assert "at most 0.500 kWh" in too_much
    use = ("--country", "US", "--used-from", str(SLOT), "--used-until", str(SLOT + LENGTH))
    assert "retired" in run(found, "certificates", "retire", "--kwh", "0.1", *use, *key)
    assert "retired" in run(found, "certificates", "show", CERTIFICATE)
    assert "42.8 %" in run(found, "certificates", "coverage", *PERIOD, "--by", "slot")
    file = tmp_path / "statement.pdf"
    assert "not over" not in run(found, "certificates", "statement", *PERIOD, "--file", str(file))
    rpc = ("--rpc", found.street.node.chain_url)
    checked = CliRunner().invoke(app, ["certificates", "verify", str(file), *rpc])
    assert checked.exit_code == 0, checked.output


def test_orders_say_who_gets_the_certificates(tmp_path: Path) -> None:
    with homes(tmp_path / "node") as found:
        node, keys = found.street.node, [key.secret.hex() for key in found.street.keys]
        offer = ("order", "--offer", "--kwh", "0.8", "--price", "10", "--slot", str(SLOT))
        run(found, *offer, "--certificates", "bundled", "--key", keys[SELLER_OF_SUN])
        bid = ("--bid", "--price", "20", "--slot", str(SLOT))
        run(found, "order", *bid, "--kwh", "0.3", "--certificates", "bundled", "--key", keys[BUYER])
        line = {"slot": SLOT, "side": "bid", "price": 200_000, "quantity_wh": 100, "certificates": "auto-retire"}
        file = tmp_path / "orders.jsonl"
        file.write_text(json.dumps(line))
        run(found, "place", str(file), "--key", keys[BUYER])
        other = command_line(
            node.chain_url, node.contracts.exchange.address, found.street.keys[OTHER_BUYER], tmp_path
        )
        other.answer("post-order", *bid, "--kwh", "0.2", "--certificates", "unbundled")
        unknown = run(found, "order", *bid, "--kwh", "1", "--certificates", "mine", "--key", keys[0], status=2)
        assert "unbundled" in unknown
        found.slot(SLOT, {PANELS: 1_000, LOAD: 700})
        held_wh = [
            sum(holding.amount_wh for holding in found.street.clients[member].holdings() if holding.usable)
            for member in (SELLER_OF_SUN, BUYER, OTHER_BUYER)
        ]
        assert held_wh == [600, 300, 0]
        claims = found.certificate(PANELS, SLOT, CertificateKind.GENERATION)["claims"]
        assert [(claim["topic"], claim["amount_wh"]) for claim in claims] == [("matched", 100)]


def test_members_pair_export_and_reveal_what_they_retired_for(untouched: Homes, tmp_path: Path) -> None:
    found, seller, buyer = untouched, *(key_file(untouched, each, tmp_path) for each in (SELLER_OF_SUN, BUYER))
    give = ("certificates", "transfer", found.address(BUYER))
    assert "kWh is 0: must be at least 0.001" in run(found, *give, "--kwh", "0", *seller, status=1)
    run(found, *give, "--id", f"{CERTIFICATE}:0.2", *seller)
    paired = run(found, "certificates", "pair", *PERIOD, "--kwh", "0.15", *buyer)
    assert "0.150 kWh of 1 certificate retired against consumption" in paired
    exported = run(found, "certificates", "export", "--registry", "AIB", "--serial", "7", "--kwh", "0.05", *seller)
    assert "0.050 kWh of 1 certificate exported" in exported
    factors = run(found, "certificates", "coverage", *PERIOD, "--region", "NL")
    assert "CO2 grid" in factors

    use = ("--country", "US", "--used-from", str(SLOT), "--used-until", str(SLOT + LENGTH))
    retire = ("certificates", "retire", "--purpose", "product", *use, *seller)
    retired = json.loads(run(found, *retire, "--kwh", "0.1", "--text", "a cake", "--json"))
    told = run(found, *retire, "--kwh", "0.02", "--text", "bread")
    assert "Keep this to reveal the text: salt 0x" in told
    file = tmp_path / "cake.jws"
    state = (
        "certificates",
        "statement",
        "--kind",
        "retirement",
        *PERIOD,
        "--account",
        found.address(SELLER_OF_SUN),
    )
    cake = ("--text", "a cake", "--salt", retired["salt"])
    this = ("--transaction", retired["transaction"]["hash"])
    stated = json.loads(run(found, *state, *cake, *this, "--file", str(file), "--json"))["statement"]
    assert stated["total_wh"] == 100
    assert [(each["text"], each["purpose"]) for each in stated["retirements"]] == [("a cake", "product")]
    rpc = ("--rpc", found.street.node.chain_url)
    checked = CliRunner().invoke(app, ["certificates", "verify", str(file), *rpc])
    assert checked.exit_code == 0, checked.output
    assert "no retirement of these has the text" in run(
        found, *state, "--text", "a pie", "--salt", retired["salt"], status=1
    )
    assert "--salt for each --text" in run(found, *state, "--text", "a cake", status=2)


def test_a_period_that_ends_before_it_begins_is_refused_in_words(found: Homes, tmp_path: Path) -> None:
    key = key_file(found, SELLER_OF_SUN, tmp_path)
    commands = {
        "coverage": (),
        "statement": (),
        "transfer": (found.address(BUYER), "--kwh", "0.1", *key),
        "request": (str(PANELS), *key),
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
    assert "1 refused" in run(found, "readings", "import", str(rows), *office(found), status=3)


def test_the_operator_decides_issues_imports_and_changes_devices(tmp_path: Path) -> None:
    with homes(tmp_path / "node", automatic_requests=False) as found:
        buyer, seller = (key_file(found, each, tmp_path) for each in (BUYER, SELLER_OF_SUN))
        found.slot(SLOT, {PANELS: 1_000, LOAD: 700})
        pair = ("certificates", "pair", *buyer)
        assert "holds no certificate" in run(found, *pair, status=1)
        run(found, "certificates", "transfer", found.address(BUYER), "--kwh", "0.25", *seller)
        assert "once it is requested (`wattbook certificates request`" in run(found, *pair, status=1)
        assert "No requests" in run(found, "certificates", "requests")
        for _ in range(2):
            assert "Requested, block" in run(found, "certificates", "request", str(LOAD), *PERIOD, *buyer)
        assert run(found, "certificates", "requests", "--open").count("open") == 2
        decide = ("certificates", "decide")
        assert "1 is refused" in run(found, *decide, "1", "--refuse", "--reason", "asked twice", *office(found))
        assert "asked twice" in run(found, "certificates", "requests")
        found.street.advance(found.street.node.market.ends_at(SLOT))
        assert "once it is requested" in run(found, *pair, status=1)
        assert "2 is approved" in run(found, *decide, "2", "--approve", *office(found))
        assert "0.700 kWh certified" in run(found, "certificates", "issue", "2", *office(found))
        assert "0.250 kWh of 1 certificate retired against consumption" in run(found, *pair)

        serial = ("--registry", "AIB", "--serial", "9", "--to", found.address(BUYER), "--kwh", "2")
        origin = ("--area", "1", "--slot", str(SLOT - SLOT % 3_600 - 3_600), "--technology", "T020002")
        imported = run(found, "certificates", "import", *serial, *origin, "--fuel", "F01050100", *office(found))
        assert "is issued for 2.000 kWh" in imported
        new_key = "0x" + meter_key(9).public_key().public_bytes_raw().hex()
        rotated = ("--meter-key", new_key, "--from", str(SLOT + 8 * LENGTH))
        assert "has 2 keys" in run(found, "devices", "rotate-key", str(OWN_LOAD), *rotated, *office(found))
        day = datetime.fromtimestamp(SLOT, UTC).date() + timedelta(2)
        closed = run(found, "devices", "close", str(OWN_LOAD), "--day", f"{day}", *office(found))
        assert f"closed from {day}" in closed
        assert "(closed)" in run(found, "devices", "list")


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
