"""An honest node answers its challenges; one that leaves orders out is challenged until its market is frozen."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.deployment import ChallengeTerms
from ledger.market import read_account
from matching.orders import Side
from node.lifecycle import rejected
from node.store.orders import read_orders_to_clear
from node.store.records import OrderRecord, OrderStatus, SlotState
from tests.system.recourse import CommandLine, command_line, give_credits, post_bond
from tests.system.street import BUYER, DEPOSIT, OTHER_BUYER, SELLER_OF_STORED, SELLER_OF_SUN, SLOT, Street, street

TERMS = ChallengeTerms()


def of(found: Street, member: int, folder: Path) -> CommandLine:
    """A member's command line, with the credits that a challenge takes."""
    key, node = found.keys[member], found.node
    give_credits(node, key.address, TERMS.stake)
    return command_line(node.chain_url, node.contracts.exchange.address, key, folder)


def receipt_file(found: Street, order: bytes, folder: Path) -> str:
    """What `wattbook order --json` printed when the order was placed."""
    shown = httpx.get(f"{found.node.url}/v1/orders/0x{order.hex()}").json()
    path = folder / "receipt.json"
    path.write_text(json.dumps(shown["receipt"]), encoding="utf-8")
    return str(path)


def order_file(found: Street, order: bytes, folder: Path) -> str:
    path = folder / "order.json"
    path.write_text(httpx.get(f"{found.node.url}/v1/orders/0x{order.hex()}").text, encoding="utf-8")
    return str(path)


def concerns(found: Street) -> list[str]:
    told: list[str] = httpx.get(f"{found.node.url}/health").json()["concerns"]
    return told


def open_challenges(found: Street) -> int:
    number: int = found.node.contracts.challenges.read("open_challenges", found.node.market.id)
    return number


def credits_of(found: Street, member: int) -> int:
    held: int = found.node.contracts.credit.read("balanceOf", found.keys[member].address)
    return held


def challenges(cli: CommandLine, *options: str) -> list[dict[str, Any]]:
    """As anybody sees them."""
    told: list[dict[str, Any]] = json.loads(cli.run("challenges", "--json", *options).stdout)
    return told


def uphold_in_time(found: Street, cli: CommandLine, challenge: dict[str, int]) -> None:
    number = challenge["number"]
    early = cli.run("uphold", str(number))
    assert early.exit_code == 1
    assert "time to answer" in early.stderr
    found.node.clock.advance_to(challenge["answer_due_at"] + 1)  # type: ignore[attr-defined]
    assert cli.answer("uphold", str(number)) == {"number": number, "paid_nano": str(TERMS.penalty)}
    (upheld,) = challenges(cli)
    assert (upheld["number"], upheld["slot"], upheld["due_at"]) == (number, SLOT, challenge["answer_due_at"])
    assert (upheld["outcome"], upheld["paid_nano"]) == ("upheld", str(TERMS.penalty))
    assert "upheld, paid" in cli.run("challenges").output


def check_frozen(found: Street, member: int) -> None:
    """The challenger has stake and penalty; no slot goes on, and the next order is told why."""
    assert credits_of(found, member) == TERMS.stake + TERMS.penalty
    assert httpx.get(f"{found.node.url}/v1/market").json()["is_frozen"]
    found.node.lifecycle.advance()
    assert {record.state for record in found.node.store.slots() if record.slot > SLOT} == {SlotState.CLOSED}


def test_an_honest_node_answers_from_its_book_and_from_a_cancellation(tmp_path: Path) -> None:
    with street(tmp_path / "node") as found:
        placed = found.place(BUYER, Side.BID, 400, 100_000)
        cancelled = found.place(OTHER_BUYER, Side.BID, 400, 100_000)
        cli = of(found, BUYER, tmp_path)
        found.clients[OTHER_BUYER].cancel(cancelled)
        found.advance(SLOT - 300)
        assert "No challenges" in cli.run("challenges").output
        assert cli.answer("challenge", "missing", receipt_file(found, placed, tmp_path))["number"] == 1
        assert "open until" in cli.run("challenges").output
        found.node.lifecycle.advance()
        assert open_challenges(found) == 0
        other = of(found, OTHER_BUYER, tmp_path)
        assert other.answer("challenge", "missing", receipt_file(found, cancelled, tmp_path))["number"] == 2
        found.node.lifecycle.advance()
        assert open_challenges(found) == 0
        assert concerns(found) == []
        assert [each["outcome"] for each in challenges(cli)] == ["dismissed", "dismissed"]
        assert challenges(cli, "--market", "elsewhere") == []
        assert credits_of(found, BUYER) == credits_of(found, OTHER_BUYER) == 0
        give_credits(found.node, found.keys[OTHER_BUYER].address, TERMS.stake)
        again = other.run("challenge", "missing", receipt_file(found, cancelled, tmp_path))
        assert again.exit_code == 1
        assert "challenged before" in again.stderr
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def test_an_honest_node_answers_with_its_settlement_in_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.settlement.FILLS_PER_TRANSACTION", 2)
    with street(tmp_path / "node") as found:
        for member, side, price in (
            (SELLER_OF_SUN, Side.OFFER, 100_000),
            (SELLER_OF_STORED, Side.OFFER, 100_000),
            (BUYER, Side.BID, 200_000),
            (OTHER_BUYER, Side.BID, 200_000),
        ):
            order = found.place(member, side, 400, price)
        found.advance(SLOT - 300)
        assert found.state() is SlotState.SETTLED
        cli = of(found, OTHER_BUYER, tmp_path)
        answer = cli.answer("challenge", "left-out", order_file(found, order, tmp_path), "--url", found.node.url)
        assert answer == {"number": 1, "answer_due_at": found.node.chain.head().timestamp + TERMS.response_s}
        found.node.lifecycle.advance()
        assert open_challenges(found) == 0
        assert credits_of(found, OTHER_BUYER) == 0
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def test_whoever_has_no_stake_cannot_challenge(tmp_path: Path) -> None:
    with street(tmp_path / "node") as found:
        order = found.place(BUYER, Side.BID, 400, 100_000)
        found.advance(SLOT - 300)
        cli = command_line(
            found.node.chain_url, found.node.contracts.exchange.address, found.keys[BUYER], tmp_path
        )
        refused = cli.run("challenge", "missing", receipt_file(found, order, tmp_path))
        assert refused.exit_code == 1
        assert "has 0 outside of escrow" in refused.stderr


def test_a_node_that_drops_an_order_it_took_is_frozen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with street(tmp_path / "node") as found:
        post_bond(found.node, TERMS.penalty)
        bid = found.place(BUYER, Side.BID, 400, 200_000)
        found.place(OTHER_BUYER, Side.BID, 400, 150_000)
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)

        def censored(*arguments: Any) -> list[OrderRecord]:
            return [each for each in read_orders_to_clear(*arguments) if each.signed.hash != bid]

        monkeypatch.setattr("node.store.orders.read_orders_to_clear", censored)
        found.advance(SLOT - 300)
        assert found.position(OTHER_BUYER) == 400
        cli = of(found, BUYER, tmp_path)
        challenge = cli.answer("challenge", "missing", receipt_file(found, bid, tmp_path))
        found.node.lifecycle.advance()
        assert open_challenges(found) == 1
        reason = f"order 0x{bid.hex()} is neither in the book of its slot nor cancelled"
        assert concerns(found) == [f"challenge 1 is not answered: {reason}"]
        assert httpx.get(f"{found.node.url}/ready").status_code == 200
        uphold_in_time(found, cli, challenge)
        check_frozen(found, BUYER)
        assert concerns(found) == []


def test_a_node_that_leaves_out_a_better_order_is_frozen_and_the_member_gets_its_money_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with street(tmp_path / "node") as found:
        post_bond(found.node, TERMS.penalty)
        bid = found.place(BUYER, Side.BID, 400, 200_000)
        found.place(OTHER_BUYER, Side.BID, 400, 150_000)
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)

        def unfair(orders: Sequence[OrderRecord], *arguments: Any, **more: Any) -> dict[bytes, str]:
            return {**rejected(orders, *arguments, **more), bid: "nobody likes it"}

        monkeypatch.setattr("node.lifecycle.rejected", unfair)
        found.advance(SLOT - 300)
        assert found.position(OTHER_BUYER) == 400
        cli = of(found, BUYER, tmp_path)
        book = tmp_path / "book.json"
        book.write_text(httpx.get(f"{found.node.url}/v1/slots/{SLOT}/book").text, encoding="utf-8")
        challenge = cli.answer("challenge", "left-out", order_file(found, bid, tmp_path), "--book", str(book))
        found.node.lifecycle.advance()
        assert "challenge 1 is not answered" in concerns(found)[0]
        uphold_in_time(found, cli, challenge)
        check_frozen(found, BUYER)
        # Delivery goes on, and so does leaving.
        found.meter(400, 400)
        found.node.lifecycle.advance()
        assert found.state() is SlotState.CERTIFIED
        ready_at = cli.answer("withdraw")["ready_at"]
        found.node.clock.advance_to(ready_at)  # type: ignore[attr-defined]
        paid = int(cli.answer("withdraw")["paid_nano"])
        assert paid == DEPOSIT - 400 * 220_000  # what it needed came from the utility
        assert read_account(found.node.contracts, found.keys[BUYER].address).balance_nano == 0


def withdraw_from_cover(found: Street) -> None:
    found.act(BUYER, "request_withdrawal", DEPOSIT)


def test_a_member_that_took_its_cover_away_is_reported_before_it_can_claim_to_be_left_out(tmp_path: Path) -> None:
    with street(tmp_path / "node") as found:
        bid = found.place(BUYER, Side.BID, 400, 200_000)
        found.place(OTHER_BUYER, Side.BID, 400, 150_000)
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        withdraw_from_cover(found)
        found.advance(SLOT - 300)
        assert found.clients[0].order(bid).status is OrderStatus.REJECTED
        reported = [each for each in found.node.store.intents(SLOT) if each.intent.step.startswith("overdrawn-")]
        assert len(reported) == 1
        cli = of(found, BUYER, tmp_path)
        refused = cli.run("challenge", "left-out", order_file(found, bid, tmp_path), "--url", found.node.url)
        assert refused.exit_code == 1
        assert "overdrawn" in refused.stderr
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def test_a_bid_whose_cover_came_back_before_the_report_is_cleared_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with street(tmp_path / "node") as found:
        bid = found.place(BUYER, Side.BID, 400, 200_000)
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        withdraw_from_cover(found)
        report: Callable[[int], None] = found.node.lifecycle._report_overdrawn

        def too_late(slot: int) -> None:
            found.act(BUYER, "request_withdrawal", 0)
            report(slot)

        with monkeypatch.context() as patch:
            patch.setattr(found.node.lifecycle, "_report_overdrawn", too_late)
            found.advance(SLOT - 300)
            assert found.state() is SlotState.COMMITTED
        found.node.lifecycle.advance()
        assert found.fill(bid) == 400
        found.meter_after_the_slot(400, 400)
        found.check_audit()
