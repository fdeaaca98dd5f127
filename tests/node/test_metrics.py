from dataclasses import dataclass

import httpx
import pytest
import structlog.testing
from prometheus_client.parser import text_string_to_metric_families

from ledger.chain import Block, ChainUnavailableError
from ledger.market import AccountState
from node.api.app import create_app
from node.api.measuring import metrics_router
from node.api.services import Services
from node.api.web import Web
from node.clock import SteppedClock
from node.metrics import Metrics, NodeState
from tests.node.bodies import body_of
from tests.node.parts import ALICE, OPERATOR, SLOT, order
from tests.node.progress import settle
from tests.node.small_node import CREDIT, START, TERMS, Ledger, Server


@dataclass(frozen=True)
class ChainInMemory:
    """A chain with a head and balances, or out of reach."""

    head_at: int | None

    def head(self) -> Block:
        if self.head_at is None:
            raise ChainUnavailableError("no connection")
        return Block(7, b"", b"", self.head_at, 0, 0, ())

    def balance(self, address: bytes) -> int:
        return 5 if address == OPERATOR.address else 0


def told(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Every sample, by its name and the values of its labels, in the alphabetical order of these."""
    found = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            found[sample.name, *(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


def watched(services: Services, ledger: Ledger, head_at: int | None = START) -> Metrics:
    metrics = Metrics()
    parties = {"operator": OPERATOR.address, "utility": TERMS.utility}
    chain = ChainInMemory(head_at)
    metrics.registry.register(NodeState(services.store, chain, TERMS, services.clock, ledger, parties))  # type: ignore[arg-type]  # only what is asked of it
    return metrics


def test_slots_are_counted_by_state_and_how_late_they_are(
    services: Services, ledger: Ledger, clock: SteppedClock
) -> None:
    for slot in (SLOT, SLOT + 900):
        services.store.ensure_slot(slot)
    services.store.close_slot(SLOT)
    clock.advance_to(SLOT + 100)
    found = told(watched(services, ledger))
    assert found["wattbook_slots_unfinished", "closed"] == found["wattbook_slots_unfinished", "open"] == 1
    assert found["wattbook_slots_unfinished", "settled"] == 0
    assert found["wattbook_slot_lateness_seconds", "closed"] == 300 + 100
    assert found["wattbook_slot_lateness_seconds", "open"] == 0


def test_a_settled_slot_is_late_from_its_end_on(services: Services, ledger: Ledger, clock: SteppedClock) -> None:
    settle(services)
    clock.advance_to(SLOT + 900 + 60)
    assert told(watched(services, ledger))["wattbook_slot_lateness_seconds", "settled"] == 60


def test_the_head_and_what_the_parties_have_are_told(services: Services, ledger: Ledger) -> None:
    ledger.kept[TERMS.utility] = AccountState(
        balance_nano=3 * CREDIT, debt_nano=CREDIT, epoch=0, market=None, withdrawal_nano=0
    )
    found = told(watched(services, ledger, START - 30))
    assert (found["wattbook_chain_up",], found["wattbook_chain_head",]) == (1, 7)
    assert found["wattbook_chain_lag_seconds",] == 30
    assert found["wattbook_party_escrow_nano", "utility"] == 2 * CREDIT
    assert found["wattbook_party_native_wei", "operator"] == 5


def test_a_node_without_its_chain_has_metrics_all_the_same(services: Services, ledger: Ledger) -> None:
    found = told(watched(services, ledger, None))
    assert found["wattbook_chain_up",] == 0
    assert ("wattbook_chain_head",) not in found
    assert ("wattbook_slots_unfinished", "open") in found


def test_steps_are_told_with_time_gas_and_failures() -> None:
    metrics = Metrics()
    metrics.step_done("settle", 2.0, gas=90_000, block=12)
    metrics.step_failed("settle", "chain.unavailable")
    found = told(metrics)
    assert found["wattbook_step_seconds_sum", "settle"] == 2
    assert found["wattbook_step_gas_sum", "settle"] == 90_000
    assert found["wattbook_step_failures_total", "chain.unavailable", "settle"] == 1


def test_a_requests_status_is_logged_as_a_number(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    written = structlog.testing.LogCapture()
    # Its own logger: the program's keeps the output that it was first used with.
    logger = structlog.wrap_logger(None, processors=[written])
    monkeypatch.setattr("node.api.measuring.log", logger)
    server = Server(services, create_app(services, open_to=Web(log_requests=True), metrics=Metrics()))
    try:
        httpx.get(f"{server.url}/v1/orders/0x" + "12" * 32)
    finally:
        server.stop()
    (line,) = written.entries
    assert (line["event"], repr(line["status"])) == ("request", "404")


def test_orders_and_requests_are_counted(services: Services) -> None:
    metrics = Metrics()
    app = create_app(services, metrics=metrics)
    app.include_router(metrics_router(metrics))
    server = Server(services, app)
    try:
        with httpx.Client(base_url=server.url) as client:
            body = body_of(order(ALICE))
            assert client.post("/v1/orders", json=body).status_code == 200
            client.post("/v1/orders", json=body | {"price": 1})
            client.post("/v1/orders", json={})
            others = [body | {"price": 2}, body_of(order(ALICE, salt=1)), body_of(order(ALICE, salt=2)), {}]
            assert client.post("/v1/orders", json=others).status_code == 200
            client.get("/v1/orders/0x" + "12" * 32)
            client.get("/v1/nothing/at/all")
            text = client.get("/metrics")
    finally:
        server.stop()
    assert text.headers["content-type"].startswith("text/plain; version=0.0.4")
    found = told(metrics)
    assert found["wattbook_orders_accepted_total",] == 1 + 2
    assert found["wattbook_orders_refused_total", "order.signature"] == 1 + 1
    assert found["wattbook_orders_refused_total", "request.invalid"] == 1 + 1
    count = "wattbook_request_seconds_count"
    assert found[count, "POST", "/v1/orders", "200"] == 2
    assert found[count, "POST", "/v1/orders", "403"] == 1
    assert found[count, "GET", "/v1/orders/{order_hash}", "404"] == 1
    assert found[count, "GET", "none", "404"] == 1


def test_open_streams_of_events_are_counted_and_not_timed(services: Services) -> None:
    metrics = Metrics()
    server = Server(services, create_app(services, metrics=metrics))
    try:
        with httpx.stream("GET", f"{server.url}/v1/events") as answer:
            next(answer.iter_lines())
            assert told(metrics)["wattbook_event_streams",] == 1
        httpx.get(f"{server.url}/v1/events?follow=false")
        httpx.get(f"{server.url}/v1/market")
    finally:
        server.stop()
    found = told(metrics)
    assert found["wattbook_event_streams",] == 0
    assert {label for name, *labels in found if name == "wattbook_request_seconds_count" for label in labels} == {
        "GET",
        "/v1/market",
        "200",
    }
