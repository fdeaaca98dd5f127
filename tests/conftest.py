"""Worlds that tests share: building one takes longer than most tests, giving it back as it was takes nothing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.world import World

pytest.register_assert_rewrite("tests.world")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-gas", action="store_true", help="write the gas snapshot anew instead of comparing")


@pytest.fixture(scope="session")
def built_world() -> "World":
    from tests.world import new_world  # the chain takes a second to import; most tests do without

    return new_world()


@pytest.fixture(scope="session")
def built_per_fill_world() -> "World":
    from tests.world import new_world

    return new_world(uniform_price=False)


@pytest.fixture
def world(built_world: "World") -> Iterator["World"]:
    """Four members with 1,000 credits each in a market with one price per slot."""
    from tests.world import one_world_for_a_test

    with one_world_for_a_test(built_world) as lent:
        yield lent


@pytest.fixture
def per_fill_world(built_per_fill_world: "World") -> Iterator["World"]:
    """The same in a market in which each fill has its own amount."""
    from tests.world import one_world_for_a_test

    with one_world_for_a_test(built_per_fill_world) as lent:
        yield lent
