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
from tests.chains import ANVIL, AnvilChain
from tests.ledger.chain.serving import served
from tests.ledger.faults.day import Day, credits_in, slots_of_a_day
from tests.ledger.faults.proxy import FAULTS, FaultProxy
from tests.world import World, new_world, one_world_for_a_test

TIMEOUT_S = 0.25
FAULT_RATE = 0.15
MAX_ROUNDS = 200


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


def run_a_day(world: World, url: str, *, slots: int, seed: int, fault_rate: float = FAULT_RATE) -> FaultProxy:
    random = Random(seed)
    before, first_block = credits_in(world), world.chain.head().number + 1
    with through_a_proxy(url, seed, fault_rate) as (proxy, chain):
        day = Day(world, chain, slots_of_a_day(slots))
        pass_time(world, day)
        live_through(day, proxy, random)
        assert day.journal.unfinished() == []
        day.check(first_block, before)
    return proxy


def pass_time(world: World, day: Day) -> None:
    """Until the last slot is over, and the first can still be settled; a block then tells everybody."""
    world.time.now = day.slots[-1] + 900
    if isinstance(world.chain, AnvilChain):
        world.chain._tell_time()
        world.chain._request("anvil_mine", "0x1")


@pytest.mark.parametrize("seed", range(2))
def test_a_slot_is_settled_exactly_once_whatever_happens_to_the_messages(built_world: World, seed: int) -> None:
    with one_world_for_a_test(built_world) as world, served(create_app(world.chain)) as url:
        run_a_day(world, url, slots=2, seed=seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_whole_day_is_settled_exactly_once_whatever_happens_to_the_messages(
    built_world: World, seed: int
) -> None:
    with one_world_for_a_test(built_world) as world, served(create_app(world.chain)) as url:
        proxy = run_a_day(world, url, slots=80, seed=seed)
        assert set(proxy.struck) == {"none", *FAULTS}


@pytest.mark.slow
def test_a_day_on_anvil_is_settled_exactly_once_whatever_happens_to_the_messages() -> None:
    with new_world(chain_kind=ANVIL) as world:
        assert isinstance(world.chain, AnvilChain)
        run_a_day(world, world.chain._url, slots=24, seed=0)


def reorganise(world: World, blocks_ago: list[tuple[int, int]], random: Random) -> None:
    """Return to one of the last rounds' beginnings, at most 64 blocks ago, and let other blocks follow."""
    chain = world.chain
    assert isinstance(chain, DevChain)
    head = chain.head().number
    near = [(number, snapshot) for number, snapshot in blocks_ago if head - number < MAX_CONFIRMATIONS]
    number, snapshot = random.choice(near)
    chain.revert(snapshot)
    blocks_ago[:] = [entry for entry in blocks_ago if entry[0] < number]
    world.time.now += 1
    chain.mine(head - number + 1)


def run_a_day_with_reorganisations(world: World, *, slots: int, seed: int, reorganisations: int) -> None:
    chain = world.chain
    assert isinstance(chain, DevChain)
    random = Random(seed)
    before, first_block = credits_in(world), chain.head().number + 1
    with served(create_app(chain)) as url, through_a_proxy(url, seed, FAULT_RATE / 2) as (proxy, proxied):
        day = Day(world, proxied, slots_of_a_day(slots), confirmations=MAX_CONFIRMATIONS)
        pass_time(world, day)
        beginnings: list[tuple[int, int]] = []
        for _ in range(reorganisations):
            beginnings.append((chain.head().number, chain.snapshot()))
            day.take_round(random)
            reorganise(world, beginnings, random)
        live_through(day, proxy, random)
        chain.mine(MAX_CONFIRMATIONS)
        day.take_round(random)
        assert day.journal.unfinished() == []
        day.check(first_block, before)


def test_a_slot_is_settled_exactly_once_over_reorganisations(built_world: World) -> None:
    with one_world_for_a_test(built_world) as world:
        run_a_day_with_reorganisations(world, slots=2, seed=0, reorganisations=3)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_a_whole_day_is_settled_exactly_once_over_reorganisations(built_world: World, seed: int) -> None:
    with one_world_for_a_test(built_world) as world:
        run_a_day_with_reorganisations(world, slots=40, seed=seed, reorganisations=20)
