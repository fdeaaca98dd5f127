from dataclasses import replace

import pytest

from ledger.intents import IntentRecord, IntentStatus, Journal
from node.store import Store
from node.store.errors import StoreConflictError
from tests.node.parts import SLOT, confirmed, intent

SEEN = replace(confirmed(intent()), is_final=False)


def test_the_store_is_a_journal_of_steps(store: Store) -> None:
    journal: Journal = store
    assert journal.attempts(SLOT, "settle") == []
    assert journal.unfinished() == []


def test_a_new_intent_is_pending_and_its_outcome_can_change_until_it_is_final(store: Store) -> None:
    store.record_intent(intent())
    assert store.attempts(SLOT, "settle") == store.unfinished() == [IntentRecord(intent())]
    assert store.attempts(SLOT, "commit") == []
    dropped = replace(SEEN, status=IntentStatus.DROPPED)
    for record in (SEEN, dropped, replace(SEEN, block_number=13)):
        store.note_intent(record)
        assert store.attempts(SLOT, "settle") == store.unfinished() == [record]
    store.note_intent(confirmed(intent()))
    assert store.unfinished() == []
    assert store.intents(SLOT) == [confirmed(intent())]


def test_what_is_final_stays(store: Store) -> None:
    store.record_intent(intent())
    store.note_intent(confirmed(intent()))
    with pytest.raises(StoreConflictError, match="must not be final"):
        store.note_intent(SEEN)


def test_only_an_intent_that_was_written_down_has_an_outcome(store: Store) -> None:
    store.record_intent(intent())
    other = replace(intent(), transaction_hash=b"\0" * 32)
    for unknown in (other, intent(attempt=1), intent(SLOT + 900), intent(step="commit")):
        with pytest.raises(StoreConflictError):
            store.note_intent(confirmed(unknown))
    assert store.unfinished() == [IntentRecord(intent())]


def test_a_step_may_have_several_intents_in_their_order(store: Store) -> None:
    failed = IntentRecord(intent(), IntentStatus.FAILED, reason="reverted")
    store.record_intent(intent())
    store.note_intent(failed)
    store.record_intent(intent(attempt=1))
    assert store.attempts(SLOT, "settle") == [failed, IntentRecord(intent(attempt=1))]
    with pytest.raises(StoreConflictError):
        store.record_intent(intent(attempt=1))


def test_a_transaction_that_is_not_ours_has_no_bytes_to_send(store: Store) -> None:
    others = replace(intent(), raw_transaction=None)
    store.record_intent(others)
    assert store.attempts(SLOT, "settle") == [IntentRecord(others)]


def test_an_intent_of_another_market_is_refused(store: Store) -> None:
    with pytest.raises(StoreConflictError, match="market"):
        store.record_intent(replace(intent(), market=b"\0" * 32))


def test_only_confirmed_intents_are_shown_as_done(store: Store) -> None:
    store.record_intent(intent())
    store.note_intent(SEEN)
    assert store.confirmed([SLOT, SLOT + 900]) == {(SLOT, "settle"): SEEN}
    assert store.confirmed([SLOT + 900]) == {}
    store.note_intent(replace(SEEN, status=IntentStatus.DROPPED))
    assert store.confirmed([SLOT]) == {}
    assert store.settlements() == []


def test_settlements_are_confirmed_intents_newest_slot_first(store: Store) -> None:
    for slot, step in ((SLOT, "commit"), (SLOT, "settle"), (SLOT + 900, "commit")):
        store.record_intent(intent(slot, step))
        store.note_intent(confirmed(intent(slot, step)))
    store.record_intent(intent(SLOT + 900, "settle"))
    names = [(found.intent.slot, found.intent.step) for found in store.settlements()]
    assert names == [(SLOT + 900, "commit"), (SLOT, "settle"), (SLOT, "commit")]
    assert [found.intent.step for found in store.settlements(slot=SLOT, limit=1)] == ["settle"]
    assert [found.intent.step for found in store.settlements(after=(SLOT, "settle", 0))] == ["commit"]
