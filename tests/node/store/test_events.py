"""Events are kept with what they tell of, and numbered as they were committed."""

import threading
from collections.abc import Callable

import pytest

from ledger.merkle import root
from node.store import Store, events
from node.store.errors import GateClosedError, StoreConflictError
from node.store.events import EventPage
from node.store.records import SlotState
from node.store.telling import Event, EventKind, tell
from tests.node.parts import ALICE, BOB, SLOT, order
from tests.node.taken import cancel, take

A_MOVE = Event(EventKind.CERTIFICATE_MOVED, SLOT, ALICE.address, BOB.address, {"amount_wh": 5})


def kinds(store: Store, account: bytes | None = None, after: int = 0) -> list[str]:
    return [record.event.kind.value for record in store.events(after=after, account=account, limit=1_000).events]


def test_a_slots_life_is_told_step_by_step_with_its_price(store: Store) -> None:
    store.close_slot(SLOT)
    store.record_committed(SLOT, root([]), 0)
    store.record_clearing(SLOT, price=None, fills={}, rejected={}, trades=[], bought_wh=0)
    store.record_settled(SLOT)
    store.record_delivered(SLOT)
    assert kinds(store) == ["slot_closed", "slot_committed", "slot_cleared", "slot_settled", "slot_delivered"]
    cleared = store.events(after=0, limit=10).events[2]
    assert (cleared.number, cleared.event.details) == (3, {"price": None, "bought_wh": 0})


def test_only_its_account_sees_an_order_come_and_go(store: Store) -> None:
    record = take(store, order(ALICE), SLOT - 3_600)
    cancel(store, record.signed.hash)
    store.close_slot(SLOT)
    assert kinds(store, ALICE.address) == ["order_accepted", "order_cancelled", "slot_closed"]
    assert kinds(store, BOB.address) == kinds(store) == ["slot_closed"]
    accepted = store.events(after=0, account=ALICE.address, limit=1).events[0]
    assert (accepted.number, accepted.event.details["order"]) == (1, "0x" + record.signed.hash.hex())


def test_what_changes_nothing_and_what_is_refused_is_not_told(store: Store) -> None:
    record = take(store, order(ALICE), SLOT - 3_600)
    take(store, order(ALICE), SLOT - 3_600)
    for _ in range(2):
        cancel(store, record.signed.hash)
    for _ in range(2):
        store.close_slot(SLOT)
    with pytest.raises(GateClosedError):
        take(store, order(BOB), SLOT - 3_600)
    with pytest.raises(StoreConflictError):
        store.record_settled(SLOT)
    assert store.event_numbers() == (1, 3)


def test_pages_go_on_behind_the_last_number_and_over_events_of_others(store: Store) -> None:
    for salt in range(5):
        take(store, order(ALICE, salt=salt), SLOT - 3_600)
    first = store.events(after=0, account=ALICE.address, limit=2)
    rest = store.events(after=first.last, account=ALICE.address, limit=10)
    assert [record.number for record in (*first.events, *rest.events)] == [1, 2, 3, 4, 5]
    # Nothing of it is Bob's; he need not look at it again.
    assert store.events(after=0, account=BOB.address, limit=2) == store.events(after=5, limit=2)
    assert store.events(after=5, limit=2).last == 5


def test_a_page_ends_where_enough_was_looked_at_however_little_is_found(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody makes the store look through a million events at once, or waits for numbers that were never given."""
    monkeypatch.setattr(events, "LOOKED_AT", 3)
    for salt in range(4):
        take(store, order(ALICE, salt=salt), SLOT - 3_600)
    store.tell_restored()
    store.close_slot(SLOT)
    restored = store.event_numbers()[1] - 1
    first = store.events(after=0, limit=2)
    assert first == EventPage((), last=3, has_next=True)
    second = store.events(after=first.last, limit=3)
    assert [record.number for record in second.events] == [restored, restored + 1]
    assert (second.last, second.has_next) == (restored + 1, True)
    assert store.events(after=second.last, limit=2) == EventPage((), last=second.last, has_next=False)


def test_a_full_page_says_that_there_may_be_another(store: Store) -> None:
    for number in range(3):
        store.close_slot(SLOT + 900 * number)
    pages = [store.events(after=0, limit=limit) for limit in (2, 3, 4)]
    assert [(page.last, page.has_next) for page in pages] == [(2, True), (3, True), (3, False)]


def test_a_move_of_certificates_is_both_sides_and_told_once(store: Store) -> None:
    assert store.certificates_told() == -1
    store.tell_certificates([A_MOVE], after=-1, block=7)
    for late in (-1, 6):
        with pytest.raises(StoreConflictError):
            store.tell_certificates([A_MOVE], after=late, block=8)
    store.tell_certificates([], after=7, block=9)
    assert store.certificates_told() == 9
    assert kinds(store, ALICE.address) == kinds(store, BOB.address) == kinds(store) == ["certificate_moved"]


def test_old_events_are_forgotten_and_numbers_go_on(store: Store) -> None:
    for salt in range(5):
        take(store, order(ALICE, salt=salt), SLOT - 3_600)
    store.prune_events(keep=2)
    store.prune_events(keep=2)
    assert store.event_numbers() == (4, 5)
    store.prune_events(keep=1)
    store.close_slot(SLOT)
    assert store.event_numbers() == (5, 6)


def test_numbers_follow_commits_whoever_began_first(open_store: Callable[[], Store]) -> None:
    """Whoever has seen a number never finds a lower one that is new: not with two nodes' writers either."""
    slow, quick = open_store(), open_store()
    began, may_end = threading.Event(), threading.Event()

    def write_slowly() -> None:
        with slow._write() as connection:
            tell(connection, Event(EventKind.SLOT_CLOSED, SLOT))
            began.set()
            may_end.wait(10)

    first = threading.Thread(target=write_slowly)
    second = threading.Thread(target=quick.close_slot, args=(SLOT + 900,))
    first.start()
    assert began.wait(10)
    second.start()
    second.join(0.3)
    seen_meanwhile = quick.events(after=0, limit=9).events
    may_end.set()
    first.join()
    second.join()
    assert seen_meanwhile == ()
    found = [(record.number, record.event.slot) for record in quick.events(after=0, limit=9).events]
    assert found == [(1, SLOT), (2, SLOT + 900)]


def test_states_of_slots_have_a_kind_of_event_each() -> None:
    told = {kind.value.removeprefix("slot_") for kind in EventKind if kind.value.startswith("slot_")}
    assert told == {state.value for state in SlotState} - {SlotState.OPEN.value}
