"""A step that fails on chain is reported, and attempted anew where that can help."""

import pytest

from ledger.chain import (
    CallRevertedError,
    Chain,
)
from ledger.outcomes import REVERTED
from ledger.steps import Step, StepError, Stepper
from tests.ledger.steps import (
    Case,
    CrashError,
    FaultyChain,
    crash_after_sending,
)
from tests.world import MARKET, SLOT, TERMS, World


@pytest.fixture
def case(world: World) -> Case:
    return Case(world)


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
