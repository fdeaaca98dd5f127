"""One town for all tests, given back after each as it was."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.ledger.statements.town import Town, new_town
from tests.world import one_world_for_a_test


@pytest.fixture(scope="session")
def old_town() -> Iterator[Town]:
    """Nobody may change it."""
    with new_town() as town:
        yield town


@pytest.fixture
def town(old_town: Town) -> Iterator[Town]:
    """A test may do anything to it."""
    with one_world_for_a_test(old_town.world) as world:
        yield replace(old_town, street=old_town.street.__class__(world))
