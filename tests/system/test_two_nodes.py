"""Two nodes of one market, on one PostgreSQL and one chain, until one is killed and the other goes on.

They are the same two for all tests, whose slots are their own: to start them takes longer than all the rest.
"""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import make_url

from ledger.deployment import attach
from ledger.jsonrpc import JsonRpcChain
from ledger.keys import Key
from matching.orders import Order, Side
from node.client import ApiProblemError, WattbookClient
from tests.anvil import running_anvil
from tests.postgres import Postgres
from tests.system.demo import WATTBOOK, free_port
from tests.system.recourse import served_chain
from tests.system.served import CONSUMER, OPENS_AT, SELLER, Served, wait_until_ready
from tests.system.street import SLOT
from tests.system.test_failpoints import put_forward

GATE, END = SLOT - 300, SLOT + 900
PASSWORD = "this-must-not-be-seen"


@dataclass(frozen=True)
class Elsewhere:
    """What both nodes work on: a chain whose clock can be put forward, and a database."""

    rpc_url: str
    put_forward: Callable[[int], None]
    store_url: str

    def audit(self) -> dict[str, Any]:
        command = [WATTBOOK, "audit", "--rpc", self.rpc_url, "--json"]
        environment = os.environ | {"WATTBOOK_STORE": self.store_url}
        result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert result.returncode == 0, result.stdout + result.stderr
        found: dict[str, Any] = json.loads(result.stdout)
        return found


@dataclass(frozen=True)
class OneNode:
    """One of them, in a process of its own; all that it says is in its folder too."""

    url: str
    process: "subprocess.Popen[str]"
    data: Path

    @property
    def api_key(self) -> str:
        return (self.data / "operator-api-key").read_text(encoding="utf-8")

    @property
    def name(self) -> str:
        return f":{self.url.rpartition(':')[2]}"

    @property
    def served(self) -> Served:
        return Served(self.url, self.api_key)

    def ready(self) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}/ready").raise_for_status().json()
        return found

    def move_clock(self, now: int) -> httpx.Response:
        headers = {"X-API-Key": self.api_key}
        return httpx.post(f"{self.url}/v1/clock", json={"now": now}, headers=headers, timeout=120)

    def state(self) -> str:
        found: str = httpx.get(f"{self.url}/v1/slots/{SLOT}").raise_for_status().json()["state"]
        return found

    def orders(self, slot: int) -> list[dict[str, Any]]:
        answer = httpx.get(f"{self.url}/v1/orders", params={"slot": slot})
        found: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return found

    def place(self, key: Key, slot: int, side: Side, *, quantity_wh: int, price: int, salt: int = 0) -> None:
        with WattbookClient(self.url, key) as client:
            market = client.market().id
            client.place(
                Order(
                    account=key.address,
                    market=market,
                    slot=slot,
                    side=side,
                    price=price,
                    quantity_wh=quantity_wh,
                    salt=salt,
                )
            )


@pytest.fixture(scope="module", params=["our own chain", pytest.param("anvil", marks=pytest.mark.slow)])
def elsewhere(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Elsewhere]:
    # The server asks nobody for a password; this one is given to see where it turns up.
    store_url = make_url(postgres.new_schema()).set(password=PASSWORD).render_as_string(hide_password=False)
    if request.param == "anvil":
        with running_anvil(timestamp=OPENS_AT) as url:
            yield Elsewhere(url, lambda now: put_forward(url, now), store_url)
        return
    with served_chain() as (time, url):
        yield Elsewhere(url, lambda now: setattr(time, "now", now), store_url)


@contextmanager
def node_on(where: Elsewhere, data: Path, **environment: str) -> Iterator[OneNode]:
    """A node that is about to be ready; killed in the end."""
    port = free_port()
    command = [WATTBOOK, "serve", "--data", str(data), "--port", str(port), "--rpc", where.rpc_url]
    command += ["--stepped-from", str(OPENS_AT)]
    environment |= {"WATTBOOK_STORE": where.store_url}
    data.mkdir()
    with (
        (data / "log").open("w", encoding="utf-8") as log,
        subprocess.Popen(command, stdout=log, stderr=log, text=True, env=os.environ | environment) as process,
    ):
        try:
            yield OneNode(f"http://127.0.0.1:{port}", process, data)
        finally:
            process.kill()


@pytest.fixture(scope="module")
def nodes(elsewhere: Elsewhere, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OneNode, OneNode]]:
    """The first claims the market, and dies when it has sent a settlement, before it knows what became of it."""
    folder = tmp_path_factory.mktemp("nodes")
    with (
        node_on(elsewhere, folder / "one", WATTBOOK_FAILPOINT="sent.settle") as one,
        node_on(elsewhere, folder / "other") as other,
    ):
        wait_until_ready(one.url, one.process)
        wait_until_ready(other.url, other.process)
        one.served.onboard()  # with ten credits each
        one.served.advance(OPENS_AT + 60)
        yield one, other


def test_each_node_says_who_moves_slots_on_and_the_other_does_not(nodes: tuple[OneNode, OneNode]) -> None:
    one, other = nodes
    assert one.ready()["is_ours"]
    assert not other.ready()["is_ours"]
    for node in nodes:
        assert node.ready()["claimed_by"].endswith(one.name)
        assert httpx.get(f"{node.url}/v1/market").json()["claimed_by"].endswith(one.name)
    refused = other.move_clock(OPENS_AT + 90)
    assert (refused.status_code, refused.json()["code"]) == (503, "node.not_claimed")
    assert refused.headers["Retry-After"] == "5"
    assert httpx.get(f"{one.url}/v1/clock").json()["now"] == OPENS_AT + 90


def test_both_register_members(nodes: tuple[OneNode, OneNode]) -> None:
    accounts = [f"0x{number:040x}" for number in range(1, 9)]

    def register(number: int) -> None:
        nodes[number % 2].served.enter("members", account=accounts[number], name=f"member {number}")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(register, range(8)))
    for node in nodes:
        known = {member["account"] for member in httpx.get(f"{node.url}/v1/members").json()["items"]}
        assert known >= set(accounts)


def test_escrow_covers_an_order_once_though_both_nodes_are_asked_at_a_time(nodes: tuple[OneNode, OneNode]) -> None:
    slot = SLOT + 1_800

    def place(salt: int) -> str | None:
        try:
            nodes[salt % 2].place(CONSUMER, slot, Side.BID, quantity_wh=9_000, price=190_000, salt=salt)
        except ApiProblemError as error:
            return error.code
        return None

    # Ten credits, and each order may cost 1.80 with the grid fee.
    with ThreadPoolExecutor(8) as pool:
        refusals = list(pool.map(place, range(16)))
    assert sorted(refusals, key=str) == [None] * 5 + ["order.uncovered"] * 11
    for node in nodes:
        assert sorted(order["index"] for order in node.orders(slot)) == list(range(5))


def test_while_the_database_is_away_nodes_say_so_and_they_go_on_when_it_is_back(
    nodes: tuple[OneNode, OneNode], postgres: Postgres
) -> None:
    slot = SLOT + 2_700
    one, other = nodes
    one.place(SELLER, slot, Side.OFFER, quantity_wh=400, price=200_000)
    postgres.crash()
    try:
        for node in nodes:
            for path in ("orders", "market", "members"):
                answer = httpx.get(f"{node.url}/v1/{path}")
                assert (answer.status_code, answer.json()["code"]) == (503, "store.unavailable"), path
                assert answer.headers["Retry-After"] == "5"
            assert httpx.get(f"{node.url}/health").status_code == 200
            assert httpx.get(f"{node.url}/ready").json()["code"] == "store.unavailable"
    finally:
        postgres.start()
    other.place(CONSUMER, slot, Side.BID, quantity_wh=400, price=210_000)
    assert {order["index"] for order in one.orders(slot)} == {0, 1}
    # The claim went with the connection, and whoever asks first has it.
    assert one.move_clock(OPENS_AT + 120).status_code == 200
    assert one.ready()["is_ours"]


def test_a_node_is_killed_in_the_middle_of_a_slot_and_the_other_settles_it_once(
    elsewhere: Elsewhere, nodes: tuple[OneNode, OneNode]
) -> None:
    one, other = nodes
    one.place(SELLER, SLOT, Side.OFFER, quantity_wh=400, price=100_000)
    other.place(CONSUMER, SLOT, Side.BID, quantity_wh=400, price=200_000)
    elsewhere.put_forward(GATE)
    with pytest.raises(httpx.TransportError):
        one.move_clock(GATE)
    assert one.process.wait(30) == -signal.SIGKILL
    other.served.advance(GATE)
    assert other.ready()["is_ours"]
    assert other.ready()["claimed_by"].endswith(other.name)
    assert other.state() == "settled"

    elsewhere.put_forward(END)
    other.served.advance(END)
    for device in (1, 2):
        other.served.meter(device, 400)
    other.served.advance(END)
    assert other.state() == "certified"
    assert settlements(elsewhere, other) == 1
    audited = elsewhere.audit()
    assert audited["compared_with_store"]
    assert (audited["findings"], audited["filled_orders"], audited["traded_wh"]) == ([], 2, 400)


def test_nodes_write_the_databases_password_nowhere(nodes: tuple[OneNode, OneNode]) -> None:
    for node in nodes:
        assert "store.unavailable" in (node.data / "log").read_text(encoding="utf-8")
        for path in node.data.iterdir():
            assert PASSWORD not in path.read_text(encoding="utf-8"), path


def settlements(where: Elsewhere, node: OneNode) -> int:
    """How often the slot was settled, as the chain says."""
    with closing(JsonRpcChain(where.rpc_url)) as chain, WattbookClient(node.url) as client:
        market = client.market()
        exchange = attach(chain, market.domain.exchange).exchange
        topics = (exchange.interface.topic("Settled"), market.id, SLOT.to_bytes(32))
        last = chain.head().number
        return len(chain.logs(first_block=0, last_block=last, address=exchange.address, topics=topics))
