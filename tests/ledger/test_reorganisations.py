"""Steps survive re-organisations: their transactions moved, dropped, or replaced by others of the same nonce."""

from dataclasses import dataclass, field, replace

import pytest

from ledger.devchain import DevChain
from ledger.intents import IntentRecord
from ledger.outcomes import OVERTAKEN, TAKEN
from ledger.steps import MAX_CONFIRMATIONS, Step, StepError, Stepper
from ledger.transactions import NotMinedError, build
from tests.chains import AnvilChain, run_on_each_chain
from tests.ledger.journal import MemoryJournal
from tests.ledger.steps import committing
from tests.world import SLOT, World

pytest_generate_tests = run_on_each_chain


@pytest.fixture
def case(world: World) -> "Case":
    return Case(world)


@dataclass
class Case:
    """Steps on a chain that re-organises, followed by one stepper after the other as if restarted each time."""

    world: World
    journal: MemoryJournal = field(default_factory=MemoryJournal)

    def __post_init__(self) -> None:
        self.key = self.world.keys["operator"]
        self.world.close_gate(SLOT + 900 * 10)
        self.grow(1)
        self.before = self.world.chain.snapshot()

    def step(self, slot: int = SLOT) -> Step:
        return committing(self.world, slot)

    def stepper(self) -> Stepper:
        return Stepper(self.world.chain, self.journal, confirmations=MAX_CONFIRMATIONS, patience_s=5)

    def run(self, slot: int = SLOT) -> IntentRecord:
        self.stepper().run(self.step(slot))
        (done,) = [record for record in self.journal.confirmed if record.intent.slot == slot]
        return done

    def grow(self, blocks: int) -> None:
        chain = self.world.chain
        if blocks == 0:
            return
        if isinstance(chain, AnvilChain):
            chain.mine(blocks)
        else:
            assert isinstance(chain, DevChain)
            chain.mine(blocks)

    def reorganise(self, depth: int, *raws: bytes) -> None:
        """Let the last blocks be others, of which the second (or only) one has these transactions."""
        chain = self.world.chain
        head = chain.head().number
        if isinstance(chain, AnvilChain) and depth == 1:
            chain.replace_head(raws)
        else:
            # anvil's own way back to a block loses the contracts' code once it has written old states to its disk.
            chain.revert(self.before)
            assert chain.head().number == head - depth
            self.world.time.now += 7
            self.grow(min(depth - 1, 1))
            for raw in raws:
                chain.send(raw)
        self.grow(head + 1 - chain.head().number)
        assert chain.head().number > head

    def other_transaction(self, nonce: int) -> bytes:
        """Something else that the operator's key may send."""
        return build(self.world.chain, self.key, to=self.key.address, data=b"", nonce=nonce).raw

    def attempt_that_loses_its_nonce(self) -> IntentRecord:
        """Written down, never sent; then another transaction takes its nonce, and somebody notices."""

        class KilledError(Exception):
            pass

        def kill(*_: object) -> None:
            raise KilledError

        stepper = self.stepper()
        stepper._broadcast = kill  # type: ignore[method-assign]
        with pytest.raises(KilledError):
            stepper.run(self.step())
        (pending,) = self.journal.intents
        self.world.chain.send(self.other_transaction(pending.nonce))
        with pytest.raises(KilledError):
            self.stepper().run(replace(self.step(), calldata=kill))  # type: ignore[arg-type]
        (failed,) = self.journal.failed
        assert failed.reason == TAKEN
        return failed

    def commits(self) -> list[int]:
        """The slots whose book was committed, once for each time."""
        head = self.world.chain.head().number
        events = self.world.exchange.events(["BookCommitted"], first_block=0, last_block=head)
        return [event.arguments["slot"] for event in events]

    def check_noted(self, record: IntentRecord) -> None:
        receipt = self.world.chain.receipt(record.intent.transaction_hash)
        assert receipt is not None
        noted = record.block_number, record.block_hash, record.gas_used
        assert noted == (receipt.block_number, receipt.block_hash, receipt.gas_used)


depths = pytest.mark.parametrize("depth", [1, MAX_CONFIRMATIONS])


@depths
def test_what_a_reorganisation_leaves_alone_becomes_final(case: Case, depth: int) -> None:
    done = case.run()
    case.grow(depth - 1)
    assert case.stepper().follow() == []
    assert case.journal.unfinished() == [done]
    case.grow(MAX_CONFIRMATIONS - depth)
    assert case.stepper().follow() == []
    assert not case.journal.confirmed[0].is_final
    case.grow(1)
    assert case.stepper().follow() == []
    assert case.journal.confirmed[0].is_final
    assert case.journal.unfinished() == []


@depths
def test_a_moved_transaction_is_noted_in_its_new_block(case: Case, depth: int) -> None:
    done = case.run()
    case.grow(depth - 1)
    assert done.intent.raw_transaction is not None
    case.reorganise(depth, done.intent.raw_transaction)
    assert case.stepper().follow() == [(SLOT, "commit")]
    moved = case.run()
    assert moved.intent == done.intent
    assert moved.block_hash != done.block_hash
    case.check_noted(moved)
    assert case.commits() == [SLOT]
    assert case.stepper().follow() == []


@depths
def test_a_dropped_transaction_is_sent_again_as_it_was(case: Case, depth: int) -> None:
    done = case.run()
    case.grow(depth - 1)
    case.reorganise(depth)
    assert case.commits() == []
    assert case.stepper().follow() == [(SLOT, "commit")]
    assert case.stepper().follow() == [(SLOT, "commit")], "until the step was run again"
    again = case.run()
    assert again.intent == done.intent
    case.check_noted(again)
    assert case.commits() == [SLOT]
    assert case.stepper().follow() == []


@depths
def test_a_replaced_transaction_is_followed_by_another_attempt(case: Case, depth: int) -> None:
    done = case.run()
    case.grow(depth - 1)
    case.reorganise(depth, case.other_transaction(done.intent.nonce))
    assert case.commits() == []
    assert case.stepper().follow() == [(SLOT, "commit")]
    again = case.run()
    assert (again.intent.attempt, again.intent.nonce) == (1, done.intent.nonce + 1)
    case.check_noted(again)
    assert case.commits() == [SLOT]
    assert [record.intent for record in case.journal.failed] == [done.intent]
    assert case.stepper().follow() == []


@depths
def test_a_replaced_transaction_whose_work_another_did_is_not_repeated(case: Case, depth: int) -> None:
    """By another node with the same key, which had to take the next nonce."""
    nonce = case.world.chain.nonce(case.key.address)
    exchange = case.world.exchange.address
    twin = build(case.world.chain, case.key, to=exchange, data=case.step().calldata(), nonce=nonce + 1)
    case.run()
    case.grow(depth - 1)
    case.reorganise(depth, case.other_transaction(nonce), twin.raw)
    assert case.stepper().follow() == [(SLOT, "commit")]
    found = case.run()
    assert (found.intent.attempt, found.intent.nonce, found.intent.raw_transaction) == (1, nonce + 1, None)
    case.check_noted(found)
    assert case.commits() == [SLOT]
    assert case.world.chain.nonce(case.key.address) == nonce + 2


def test_every_step_of_a_forgotten_stretch_is_taken_again_in_its_order(case: Case) -> None:
    slots = [SLOT + 900 * number for number in range(5)]
    for slot in slots:
        case.run(slot)
    case.grow(MAX_CONFIRMATIONS - len(slots))
    case.reorganise(MAX_CONFIRMATIONS)
    lost = case.stepper().follow()
    assert lost == [(slot, "commit") for slot in slots]
    for slot, _ in reversed(lost):
        case.run(slot)
    assert sorted(case.commits()) == slots
    assert case.stepper().follow() == []
    assert len(case.journal.intents) == len(slots)


def test_a_nonce_that_a_reorganisation_left_free_is_used_before_later_ones(case: Case) -> None:
    """Somebody else's transaction had it, and nobody sends that again."""
    other = case.other_transaction(case.world.chain.nonce(case.key.address))
    case.world.chain.send(other)
    first = case.run()
    case.grow(MAX_CONFIRMATIONS - 2)
    case.reorganise(MAX_CONFIRMATIONS)
    assert case.stepper().follow() == [(SLOT, "commit")]
    again = case.run()
    assert again.intent.nonce == first.intent.nonce - 1
    assert case.commits() == [SLOT]
    assert [(record.intent, record.reason) for record in case.journal.failed] == [(first.intent, OVERTAKEN)]
    case.grow(MAX_CONFIRMATIONS)
    assert case.stepper().follow() == []
    assert case.journal.unfinished() == []


def test_a_step_whose_nonce_a_reorganisation_gave_to_another_step_of_ours_is_taken_again(case: Case) -> None:
    done = case.run()
    case.reorganise(1)
    other = case.run(SLOT + 900)  # before anybody looked what the re-organisation had done
    assert other.intent.nonce == done.intent.nonce
    assert case.stepper().follow() == [(SLOT, "commit")]
    assert case.run().intent.nonce == done.intent.nonce + 1
    assert sorted(case.commits()) == [SLOT, SLOT + 900]
    assert case.stepper().follow() == []


def test_bytes_that_were_given_up_and_fit_again_are_the_same_attempt(case: Case) -> None:
    case.grow(150)  # until the base fee is at its lowest, and stays there
    case.before = case.world.chain.snapshot()
    lost = case.attempt_that_loses_its_nonce()
    done = case.run()
    assert (lost.intent.attempt, done.intent.attempt, done.intent.nonce) == (0, 1, lost.intent.nonce + 1)
    case.reorganise(2)
    assert case.stepper().follow() == [(SLOT, "commit")]
    assert case.run().intent == lost.intent
    assert len(case.journal.intents) == 2
    assert case.commits() == [SLOT]


def test_a_failure_becomes_final_once_its_nonce_is_used_deep_enough(case: Case) -> None:
    failed = case.attempt_that_loses_its_nonce()
    case.grow(MAX_CONFIRMATIONS - 1)
    assert case.stepper().follow() == []
    assert case.journal.unfinished() == [failed]
    case.grow(1)
    assert case.stepper().follow() == []
    assert case.journal.failed == [replace(failed, is_final=True)]


def test_rivals_become_final_together(case: Case) -> None:
    unheard = Stepper(case.world.chain, case.journal, confirmations=MAX_CONFIRMATIONS, patience_s=0)
    unheard._broadcast = lambda *_: None  # type: ignore[method-assign]
    with pytest.raises(NotMinedError):
        unheard.run(case.step())
    first, second = case.journal.intents
    assert first.raw_transaction is not None
    case.world.chain.send(first.raw_transaction)
    assert case.run().intent == first
    case.grow(MAX_CONFIRMATIONS)
    assert case.stepper().follow() == []
    assert case.journal.unfinished() == []
    assert [record.intent for record in case.journal.failed] == [second]


def test_what_is_in_a_block_and_succeeded_never_becomes_a_final_failure(case: Case) -> None:
    with pytest.raises(StepError, match="did not do its work"):
        Stepper(case.world.chain, case.journal, patience_s=0).run(replace(case.step(), is_done=lambda: False))
    assert len(case.journal.failed) == 1
    case.grow(2 * MAX_CONFIRMATIONS)
    assert case.stepper().follow() == []
    done = case.run()
    assert (done.intent.attempt, done.is_final) == (0, True)
    assert case.commits() == [SLOT]
