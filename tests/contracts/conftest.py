"""Worlds on every kind of chain, and at a certain point of a slot's life."""

import pytest

from tests.chains import run_on_each_chain
from tests.world import World

pytest_generate_tests = run_on_each_chain


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
