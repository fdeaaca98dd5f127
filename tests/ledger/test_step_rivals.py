"""A step happens once, although others use its nonce or are faster."""

import pytest

from ledger.chain import (
    Chain,
    TransactionRefusedError,
)
from ledger.outcomes import TAKEN
from ledger.steps import Stepper
from tests.ledger.journal import MemoryJournal
from tests.ledger.steps import (
    Case,
    CrashError,
    assert_done_once,
    crash_after_sending,
    crash_before_sending,
)
from tests.world import SLOT, World


@pytest.fixture
def case(world: World) -> Case:
    return Case(world)


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
