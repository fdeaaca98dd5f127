from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from node.store import Store
from tests.node.parts import DOMAIN, MARKET


@pytest.fixture
def open_store(tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens the same store, as often as it is called."""
    opened: list[Store] = []

    def open_() -> Store:
        opened.append(Store(f"sqlite:///{tmp_path / 'node.sqlite'}", domain=DOMAIN, market=MARKET))
        return opened[-1]

    yield open_
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[[], Store]) -> Store:
    return open_store()
