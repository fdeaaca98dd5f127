"""What a client sends again, when, and what it does not: against a server that answers as it is told."""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from node.api.services import Services
from node.client import (
    ApiProblemError,
    AsyncWattbookClient,
    Request,
    UnexpectedAnswerError,
    UnreachableError,
    WattbookClient,
)
from node.client.operations import Operations
from node.client.retrying import Attempts
from node.store.records import OrderStatus
from tests.node.parts import ALICE, BOB, SLOT, order
from tests.node.progress import settle
from tests.node.small_node import API_KEY

READ, POST_ONCE = Request("GET", "/"), Request("POST", "/", is_repeatable=False)
BASE = "http://node"
SLOT_ANSWER = {"slot": SLOT, "state": "open", "price": None, "bought_wh": None, "book_root": None}
SLOT_ANSWER |= {"book_size": None, "steps": {}}
Answer = tuple[int, dict[str, str], dict[str, object]]
LOST = (0, {}, {})
"""The connection ends without an answer."""


def problem(status: int, code: str, retry_after: str | None = None) -> Answer:
    headers = {"Content-Type": "application/problem+json"}
    return status, headers | ({} if retry_after is None else {"Retry-After": retry_after}), {"code": code}


@contextmanager
def scripted(*answers: Answer) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers, one after the other; its URL, and the requests that it got."""
    left, asked = iter(answers), []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked.append(f"{self.command} {self.path}")
            status, headers, body = next(left)
            if status:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

        do_GET = do_POST = answer  # noqa: N815 -- http.server's names

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "first",
    [
        LOST,
        problem(429, "request.too_many", "0"),
        problem(503, "chain.unavailable"),
        (502, {"Content-Type": "text/html"}, {}),
    ],
    ids=["lost answer", "too many", "unavailable", "proxy"],
)
def test_a_read_is_tried_again(first: Answer) -> None:
    with scripted(first, (200, {}, SLOT_ANSWER)) as (url, asked), WattbookClient(url) as client:
        assert client.slot(SLOT).slot == SLOT
    assert asked == [f"GET /v1/slots/{SLOT}"] * 2


def test_what_a_node_refuses_is_not_asked_again() -> None:
    for status, code in ((409, "order.uncovered"), (502, "chain.refused"), (500, "internal.error")):
        with scripted(problem(status, code)) as (url, asked), WattbookClient(url) as client:
            with pytest.raises(ApiProblemError) as refusal:
                client.slot(SLOT)
            assert (refusal.value.code, len(asked)) == (code, 1)


def test_a_deposit_is_not_sent_twice_unless_it_was_one_too_many() -> None:
    with scripted(LOST) as (url, asked), WattbookClient(url) as client:
        with pytest.raises(UnreachableError):
            client.deposit(ALICE.address, 1, "bank 1", api_key=API_KEY)
        assert len(asked) == 1
    with scripted(problem(503, "chain.unavailable")) as (url, asked), WattbookClient(url) as client:
        with pytest.raises(ApiProblemError):
            client.deposit(ALICE.address, 1, "bank 1", api_key=API_KEY)
        assert len(asked) == 1
    with scripted(problem(429, "request.too_many"), (200, {}, {})) as (url, asked), WattbookClient(url) as client:
        client.deposit(ALICE.address, 1, "bank 1", api_key=API_KEY)
        assert len(asked) == 2


def test_patience_runs_out() -> None:
    refusals = [problem(429, "request.too_many")] * 50
    with scripted(*refusals) as (url, asked), WattbookClient(url, patience_s=0.5) as client:
        with pytest.raises(ApiProblemError, match=r"request\.too_many"):
            client.market()
        assert 2 <= len(asked) <= 10


def test_a_longer_wait_than_patience_allows_is_not_begun() -> None:
    with scripted(problem(429, "request.too_many", "60")) as (url, asked), WattbookClient(url) as client:
        with pytest.raises(ApiProblemError):
            client.market()
        assert len(asked) == 1


def pauses(count: int, **headers: str) -> list[float]:
    attempts = Attempts(BASE, READ, patience_s=10_000)
    refusal = httpx.Response(429, headers=headers, json={})
    found = [attempts.pause_after(refusal) for _ in range(count)]
    return [pause_s for pause_s in found if pause_s is not None]


def test_pauses_grow_up_to_a_limit_and_differ_between_clients() -> None:
    first, second = pauses(12), pauses(12)
    assert all(0.05 <= pause_s <= 5 for pause_s in first)
    assert first != second
    assert max(first[:2]) < min(first[-3:])


def test_a_node_is_asked_no_sooner_than_it_says() -> None:
    assert all(pause_s == 7 for pause_s in pauses(3, **{"Retry-After": "7"}))
    assert pauses(1, **{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"})[0] < 1


@pytest.mark.parametrize(
    ("error", "request_", "again"),
    [
        (httpx.ConnectError("refused"), POST_ONCE, True),
        (httpx.ReadTimeout("silence"), POST_ONCE, False),
        (httpx.RemoteProtocolError("cut off"), POST_ONCE, False),
        (httpx.ReadTimeout("silence"), READ, True),
    ],
)
def test_what_may_have_reached_the_node_is_sent_again_only_if_repeatable(
    error: httpx.TransportError, request_: Request, again: bool
) -> None:
    attempts = Attempts(BASE, request_, patience_s=10)
    if again:
        assert attempts.pause_after_loss(error) > 0
    else:
        with pytest.raises(UnreachableError):
            attempts.pause_after_loss(error)


def operations(kind: type) -> set[str]:
    return {name for name in dir(kind) if not name.startswith("_")}


def test_both_clients_can_do_the_same() -> None:
    only_blocking = operations(WattbookClient) - operations(AsyncWattbookClient)
    assert only_blocking == {"export_evidence"}
    assert operations(Operations) <= operations(AsyncWattbookClient)


def test_the_awaited_client_trades(url: str, services: Services) -> None:
    async def trade() -> None:
        async with AsyncWattbookClient(url, ALICE) as alice, AsyncWattbookClient(url, BOB) as bob:
            content = order(ALICE).order
            receipt, market = await asyncio.gather(alice.place(content), bob.market())
            assert (receipt.slot, market.id) == (SLOT, content.market)
            assert await alice.place(content) == receipt
            assert (await bob.order(receipt.order_hash)).order == content
            assert (await alice.cancel(receipt.order_hash)).status is OrderStatus.CANCELLED
            assert [each.hash for each in await bob.orders(account=ALICE.address)] == [receipt.order_hash]
            with pytest.raises(ApiProblemError, match=r"slot\.unknown"):
                await bob.slot(0)

    asyncio.run(trade())
    settle(services, SLOT + 900)

    async def look(lengths: Sequence[int]) -> None:
        async with AsyncWattbookClient(url) as client:
            for limit in lengths:
                assert len(await client.trades(limit=limit)) == 1

    asyncio.run(look((1, 600)))


def test_the_awaited_client_tries_again_and_gives_up_as_well() -> None:
    async def ask(url: str) -> int:
        async with AsyncWattbookClient(url, patience_s=5) as client:
            return (await client.slot(SLOT)).slot

    with scripted(LOST, problem(503, "store.unavailable", "0"), (200, {}, SLOT_ANSWER)) as (url, asked):
        assert asyncio.run(ask(url)) == SLOT
        assert len(asked) == 3
    with scripted((200, {}, {})) as (url, _), pytest.raises(UnexpectedAnswerError):
        asyncio.run(ask(url))
