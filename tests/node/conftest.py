from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from node.api.services import Services
from node.clock import SteppedClock
from tests.node.small_node import Ledger, served, small_node


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Services, Ledger]]:
    built = small_node(tmp_path)
    yield built
    built[0].store.close()


@pytest.fixture
def services(parts: tuple[Services, Ledger]) -> Services:
    return parts[0]


@pytest.fixture
def ledger(parts: tuple[Services, Ledger]) -> Ledger:
    return parts[1]


@pytest.fixture
def clock(services: Services) -> SteppedClock:
    assert isinstance(services.clock, SteppedClock)
    return services.clock


@pytest.fixture
def url(services: Services) -> Iterator[str]:
    with served(services) as address:
        yield address


@pytest.fixture
def http(url: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=url) as client:
        yield client
