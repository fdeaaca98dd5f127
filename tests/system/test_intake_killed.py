"""The node is killed while it takes orders, many at a time: whatever was answered is there, as it was answered."""

import json
import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.eip712 import SignedOrder
from ledger.hexcodec import from_data
from matching.orders import Side
from node.store import Store
from tests.node.api.test_orders import body_of
from tests.node.parts import ALICE, BOB, DOMAIN, MARKET, SLOT, order
from tests.node.small_node import LIMITS, Server, small_node

_SENDERS = 8
_ROWS = 5


def serve(folder: Path, ready: Connection) -> None:
    services, _ = small_node(folder)
    ready.send(Server(services).url)


def orders_of(sender: int, list_number: int) -> list[SignedOrder]:
    """Orders that need no cover, 30 of a sender's for a slot."""
    first = list_number * _ROWS
    return [
        order(
            ALICE if sender % 2 else BOB,
            slot=SLOT + 900 * (1 + sender * 20 + number // 30),
            side=Side.OFFER,
            price=220_000,
            quantity_wh=10,
            salt=sender * 1_000 + number,
        )
        for number in range(first, first + _ROWS)
    ]


class Burst:
    """Senders that post one order, or a list, after the other until nobody answers."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._enough = threading.Semaphore(0)
        self.receipts: list[dict[str, Any]] = []
        self._senders = [threading.Thread(target=self._send, args=(sender,)) for sender in range(_SENDERS)]
        for sender in self._senders:
            sender.start()

    def wait_for(self, answers: int) -> None:
        for _ in range(answers):
            assert self._enough.acquire(timeout=60)

    def join(self) -> None:
        for sender in self._senders:
            sender.join()

    def _send(self, sender: int) -> None:
        with httpx.Client(base_url=self._url) as http:
            for number in range(100):
                bodies = [body_of(each) for each in orders_of(sender, number)]
                try:
                    if sender % 4:
                        answers = [http.post("/v1/orders", json=body).raise_for_status().json() for body in bodies]
                    else:
                        answers = http.post("/v1/orders", json=bodies).raise_for_status().json()["rows"]
                except httpx.TransportError:
                    return
                assert all(answer["receipt"] for answer in answers), json.dumps(answers)
                self.receipts += [answer["receipt"] for answer in answers]
                self._enough.release()


@pytest.mark.parametrize("after", [8, pytest.param(60, marks=pytest.mark.slow)])
def test_a_kill_loses_only_what_was_not_answered(tmp_path: Path, after: int) -> None:
    assert LIMITS.horizon_s >= 900 * 20 * _SENDERS
    processes = multiprocessing.get_context("spawn")
    ours, theirs = processes.Pipe()
    node = processes.Process(target=serve, args=(tmp_path, theirs))
    node.start()
    assert node.pid is not None
    burst = Burst(ours.recv())
    burst.wait_for(after)
    os.kill(node.pid, signal.SIGKILL)
    burst.join()
    node.join()
    store = Store(f"sqlite:///{tmp_path / 'node.sqlite'}", domain=DOMAIN, market=MARKET)
    try:
        assert len(burst.receipts) >= after * _ROWS
        for receipt in burst.receipts:
            record = store.order(from_data(receipt["order"]))
            assert record is not None
            kept = (record.index, record.received_at, record.receipt_signature)
            assert kept == (receipt["index"], receipt["received_at"], from_data(receipt["signature"]))
        for slot in {record.signed.order.slot for record in store.orders()}:
            assert [record.index for record in store.orders(slot=slot)] == list(
                range(len(store.orders(slot=slot)))
            )
    finally:
        store.close()
