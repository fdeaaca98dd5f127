"""What a slot does when things go wrong around it, on a real node and chain."""

from pathlib import Path

import pytest

from ledger.market import read_account
from matching.orders import Side
from node.fills import fills_of
from node.store.records import OrderStatus, SlotState
from tests.system.street import BUYER, DEPOSIT, OTHER_BUYER, SELLER_OF_SUN, SLOT, Street, street


def place_a_pair(found: Street) -> tuple[bytes, bytes]:
    offer = found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
    return offer, found.place(BUYER, Side.BID, 400, 200_000)


def test_a_slot_without_orders_or_members_goes_its_way(tmp_path: Path) -> None:
    with street(tmp_path, members=0) as found:
        found.node.clock.advance_to(found.node.market.ends_at(SLOT))  # type: ignore[attr-defined]
        found.node.lifecycle.advance()
        assert found.state() is SlotState.CERTIFIED
        found.check_audit()


def test_a_slot_waits_for_its_last_reading(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        place_a_pair(found)
        found.advance(found.node.market.ends_at(SLOT) + 7_200)
        assert found.state() is SlotState.SETTLED
        found.meter(400, 400)
        found.advance(found.node.market.ends_at(SLOT) + 7_200)
        found.check_audit()


@pytest.mark.slow
def test_a_node_that_was_away_too_long_voids_and_everything_is_imbalance(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        offer, bid = place_a_pair(found)
        found.advance(found.node.market.void_after(SLOT) + 1)
        assert found.state() is SlotState.VOIDED
        assert {found.node.store.order(order).status for order in (offer, bid)} == {OrderStatus.VOIDED}  # type: ignore[union-attr]
        found.meter(400, 400)
        found.advance(found.node.market.void_after(SLOT) + 1)
        found.check_audit()
        buyer = read_account(found.node.contracts, found.keys[BUYER].address)
        assert buyer.balance_nano == DEPOSIT - 400 * 220_000  # from the utility, at the retail price


@pytest.mark.slow
def test_a_settlement_that_the_node_did_not_live_to_note_is_not_voided_later(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        place_a_pair(found)
        lifecycle = found.node.lifecycle
        for step in (lifecycle._close, lifecycle._commit, lifecycle._compute):
            found.node.clock.advance_to(max(found.node.clock.now(), SLOT - 300))  # type: ignore[attr-defined]
            assert step(SLOT)
        fills = list(fills_of(found.node.store, SLOT).values())
        lifecycle._steps.settlement.settle(SLOT, found.node.store.slot(SLOT).price, fills)  # type: ignore[union-attr, arg-type]
        # Killed here; back a day and more later.
        found.advance(found.node.market.void_after(SLOT) + 1)
        assert found.state() is SlotState.SETTLED
        found.meter(400, 400)
        found.advance(found.node.market.void_after(SLOT) + 1)
        found.check_audit()


def test_a_clearing_that_the_contract_refuses_is_computed_again(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        offer, bid = place_a_pair(found)
        lifecycle, store = found.node.lifecycle, found.node.store
        found.node.clock.advance_to(SLOT - 300)  # type: ignore[attr-defined]
        assert lifecycle._close(SLOT)
        assert lifecycle._commit(SLOT)
        # As if it had been computed before one of the accounts changed: more is bought than sold.
        store.record_clearing(
            SLOT, price=150_000, fills={offer: 300, bid: 400}, rejected={}, trades=(), bought_wh=400
        )
        lifecycle.advance()
        assert found.state() is SlotState.COMMITTED
        assert store.order(bid).fill_wh == 0  # type: ignore[union-attr]
        lifecycle.advance()
        assert found.state() is SlotState.SETTLED
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def test_an_order_whose_cover_was_asked_back_is_rejected_and_the_rest_settles(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        place_a_pair(found)
        uncovered = found.place(OTHER_BUYER, Side.BID, 400, 210_000)
        found.act(OTHER_BUYER, "request_withdrawal", DEPOSIT)
        found.advance(SLOT - 300)
        assert found.clients[0].order(uncovered).status is OrderStatus.REJECTED
        assert found.position(BUYER) == 400
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def test_orders_of_before_a_cancellation_on_chain_do_not_trade(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        _, bid = place_a_pair(found)
        found.act(BUYER, "cancel_all")
        found.advance(SLOT - 300)
        assert found.clients[0].order(bid).status is OrderStatus.REJECTED
        assert found.position(SELLER_OF_SUN) == 0
        found.meter_after_the_slot(400, 400)
        found.check_audit()
