"""Orders over HTTP: what is taken, and that everything refused is a problem with a stable code."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from ledger.eip712 import Domain, Receipt, cancellation_hash, receipt_hash
from ledger.keys import Key, recover
from matching.orders import MAX_SALT
from node.api.services import Services
from node.clock import SteppedClock
from tests.node.bodies import body_of
from tests.node.parts import ALICE, BOB, DOMAIN, MARKET, OPERATOR, SLOT, STRANGER, order
from tests.node.progress import settle
from tests.node.small_node import CREDIT, START

Body = dict[str, Any]
TRANSACTION = "0x" + "01" * 32


def assert_problem(response: httpx.Response, status: int, code: str) -> Body:
    assert response.headers["content-type"] == "application/problem+json"
    problem: Body = response.json()
    assert (response.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["type"] == f"urn:wattbook:problem:{code}"
    assert problem["title"]
    assert problem["detail"]
    return problem


def test_an_order_is_answered_with_the_operators_receipt(http: httpx.Client) -> None:
    signed = order(salt=MAX_SALT)
    response = http.post("/v1/orders", json=body_of(signed))
    assert response.status_code == 200
    answer = response.json()
    assert {name: answer[name] for name in body_of(signed)} == body_of(signed)
    assert (answer["hash"], answer["status"], answer["fill_wh"]) == ("0x" + signed.hash.hex(), "open", 0)
    receipt = answer["receipt"]
    digest = receipt_hash(DOMAIN, Receipt(signed.hash, MARKET, SLOT, receipt["index"], receipt["received_at"]))
    assert recover(digest, bytes.fromhex(receipt["signature"][2:])) == OPERATOR.address
    assert http.get(f"/v1/orders/0x{signed.hash.hex()}").json() == answer


def test_a_replayed_order_gets_the_same_answer(http: httpx.Client, clock: SteppedClock) -> None:
    first = http.post("/v1/orders", json=body_of(order()))
    clock.advance_to(SLOT)
    again = http.post("/v1/orders", json=body_of(order()))
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(http.get("/v1/orders").json()["items"]) == 1


def test_addresses_are_taken_in_any_case_and_defaults_may_be_left_out(http: httpx.Client) -> None:
    body = body_of(order())
    for name in ("certificates", "epoch", "expires_at", "salt"):
        del body[name]
    body["account"] = "0x" + body["account"][2:].upper()
    answer = http.post("/v1/orders", json=body).json()
    assert answer["account"] == "0x" + ALICE.address.hex()


REFUSED: dict[str, tuple[int, str, Callable[[], Body]]] = {
    "zero quantity": (422, "order.invalid", lambda: body_of(order()) | {"quantity_wh": 0}),
    "a huge quantity": (422, "order.invalid", lambda: body_of(order()) | {"quantity_wh": 2**200}),
    "a negative price": (422, "order.invalid", lambda: body_of(order()) | {"price": -1}),
    "a huge salt": (422, "order.invalid", lambda: body_of(order()) | {"salt": str(2**64)}),
    "an unknown market": (422, "order.unknown_market", lambda: body_of(order(market=b"\1" * 32))),
    "a slot that does not exist": (422, "order.slot_misaligned", lambda: body_of(order(slot=SLOT + 1))),
    "a past slot": (409, "order.gate_closed", lambda: body_of(order(slot=START - 900))),
    "a slot too far ahead": (409, "order.too_early", lambda: body_of(order(slot=SLOT + 900 * 1_000))),
    "another chain": (403, "order.signature", lambda: body_of(order(domain=Domain(1, DOMAIN.exchange)))),
    "a wrong signature": (
        403,
        "order.signature",
        lambda: body_of(order()) | {"signature": "0x" + order(BOB).signature.hex()},
    ),
    "a signature of no key": (
        422,
        "signature.invalid",
        lambda: body_of(order()) | {"signature": "0x" + "ff" * 64 + "1b"},
    ),
    "no member": (403, "order.not_a_member", lambda: body_of(order(STRANGER))),
    "another epoch": (409, "order.cancelled_epoch", lambda: body_of(order(epoch=1))),
    "an expiry too soon": (422, "order.expired", lambda: body_of(order(expires_at=SLOT))),
    "too large a quantity": (422, "order.too_large", lambda: body_of(order(quantity_wh=100_001))),
    "too little escrow": (409, "order.uncovered", lambda: body_of(order(quantity_wh=100_000))),
    "hexadecimal that is none": (422, "request.invalid", lambda: body_of(order()) | {"account": "0x" + "zz" * 20}),
    "hexadecimal without 0x": (422, "request.invalid", lambda: body_of(order()) | {"account": "aa" * 20}),
    "an address that is too short": (422, "request.invalid", lambda: body_of(order()) | {"account": "0xaa"}),
    "a number in quotes": (422, "request.invalid", lambda: body_of(order()) | {"price": "200000"}),
    "a fraction": (422, "request.invalid", lambda: body_of(order()) | {"price": 1.5}),
    "a boolean": (422, "request.invalid", lambda: body_of(order()) | {"quantity_wh": True}),
    "an unknown side": (422, "request.invalid", lambda: body_of(order()) | {"side": "buy"}),
    "an unknown field": (422, "request.invalid", lambda: body_of(order()) | {"tip": 1}),
    "a missing field": (422, "request.invalid", lambda: {"account": "0x" + "aa" * 20}),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_an_order_is_refused_as_a_problem_and_nothing_changes(
    http: httpx.Client, services: Services, reason: str
) -> None:
    status, code, make = REFUSED[reason]
    assert_problem(http.post("/v1/orders", json=make()), status, code)
    assert services.store.orders() == []
    assert services.store.slots() == []


def test_a_problem_names_the_field(http: httpx.Client) -> None:
    invalid = http.post("/v1/orders", json=body_of(order()) | {"quantity_wh": 0}).json()
    assert invalid["field"] == "quantity_wh"
    malformed = http.post("/v1/orders", json=body_of(order()) | {"account": "0xzz", "side": "buy"}).json()
    assert malformed["field"] == "account"
    assert [error["field"] for error in malformed["errors"]] == ["account", "side"]


def test_a_problem_of_cover_says_what_is_needed_and_free(http: httpx.Client) -> None:
    problem = http.post("/v1/orders", json=body_of(order(quantity_wh=100_000))).json()
    assert problem["needed"] == str(100_000 * 220_000)
    assert problem["free"] == str(10 * CREDIT)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff\xfe"])
def test_a_body_that_is_no_order_is_a_problem(http: httpx.Client, content: bytes) -> None:
    response = http.post("/v1/orders", content=content, headers={"content-type": "application/json"})
    assert_problem(response, 422, "request.invalid")


def test_an_order_is_cancelled_with_its_owners_signature(http: httpx.Client) -> None:
    signed = order()
    http.post("/v1/orders", json=body_of(signed))
    path = f"/v1/orders/0x{signed.hash.hex()}"
    digest = cancellation_hash(DOMAIN, ALICE.address, signed.hash)
    assert_problem(http.delete(path), 422, "request.invalid")
    by_another = http.delete(path, headers={"X-Signature": "0x" + BOB.sign(digest).hex()})
    assert_problem(by_another, 403, "order.signature")
    by_owner = http.delete(path, headers={"X-Signature": "0x" + ALICE.sign(digest).hex()})
    assert (by_owner.status_code, by_owner.json()["status"]) == (200, "cancelled")


def test_an_unknown_order_is_not_found(http: httpx.Client) -> None:
    assert_problem(http.get("/v1/orders/0x" + "11" * 32), 404, "order.unknown")
    assert_problem(http.get("/v1/orders/0x11"), 422, "request.invalid")


def test_orders_are_listed_page_by_page_newest_first(http: httpx.Client) -> None:
    for salt in range(5):
        http.post("/v1/orders", json=body_of(order(salt=salt, quantity_wh=10, slot=SLOT + 900 * (salt % 2))))
    everything = http.get("/v1/orders").json()
    assert everything["next"] is None
    places = [(item["slot"], item["receipt"]["index"]) for item in everything["items"]]
    assert places == sorted(places, reverse=True)
    pages, cursor = [], None
    while True:
        page = http.get("/v1/orders", params={"limit": 2} | ({"cursor": cursor} if cursor else {})).json()
        pages.append(page["items"])
        if (cursor := page["next"]) is None:
            break
    assert [len(items) for items in pages] == [2, 2, 1]
    assert [item for items in pages for item in items] == everything["items"]


def test_orders_are_filtered(http: httpx.Client) -> None:
    http.post("/v1/orders", json=body_of(order(ALICE)))
    http.post("/v1/orders", json=body_of(order(BOB, slot=SLOT + 900)))

    def owners(**filters: str | int) -> list[str]:
        return [item["account"] for item in http.get("/v1/orders", params=filters).json()["items"]]

    alice, bob = ("0x" + key.address.hex() for key in (ALICE, BOB))
    assert owners() == [bob, alice]
    assert owners(account=alice.upper().replace("X", "x")) == [alice]
    assert owners(slot=SLOT + 900) == [bob]
    assert owners(status="open") == [bob, alice]
    assert owners(status="filled") == []


@pytest.mark.parametrize(
    "params",
    [{"cursor": "x"}, {"cursor": "W10"}, {"cursor": "ü"}, {"limit": 0}, {"limit": 1_001}, {"status": "?"}],
)
def test_malformed_questions_are_problems(http: httpx.Client, params: dict[str, str]) -> None:
    assert_problem(http.get("/v1/orders", params=params), 422, "request.invalid")


def test_a_filled_order_names_transaction_and_block(http: httpx.Client, services: Services) -> None:
    offer, _ = settle(services)
    answer = http.get(f"/v1/orders/0x{offer.hex()}").json()
    assert (answer["status"], answer["fill_wh"]) == ("filled", 600)
    assert answer["settlement"] == {"transaction": TRANSACTION, "block": 12}


def test_each_order_of_a_list_stands_or_falls_alone(http: httpx.Client, services: Services) -> None:
    rows = [
        body_of(order(salt=1, quantity_wh=10)),
        body_of(order(BOB, salt=2)) | {"signature": "0x" + order(ALICE).signature.hex()},
        body_of(order(salt=3)) | {"side": "buy"},
        body_of(order(salt=4)) | {"quantity_wh": 0},
        "not an order",
        body_of(order(salt=5, quantity_wh=10)),
    ]
    response = http.post("/v1/orders", json=rows)
    assert response.status_code == 200
    report = response.json()
    assert report["accepted"] == 2
    assert [None if row["problem"] is None else row["problem"]["code"] for row in report["rows"]] == [
        None, "order.signature", "request.invalid", "order.invalid", "request.invalid", None
    ]  # fmt: skip
    assert report["rows"][2]["problem"]["field"] == "side"
    assert [row["accepted"] for row in report["rows"]] == [True, False, False, False, False, True]
    for row, index in ((report["rows"][0], 0), (report["rows"][5], 1)):
        assert row["receipt"]["index"] == index
        assert row["receipt"] == http.get(f"/v1/orders/{row['order']}").json()["receipt"]
    assert len(services.store.orders()) == 2


def test_a_list_placed_again_is_answered_with_the_same_receipts(http: httpx.Client, clock: SteppedClock) -> None:
    rows = [body_of(order(salt=salt, quantity_wh=10)) for salt in range(5)]
    first = http.post("/v1/orders", json=rows).json()
    clock.advance_to(SLOT)
    again = http.post("/v1/orders", json=[*rows, body_of(order(salt=9, quantity_wh=10))]).json()
    assert again["rows"][:-1] == first["rows"]
    assert again["rows"][-1]["problem"]["code"] == "order.gate_closed"


@pytest.mark.parametrize("rows", [[], [{}] * 1_001])
@pytest.mark.parametrize("path", ["/v1/orders", "/v1/orders/cancellations"])
def test_a_list_has_one_to_a_thousand_rows(http: httpx.Client, path: str, rows: list[Body]) -> None:
    assert_problem(http.post(path, json=rows), 422, "request.invalid")


def test_many_orders_are_cancelled_each_by_its_owners_signature(http: httpx.Client) -> None:
    orders = [order(salt=salt, quantity_wh=10) for salt in range(3)]
    http.post("/v1/orders", json=[body_of(each) for each in orders])

    def cancellation(digest: bytes, key: Key = ALICE) -> Body:
        signature = key.sign(cancellation_hash(DOMAIN, ALICE.address, digest))
        return {"order": "0x" + digest.hex(), "signature": "0x" + signature.hex()}

    rows = [
        cancellation(orders[0].hash),
        cancellation(orders[1].hash, BOB),
        cancellation(b"\1" * 32),
        {"order": "0x12"},
        cancellation(orders[2].hash),
        cancellation(orders[2].hash),
    ]
    report = http.post("/v1/orders/cancellations", json=rows).json()
    assert report["cancelled"] == 3
    assert [None if row["problem"] is None else row["problem"]["code"] for row in report["rows"]] == [
        None, "order.signature", "order.unknown", "request.invalid", None, None
    ]  # fmt: skip
    assert [row["order"] for row in report["rows"]] == [
        None if row["order"] == "0x12" else row["order"] for row in rows
    ]
    assert [http.get(f"/v1/orders/0x{each.hash.hex()}").json()["status"] for each in orders] == [
        "cancelled", "open", "cancelled"
    ]  # fmt: skip
    assert http.post("/v1/orders/cancellations", json=rows).json() == report
    assert_problem(http.post("/v1/orders/cancellations", json={}), 422, "request.invalid")


def test_more_than_the_node_keeps_waiting_is_refused_for_a_while(
    http: httpx.Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services.intake._placing, "_most_waiting", 1)
    rows = [body_of(order(salt=salt, quantity_wh=10)) for salt in range(2)]
    response = http.post("/v1/orders", json=rows)
    assert_problem(response, 503, "node.busy")
    assert int(response.headers["Retry-After"]) >= 1
    assert services.store.orders() == []
    assert http.post("/v1/orders", json=rows[:1]).json()["accepted"] == 1
