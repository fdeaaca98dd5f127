"""A step happens once, wherever the process dies and whatever the network does to its messages."""

import time
from dataclasses import replace
from typing import Any

import pytest
from eth_hash.auto import keccak
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.chain import (
    Chain,
    ChainUnavailableError,
    Log,
    Receipt,
    Transaction,
    TransactionRefusedError,
)
from ledger.intents import IntentStatus
from ledger.outcomes import TAKEN
from ledger.steps import MAX_REPLACEMENTS, StepError, Stepper
from ledger.transactions import POLL_S, NotMinedError
from tests.ledger.journal import MemoryJournal
from tests.ledger.steps import (
    FAULTS,
    Case,
    CrashError,
    Fault,
    FaultyChain,
    assert_done_once,
    crash_after_sending,
    crash_before_sending,
    fees,
    leave_it_in_the_pool,
    lose_the_reply,
    lose_the_request,
    refuse,
    say_already_known,
    say_underpriced,
)
from tests.world import SLOT, World, one_world_for_a_test


@pytest.fixture
def case(world: World) -> Case:
    return Case(world)


def test_a_step_happens_and_is_confirmed(case: Case) -> None:
    case.run()
    assert_done_once(case)
    (intent,) = case.journal.intents
    receipt = case.world.chain.receipt(intent.transaction_hash)
    assert receipt is not None
    (done,) = case.journal.confirmed
    assert done.intent == intent
    noted = (done.block_number, done.block_hash, done.gas_used)
    assert noted == (receipt.block_number, receipt.block_hash, receipt.gas_used)
    assert (intent.attempt, intent.nonce, intent.sender) == (0, case.first_nonce, case.key.address)
    assert intent.calldata_hash == keccak(case.step().calldata())


def test_a_step_that_is_run_twice_happens_once(case: Case) -> None:
    case.run()
    case.run()
    assert_done_once(case)


def test_what_somebody_else_has_done_is_not_done_again(case: Case) -> None:
    case.world.commit()
    case.run()
    assert_done_once(case)
    (done,) = case.journal.confirmed
    assert (done.intent.sender, done.intent.raw_transaction) == (case.key.address, None)
    transaction = case.world.chain.transaction(done.intent.transaction_hash)
    assert transaction is not None
    assert done.intent.calldata_hash == keccak(transaction.input)


def test_what_somebody_else_did_long_ago_is_found(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.steps._FIRST_SEARCH_BLOCKS", 1)
    done = case.world.commit()
    for _ in range(5):
        case.world.act(case.world.members[0], "request_withdrawal", 1)
    case.run()
    assert [record.block_number for record in case.journal.confirmed] == [done.block_number]


def test_the_intent_is_written_before_anything_is_sent(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(crash_before_sending)
    assert (case.effects(), case.nonces_used()) == ([], 0)
    (pending,) = case.journal.intents
    case.run()
    assert_done_once(case)
    assert case.journal.intents == [pending]


def test_a_transaction_sent_before_a_crash_is_found_again(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(crash_after_sending)
    assert case.journal.confirmed == []
    case.run()
    assert_done_once(case)
    assert len(case.journal.intents) == len(case.journal.confirmed) == 1


@pytest.mark.parametrize("fault", [lose_the_request, lose_the_reply])
def test_a_lost_message_is_made_good_by_the_next_run(case: Case, fault: Fault) -> None:
    with pytest.raises(ChainUnavailableError):
        case.run(fault)
    case.run()
    assert_done_once(case)
    assert len(case.journal.intents) == 1


def test_what_was_sent_before_a_crash_is_noted_although_nobody_runs_its_step_again(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(crash_after_sending)
    stepper = Stepper(case.world.chain, case.journal)
    assert stepper.follow() == []
    assert_done_once(case)
    (done,) = case.journal.confirmed
    receipt = case.world.chain.receipt(done.intent.transaction_hash)
    assert receipt is not None
    noted = (done.block_number, done.block_hash, done.gas_used)
    assert noted == (receipt.block_number, receipt.block_hash, receipt.gas_used)
    case.run()
    assert_done_once(case)


def test_what_was_written_down_and_never_sent_is_given_up_once_its_nonce_is_gone(
    case: Case,
) -> None:
    with pytest.raises(CrashError):
        case.run(crash_before_sending)
    stepper = Stepper(case.world.chain, case.journal)
    assert stepper.follow() == []
    (pending,) = case.journal.unfinished()
    assert pending.status is IntentStatus.PENDING
    case.spend_the_nonce()
    assert stepper.follow() == []
    (failed,) = case.journal.failed
    assert (failed.reason, case.journal.unfinished()) == (TAKEN, [])


def test_a_refusal_of_what_the_chain_knows_already_is_no_failure(case: Case) -> None:
    case.run(say_already_known)
    assert_done_once(case)
    assert case.journal.failed == []


def test_a_refused_transaction_is_offered_again(case: Case) -> None:
    with pytest.raises(TransactionRefusedError):
        case.run(refuse)
    (refused,) = case.journal.unfinished()
    assert (refused.status, refused.reason) == (IntentStatus.PENDING, "txpool is full")
    case.run()
    assert_done_once(case)
    assert case.journal.intents == [refused.intent]
    assert case.journal.confirmed[0].reason is None


def test_a_transaction_that_was_refused_once_and_then_taken_keeps_its_nonce(case: Case) -> None:
    with pytest.raises(TransactionRefusedError):
        case.run(refuse)
    with pytest.raises(NotMinedError):
        case.run(leave_it_in_the_pool, leave_it_in_the_pool)
    assert [record.reason for record in case.journal.unfinished()] == [None, None]
    case.run(slot=SLOT + 900)
    assert case.effects() == [SLOT, SLOT + 900]


def test_the_nonce_of_a_refused_transaction_is_free_for_another_step(case: Case) -> None:
    with pytest.raises(TransactionRefusedError):
        case.run(refuse)
    case.run(slot=SLOT + 900)
    assert case.effects() == [SLOT + 900]
    (refused,) = case.journal.failed
    assert (refused.intent.slot, refused.reason) == (SLOT, TAKEN)
    case.run()
    assert sorted(case.effects()) == [SLOT, SLOT + 900]
    assert case.nonces_used() == 2


def test_a_transaction_that_is_not_mined_in_time_is_outbid_and_waited_for(case: Case) -> None:
    with pytest.raises(NotMinedError):
        case.run(leave_it_in_the_pool, leave_it_in_the_pool)
    first, second = case.journal.intents
    assert (second.attempt, second.nonce, second.calldata_hash) == (1, first.nonce, first.calldata_hash)
    assert (fees(second)[0] / fees(first)[0], fees(second)[1] / fees(first)[1]) >= (1.125, 1.125)
    case.run()
    assert_done_once(case)
    assert case.journal.intents == [first, second]


def test_whichever_of_two_rival_transactions_is_mined_counts(case: Case) -> None:
    with pytest.raises(NotMinedError):
        case.run(leave_it_in_the_pool, leave_it_in_the_pool)
    first, second = case.journal.intents
    assert first.raw_transaction is not None
    case.world.chain.send(first.raw_transaction)
    case.run()
    assert_done_once(case)
    assert [record.intent for record in case.journal.confirmed] == [first]
    assert [(record.intent, record.reason) for record in case.journal.failed] == [(second, TAKEN)]


def test_fees_are_not_raised_for_ever(case: Case) -> None:
    for _ in range(MAX_REPLACEMENTS + 2):
        with pytest.raises(NotMinedError):
            case.run(leave_it_in_the_pool, leave_it_in_the_pool)
    assert len(case.journal.intents) == 1 + MAX_REPLACEMENTS
    assert fees(case.journal.intents[-1])[0] < 3 * fees(case.journal.intents[0])[0]
    case.run()
    assert_done_once(case)
    assert len(case.journal.failed) == MAX_REPLACEMENTS


def test_a_transaction_whose_fee_is_refused_is_outbid_at_once(case: Case) -> None:
    case.run(say_underpriced, say_underpriced)
    assert_done_once(case)
    assert [intent.nonce for intent in case.journal.intents] == [case.first_nonce] * 3


def test_a_replacement_is_written_down_before_it_is_sent(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(say_underpriced, crash_after_sending)
    assert case.journal.confirmed == []
    case.run()
    assert_done_once(case)
    assert [record.intent.attempt for record in case.journal.confirmed] == [1]


def test_a_receipt_that_comes_late_is_waited_for(case: Case) -> None:
    """The endpoint's state and events are ahead of its receipts."""

    class LateReceipts(FaultyChain):
        def receipt(self, _: bytes) -> None:
            return None

    late: Chain = LateReceipts(case.world.chain)
    with pytest.raises(NotMinedError):
        Stepper(late, case.journal, patience_s=0).run(case.step())
    assert (case.journal.failed, case.journal.confirmed) == ([], [])
    case.run()
    assert_done_once(case)
    assert len(case.journal.intents) == 1


def test_a_receipt_without_the_event_in_a_block_confirms_nothing(case: Case) -> None:
    """The endpoint answers with the receipt of a block that is no longer in its chain."""
    case.run()
    (done,) = case.journal.confirmed
    stale = case.world.chain.receipt(done.intent.transaction_hash)
    case.world.chain.revert(case.before)

    class StaleReceipts(FaultyChain):
        def receipt(self, _: bytes) -> Receipt | None:
            return stale

        def send(self, raw: bytes) -> bytes:
            return keccak(raw)

    chain: Chain = StaleReceipts(case.world.chain)
    journal = MemoryJournal()
    with pytest.raises(StepError, match="did not do its work"):
        Stepper(chain, journal, patience_s=0).run(case.step())
    assert (case.effects(), journal.confirmed) == ([], [])


def test_an_event_is_not_enough_while_the_nonce_does_not_show_it(case: Case) -> None:
    """The endpoint's state and events are ahead of its count of transactions."""

    class LateNonces(FaultyChain):
        def nonce(self, _: bytes, **__: object) -> int:
            return case.first_nonce

    late: Chain = LateNonces(case.world.chain)
    with pytest.raises(NotMinedError):
        Stepper(late, case.journal, patience_s=0).run(case.step())
    assert (case.journal.failed, case.journal.confirmed) == ([], [])
    case.run()
    assert_done_once(case)


def test_what_waits_in_the_pool_and_is_known_keeps_its_nonce(case: Case) -> None:
    class Pool(FaultyChain):
        def send(self, _: bytes) -> bytes:
            raise TransactionRefusedError("already known")

        def transaction(self, transaction_hash: bytes) -> Transaction:
            return Transaction(transaction_hash, case.key.address, 0, None, b"", 0, 0, block_number=None)

    pool: Chain = Pool(case.world.chain)
    stepper = Stepper(pool, case.journal, patience_s=0)
    for slot in (SLOT, SLOT + 900):
        with pytest.raises(NotMinedError):
            stepper.run(case.step(slot))
    nonces = {intent.slot: intent.nonce for intent in case.journal.intents}
    assert nonces == {SLOT: case.first_nonce, SLOT + 900: case.first_nonce + 1}
    # Only the next one in line is outbid: a higher fee does not help the other.
    assert [intent.slot for intent in case.journal.intents] == [SLOT, SLOT, SLOT + 900]
    for slot in (SLOT + 900, SLOT):
        case.run(slot=slot)
    assert case.effects() == [SLOT, SLOT + 900]
    assert case.nonces_used() == 2


def test_a_refused_transaction_does_not_take_its_nonce_back_from_another_step(case: Case) -> None:
    with pytest.raises(TransactionRefusedError):
        case.run(refuse)
    with pytest.raises(NotMinedError):
        case.run(leave_it_in_the_pool, leave_it_in_the_pool, slot=SLOT + 900)
    case.run()
    case.run(slot=SLOT + 900)
    assert case.effects() == [SLOT + 900, SLOT]
    done = {record.intent.slot: record.intent for record in case.journal.confirmed}
    assert (done[SLOT + 900].nonce, done[SLOT].nonce) == (case.first_nonce, case.first_nonce + 1)


@pytest.mark.parametrize("questions", range(14))
def test_it_does_not_matter_between_which_questions_a_block_is_mined(case: Case, questions: int) -> None:
    class MinedMeanwhile(FaultyChain):
        """Mines what was sent before it answers the next question but so many."""

        pool: bytes | None = None
        left = questions

        def __getattribute__(self, name: str) -> Any:
            if name in ("nonce", "receipt", "call", "logs", "head", "transaction") and self.pool is not None:
                if self.left == 0:
                    raw, self.pool = self.pool, None
                    self._chain.send(raw)
                self.left -= 1
            return super().__getattribute__(name)

        def send(self, raw: bytes) -> bytes:
            self.pool = raw
            return keccak(raw)

    chain: Any = MinedMeanwhile(case.world.chain)
    Stepper(chain, case.journal).run(case.step())
    assert_done_once(case)
    assert len(case.journal.intents) == 1


def test_state_that_shows_a_moment_before_receipts_and_events_is_no_loss(case: Case) -> None:
    class StateFirst(FaultyChain):
        """As anvil, which commits a block's state before it can be asked for the block."""

        shown_at = 0.0

        def send(self, raw: bytes) -> bytes:
            self.shown_at = time.monotonic() + POLL_S / 2
            return self._chain.send(raw)

        def receipt(self, transaction_hash: bytes) -> Receipt | None:
            return self._chain.receipt(transaction_hash) if time.monotonic() > self.shown_at else None

        def logs(self, **wanted: Any) -> list[Log]:
            return self._chain.logs(**wanted) if time.monotonic() > self.shown_at else []

    chain: Chain = StateFirst(case.world.chain)
    Stepper(chain, case.journal).run(case.step())
    assert_done_once(case)
    assert len(case.journal.intents) == 1


def test_an_effect_without_an_event_is_not_believed(case: Case) -> None:
    step = replace(case.step(), is_done=lambda: True)
    with pytest.raises(StepError, match="no event"):
        Stepper(case.world.chain, case.journal, patience_s=0).run(step)
    assert case.journal.intents == []


# --------------------------------------------------------------------------------------- any misfortune

misfortunes = st.lists(st.tuples(st.sampled_from([SLOT, SLOT + 900]), st.sampled_from(FAULTS)), max_size=6)


@settings(max_examples=25, deadline=None)
@example(
    [
        (SLOT, crash_before_sending),
        (SLOT + 900, crash_before_sending),
        (SLOT, refuse),
        (SLOT + 900, crash_before_sending),
    ]
)
@given(misfortunes)
def test_whatever_goes_wrong_each_step_happens_once(
    built_world: World, misfortunes: list[tuple[int, Fault]]
) -> None:
    with one_world_for_a_test(built_world) as world:
        case = Case(world)
        for slot, fault in misfortunes:
            try:
                case.run(fault, slot=slot)
            except (CrashError, ChainUnavailableError, TransactionRefusedError, NotMinedError):
                continue
        for slot in (SLOT, SLOT + 900):
            case.run(slot=slot)
        assert sorted(case.effects()) == [SLOT, SLOT + 900]
        # A step that was attempted again, to fill a hole among the nonces, may be mined twice: then once in vain.
        receipts = (case.world.chain.receipt(record.intent.transaction_hash) for record in case.journal.failed)
        in_vain = [receipt for receipt in receipts if receipt is not None and not receipt.succeeded]
        assert case.nonces_used() == 2 + len(in_vain)
        assert case.journal.unfinished() == []
        assert len(case.journal.confirmed) == 2
