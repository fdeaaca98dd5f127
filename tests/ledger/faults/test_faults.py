"""A day's steps through a faulty proxy and over re-organisations: every slot is settled exactly once."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from random import Random

import pytest

from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.intents import IntentStatus
from ledger.jsonrpc import JsonRpcChain
from ledger.steps import MAX_CONFIRMATIONS
from tests.chains import AnvilChain, run_on_each_chain
from tests.ledger.chain.serving import served
from tests.ledger.faults.day import Day, credits_in, slots_of_a_day
from tests.ledger.faults.proxy import FAULTS, FaultProxy
from tests.world import World

TIMEOUT_S = 0.25
FAULT_RATE = 0.15
MAX_ROUNDS = 200

pytest_generate_tests = run_on_each_chain


@pytest.fixture(autouse=True)
def no_pause_before_questions_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.jsonrpc._RETRY_PAUSE_S", 0.001)


@contextmanager
def through_a_proxy(url: str, seed: int, fault_rate: float) -> Iterator[tuple[FaultProxy, JsonRpcChain]]:
    proxy = FaultProxy(url, seed=seed, fault_rate=0.0, timeout_s=TIMEOUT_S)
    with served(proxy) as proxy_url, closing(JsonRpcChain(proxy_url, timeout_s=TIMEOUT_S)) as chain:
        proxy.fault_rate = fault_rate
        yield proxy, chain


def live_through(day: Day, proxy: FaultProxy, random: Random) -> None:
    """Take rounds until the day is over and nothing of it is lost, then once more without faults."""
    for _ in range(MAX_ROUNDS):
        day.take_round(random)
        if day.is_over and not day.journal.of_status(IntentStatus.DROPPED):
            break
    assert day.is_over
    proxy.fault_rate = 0.0
    day.take_round(random)


@contextmanager
def endpoint_of(world: World) -> Iterator[str]:
    if isinstance(world.chain, AnvilChain):
        yield world.chain._url
    else:
        assert isinstance(world.chain, DevChain)
        with served(create_app(world.chain)) as url:
            yield url


def mine(world: World, blocks: int) -> None:
    if isinstance(world.chain, AnvilChain):
        world.chain.mine(blocks)
    else:
        assert isinstance(world.chain, DevChain)
        world.chain.mine(blocks)


def run_a_day(world: World, *, slots: int, seed: int) -> FaultProxy:
    random = Random(seed)
    before, first_block = credits_in(world), world.chain.head().number + 1
    with endpoint_of(world) as url, through_a_proxy(url, seed, FAULT_RATE) as (proxy, chain):
        day = Day(world, chain, slots_of_a_day(slots))
        pass_time(world, day)
        live_through(day, proxy, random)
        assert day.journal.unfinished() == []
        day.check(first_block, before)
    return proxy


def pass_time(world: World, day: Day) -> None:
    """Until the last slot is over, and the first can still be settled; a block tells whoever looks at the head."""
    world.time.now = day.slots[-1] + 900
    mine(world, 1)


def run_a_day_with_reorganisations(world: World, *, slots: int, seed: int, reorganisations: int) -> None:
    random = Random(seed)
    before, first_block = credits_in(world), world.chain.head().number + 1
    with endpoint_of(world) as url, through_a_proxy(url, seed, FAULT_RATE / 2) as (proxy, chain):
        day = Day(world, chain, slots_of_a_day(slots), confirmations=MAX_CONFIRMATIONS)
        pass_time(world, day)
        beginnings: list[tuple[int, int]] = []
        for _ in range(reorganisations):
            beginnings.append((world.chain.head().number, world.chain.snapshot()))
            day.take_round(random)
            reorganise(world, beginnings, random)
        live_through(day, proxy, random)
        mine(world, MAX_CONFIRMATIONS)
        day.take_round(random)
        assert day.journal.unfinished() == []
        day.check(first_block, before)


def reorganise(world: World, beginnings: list[tuple[int, int]], random: Random) -> None:
    """Return to the beginning of one of the last rounds, at most 64 blocks ago, and let other blocks follow."""
    head = world.chain.head().number
    near = [each for each in beginnings if head - each[0] <= MAX_CONFIRMATIONS]
    if not near:  # the last round had to take more steps again than that
        return
    number, snapshot = random.choice(near)
    world.chain.revert(snapshot)
    beginnings[:] = [each for each in beginnings if each[0] < number]
    world.time.now += 1
    mine(world, head - number + 1)


def test_a_slot_is_settled_exactly_once_whatever_happens_to_the_messages(world: World) -> None:
    run_a_day(world, slots=2, seed=0)


def test_a_slot_is_settled_exactly_once_over_reorganisations(world: World) -> None:
    run_a_day_with_reorganisations(world, slots=1, seed=0, reorganisations=2)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_many_slots_are_settled_exactly_once_whatever_happens_to_the_messages(world: World, seed: int) -> None:
    proxy = run_a_day(world, slots=12, seed=seed)
    assert set(proxy.struck) == {"none", *FAULTS}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_many_slots_are_settled_exactly_once_over_reorganisations(world: World, seed: int) -> None:
    run_a_day_with_reorganisations(world, slots=8, seed=seed, reorganisations=6)
