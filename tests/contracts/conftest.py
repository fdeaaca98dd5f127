"""Worlds on every kind of chain, and at a certain point of a slot's life."""

import pytest

from tests.chains import CHAIN_KINDS
from tests.world import World


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run whatever needs a world on the embedded chain and on anvil, or on the one that was asked for."""
    if "chain_kind" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("chain")
        kinds = CHAIN_KINDS if wanted == "both" else (wanted,)
        metafunc.parametrize("chain_kind", kinds, indirect=True, scope="session")


@pytest.fixture
def closed(world: World) -> World:
    """A world whose slot has its book and waits to be settled."""
    world.commit()
    return world


@pytest.fixture
def per_fill_closed(per_fill_world: World) -> World:
    """The same where each fill has its own amount."""
    per_fill_world.commit()
    return per_fill_world
