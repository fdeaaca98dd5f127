"""A frozen market: its slots wait or are voided in time, deliveries go on, and everybody is told."""

from pathlib import Path

import httpx
from typer.testing import CliRunner

from ledger.deployment import transact
from ledger.market import read_account
from matching.orders import Side
from node.cli.main import app
from node.store.records import SlotState
from tests.system.street import BUYER, DEPOSIT, SELLER_OF_SUN, SLOT, Street, street


def as_owner(found: Street, function: str) -> None:
    markets = found.node.contracts.markets
    transact(markets, found.node.config.parties.owner, markets.interface.call(function, found.node.market.id))


def place_a_pair(found: Street, slot: int = SLOT) -> None:
    found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000, slot=slot)
    found.place(BUYER, Side.BID, 400, 200_000, slot=slot)


def is_frozen(found: Street) -> bool:
    frozen: bool = httpx.get(f"{found.node.url}/v1/market").json()["is_frozen"]
    return frozen


def test_slots_wait_while_the_market_is_frozen_and_settle_as_they_were_cleared(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        place_a_pair(found)
        lifecycle = found.node.lifecycle
        found.node.clock.advance_to(SLOT - 300)  # type: ignore[attr-defined]
        assert all(step(SLOT) for step in (lifecycle._close, lifecycle._commit, lifecycle._compute))
        as_owner(found, "freeze")
        place_a_pair(found, SLOT + 900)
        for _ in range(2):
            found.advance(SLOT + 600)
            assert found.state() is SlotState.CLEARED
            assert found.node.store.slot(SLOT + 900).state is SlotState.CLOSED  # type: ignore[union-attr]
        assert is_frozen(found)
        as_owner(found, "unfreeze")
        assert not is_frozen(found)
        found.advance(SLOT + 600)
        assert found.state() is SlotState.SETTLED
        assert found.node.store.slot(SLOT + 900).state is SlotState.SETTLED  # type: ignore[union-attr]
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def test_slots_of_a_market_that_stays_frozen_are_voided_and_delivered(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        place_a_pair(found)
        as_owner(found, "freeze")
        after = found.node.market.void_after(SLOT) + 1
        found.advance(after)
        assert found.state() is SlotState.VOIDED
        found.meter(400, 400)
        found.advance(after)
        found.check_audit()
        buyer = read_account(found.node.contracts, found.keys[BUYER].address)
        assert buyer.balance_nano == DEPOSIT - 400 * 220_000  # from the utility, at the retail price


def test_a_settlement_of_before_the_freeze_that_was_not_noted_is_noted(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        place_a_pair(found)
        lifecycle = found.node.lifecycle
        found.node.clock.advance_to(SLOT - 300)  # type: ignore[attr-defined]
        assert all(step(SLOT) for step in (lifecycle._close, lifecycle._commit, lifecycle._compute))
        lifecycle._settle_fills(SLOT)
        as_owner(found, "freeze")
        lifecycle.advance()
        assert found.state() is SlotState.SETTLED
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def test_whoever_places_an_order_in_a_frozen_market_is_told(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        environment = {"WATTBOOK_URL": found.node.url, "WATTBOOK_KEY": "0x" + found.keys[BUYER].secret.hex()}
        command = ["order", "--bid", "--kwh", "0.1", "--price", "10"]
        assert "frozen" not in CliRunner().invoke(app, command, env=environment).stdout
        as_owner(found, "freeze")
        result = CliRunner().invoke(app, command, env=environment)
        assert result.exit_code == 0, result.output
        assert "The market is frozen" in result.stdout
