"""A world that the explorer looks into, and the names it knows there."""

import pytest

from node.explorer import Explorer
from tests.world import World

ALICE, BOB = 0, 1


@pytest.fixture
def names(world: World) -> dict[bytes, str]:
    members = {world.members[ALICE].address: "Alice", world.members[BOB].address: "Bob"}
    return members | {key.address: name for name, key in world.keys.items()}


@pytest.fixture
def explorer(world: World, names: dict[bytes, str]) -> Explorer:
    return Explorer(world.chain, names.get)
