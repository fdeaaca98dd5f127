"""The chains that the behaviour suite runs against, and the people who use them."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from ledger.chain import Address, Chain
from ledger.devchain import DevChain, dev_accounts
from ledger.devchain.rpc import create_app
from ledger.jsonrpc import JsonRpcChain
from tests.anvil import running_anvil
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.asgi import Caller, Client
from tests.ledger.chain.serving import served


def now() -> int:
    return int(time.time())


def in_memory(_: Path) -> AbstractContextManager[Chain]:
    return closing(DevChain.open(None, clock=now))


def on_disk(directory: Path) -> AbstractContextManager[Chain]:
    return closing(DevChain.open(directory, clock=now))


@contextmanager
def over_json_rpc(_: Path) -> Iterator[Chain]:
    with (
        closing(DevChain.open(None, clock=now)) as devchain,
        served(create_app(devchain)) as url,
        closing(JsonRpcChain(url)) as chain,
    ):
        yield chain


@contextmanager
def on_anvil(_: Path) -> Iterator[Chain]:
    with running_anvil() as url, closing(JsonRpcChain(url)) as chain:
        yield chain


BACKENDS: dict[str, Callable[[Path], AbstractContextManager[Chain]]] = {
    "in memory": in_memory,
    "on disk": on_disk,
    "over JSON-RPC": over_json_rpc,
    "on anvil": on_anvil,
}
"""Every chain here starts with the development accounts funded and mines each transaction soon, by itself."""


@pytest.fixture(params=list(BACKENDS.values()), ids=list(BACKENDS))
def chain(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Chain]:
    with request.param(tmp_path / "chain") as opened:
        yield opened


@pytest.fixture
def devchain() -> Iterator[DevChain]:
    with closing(DevChain.open(None, clock=now)) as opened:
        yield opened


@pytest.fixture
def client(devchain: DevChain) -> Client:
    return Client(create_app(devchain))


@pytest.fixture
def rpc(client: Client) -> Caller:
    return Caller(client)


@pytest.fixture
def alice(chain: Chain) -> Actor:
    return Actor(chain, dev_accounts()[0])


@pytest.fixture
def bob(chain: Chain) -> Actor:
    return Actor(chain, dev_accounts()[1])


@pytest.fixture
def notebook(alice: Actor) -> Address:
    return alice.deploy()
