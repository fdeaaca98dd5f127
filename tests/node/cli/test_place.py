"""Files of orders, and many cancellations, against a real server."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from node.api.services import Services
from node.cli.main import app
from node.store.records import OrderStatus
from tests.node.parts import ALICE, SLOT


def run(url: str, *arguments: object) -> Result:
    environment = {"WATTBOOK_URL": url, "WATTBOOK_KEY": "0x" + ALICE.secret.hex()}
    return CliRunner().invoke(app, [str(each) for each in arguments], env=environment)


def written(path: Path, *lines: object) -> Path:
    path.write_text("\n".join(each if isinstance(each, str) else json.dumps(each) for each in lines))
    return path


def bid(**changes: object) -> dict[str, object]:
    return {"slot": SLOT, "side": "bid", "price": 100_000, "quantity_wh": 10} | changes


def test_a_file_is_placed_line_by_line_and_once_however_often_it_is_handed_in(
    url: str, services: Services, tmp_path: Path
) -> None:
    file = written(tmp_path / "orders.jsonl", bid(), bid(), "", bid(quantity_wh=100_000, price=200_000))
    for _ in range(2):
        result = run(url, "place", file)
        assert result.exit_code == 3
        assert "3 orders: 2 taken, 1 refused." in result.output
        assert "line 4: " in result.output
        assert "order.uncovered" in result.output
        assert len(services.store.orders()) == 2


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "line 2"),
        ("[]", "must be an object"),
        (bid(tip=1), "must be an object of"),
        (bid(side="buy"), "BUY"),
        (bid(certificates="mine"), "mine"),
        (bid(quantity_wh=0), "quantity_wh"),
        ({"slot": SLOT}, "side"),
    ],
)
def test_a_file_with_a_line_that_is_no_order_is_not_placed(
    url: str, services: Services, tmp_path: Path, line: object, reason: str
) -> None:
    result = run(url, "place", written(tmp_path / "orders.jsonl", bid(), line))
    assert result.exit_code == 1
    assert "line 2" in result.output
    assert reason in result.output
    assert services.store.orders() == []


def test_a_lines_certificates_are_named_as_in_commands_or_as_in_the_api(
    url: str, services: Services, tmp_path: Path
) -> None:
    names = ("bundled", "unbundled", "auto-retire", "auto_retire")
    lines = (bid(), *(bid(certificates=name) for name in names))
    assert run(url, "place", written(tmp_path / "orders.jsonl", *lines)).exit_code == 0
    said = [record.signed.order.certificates.name.lower() for record in services.store.orders(slot=SLOT)]
    assert sorted(said) == ["auto_retire"] * 3 + ["bundled", "unbundled"]


def test_orders_are_cancelled_by_name_by_slot_or_all(url: str, services: Services, tmp_path: Path) -> None:
    run(url, "place", written(tmp_path / "orders.jsonl", bid(), bid(), bid(slot=SLOT + 900), bid(slot=SLOT + 900)))
    first = services.store.orders()[0].signed.hash

    def still_open() -> int:
        return len(services.store.orders(status=OrderStatus.OPEN))

    assert run(url, "cancel", "0x" + first.hex()).exit_code == 0
    assert still_open() == 3
    assert "2 orders cancelled" in run(url, "cancel", "--all", "--slot", SLOT + 900).output
    assert still_open() == 1
    assert "1 order cancelled" in run(url, "cancel", "--all").output
    assert still_open() == 0
    assert run(url, "cancel", "0x" + "11" * 32).exit_code == 3
    assert run(url, "cancel").exit_code == 2
    assert "hexadecimal" in run(url, "cancel", "zz").output


def test_an_order_is_cancelled_by_the_beginning_of_its_hash_and_once(
    url: str, services: Services, tmp_path: Path
) -> None:
    run(url, "place", written(tmp_path / "orders.jsonl", bid()))
    (record,) = services.store.orders()
    shown = "0x" + record.signed.hash.hex()[:8]
    assert shown in run(url, "orders").output
    assert run(url, "cancel", shown[:-1]).exit_code == 2
    assert "none of your latest orders begins" in run(url, "cancel", "0x" + "00" * 5).output
    assert "1 order cancelled" in run(url, "cancel", shown).output
    again = run(url, "cancel", shown)
    assert (again.exit_code, "0 orders cancelled" in again.output) == (0, True)
    assert "was cancelled before" in again.output


def test_all_lines_that_are_no_orders_are_named(url: str, services: Services, tmp_path: Path) -> None:
    lines = (bid(), *("{" for _ in range(12)), bid(side="buy"))
    result = run(url, "place", written(tmp_path / "orders.jsonl", *lines))
    assert result.exit_code == 1
    assert [f"line {number}: " in result.output for number in (1, 2, 11, 12)] == [False, True, True, False]
    assert "and 3 more" in result.output
    assert "13 of the file's lines are no order" in result.output
    assert services.store.orders() == []


def test_a_file_may_begin_with_a_mark_and_must_be_text(url: str, services: Services, tmp_path: Path) -> None:
    file = tmp_path / "orders.jsonl"
    file.write_text(json.dumps(bid()), encoding="utf-8-sig")
    assert run(url, "place", file).exit_code == 0
    file.write_bytes(b'{"slot": "\xff"}')
    result = run(url, "place", file)
    assert (result.exit_code, "is not UTF-8 text: byte 11" in result.stderr) == (1, True)
    assert len(services.store.orders()) == 1
