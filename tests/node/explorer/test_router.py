"""`/v1/chain` over HTTP."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from ledger.hexcodec import to_data
from node.api import errors
from node.explorer import Explorer, create_router
from tests.node.explorer.conftest import ALICE
from tests.world import World

A_HASH = "0x" + "77" * 32


class Client:
    """Requests to an application in this process."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    def request(self, method: str, path: str) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://node") as client:
                return await client.request(method, path)

        return asyncio.run(send())

    def get(self, path: str) -> httpx.Response:
        return self.request("GET", path)


@pytest.fixture
def client(explorer: Explorer) -> Client:
    app = FastAPI()
    errors.install(app)
    app.include_router(create_router(lambda: explorer), prefix="/v1")
    return Client(app)


def read(client: Client, path: str) -> Any:
    answer = client.get(f"/v1/chain/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_the_chain_is_browsed_from_its_blocks_to_a_member(client: Client, world: World) -> None:
    head = world.chain.head()
    page = read(client, "blocks?limit=2")
    assert [block["number"] for block in page["items"]] == [head.number, head.number - 1]
    assert page["next"] == head.number - 1
    assert read(client, f"blocks?limit=1&before={page['next']}")["items"][0]["number"] == head.number - 2
    for name in (head.number, to_data(head.hash)):
        assert read(client, f"blocks/{name}") == page["items"][0]
    line = page["items"][0]["transactions"][0]
    transaction = read(client, f"transactions/{line['hash']}")
    assert transaction["call"]["function"] == line["function"] == "deposit"
    assert transaction["succeeded"] is True
    assert transaction["call"]["shown"]["amount"] == "1,000.0000 EUR"
    address = read(client, f"addresses/{to_data(world.members[ALICE].address)}?limit=1")
    assert address["party"]["name"] == "Alice"
    assert len(address["events"]) == 1


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("blocks/999999", 404, "request.not_found"),
        (f"blocks/{A_HASH}", 404, "request.not_found"),
        (f"transactions/{A_HASH}", 404, "request.not_found"),
        ("blocks/latest", 422, "request.invalid"),
        ("blocks/0x12", 422, "request.invalid"),
        ("blocks/" + "9" * 5_000, 422, "request.invalid"),
        ("blocks/-1", 422, "request.invalid"),
        ("blocks?limit=101", 422, "request.invalid"),
        ("blocks?before=-1", 422, "request.invalid"),
        ("transactions/0x12", 422, "request.invalid"),
        ("addresses/0x12", 422, "request.invalid"),
    ],
)
def test_what_is_not_there_or_not_a_name_is_a_problem(client: Client, path: str, status: int, code: str) -> None:
    answer = client.get(f"/v1/chain/{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_nothing_can_be_written(client: Client) -> None:
    for path in ("blocks", "blocks/1", f"transactions/{A_HASH}"):
        assert client.request("POST", f"/v1/chain/{path}").status_code == 405
