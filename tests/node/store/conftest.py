from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.store import Store
from tests.node.parts import DOMAIN, MARKET
from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind that a store can be kept in."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'node.sqlite'}"
    postgres: Postgres = request.getfixturevalue("postgres")
    return postgres.new_schema()


@pytest.fixture
def open_store(store_url: str) -> Iterator[Callable[[], Store]]:
    """Opens the same store, as often as it is called."""
    opened: list[Store] = []

    def open_() -> Store:
        opened.append(Store(store_url, domain=DOMAIN, market=MARKET))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    return open_store()
