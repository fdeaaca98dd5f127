"""The subcommands against a real server."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from matching.orders import Side
from node.api.services import Services
from node.cli.main import app
from tests.node.parts import ALICE, BOB, SLOT, STRANGER
from tests.node.progress import settle
from tests.node.small_node import START

ALICE_HEX, BOB_HEX = ("0x" + key.address.hex() for key in (ALICE, BOB))


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def run(url: str, *arguments: str, key: bytes | None = ALICE.secret) -> Result:
    environment = {"WATTBOOK_URL": url, "WATTBOOK_KEY": None if key is None else "0x" + key.hex()}
    return CliRunner().invoke(app, arguments, env=environment)


def test_a_bid_is_placed_for_the_next_slot(url: str, services: Services) -> None:
    result = run(url, "order", "--bid", "--kwh", "1.5", "--price", "14.5")
    assert result.exit_code == 0
    (record,) = services.store.orders()
    content = record.signed.order
    assert (content.account, content.slot, content.side) == (ALICE.address, START + 900, Side.BID)
    assert (content.quantity_wh, content.price) == (1_500, 145_000)
    assert "1.500 kWh at 14.50 ct/kWh" in result.output
    assert record.signed.hash.hex() in result.output


def test_an_offer_is_placed_for_a_named_slot_and_answered_in_json(url: str, services: Services) -> None:
    arguments = ("order", "--offer", "--kwh", "0.25", "--price", "8", "--slot", str(SLOT), "--json")
    result = run(url, *arguments, key=BOB.secret)
    (record,) = services.store.orders()
    assert record.signed.order.side is Side.OFFER
    assert json.loads(result.output) == {
        "order_hash": "0x" + record.signed.hash.hex(),
        "market": "0x" + "aa" * 32,
        "slot": SLOT,
        "index": 0,
        "received_at": START,
        "signature": "0x" + record.receipt_signature.hex(),
    }


def test_the_same_order_twice_is_two_orders(url: str, services: Services) -> None:
    for _ in range(2):
        run(url, "order", "--bid", "--kwh", "1", "--price", "10")
    assert len(services.store.orders()) == 2


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("order", "--bid", "--kwh", "100", "--price", "20"), "free in escrow"),
        (("order", "--bid", "--kwh", "1", "--price", "20", "--slot", "2001-01-01T00:00Z"), "gate of slot"),
        (("order", "--bid", "--kwh", "100", "--price", "20"), "needs 22.0000 EUR of cover: 10.0000 EUR is free"),
        (("order", "--bid", "--kwh", "1", "--price", "20", "--slot", "2001-01-01T00:00Z"), "slot 2001-01-01"),
        (("order", "--bid", "--kwh", "1", "--price", "20", "--slot", "2025-06-15T18:07Z"), "every 15 minutes"),
        (("order", "--bid", "--kwh", "1", "--price", "20", "--slot", "2035-06-15T18:00Z"), "slots that start by"),
        (("order", "--bid", "--kwh", "0", "--price", "20"), "kWh is 0: must be at least 0.001"),
        (("order", "--bid", "--kwh", "100.001", "--price", "0"), "at most 100.000 kWh"),
        (("order", "--bid", "--kwh", "1.23456", "--price", "20"), "three decimals"),
        (("trades", "--url", "http://127.0.0.1:1"), "no answer"),
        (("order", "--bid", "--kwh", "1", "--price", "-5"), "price is -5: must be at least 0"),
        (
            ("deposit", "--account", BOB_HEX, "--eur", "fifty", "--reference", "b", "--api-key", "k"),
            "must be a number",
        ),
        (
            ("deposit", "--account", BOB_HEX, "--eur", "-3", "--reference", "b", "--api-key", "k"),
            "must be above 0",
        ),
    ],
)
def test_a_refusal_is_one_line_on_standard_error_and_status_1(
    url: str, services: Services, arguments: tuple[str, ...], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.cli.common._PATIENCE_S", 0.0)
    result = run(url, *arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1
    assert services.store.orders() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("certificates", "statement", "--from", "0", "--until", "900", "--file"),
        ("keys", "export-public", "--output"),
        ("certificates", "verify", __file__, "--html"),
    ],
)
def test_a_file_whose_folder_is_not_there_is_refused_before_it_is_asked_for(arguments: tuple[str, ...]) -> None:
    result = run("http://127.0.0.1:1", *arguments, "nowhere/x.pdf")
    assert result.exit_code == 2
    assert "nowhere is not a folder" in result.stderr


def test_a_folder_that_cannot_be_used_is_told_without_the_systems_numbers(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    arguments = ["keys", "new", "operator", "--keystore", str(file)]
    result = CliRunner().invoke(app, arguments, env={"WATTBOOK_KEYSTORE_PASSWORD": "open"})
    assert (result.exit_code, "Errno" in result.stderr) == (1, False)
    assert f"{file} is not a folder" in result.stderr


def test_without_a_key_no_order_is_signed(url: str) -> None:
    result = run(url, "order", "--bid", "--kwh", "1", "--price", "20", key=None)
    assert (result.exit_code, "no key" in result.stderr) == (1, True)


@pytest.mark.parametrize("secret", ["0x1234", "not hexadecimal", "0x" + "ff" * 32, "00" * 32])
def test_a_malformed_key_is_refused_and_not_repeated(url: str, secret: str) -> None:
    result = CliRunner().invoke(app, ["balance", "--key", secret, "--url", url])
    assert result.exit_code == 2
    assert secret not in result.output


def test_a_balance_is_shown_in_eur_and_kwh(url: str, services: Services) -> None:
    settle(services)
    result = run(url, "balance")
    assert result.exit_code == 0
    assert ALICE_HEX in result.output
    assert "10.0000 EUR" in result.output
    assert "sold for" in result.output
    assert "0.600 kWh" in result.output


def test_any_accounts_balance_may_be_seen_in_json(url: str) -> None:
    result = run(url, "balance", "--account", BOB_HEX, "--json", key=None)
    assert json.loads(result.output) == {
        "account": BOB_HEX,
        "is_member": True,
        "epoch": 0,
        "balance_nano": "10000000000",
        "debt_nano": "0",
        "withdrawal_nano": "0",
        "reserved_nano": "0",
        "free_nano": "10000000000",
        "positions": [],
        "held_wh": 0,
        "retired_wh": 0,
    }


@pytest.mark.parametrize("account", [None, "0x12", "Alice", "0xzz"])
def test_a_balance_needs_an_account(url: str, account: str | None) -> None:
    named = () if account is None else ("--account", account)
    result = run(url, "balance", *named, key=None)
    assert (result.exit_code, account is None or "0x and 40 hexadecimal digits" in result.stderr) == (2, True)


def test_trades_are_ones_own_if_one_gives_a_key(url: str, services: Services) -> None:
    settle(services)
    mine = run(url, "trades")
    assert "you" in mine.output
    assert re.search(r"0\.600 +15\.00 +0\.0900 +12\b", mine.output)
    assert "No trades" in run(url, "trades", key=STRANGER.secret).output
    (trade,) = json.loads(run(url, "trades", "--json", key=None).output)
    assert (trade["seller"], trade["buyer"], trade["amount_nano"]) == (ALICE_HEX, BOB_HEX, "90000000")
    assert trade["settlement"]["block"] == 12


@pytest.mark.parametrize(("command", "rows"), [("trades", 1), ("orders", 2)])
def test_trades_and_orders_fit_80_columns(url: str, services: Services, command: str, rows: int) -> None:
    settle(services)
    _, header, _, *shown = run(url, command, key=None).output.splitlines()
    assert "kWh" in header
    assert [("0.600" in line, len(line) <= 80) for line in shown] == [(True, True)] * rows
