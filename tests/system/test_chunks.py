"""A slot with more filled orders than one transaction carries, and a node that is killed between two of them."""

from pathlib import Path

import pytest

from ledger.eip712 import sign_order
from ledger.settlement import SlotPhase
from matching.orders import Order, Side
from node.store.records import OrderStatus, SlotState
from tests.system.street import BUYER, DEPOSIT, OTHER_BUYER, SELLER_OF_STORED, SELLER_OF_SUN, SLOT, Street, street


class KilledError(BaseException):
    """Stands for a kill."""


def advance_and_kill_before(found: Street, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settlement = found.node.lifecycle._steps.settlement
    run = settlement._run

    def stopped(slot: int, name: str, *arguments: object, **more: object) -> None:
        if name == step:
            raise KilledError
        run(slot, name, *arguments, **more)  # type: ignore[arg-type]

    found.node.clock.advance_to(SLOT - 300)  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(settlement, "_run", stopped)
        with pytest.raises(KilledError):
            found.node.lifecycle.advance()


def phase(found: Street) -> SlotPhase:
    return found.node.lifecycle._steps.settlement.phase(SLOT)


def place_two_pairs(found: Street) -> list[bytes]:
    sellers = [found.place(member, Side.OFFER, 400, 100_000) for member in (SELLER_OF_SUN, SELLER_OF_STORED)]
    return sellers + [found.place(member, Side.BID, 400, 200_000) for member in (BUYER, OTHER_BUYER)]


@pytest.fixture
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.settlement.FILLS_PER_TRANSACTION", 1)


@pytest.mark.usefixtures("_small_chunks")
@pytest.mark.parametrize("step", ["settle-0", "settle-2", "settle"])
def test_a_slot_goes_on_with_the_chunk_that_it_was_killed_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    with street(tmp_path) as found:
        orders = place_two_pairs(found)
        advance_and_kill_before(found, step, monkeypatch)
        assert phase(found) is (SlotPhase.OPEN if step == "settle-0" else SlotPhase.PARTIAL)
        found.node.lifecycle.advance()
        assert [found.fill(order) for order in orders] == [400] * 4
        found.meter_after_the_slot(400, 400)
        found.check_audit()


@pytest.mark.usefixtures("_small_chunks")
def test_other_slots_wait_for_the_one_that_is_settled_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with street(tmp_path) as found:
        place_two_pairs(found)
        later = found.place(BUYER, Side.BID, 400, 200_000, slot=SLOT + 900)
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000, slot=SLOT + 900)
        advance_and_kill_before(found, "settle", monkeypatch)
        lifecycle = found.node.lifecycle
        found.node.clock.advance_to(SLOT + 600)  # type: ignore[attr-defined]
        lifecycle._add_due_slots()
        assert all(step(SLOT + 900) for step in (lifecycle._close, lifecycle._commit, lifecycle._compute))
        record = found.node.store.slot(SLOT + 900)
        assert record is not None
        assert not lifecycle._advance_slot(record)
        # What it was cleared to be is not thrown away.
        assert found.node.store.slot(SLOT + 900) == record
        assert record.state is SlotState.CLEARED
        lifecycle.advance()
        assert found.state() is SlotState.SETTLED
        assert found.clients[0].order(later).status is OrderStatus.FILLED


@pytest.mark.slow
@pytest.mark.usefixtures("_small_chunks")
def test_a_slot_that_was_settled_in_part_is_taken_back_when_its_time_is_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with street(tmp_path) as found:
        orders = place_two_pairs(found)
        advance_and_kill_before(found, "settle", monkeypatch)
        after = found.node.market.void_after(SLOT) + 1
        found.advance(after)
        assert found.state() is SlotState.VOIDED
        assert {found.clients[0].order(order).status for order in orders} == {OrderStatus.VOIDED}
        assert {client.balance().balance_nano for client in found.clients} == {DEPOSIT}
        found.meter(400, 400)
        found.advance(after)
        found.check_audit()


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_a_slot_of_more_than_a_thousand_filled_orders_survives_a_kill_between_chunks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    members, each = 32, 32
    with street(tmp_path, members=members) as found:
        fill_the_slot(found, each)
        assert len(found.keys) == members
        advance_and_kill_before(found, "settle", monkeypatch)
        assert phase(found) is SlotPhase.PARTIAL
    with street(tmp_path, members=members) as found:
        found.node.lifecycle.advance()
        assert found.state() is SlotState.SETTLED
        settled = found.node.store.orders(slot=SLOT, status=OrderStatus.FILLED)
        assert len(settled) == members * each
        steps = {record.intent.step for record in found.node.store.intents(SLOT)}
        assert steps == {"commit", "settle-0", "settle"}
        found.meter_after_the_slot(400, 400)
        found.check_audit()


def fill_the_slot(found: Street, each: int) -> None:
    """As many bids as offers, all of which trade; taken without HTTP, which is not what this is about."""
    node = found.node
    for number, key in enumerate(found.keys):
        for salt in range(each):
            order = Order(
                account=key.address,
                market=node.market.id,
                slot=SLOT,
                side=Side(number % 2),
                price=100_000 if number % 2 else 200_000,
                quantity_wh=100,
                salt=salt,
            )
            signed = sign_order(node.services.domain, order, key)
            node.services.intake.place(order, signed.signature)
