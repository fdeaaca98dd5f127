"""A step happens once, wherever the process dies and whatever the network does to its messages."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import rlp
from eth_hash.auto import keccak
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ledger.chain import (
    CallRevertedError,
    Chain,
    ChainUnavailableError,
    Receipt,
    Transaction,
    TransactionRefusedError,
)
from ledger.intents import Intent, IntentStatus
from ledger.steps import MAX_REPLACEMENTS, REVERTED, TAKEN, Step, StepError, Stepper
from ledger.transactions import NotMinedError
from tests.ledger.journal import MemoryJournal
from tests.world import MARKET, SLOT, TERMS, World, one_world_for_a_test


class CrashError(Exception):
    """The process is killed here."""


Fault = Callable[[Chain, bytes], bytes]


class FaultyChain:
    """A real chain on which the next broadcasts go wrong in given ways, and then go right again."""

    def __init__(self, chain: Chain, *faults: Fault) -> None:
        self._chain = chain
        self._faults = list(faults)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    def send(self, raw: bytes) -> bytes:
        fault = self._faults.pop(0) if self._faults else send
        return fault(self._chain, raw)


def send(chain: Chain, raw: bytes) -> bytes:
    return chain.send(raw)


def crash_before_sending(_chain: Chain, _raw: bytes) -> bytes:
    raise CrashError


def crash_after_sending(chain: Chain, raw: bytes) -> bytes:
    chain.send(raw)
    raise CrashError


def lose_the_request(_chain: Chain, _raw: bytes) -> bytes:
    raise ChainUnavailableError("no answer")


def lose_the_reply(chain: Chain, raw: bytes) -> bytes:
    chain.send(raw)
    raise ChainUnavailableError("no answer")


def say_already_known(chain: Chain, raw: bytes) -> bytes:
    chain.send(raw)
    raise TransactionRefusedError("already known")


def refuse(_chain: Chain, _raw: bytes) -> bytes:
    raise TransactionRefusedError("txpool is full")


def say_underpriced(_chain: Chain, _raw: bytes) -> bytes:
    raise TransactionRefusedError("replacement transaction underpriced")


def leave_it_in_the_pool(_chain: Chain, raw: bytes) -> bytes:
    return keccak(raw)


FAULTS = (
    crash_before_sending,
    crash_after_sending,
    lose_the_request,
    lose_the_reply,
    say_already_known,
    refuse,
    say_underpriced,
    leave_it_in_the_pool,
)


class Case:
    """One step, an intent journal that survives, and a new stepper for each life of the process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.journal = MemoryJournal()
        self.key = world.keys["operator"]
        self.before = world.chain.snapshot()
        self.first_nonce = world.chain.nonce(self.key.address)
        world.close_gate(SLOT + 1_800)

    def step(self, slot: int = SLOT) -> Step:
        exchange = self.world.exchange
        return Step(
            market=MARKET,
            slot=slot,
            name="commit",
            key=self.key,
            to=exchange.address,
            event=exchange.interface.topic("BookCommitted"),
            is_done=lambda: exchange.read("books", MARKET, slot) != bytes(32),
            calldata=lambda: exchange.interface.call("commit_book", MARKET, slot, bytes(32), 0),
        )

    def run(self, *faults: Fault, slot: int = SLOT, patience_s: float = 0.0) -> None:
        chain: Chain = FaultyChain(self.world.chain, *faults)
        Stepper(chain, self.journal, patience_s=patience_s).run(self.step(slot))

    def effects(self) -> list[int]:
        """The slots whose book was committed, once for each time."""
        head = self.world.chain.head().number
        events = self.world.exchange.events(["BookCommitted"], first_block=0, last_block=head)
        return [event.arguments["slot"] for event in events]

    def nonces_used(self) -> int:
        return self.world.chain.nonce(self.key.address) - self.first_nonce

    def spend_the_nonce(self) -> None:
        self.world.act(self.key, "void", MARKET, SLOT // 900 * 900 - 900 * (1_000 + self.nonces_used()))


def fees(intent: Intent) -> tuple[int, int]:
    """The priority fee and the most it pays, both per gas."""
    assert intent.raw_transaction is not None
    _, _, tip, fee, *_ = rlp.decode(intent.raw_transaction[1:])
    return int.from_bytes(tip), int.from_bytes(fee)


@pytest.fixture
def case(world: World) -> Case:
    return Case(world)


def assert_done_once(case: Case, *, transactions: int = 1) -> None:
    assert case.effects() == [SLOT]
    assert case.nonces_used() == transactions
    (done,) = case.journal.confirmed
    assert done.is_final
    assert case.journal.unfinished() == []


# ------------------------------------------------------------------------------------------- one fault


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


def test_an_effect_without_an_event_is_not_believed(case: Case) -> None:
    step = replace(case.step(), is_done=lambda: True)
    with pytest.raises(StepError, match="no event"):
        Stepper(case.world.chain, case.journal, patience_s=0).run(step)
    assert case.journal.intents == []


# ------------------------------------------------------------------------------------ the nonce is taken


def test_a_nonce_that_somebody_used_before_we_sent_is_given_up(case: Case) -> None:
    def be_overtaken(chain: Chain, raw: bytes) -> bytes:
        case.spend_the_nonce()
        return chain.send(raw)

    with pytest.raises(TransactionRefusedError, match="nonce too low"):
        case.run(be_overtaken)
    assert case.effects() == []
    case.run()
    assert_done_once(case, transactions=2)
    assert [intent.attempt for intent in case.journal.intents] == [0, 1]
    assert [intent.nonce for intent in case.journal.intents] == [case.first_nonce, case.first_nonce + 1]


def test_a_nonce_that_somebody_used_while_we_were_down_is_given_up(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(crash_before_sending)
    case.spend_the_nonce()
    case.run()
    assert_done_once(case, transactions=2)
    assert [record.reason for record in case.journal.failed] == [TAKEN]


def test_a_later_step_may_use_the_nonce_of_one_that_was_never_sent(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(crash_before_sending)
    case.run(slot=SLOT + 900)
    case.run()
    assert sorted(case.effects()) == [SLOT, SLOT + 900]
    assert case.nonces_used() == 2


def test_two_nodes_with_one_key_bring_a_step_about_once_and_both_know_by_whom(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(crash_before_sending)
    other = MemoryJournal()
    case.world.time.now += 60  # the other's transaction is another one: fees and state have changed meanwhile
    case.world.act(case.world.members[0], "request_withdrawal", 1)
    Stepper(case.world.chain, other, patience_s=0).run(case.step())
    case.run()
    assert_done_once(case)
    (theirs,) = other.confirmed
    (found,) = case.journal.confirmed
    assert found.intent.transaction_hash == theirs.intent.transaction_hash
    assert (found.intent.raw_transaction, found.block_hash) == (None, theirs.block_hash)
    assert [record.reason for record in case.journal.failed] == [TAKEN]


def test_a_refusal_because_another_node_was_faster_is_no_failure(case: Case) -> None:
    other = MemoryJournal()

    def be_overtaken(chain: Chain, raw: bytes) -> bytes:
        case.world.act(case.world.members[0], "request_withdrawal", 1)
        Stepper(chain, other, patience_s=0).run(case.step())
        return chain.send(raw)

    case.run(be_overtaken)
    assert_done_once(case)
    assert [record.intent.raw_transaction for record in case.journal.confirmed] == [None]
    assert [record.reason for record in case.journal.failed] == [TAKEN]


def test_nodes_with_one_key_that_take_each_others_nonces_both_get_done(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(crash_before_sending)
    other = MemoryJournal()
    Stepper(case.world.chain, other, patience_s=0).run(case.step(SLOT + 900))
    case.run()
    assert sorted(case.effects()) == [SLOT, SLOT + 900]
    assert [record.reason for record in case.journal.failed] == [TAKEN]
    assert case.nonces_used() == 2


def test_a_mined_transaction_is_confirmed_although_the_nonce_has_moved_on(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(crash_after_sending)
    case.spend_the_nonce()
    case.run()
    assert_done_once(case, transactions=2)
    assert case.journal.failed == []


# ------------------------------------------------------------------------------------ it fails on chain


def test_what_the_contract_refuses_is_neither_sent_nor_written_down(case: Case) -> None:
    with pytest.raises(CallRevertedError, match="exchange: gate open"):
        case.run(slot=SLOT + 90_000)
    assert (case.journal.intents, case.nonces_used()) == ([], 0)


def void_step(case: Case) -> Step:
    exchange = case.world.exchange
    return Step(
        market=MARKET,
        slot=SLOT,
        name="void",
        key=case.key,
        to=exchange.address,
        event=exchange.interface.topic("Voided"),
        is_done=lambda: exchange.read("slot_of", MARKET, SLOT)["state"] != 0,
        calldata=lambda: exchange.interface.call("void", MARKET, SLOT),
    )


def test_a_transaction_that_failed_as_another_was_faster_is_noted_beside_the_other(case: Case) -> None:
    world = case.world
    world.at(SLOT + TERMS.settle_within_s + 1)

    def be_overtaken(chain: Chain, raw: bytes) -> bytes:
        world.act(world.strangers[0], "void", MARKET, SLOT)
        return chain.send(raw)

    chain: Chain = FaultyChain(world.chain, be_overtaken)
    stepper = Stepper(chain, case.journal, patience_s=0)
    stepper.run(void_step(case))
    stepper.run(void_step(case))
    assert [record.reason for record in case.journal.failed] == [REVERTED]
    assert [record.intent.sender for record in case.journal.confirmed] == [world.strangers[0].address]
    assert case.nonces_used() == 1


def test_a_transaction_that_failed_and_left_the_work_undone_is_reported_and_attempted_anew(case: Case) -> None:
    world = case.world
    too_late = SLOT + TERMS.settle_within_s + 1
    world.at(too_late)

    def be_mined_too_early(chain: Chain, raw: bytes) -> bytes:
        world.time.now -= 1
        return chain.send(raw)

    chain: Chain = FaultyChain(world.chain, be_mined_too_early)
    stepper = Stepper(chain, case.journal, patience_s=0)
    with pytest.raises(StepError, match=r"void of slot .* reverted"):
        stepper.run(void_step(case))
    world.at(too_late)
    stepper.run(void_step(case))
    assert [record.reason for record in case.journal.failed] == [REVERTED]
    assert [record.intent.attempt for record in case.journal.confirmed] == [1]


def test_a_transaction_that_failed_on_chain_while_we_were_down_is_noted(case: Case) -> None:
    world = case.world
    world.at(SLOT + TERMS.settle_within_s + 1)

    def be_overtaken_and_crash(chain: Chain, raw: bytes) -> bytes:
        world.act(world.strangers[0], "void", MARKET, SLOT)
        return crash_after_sending(chain, raw)

    chain: Chain = FaultyChain(world.chain, be_overtaken_and_crash)
    stepper = Stepper(chain, case.journal, patience_s=0)
    with pytest.raises(CrashError):
        stepper.run(void_step(case))
    stepper.run(void_step(case))
    assert [record.reason for record in case.journal.failed] == [REVERTED]
    assert case.nonces_used() == 1


def test_a_transaction_that_did_only_a_part_is_not_taken_for_the_whole(case: Case) -> None:
    world = case.world
    case.run()
    world.settle([])
    world.at(SLOT + 1_800)
    account = int.from_bytes(min(key.address for key in world.members), "big")
    step = Step(
        market=MARKET,
        slot=SLOT,
        name="deliver",
        key=world.keys["meter_authority"],
        to=world.exchange.address,
        event=world.exchange.interface.topic("Delivered"),
        is_done=lambda: world.exchange.read("slot_of", MARKET, SLOT)["state"] == 2,
        calldata=lambda: world.exchange.interface.call("deliver", MARKET, SLOT, [account]),
    )
    with pytest.raises(StepError, match=f"deliver of slot {SLOT}: .* did not do its work"):
        Stepper(world.chain, case.journal, patience_s=0).run(step)
    assert world.exchange.read("delivered_members", MARKET, SLOT) == 1


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
