"""A step happens once, wherever the process dies and whatever the network does to its messages."""

from collections.abc import Callable
from typing import Any

import pytest
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.chain import CallRevertedError, Chain, ChainUnavailableError, TransactionRefusedError
from ledger.devchain.chain import DevChain
from ledger.steps import Step, StepError, Stepper
from ledger.transactions import NotMinedError
from tests.ledger.journal import MemoryJournal, attempt
from tests.world import MARKET, SLOT, TERMS, World, one_world_for_a_test


class CrashError(Exception):
    """The process is killed here."""


Fault = Callable[[DevChain, bytes], bytes]


class FaultyChain:
    """A real chain on which the next broadcasts go wrong in given ways, and then go right again."""

    def __init__(self, chain: DevChain, *faults: Fault) -> None:
        self._chain = chain
        self._faults = list(faults)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    def send(self, raw: bytes) -> bytes:
        fault = self._faults.pop(0) if self._faults else DevChain.send
        return fault(self._chain, raw)


def crash_before_sending(_chain: DevChain, _raw: bytes) -> bytes:
    raise CrashError


def crash_after_sending(chain: DevChain, raw: bytes) -> bytes:
    chain.send(raw)
    raise CrashError


def lose_the_request(_chain: DevChain, _raw: bytes) -> bytes:
    raise ChainUnavailableError("no answer")


def lose_the_reply(chain: DevChain, raw: bytes) -> bytes:
    chain.send(raw)
    raise ChainUnavailableError("no answer")


def say_already_known(chain: DevChain, raw: bytes) -> bytes:
    chain.send(raw)
    raise TransactionRefusedError("already known")


def refuse(_chain: DevChain, _raw: bytes) -> bytes:
    raise TransactionRefusedError("txpool is full")


def leave_it_in_the_pool(_chain: DevChain, raw: bytes) -> bytes:
    return keccak(raw)


FAULTS = (
    crash_before_sending,
    crash_after_sending,
    lose_the_request,
    lose_the_reply,
    say_already_known,
    refuse,
    leave_it_in_the_pool,
)


class Case:
    """One step, an intent journal that survives, and a new stepper for each life of the process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.journal = MemoryJournal()
        self.key = world.keys["operator"]
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
            is_done=lambda: exchange.read("books", MARKET, slot) != bytes(32),
            calldata=lambda: exchange.interface.call("commit_book", MARKET, slot, bytes(32), 0),
        )

    def run(self, *faults: Fault, slot: int = SLOT, patience_s: float = 0.0) -> None:
        chain: Chain = FaultyChain(self.world.chain, *faults)  # type: ignore[assignment]
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


@pytest.fixture
def case(world: World) -> Case:
    return Case(world)


def assert_done_once(case: Case, *, transactions: int = 1) -> None:
    assert case.effects() == [SLOT]
    assert case.nonces_used() == transactions
    assert case.journal.pending_intent(SLOT, "commit") is None


# ------------------------------------------------------------------------------------------- one fault


def test_a_step_happens_and_is_confirmed(case: Case) -> None:
    case.run()
    assert_done_once(case)
    (intent,) = case.journal.intents
    receipt = case.world.chain.receipt(intent.transaction_hash)
    assert receipt is not None
    assert case.journal.confirmed == {attempt(intent): (receipt.block_number, receipt.gas_used)}
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
    assert case.journal.intents == []


def test_the_intent_is_written_before_anything_is_sent(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(crash_before_sending)
    assert (case.effects(), case.nonces_used()) == ([], 0)
    pending = case.journal.pending_intent(SLOT, "commit")
    assert pending is not None
    case.run()
    assert_done_once(case)
    assert case.journal.intents == [pending]
    assert attempt(pending) in case.journal.confirmed


def test_a_transaction_sent_before_a_crash_is_found_again(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(crash_after_sending)
    assert case.journal.confirmed == {}
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
    assert case.journal.failed == {}


def test_a_refused_transaction_is_given_up_and_tried_anew(case: Case) -> None:
    with pytest.raises(TransactionRefusedError):
        case.run(refuse)
    assert list(case.journal.failed.values()) == ["txpool is full"]
    case.run()
    assert_done_once(case)


def test_a_transaction_that_is_not_mined_in_time_is_waited_for_by_the_next_run(case: Case) -> None:
    with pytest.raises(NotMinedError):
        case.run(leave_it_in_the_pool)
    case.run()
    assert_done_once(case)
    assert len(case.journal.intents) == 1


# ------------------------------------------------------------------------------------ the nonce is taken


def test_a_nonce_that_somebody_used_before_we_sent_is_given_up(case: Case) -> None:
    def be_overtaken(chain: DevChain, raw: bytes) -> bytes:
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
    assert list(case.journal.failed.values()) == ["another transaction took its nonce"]


def test_a_later_step_may_use_the_nonce_of_one_that_was_never_sent(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(crash_before_sending)
    case.run(slot=SLOT + 900)
    case.run()
    assert sorted(case.effects()) == [SLOT, SLOT + 900]
    assert case.nonces_used() == 2


def test_a_mined_transaction_is_confirmed_although_the_nonce_has_moved_on(case: Case) -> None:
    with pytest.raises(CrashError):
        case.run(crash_after_sending)
    case.spend_the_nonce()
    case.run()
    assert_done_once(case, transactions=2)
    assert case.journal.failed == {}


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
        is_done=lambda: exchange.read("slot_state", MARKET, SLOT) != 0,
        calldata=lambda: exchange.interface.call("void", MARKET, SLOT),
    )


def test_a_transaction_that_fails_on_chain_is_reported_and_not_repeated_if_the_work_is_done(case: Case) -> None:
    world = case.world
    world.at(SLOT + TERMS.settle_within_s + 1)

    def be_overtaken(chain: DevChain, raw: bytes) -> bytes:
        world.act(world.strangers[0], "void", MARKET, SLOT)
        return chain.send(raw)

    chain: Chain = FaultyChain(world.chain, be_overtaken)  # type: ignore[assignment]
    stepper = Stepper(chain, case.journal, patience_s=0)
    with pytest.raises(StepError, match="reverted"):
        stepper.run(void_step(case))
    assert list(case.journal.failed.values()) == ["reverted"]
    stepper.run(void_step(case))
    assert len(case.journal.intents) == case.nonces_used() == 1


def test_a_transaction_that_failed_on_chain_while_we_were_down_is_noted(case: Case) -> None:
    world = case.world
    world.at(SLOT + TERMS.settle_within_s + 1)

    def be_overtaken_and_crash(chain: DevChain, raw: bytes) -> bytes:
        world.act(world.strangers[0], "void", MARKET, SLOT)
        return crash_after_sending(chain, raw)

    chain: Chain = FaultyChain(world.chain, be_overtaken_and_crash)  # type: ignore[assignment]
    stepper = Stepper(chain, case.journal, patience_s=0)
    with pytest.raises(CrashError):
        stepper.run(void_step(case))
    stepper.run(void_step(case))
    assert list(case.journal.failed.values()) == ["reverted"]
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
        is_done=lambda: world.exchange.read("slot_state", MARKET, SLOT) == 2,
        calldata=lambda: world.exchange.interface.call("deliver", MARKET, SLOT, [account]),
    )
    with pytest.raises(StepError, match=f"deliver of slot {SLOT}: mined, but not done"):
        Stepper(world.chain, case.journal, patience_s=0).run(step)
    assert world.exchange.read("delivered_members", MARKET, SLOT) == 1


# --------------------------------------------------------------------------------------- any misfortune

misfortunes = st.lists(st.tuples(st.sampled_from([SLOT, SLOT + 900]), st.sampled_from(FAULTS)), max_size=6)


@settings(max_examples=25, deadline=None)
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
        assert case.nonces_used() == 2
        assert {*case.journal.confirmed, *case.journal.failed} == set(map(attempt, case.journal.intents))
        assert len(case.journal.confirmed) == 2
