from collections.abc import Callable

import pytest

from matching.orders import Side
from node.store import Store
from node.store.errors import StoreConflictError
from node.store.records import (
    CertificateMoveRecord,
    CertifiedSlot,
    ConsumptionRecord,
    IssuanceRecord,
    MatchRecord,
    MemberRecord,
    OrderStatus,
    SlotState,
    TradeRecord,
)
from tests.node.parts import ALICE, BOB, LOAD, SLOT, SOLAR, device, order
from tests.node.taken import take

ROOT = b"\7" * 32

MOVES: dict[str, Callable[[Store], object]] = {
    "close": lambda store: store.close_slot(SLOT),
    "commit": lambda store: store.record_committed(SLOT, ROOT, 0),
    "clear": lambda store: store.record_clearing(SLOT, price=None, fills={}, rejected={}, trades=(), bought_wh=0),
    "settle": lambda store: store.record_settled(SLOT),
    "void": lambda store: store.record_voided(SLOT),
    "deliver": lambda store: store.record_delivered(SLOT),
    "certify": lambda store: store.record_certified(SLOT, CertifiedSlot()),
}
PATHS = {
    SlotState.OPEN: (),
    SlotState.CLOSED: ("close",),
    SlotState.COMMITTED: ("close", "commit"),
    SlotState.CLEARED: ("close", "commit", "clear"),
    SlotState.SETTLED: ("close", "commit", "clear", "settle"),
    SlotState.VOIDED: ("close", "void"),
    SlotState.DELIVERED: ("close", "commit", "clear", "settle", "deliver"),
    SlotState.CERTIFIED: ("close", "commit", "clear", "settle", "deliver", "certify"),
}
ALLOWED = {
    SlotState.OPEN: {"close", "void"},
    SlotState.CLOSED: {"close", "commit", "void"},
    SlotState.COMMITTED: {"close", "clear", "void"},
    SlotState.CLEARED: {"close", "settle", "void"},
    SlotState.SETTLED: {"close", "deliver"},
    SlotState.VOIDED: {"close", "deliver"},
    SlotState.DELIVERED: {"close", "certify"},
    SlotState.CERTIFIED: {"close"},
}


@pytest.mark.parametrize("move", MOVES)
@pytest.mark.parametrize("state", list(SlotState))
def test_a_slot_moves_only_forward(store: Store, state: SlotState, move: str) -> None:
    store.ensure_slot(SLOT)
    for step in PATHS[state]:
        MOVES[step](store)
    before = store.slot(SLOT)
    assert before is not None
    assert before.state is state
    if move in ALLOWED[state]:
        MOVES[move](store)
        return
    with pytest.raises(StoreConflictError, match="must be"):
        MOVES[move](store)
    assert store.slot(SLOT) == before


def committed(store: Store) -> tuple[bytes, bytes, bytes]:
    """A bid of Alice, an offer of Bob and one more bid, committed; their hashes."""
    bid = take(store, order(ALICE, quantity_wh=1_000))
    offer = take(store, order(BOB, side=Side.OFFER, quantity_wh=600))
    spare = take(store, order(ALICE, salt=5))
    store.close_slot(SLOT)
    store.record_committed(SLOT, ROOT, 3)
    return bid.signed.hash, offer.signed.hash, spare.signed.hash


def cleared(store: Store) -> tuple[bytes, bytes, bytes]:
    bid, offer, spare = committed(store)
    store.record_clearing(
        SLOT,
        price=180_000,
        fills={bid: 600, offer: 600},
        rejected={spare: "escrow"},
        trades=[TradeRecord(SLOT, 0, offer, bid, 600, 180_000)],
        bought_wh=600,
    )
    return bid, offer, spare


def statuses(store: Store) -> list[OrderStatus]:
    return [record.status for record in store.orders(slot=SLOT)]


def test_cleared_orders_wait_for_settlement_with_their_fills(store: Store) -> None:
    bid, _, spare = cleared(store)
    assert statuses(store) == [OrderStatus.CLOSED] * 3
    found = store.orders_by_hash([bid, spare])
    assert (found[bid].fill_wh, found[spare].fill_wh, found[spare].reason) == (600, 0, "escrow")


def test_settled_orders_are_filled_unfilled_or_rejected(store: Store) -> None:
    cleared(store)
    store.record_settled(SLOT)
    assert statuses(store) == [OrderStatus.FILLED, OrderStatus.FILLED, OrderStatus.REJECTED]
    found = store.slot(SLOT)
    assert found is not None
    assert (found.price, found.bought_wh, found.book_root, found.book_size) == (180_000, 600, ROOT, 3)


def test_an_order_without_a_fill_or_reason_ends_unfilled(store: Store) -> None:
    committed(store)
    MOVES["clear"](store)
    store.record_settled(SLOT)
    assert statuses(store) == [OrderStatus.UNFILLED] * 3


def test_voiding_takes_back_what_clearing_decided(store: Store) -> None:
    cleared(store)
    store.record_voided(SLOT)
    assert statuses(store) == [OrderStatus.VOIDED] * 3
    assert [(record.fill_wh, record.reason) for record in store.orders()] == [(0, None)] * 3
    assert store.trades() == []
    found = store.slot(SLOT)
    assert found is not None
    assert (found.price, found.bought_wh) == (None, None)


@pytest.mark.parametrize("fill_wh", [1_001, -1])
def test_a_fill_outside_the_order_is_refused_and_nothing_is_written(store: Store, fill_wh: int) -> None:
    bid, _, _ = committed(store)
    with pytest.raises(StoreConflictError, match=r"(?i)check constraint"):
        store.record_clearing(
            SLOT, price=1, fills={bid: fill_wh}, rejected={}, trades=(), bought_wh=max(fill_wh, 0)
        )
    found = store.slot(SLOT)
    assert found is not None
    assert found.state is SlotState.COMMITTED


def test_a_fill_of_an_order_outside_the_book_is_refused(store: Store) -> None:
    committed(store)
    with pytest.raises(StoreConflictError, match="not in the book"):
        store.record_clearing(SLOT, price=1, fills={b"\1" * 32: 1}, rejected={}, trades=(), bought_wh=1)


def test_a_commitment_must_count_the_book(store: Store) -> None:
    take(store, order())
    store.close_slot(SLOT)
    with pytest.raises(StoreConflictError, match="1 orders"):
        store.record_committed(SLOT, ROOT, 2)


def test_positions_are_open_from_settlement_to_delivery(store: Store) -> None:
    cleared(store)
    assert len(store.open_cover_orders(ALICE.address)) == 2
    assert store.undelivered_positions(ALICE.address) == []
    store.record_settled(SLOT)
    assert store.open_cover_orders(ALICE.address) == []
    assert store.undelivered_positions(ALICE.address) == [(SLOT, 600)]
    assert store.undelivered_positions(BOB.address) == [(SLOT, -600)]
    store.record_delivered(SLOT)
    assert store.undelivered_positions(BOB.address) == []


def test_trades_are_found_by_slot_and_by_either_side(store: Store) -> None:
    bid, offer, _ = cleared(store)
    trade = TradeRecord(SLOT, 0, offer, bid, 600, 180_000)
    for found in (
        store.trades(),
        store.trades(slot=SLOT),
        store.trades(account=ALICE.address),
        store.trades(account=BOB.address),
    ):
        assert found == [trade]
    assert store.trades(slot=SLOT + 900) == []
    assert store.trades(account=b"\1" * 20) == []
    assert store.trades(after=(SLOT, 0)) == []


def test_what_a_slot_was_certified_with_is_kept_in_its_order(store: Store) -> None:
    for key, name in ((ALICE, "Alice"), (BOB, "Bob")):
        store.add_member(MemberRecord(key.address, name))
    store.add_device(device(SOLAR, ALICE))
    store.add_device(device(LOAD, BOB))
    for step in PATHS[SlotState.DELIVERED]:
        MOVES[step](store)
    assert store.certified(SLOT) == CertifiedSlot()
    certified = CertifiedSlot(
        issuances=(IssuanceRecord(SLOT, SOLAR, 1_000, 900),),
        consumptions=(ConsumptionRecord(SLOT, LOAD, 700),),
        moves=(CertificateMoveRecord(SLOT, 0, SOLAR, BOB.address, 300),),
        matches=(MatchRecord(SLOT, 0, SOLAR, LOAD, 600),),
    )
    store.record_certified(SLOT, certified)
    assert store.certified(SLOT) == certified
    assert store.certified(SLOT + 900) == CertifiedSlot()


def test_readings_are_awaited_from_when_they_were_first_missed(store: Store) -> None:
    store.ensure_slot(SLOT)
    assert [store.awaited_from(SLOT, now) for now in (SLOT + 900, SLOT + 5_000)] == [SLOT + 900, SLOT + 900]


def test_slots_are_listed_by_state_and_page(store: Store) -> None:
    for k in range(5):
        store.ensure_slot(SLOT + 900 * k)
    store.close_slot(SLOT)
    latest = store.latest_slot()
    assert latest is not None
    assert latest.slot == SLOT + 3_600
    assert [found.slot for found in store.slots(states=[SlotState.CLOSED])] == [SLOT]
    assert [found.slot for found in store.slots(after=SLOT + 900, limit=2)] == [SLOT + 1_800, SLOT + 2_700]
    newest_first = store.slots(after=SLOT + 900, descending=True)
    assert [found.slot for found in newest_first] == [SLOT]


def test_a_slot_with_no_orders_can_be_closed_and_stays_closed_when_closed_again(store: Store) -> None:
    assert store.close_slot(SLOT) == []
    assert store.close_slot(SLOT) == []
    assert store.ensure_slot(SLOT).state is SlotState.CLOSED
