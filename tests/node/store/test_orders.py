from concurrent.futures import ThreadPoolExecutor

import pytest

from ledger.eip712 import Receipt, receipt_hash
from ledger.keys import recover
from matching.orders import Side
from node.store import Store
from node.store.errors import GateClosedError, UnknownOrderError
from node.store.records import OrderStatus, SlotState
from tests.node.parts import ALICE, BOB, DOMAIN, MARKET, OPERATOR, SLOT, order
from tests.node.taken import cancel, take

NOW = SLOT - 600


def test_a_first_order_opens_its_slot(store: Store) -> None:
    take(store, order())
    found = store.slot(SLOT)
    assert found is not None
    assert found.state is SlotState.OPEN


def test_a_receipt_is_signed_over_the_position_in_the_slot(store: Store) -> None:
    take(store, order(salt=1))
    signed = order(salt=2)
    taken = take(store, signed, NOW + 1)
    receipt = Receipt(signed.hash, MARKET, SLOT, index=1, received_at=NOW + 1)
    assert recover(receipt_hash(DOMAIN, receipt), taken.receipt_signature) == OPERATOR.address


def test_the_same_order_again_keeps_its_first_receipt(store: Store) -> None:
    first = take(store, order())
    assert take(store, order(), NOW + 60) == first
    assert len(store.orders()) == 1


def test_orders_from_many_threads_get_every_index_once(store: Store) -> None:
    signed = [order(salt=salt, slot=SLOT + 900 * (salt % 2)) for salt in range(60)]
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda each: take(store, each), signed))
    for slot in (SLOT, SLOT + 900):
        assert [record.index for record in store.orders(slot=slot)] == list(range(30))


def test_the_same_order_from_many_threads_is_taken_once(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        records = list(pool.map(lambda now: take(store, order(), now), range(16)))
    assert len(set(map(repr, records))) == 1
    assert len(store.orders()) == 1


def test_a_closed_slot_takes_no_order_and_no_cancellation(store: Store) -> None:
    taken = take(store, order())
    store.close_slot(SLOT)
    with pytest.raises(GateClosedError, match="closed"):
        take(store, order(salt=9))
    with pytest.raises(GateClosedError, match="closed"):
        cancel(store, taken.signed.hash)
    assert [record.status for record in store.orders()] == [OrderStatus.CLOSED]


def test_a_closed_slot_still_answers_for_an_order_it_has(store: Store) -> None:
    taken = take(store, order())
    store.close_slot(SLOT)
    assert take(store, order()).receipt_signature == taken.receipt_signature


def test_a_cancelled_order_is_not_in_the_book(store: Store) -> None:
    kept = take(store, order(salt=1))
    gone = take(store, order(salt=2))
    cancelled = cancel(store, gone.signed.hash)
    assert cancelled.status is OrderStatus.CANCELLED
    assert cancel(store, gone.signed.hash, b"\2" * 65) == cancelled
    assert [record.signed for record in store.close_slot(SLOT)] == [kept.signed]
    assert store.order(gone.signed.hash) == cancelled


def test_an_unknown_order_cannot_be_cancelled(store: Store) -> None:
    with pytest.raises(UnknownOrderError):
        cancel(store, b"\1" * 32)


def test_the_book_is_in_ascending_order_of_hashes(store: Store) -> None:
    for salt in range(20):
        take(store, order(salt=salt))
    assert store.book(SLOT) == []
    book = store.close_slot(SLOT)
    hashes = [record.signed.hash for record in book]
    assert hashes == sorted(hashes)
    assert len(hashes) == 20
    assert store.book(SLOT) == book


def test_orders_are_listed_page_by_page_in_both_directions(store: Store) -> None:
    for salt in range(7):
        take(store, order(salt=salt, slot=SLOT + 900 * (salt % 3)))
    everything = store.orders()
    for descending in (False, True):
        seen = []
        cursor = None
        while page := store.orders(after=cursor, limit=2, descending=descending):
            seen += page
            cursor = (page[-1].signed.order.slot, page[-1].index)
        assert seen == (everything[::-1] if descending else everything)


def test_orders_are_found_by_slot_account_and_status(store: Store) -> None:
    mine = take(store, order(ALICE))
    other_slot = take(store, order(ALICE, slot=SLOT + 900))
    take(store, order(BOB, side=Side.OFFER))
    cancel(store, other_slot.signed.hash)
    assert store.orders(account=ALICE.address, status=OrderStatus.OPEN) == [mine]
    assert [record.signed for record in store.orders(account=ALICE.address)] == [mine.signed, other_slot.signed]
    assert len(store.orders(slot=SLOT)) == 2
    assert store.orders_by_hash([mine.signed.hash, b"\0" * 32]) == {mine.signed.hash: mine}
