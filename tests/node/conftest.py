from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from node.api.services import Services
from node.clock import SteppedClock
from tests.node.small_node import Ledger, Server, small_node


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[tuple[Services, Ledger]]:
    built = small_node(tmp_path)
    yield built
    built[0].intake.close()
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


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests; `url` gives it the services of each."""
    services, _ = small_node(tmp_path_factory.mktemp("server"))
    running = Server(services)
    yield running
    running.stop()
    services.store.close()


@pytest.fixture
def url(server: Server, services: Services) -> str:
    server.app.state.services = services
    return server.url


@pytest.fixture(scope="session")
def _connections(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url) as client:
        yield client


@pytest.fixture
def http(url: str, _connections: httpx.Client) -> httpx.Client:
    return _connections
