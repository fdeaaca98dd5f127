"""The client against a real server."""

import socket
import threading
from collections.abc import Sequence
from dataclasses import replace

import httpx
import pytest

from agents.protocol import Market
from ledger.keys import Key
from matching.orders import CertificatePreference, Side
from node.api.services import Services
from node.client import (
    ApiProblemError,
    NoKeyError,
    ReceiptError,
    UnexpectedAnswerError,
    UnreachableError,
    WattbookClient,
)
from node.clock import SteppedClock
from node.intake import Intake
from node.store.records import OrderStatus, SlotState
from tests.node.parts import ALICE, BOB, DOMAIN, LOAD, MARKET, OPERATOR, SLOT, SOLAR, STRANGER, order, reading
from tests.node.progress import PRICE, TRADED_WH, certify, settle
from tests.node.small_node import API_KEY, CREDIT, LIMITS, START, TARIFF, TERMS, Server


@pytest.fixture
def alice(url: str) -> WattbookClient:
    return WattbookClient(url, ALICE, patience_s=0)


def test_a_client_is_a_market_for_agents(alice: WattbookClient) -> None:
    market: Market = alice
    assert market.tariff() == TARIFF
    assert market.open_slot() == START + 900


def test_the_market_comes_back_typed(alice: WattbookClient) -> None:
    market = alice.market()
    assert (market.id, market.domain, market.operator) == (MARKET, DOMAIN, OPERATOR.address)
    assert (market.now, market.clock_mode, market.slot_length_s) == (START, "stepped", 900)


def test_an_order_is_placed_once_however_often_it_is_sent(alice: WattbookClient, services: Services) -> None:
    content = order(side=Side.OFFER, salt=2**64 - 1).order
    content = replace(content, certificates=CertificatePreference.BUNDLED)
    receipt = alice.place(content)
    assert (receipt.slot, receipt.index, receipt.received_at) == (SLOT, 0, START)
    assert alice.place(content) == receipt
    assert len(services.store.orders()) == 1
    placed = alice.order(receipt.order_hash)
    assert (placed.order, placed.receipt, placed.status) == (content, receipt, OrderStatus.OPEN)
    assert alice.orders(account=ALICE.address, slot=SLOT) == [placed]


def test_a_refusal_keeps_its_code(alice: WattbookClient) -> None:
    with pytest.raises(ApiProblemError, match="nano-credits") as refusal:
        alice.place(order(quantity_wh=100_000).order)
    assert (refusal.value.code, refusal.value.status) == ("order.uncovered", 409)


def test_an_order_is_cancelled(alice: WattbookClient) -> None:
    receipt = alice.place(order().order)
    assert alice.cancel(receipt.order_hash).status is OrderStatus.CANCELLED


def test_many_orders_are_placed_and_cancelled_each_by_itself(alice: WattbookClient, services: Services) -> None:
    orders = [order(salt=salt, quantity_wh=10, slot=SLOT + 900 * (salt % 2)).order for salt in range(4)]
    answers = alice.place_all([*orders, order(quantity_wh=100_000).order])
    assert [answer.code for answer in answers] == [None, None, None, None, "order.uncovered"]
    receipts = [answer.receipt for answer in answers if answer.receipt is not None]
    assert [receipt.index for receipt in receipts] == [0, 0, 1, 1]
    assert alice.place_all(orders) == answers[:-1]
    of_slot = alice.cancel_all(slot=SLOT)
    assert {each.order_hash for each in of_slot} == {receipt.order_hash for receipt in receipts[::2]}
    unknown = alice.cancel_all([receipts[0].order_hash, b"\1" * 32])
    assert [(each.cancelled, each.code) for each in unknown] == [(True, None), (False, "order.unknown")]
    assert len(alice.cancel_all()) == 2
    assert alice.cancel_all() == []
    assert {record.status for record in services.store.orders()} == {OrderStatus.CANCELLED}


@pytest.mark.parametrize("impostor", [STRANGER, ALICE])
def test_a_receipt_that_the_operator_did_not_sign_is_refused(
    alice: WattbookClient, server: Server, services: Services, impostor: Key
) -> None:
    intake = Intake(
        market=TERMS,
        domain=DOMAIN,
        operator=impostor,
        store=services.store,
        clock=services.clock,
        escrow=services.escrow,
        limits=LIMITS,
    )
    server.app.state.services = replace(services, intake=intake)
    with pytest.raises(ReceiptError, match="must be by the operator"):
        alice.place(order().order)


def test_without_a_key_one_can_look_but_not_sign(url: str) -> None:
    with WattbookClient(url) as visitor:
        assert visitor.balance(BOB.address).is_member
        with pytest.raises(NoKeyError):
            visitor.place(order().order)
        with pytest.raises(NoKeyError):
            visitor.balance()


def test_results_come_back_typed(alice: WattbookClient, services: Services) -> None:
    offer, _ = settle(services)
    balance = alice.balance()
    assert (balance.balance_nano, balance.positions) == (10 * CREDIT, ((SLOT, -TRADED_WH),))
    assert balance.free_nano == balance.balance_nano - balance.reserved_nano
    (trade,) = alice.trades(account=ALICE.address)
    assert (trade.seller, trade.buyer) == (ALICE.address, BOB.address)
    assert trade.amount_nano == TRADED_WH * PRICE
    assert trade.settlement is not None
    assert trade.settlement.block == 12
    assert alice.order(offer).settlement == trade.settlement

    certify(services)
    slot = alice.slot(SLOT)
    assert (slot.state, slot.price, slot.bought_wh) == (SlotState.CERTIFIED, PRICE, TRADED_WH)
    assert slot.steps.keys() == {"settle", "certify"}
    assert alice.slots() == [slot]


def test_long_lists_are_fetched_page_by_page(
    alice: WattbookClient, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.client.described._PAGE", 2)
    for salt in range(5):
        signed = order(salt=salt, quantity_wh=1)
        services.intake.place(signed.order, signed.signature)
    assert [found.receipt.index for found in alice.orders()] == [4, 3, 2, 1, 0]
    assert [found.receipt.index for found in alice.orders(limit=3)] == [4, 3, 2]


def test_readings_are_handed_in_one_by_one_or_together(
    alice: WattbookClient, clock: SteppedClock, services: Services
) -> None:
    clock.advance_to(SLOT + 900)
    alice.submit(reading())
    alice.submit(reading())
    rows = alice.submit_all([reading(), reading(LOAD), reading(LOAD, slot=SLOT + 900)])
    assert [(row.device, row.accepted, row.code) for row in rows] == [
        (SOLAR, True, None),
        (LOAD, True, None),
        (LOAD, False, "reading.too_early"),
    ]
    assert len(services.store.latest_readings()) == 2


def test_the_operator_moves_the_clock(alice: WattbookClient) -> None:
    alice.place(order().order)
    (moved,) = alice.advance_clock(SLOT, api_key=API_KEY)
    assert (moved.slot, moved.state) == (SLOT, SlotState.CLOSED)
    with pytest.raises(ApiProblemError) as refusal:
        alice.advance_clock(SLOT, api_key="guess")
    assert refusal.value.code == "request.unauthorized"


def test_a_node_that_is_not_there_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with WattbookClient(f"http://127.0.0.1:{port}", patience_s=0) as client, pytest.raises(UnreachableError):
        client.market()


def test_a_lost_answer_is_asked_for_again(url: str, services: Services) -> None:
    """The line loses the answer to the first question and, after the order was taken, its receipt."""
    target = httpx.URL(url)
    with socket.create_server(("127.0.0.1", 0)) as line:
        lossy = threading.Thread(target=_forward, args=(line, (target.host, target.port), (False, True) * 2))
        lossy.start()
        with WattbookClient(f"http://127.0.0.1:{line.getsockname()[1]}", ALICE, patience_s=30) as client:
            receipt = client.place(order().order)
        lossy.join()
    (record,) = services.store.orders()
    assert (record.signed.hash, record.receipt_signature) == (receipt.order_hash, receipt.signature)


def _request(connection: socket.socket) -> bytes:
    """One whole request, with header names in lower case."""
    with connection.makefile("rb") as stream:
        start, *headers = iter(stream.readline, b"\r\n")
        headers = [line.lower() for line in headers]
        lengths = [int(line.split(b":")[1]) for line in headers if line.startswith(b"content-length:")]
        return start + b"".join(headers) + b"\r\n" + stream.read(sum(lengths))


def _forward(line: socket.socket, node: tuple[str, int], answered: Sequence[bool]) -> None:
    """Take connections with one request each, and pass the answer back to some of them."""
    for is_answered in answered:
        connection, _ = line.accept()
        with connection, socket.create_connection(node) as upstream:
            upstream.sendall(_request(connection).replace(b"connection: keep-alive", b"connection: close"))
            answer = b"".join(iter(lambda: upstream.recv(65_536), b""))
            if is_answered:
                connection.sendall(answer)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["text", "list", "empty object", "error that is no problem"],
)
def test_something_else_that_answers_is_not_taken_for_a_node(answer: bytes) -> None:
    def serve_one(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            _request(connection)
            connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve_one, args=(listener,))
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with (
            WattbookClient(address, patience_s=0) as client,
            pytest.raises(UnexpectedAnswerError, match="like a node"),
        ):
            client.market()
        thread.join()
