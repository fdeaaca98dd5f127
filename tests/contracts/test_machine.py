"""Whatever anybody does, and whatever becomes of the chain: the contracts do what a model in plain Python does."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from ledger.deployment import attach
from ledger.devchain import dev_accounts
from tests.chains import EMBEDDED, EmbeddedChain
from tests.contracts.machine import ESCROW, MEMBERS, Home
from tests.contracts.players import Exchange
from tests.world import SLOT, Time, World, accounts_for, new_world, one_world_for_a_test, world_on

Homes = Callable[[], AbstractContextManager[Home]]


@pytest.fixture
def homes(chain_kind: str, tmp_path: Path) -> Iterator[Homes]:
    """Homes as new: copies of one chain on disk, or one chain that is given back as it was."""
    if chain_kind == EMBEDDED:
        original = built_on_disk(tmp_path / "original")
        copies = (tmp_path / f"copy-{number}" for number in count())
        yield lambda: on_disk(original, tmp_path / "original", next(copies))
    else:
        with new_world(MEMBERS, escrow=ESCROW, chain_kind=chain_kind) as shared:
            yield lambda: not_on_disk(shared)


def built_on_disk(folder: Path) -> World:
    """A world whose chain is closed by now and lies in this folder."""
    with closing(opened(folder, time := Time(SLOT - 3_600))) as chain:
        return world_on(chain, time, MEMBERS, escrow=ESCROW)


def opened(folder: Path, time: Time) -> EmbeddedChain:
    chain = EmbeddedChain.open(folder, clock=time, accounts=dev_accounts(accounts_for(MEMBERS)))
    assert isinstance(chain, EmbeddedChain)
    return chain


@contextmanager
def on_disk(original: World, folder: Path, copy: Path) -> Iterator[Home]:
    """A copy of a closed chain, which can be closed and opened again."""
    shutil.copytree(folder, copy)
    time = Time(original.time.now)
    chains: list[EmbeddedChain] = []

    def opened_again(world: World) -> World:
        while chains:
            chains.pop().close()
        chains.append(opened(copy, time))
        contracts = attach(chains[0], original.exchange.address)
        return replace(world, chain=chains[0], time=time, contracts=contracts)

    try:
        yield opened_again(original), opened_again
    finally:
        chains.pop().close()
        shutil.rmtree(copy)


@contextmanager
def not_on_disk(shared: World) -> Iterator[Home]:
    with one_world_for_a_test(shared) as world:
        yield world, None


def run(homes: Homes, *, examples: int, steps: int) -> None:
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(type("AtHome", (Exchange,), {"home": staticmethod(homes)}), settings=profile)


def test_the_contracts_do_what_the_model_does(homes: Homes) -> None:
    run(homes, examples=6, steps=25)


@pytest.mark.slow
def test_the_contracts_do_what_the_model_does_for_long(homes: Homes) -> None:
    run(homes, examples=80, steps=50)
