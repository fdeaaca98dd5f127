"""What bills, depths, positions and lists are read from, on both databases."""

from dataclasses import replace

from ledger.bills import SlotMetered, SlotTrades
from ledger.eip712 import SignedOrder
from matching.orders import Side
from node.store import Store
from node.store.records import MemberRecord, TradeRecord
from node.store.standings import Level, Position
from tests.node.parts import (
    ALICE,
    BOB,
    LOAD,
    SLOT,
    SOLAR,
    confirmed,
    device,
    evidence,
    intent,
    order,
)
from tests.node.taken import cancel, take

NOW = SLOT - 600
NEXT = SLOT + 900
END = SLOT + 1_800
PRICE = 150_000
BOTH = (ALICE.address, BOB.address)


def trade(store: Store, slot: int, *, amounts: dict[Side, int] | None = None) -> tuple[SignedOrder, SignedOrder]:
    """Alice sells 600 Wh to Bob, at one price or for each order's own amount."""
    offer = order(ALICE, side=Side.OFFER, price=100_000, slot=slot)
    bid = order(BOB, price=200_000, quantity_wh=600, slot=slot)
    for signed in (offer, bid):
        take(store, signed)
    book = store.close_slot(slot)
    store.record_committed(slot, b"\7" * 32, len(book))
    store.record_clearing(
        slot,
        price=PRICE if amounts is None else None,
        fills={offer.hash: 600, bid.hash: 600},
        amounts={} if amounts is None else {offer.hash: amounts[Side.OFFER], bid.hash: amounts[Side.BID]},
        rejected={},
        trades=[TradeRecord(slot, 0, offer.hash, bid.hash, 600, PRICE)],
        bought_wh=600,
    )
    store.record_settled(slot)
    return offer, bid


def register(store: Store) -> None:
    for key, name, number in ((ALICE, "Alice", SOLAR), (BOB, "Bob", LOAD)):
        store.add_member(MemberRecord(key.address, name))
        store.add_device(replace(device(number, key), first_slot=SLOT))


def test_trades_are_billed_at_the_slots_price_or_at_their_own_amounts(store: Store) -> None:
    trade(store, SLOT)
    trade(store, NEXT, amounts={Side.OFFER: 70_000_000, Side.BID: 70_000_000})
    alice, bob = ALICE.address, BOB.address
    assert store.billed_trades(SLOT, END, BOTH) == {
        (alice, SLOT): SlotTrades(0, 600, 0, 600 * PRICE),
        (bob, SLOT): SlotTrades(600, 0, 600 * PRICE, 0),
        (alice, NEXT): SlotTrades(0, 600, 0, 70_000_000),
        (bob, NEXT): SlotTrades(600, 0, 70_000_000, 0),
    }
    assert store.billed_trades(NEXT, END, [bob]).keys() == {(bob, NEXT)}
    assert store.billed_trades(SLOT, SLOT, BOTH) == {}


def test_any_number_of_accounts_is_billed(store: Store) -> None:
    trade(store, SLOT)
    others = [number.to_bytes(20, "big") for number in range(40_000)]
    assert store.billed_trades(SLOT, END, [ALICE.address, *others, BOB.address]).keys() == {
        (each, SLOT) for each in BOTH
    }


def test_only_what_delivered_slots_were_metered_with_is_billed(store: Store) -> None:
    register(store)
    for slot in (SLOT, NEXT):
        trade(store, slot)
        store.add_reading(evidence(SOLAR, slot=slot), NOW)
        store.add_reading(evidence(LOAD, slot=slot), NOW)
    assert store.billed_readings(SLOT, END, BOTH) == {}
    store.record_delivered(SLOT)
    sun_wh, load_wh = (evidence(number, slot=SLOT).energy_wh for number in (SOLAR, LOAD))
    assert store.billed_readings(SLOT, END, BOTH) == {
        (ALICE.address, SLOT): SlotMetered(0, sun_wh),
        (BOB.address, SLOT): SlotMetered(load_wh, 0),
    }
    assert store.delivered_slots(SLOT, END) == {SLOT}
    assert store.earliest_slot() == SLOT


def test_progress_counts_slots_deliveries_and_what_can_be_taken_back(store: Store) -> None:
    trade(store, SLOT)
    trade(store, NEXT)
    store.record_delivered(SLOT)
    store.record_intent(intent(SLOT, "settle"))
    store.note_intent(replace(confirmed(intent(SLOT, "settle")), is_final=False))
    found = store.progressed(SLOT, END)
    assert (found.slots, found.delivered, found.unfinished_intents) == (2, 1, 1)
    store.note_intent(confirmed(intent(SLOT, "settle")))
    assert store.progressed(SLOT, END).unfinished_intents == 0


def test_a_depth_adds_up_what_is_not_cancelled(store: Store) -> None:
    for salt, (side, price, quantity_wh) in enumerate(
        [(Side.BID, 150_000, 100), (Side.BID, 150_000, 200), (Side.BID, 140_000, 5), (Side.OFFER, 160_000, 7)]
    ):
        take(store, order(side=side, price=price, quantity_wh=quantity_wh, salt=salt))
    dropped = take(store, order(price=150_000, salt=9))
    cancel(store, dropped.signed.hash)
    assert set(store.depth(SLOT)) == {
        Level(Side.BID, 140_000, 5, 1),
        Level(Side.BID, 150_000, 300, 2),
        Level(Side.OFFER, 160_000, 7, 1),
    }


def test_positions_are_those_of_settled_slots_in_order_and_by_page(store: Store) -> None:
    trade(store, SLOT)
    trade(store, NEXT)
    first, second = sorted((ALICE.address, BOB.address))
    signs = {ALICE.address: -600, BOB.address: 600}
    expected = [Position(slot, each, signs[each]) for slot in (SLOT, NEXT) for each in (first, second)]
    assert store.positions() == expected
    assert store.positions(after=(SLOT, first), limit=2) == expected[1:3]
    assert store.positions(slot=NEXT, account=second) == expected[3:]
    store.record_delivered(SLOT)
    assert store.positions() == expected[2:]


def test_lists_are_held_to_a_span_of_slots(store: Store) -> None:
    for slot in (SLOT, NEXT):
        trade(store, slot)
        store.record_intent(intent(slot, "settle"))
        store.note_intent(confirmed(intent(slot, "settle")))
    span = {"first_slot": NEXT, "last_slot": NEXT}
    assert [record.slot for record in store.slots(**span)] == [NEXT]
    assert [record.slot for record in store.trades(**span)] == [NEXT]
    assert [record.intent.slot for record in store.settlements(step="settle", **span)] == [NEXT]
    assert store.settlements(step="void", **span) == []
