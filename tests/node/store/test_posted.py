"""Orders that members put on chain, as the store keeps them beside those that they placed."""

import pytest

from ledger.merkle import root
from ledger.posted import PostedOrder
from node.store import Store
from node.store.errors import StoreConflictError
from node.store.records import OrderRecord, OrderStatus
from tests.node.parts import ALICE, BOB, SLOT, order
from tests.node.taken import cancel, take


def committed(store: Store) -> None:
    book = store.close_slot(SLOT)
    store.record_committed(SLOT, root([record.signed.hash for record in book]), len(book))


def record_of(store: Store, order_hash: bytes) -> OrderRecord:
    record = store.order(order_hash)
    assert record is not None
    return record


def test_posted_orders_come_after_the_book_and_have_no_receipt(store: Store) -> None:
    placed, posted = order(ALICE), [order(BOB, salt=1), order(ALICE, salt=2)]
    take(store, placed, SLOT - 900)
    committed(store)
    store.note_posted(SLOT, [PostedOrder(each, SLOT - 400 + at) for at, each in enumerate(posted)])
    found = store.orders(slot=SLOT)
    assert [(each.signed, each.index, each.received_at) for each in found] == [
        (placed, 0, SLOT - 900),
        (posted[0], 1, SLOT - 400),
        (posted[1], 2, SLOT - 399),
    ]
    assert (
        [each.receipt_signature is None for each in found]
        == [each.posted for each in found]
        == [False, True, True]
    )
    assert [each.signed for each in store.book(SLOT)] == [placed]
    everything = sorted([placed, *posted], key=lambda signed: signed.hash)
    assert [each.signed for each in store.orders_to_clear(SLOT)] == everything


def test_an_order_that_was_placed_and_posted_is_one_order_in_the_book(store: Store) -> None:
    both = order(ALICE)
    take(store, both, SLOT - 900)
    committed(store)
    store.note_posted(SLOT, [PostedOrder(both, SLOT - 400)])
    assert len(store.orders(slot=SLOT)) == 1
    assert record_of(store, both.hash).posted
    assert store.book(SLOT) == store.orders_to_clear(SLOT)


def test_an_order_that_was_cancelled_and_posted_is_not_in_the_book_and_trades(store: Store) -> None:
    both = order(ALICE)
    take(store, both, SLOT - 900)
    cancel(store, both.hash)
    committed(store)
    store.note_posted(SLOT, [PostedOrder(both, SLOT - 400)])
    assert store.book(SLOT) == []
    assert [each.status for each in store.orders_to_clear(SLOT)] == [OrderStatus.CLOSED]
    store.note_posted(SLOT, [])
    assert record_of(store, both.hash).status is OrderStatus.CANCELLED
    assert store.orders_to_clear(SLOT) == []


def test_what_a_reorganisation_changed_replaces_what_was_noted(store: Store) -> None:
    placed, first, second = order(ALICE), order(BOB, salt=1), order(BOB, salt=2)
    take(store, placed, SLOT - 900)
    committed(store)
    store.note_posted(SLOT, [PostedOrder(placed, SLOT - 400), PostedOrder(first, SLOT - 400)])
    for _ in range(2):
        store.note_posted(SLOT, [PostedOrder(second, SLOT - 390)])
        assert [each.signed for each in store.orders(slot=SLOT)] == [placed, second]
        assert [each.posted for each in store.orders(slot=SLOT)] == [False, True]


def test_posted_orders_cover_themselves(store: Store) -> None:
    placed, posted = order(ALICE), order(ALICE, salt=1)
    take(store, placed, SLOT - 900)
    committed(store)
    store.note_posted(SLOT, [PostedOrder(posted, SLOT - 400)])
    assert [each.signed for each in store.open_cover_orders(ALICE.address)] == [placed]


def test_posted_orders_are_taken_between_commitment_and_clearing_only(store: Store) -> None:
    posted = [PostedOrder(order(ALICE), SLOT - 400)]
    store.ensure_slot(SLOT)
    with pytest.raises(StoreConflictError, match="must be committed"):
        store.note_posted(SLOT, posted)
    committed(store)
    store.note_posted(SLOT, posted)
    store.record_clearing(SLOT, price=None, fills={}, rejected={}, trades=(), bought_wh=0)
    with pytest.raises(StoreConflictError, match="must be committed"):
        store.note_posted(SLOT, [])
    store.record_settled(SLOT)
    assert record_of(store, posted[0].signed.hash).status is OrderStatus.UNFILLED
