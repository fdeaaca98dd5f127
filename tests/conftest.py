"""Worlds that tests share: building one takes longer than most tests, giving it back as it was takes nothing."""

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import structlog

from tests.anvil import MISSING, installed

if TYPE_CHECKING:
    from tests.postgres import Postgres
    from tests.world import World

pytest.register_assert_rewrite("tests.world")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-gas", action="store_true", help="write the gas snapshot anew instead of comparing")
    parser.addoption(
        "--chain",
        choices=("embedded", "anvil", "both"),
        default="both",
        help="the chain that the tests of the contracts run on; anvil comes from 'make anvil'",
    )


def pytest_report_header() -> str:
    return "anvil: will be used" if installed() else f"{MISSING}; contracts are tested on the embedded chain only"


@pytest.fixture(autouse=True)
def logs_go_on() -> Iterator[None]:
    """Commands that tests run in this process log to a stream that is closed when they end; the rest does not."""
    yield
    structlog.reset_defaults()
    for handler in logging.root.handlers[:]:
        if type(handler) is logging.StreamHandler:
            logging.root.removeHandler(handler)


@pytest.fixture(scope="session")
def chain_kind(request: pytest.FixtureRequest) -> str:
    """The kind of chain that worlds live on: the embedded one, unless a directory's tests run on several."""
    kind: str = getattr(request, "param", "embedded")
    return kind


@pytest.fixture(scope="session")
def built_world(chain_kind: str) -> Iterator["World"]:
    from tests.world import new_world  # the chain takes a second to import; most tests do without

    with new_world(chain_kind=chain_kind) as built:
        yield built


@pytest.fixture(scope="session")
def built_per_fill_world(chain_kind: str) -> Iterator["World"]:
    from tests.world import new_world

    with new_world(uniform_price=False, chain_kind=chain_kind) as built:
        yield built


@pytest.fixture(scope="session")
def postgres() -> Iterator["Postgres"]:
    """A PostgreSQL server that does not wait for the disk."""
    from tests.postgres import running_postgres

    with running_postgres() as server:
        yield server


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
