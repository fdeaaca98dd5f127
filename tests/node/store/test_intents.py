from dataclasses import replace

import pytest

from ledger.steps import Journal
from node.store import Store
from node.store.errors import StoreConflictError
from node.store.records import IntentRecord, IntentStatus
from tests.node.parts import SLOT, intent


def test_the_store_is_a_journal_of_steps(store: Store) -> None:
    journal: Journal = store
    assert journal.attempts(SLOT, "settle") == 0
    assert journal.pending_intent(SLOT, "settle") is None


def test_an_intent_is_pending_until_it_is_confirmed(store: Store) -> None:
    store.record_intent(intent())
    assert store.pending_intent(SLOT, "settle") == intent()
    assert store.pending_intent(SLOT, "commit") is None
    store.confirm_intent(intent(), block_number=12, gas_used=90_000)
    assert store.pending_intent(SLOT, "settle") is None
    confirmed = IntentRecord(intent(), IntentStatus.CONFIRMED, block_number=12, gas_used=90_000)
    assert store.intents(SLOT) == [confirmed]
    assert store.confirmed([SLOT, SLOT + 900]) == {(SLOT, "settle"): confirmed}
    assert store.confirmed([SLOT + 900]) == {}


def test_a_failed_intent_makes_room_for_another_attempt(store: Store) -> None:
    store.record_intent(intent())
    with pytest.raises(StoreConflictError, match="pending"):
        store.record_intent(intent(attempt=1))
    store.fail_intent(intent(), "reverted")
    assert store.attempts(SLOT, "settle") == 1
    store.record_intent(intent(attempt=1))
    assert store.pending_intent(SLOT, "settle") == intent(attempt=1)
    assert [(found.status, found.reason) for found in store.intents(SLOT)] == [
        (IntentStatus.FAILED, "reverted"),
        (IntentStatus.PENDING, None),
    ]


def test_an_intent_is_concluded_once(store: Store) -> None:
    store.record_intent(intent())
    with pytest.raises(StoreConflictError, match="must be pending"):
        store.confirm_intent(replace(intent(), transaction_hash=b"\0" * 32), 1, 1)
    store.fail_intent(intent(), "reverted")
    with pytest.raises(StoreConflictError, match="must be pending"):
        store.confirm_intent(intent(), 1, 1)


def test_an_intent_of_another_market_is_refused(store: Store) -> None:
    with pytest.raises(StoreConflictError, match="market"):
        store.record_intent(replace(intent(), market=b"\0" * 32))


def test_settlements_are_confirmed_intents_newest_slot_first(store: Store) -> None:
    for slot, step in ((SLOT, "commit"), (SLOT, "settle"), (SLOT + 900, "commit")):
        store.record_intent(intent(slot, step))
        store.confirm_intent(intent(slot, step), 1, 1)
    store.record_intent(intent(SLOT + 900, "settle"))
    names = [(found.intent.slot, found.intent.step) for found in store.settlements()]
    assert names == [(SLOT + 900, "commit"), (SLOT, "settle"), (SLOT, "commit")]
    assert [found.intent.step for found in store.settlements(slot=SLOT, limit=1)] == ["settle"]
    assert [found.intent.step for found in store.settlements(after=(SLOT, "settle", 0))] == ["commit"]
