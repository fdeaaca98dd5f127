"""Every resource but orders, over HTTP."""

from dataclasses import replace

import httpx
import pytest

from ledger.chain import ChainUnavailableError
from ledger.market import AccountState
from node.api.body_limit import MAX_BODY_BYTES
from node.api.services import Services
from node.clock import SteppedClock
from tests.node.api.test_orders import TRANSACTION, assert_problem
from tests.node.parts import ALICE, BOB, LOAD, SLOT, SOLAR, STRANGER, order, reading
from tests.node.progress import PRICE, TRADED_WH, certify, confirm, settle
from tests.node.small_node import API_KEY, CREDIT, START, Ledger, Server

OPERATOR_HEADERS = {"X-API-Key": API_KEY}
ALICE_HEX, BOB_HEX = ("0x" + key.address.hex() for key in (ALICE, BOB))


def reading_body(number: int = SOLAR, *, slot: int = SLOT) -> dict[str, object]:
    signed = reading(number, slot=slot)
    content = signed.reading
    return {
        "chain_id": content.chain_id,
        "market": "0x" + content.market.hex(),
        "device": str(content.device),
        "slot": content.slot,
        "energy_wh": content.energy_wh,
        "register_wh": content.register_wh,
        "sequence": content.sequence,
        "signature": "0x" + signed.signature.hex(),
    }


def test_the_market_says_what_one_needs_to_take_part(http: httpx.Client, clock: SteppedClock) -> None:
    market = http.get("/v1/market").json()
    assert market["id"] == "0x" + "aa" * 32
    assert (market["slot_length_s"], market["gate_lead_s"], market["chain_id"]) == (900, 300, 1337)
    assert market["tariff"] == {"retail_price": 220_000, "feed_in_price": 90_000, "grid_fee": 20_000}
    assert market["clock"] == {"mode": "stepped", "now": START}
    assert market["domain"]["verifyingContract"] == market["exchange"] == "0x" + "e0" * 20


@pytest.mark.parametrize(("wait_s", "slots_ahead"), [(0, 1), (599, 1), (600, 2), (899, 2), (900, 2)])
def test_the_open_slot_is_the_first_whose_gate_is_open(
    http: httpx.Client, clock: SteppedClock, services: Services, wait_s: int, slots_ahead: int
) -> None:
    clock.advance_to(START + wait_s)
    slot = http.get("/v1/market").json()["open_slot"]
    assert slot == START + 900 * slots_ahead
    signed = order(slot=slot)
    services.intake.place(signed.order, signed.signature)


def test_a_slot_shows_its_results_and_the_transaction_of_each_step(http: httpx.Client, services: Services) -> None:
    settle(services)
    confirm(services, "commit", 11)
    slot = http.get(f"/v1/slots/{SLOT}").json()
    assert (slot["state"], slot["price"], slot["bought_wh"], slot["book_size"]) == ("settled", PRICE, TRADED_WH, 2)
    assert (slot["gate_closes_at"], slot["ends_at"]) == (SLOT - 300, SLOT + 900)
    assert slot["steps"] == {
        "commit": {"transaction": TRANSACTION, "block": 11},
        "settle": {"transaction": TRANSACTION, "block": 12},
    }
    assert http.get("/v1/slots").json() == {"items": [slot], "next": None}
    assert_problem(http.get(f"/v1/slots/{SLOT + 900}"), 404, "slot.unknown")
    assert_problem(http.get("/v1/slots/soon"), 422, "request.invalid")


def test_slots_are_filtered_by_state_and_paged(http: httpx.Client, services: Services) -> None:
    for k in range(3):
        services.store.ensure_slot(SLOT + 900 * k)
    services.store.close_slot(SLOT)
    closed = http.get("/v1/slots", params={"state": ["closed", "settled"]}).json()["items"]
    assert [slot["slot"] for slot in closed] == [SLOT]
    first = http.get("/v1/slots", params={"limit": 2}).json()
    second = http.get("/v1/slots", params={"limit": 2, "cursor": first["next"]}).json()
    assert [slot["slot"] for slot in first["items"] + second["items"]] == [SLOT + 1_800, SLOT + 900, SLOT]
    assert second["next"] is None


def test_a_trade_names_both_sides_its_amount_and_where_it_was_settled(
    http: httpx.Client, services: Services
) -> None:
    offer, bid = settle(services)
    assert http.get("/v1/trades", params={"account": BOB_HEX}).json()["items"] == [
        {
            "slot": SLOT,
            "number": 0,
            "seller": ALICE_HEX,
            "buyer": BOB_HEX,
            "seller_order": "0x" + offer.hex(),
            "buyer_order": "0x" + bid.hex(),
            "quantity_wh": TRADED_WH,
            "price": PRICE,
            "amount": str(TRADED_WH * PRICE),
            "settlement": {"transaction": TRANSACTION, "block": 12},
        }
    ]
    assert http.get("/v1/trades", params={"slot": SLOT + 900}).json() == {"items": [], "next": None}


def test_a_balance_has_credits_energy_and_certificates(http: httpx.Client, services: Services) -> None:
    settle(services)
    balance = http.get(f"/v1/balances/{ALICE_HEX}").json()
    reserved = TRADED_WH * 220_000
    assert balance["credits"] == {
        "balance": str(10 * CREDIT),
        "debt": "0",
        "withdrawal": "0",
        "reserved": str(reserved),
        "free": str(10 * CREDIT - reserved),
    }
    assert balance["energy"] == [{"slot": SLOT, "position_wh": -TRADED_WH}]
    certify(services)
    balance = http.get(f"/v1/balances/{ALICE_HEX}").json()
    assert balance["energy"] == []
    assert balance["certificates"] == {"held_wh": 0, "retired_wh": 0}


def test_a_stranger_has_nothing(http: httpx.Client) -> None:
    balance = http.get("/v1/balances/0x" + STRANGER.address.hex()).json()
    assert not balance["is_member"]
    assert balance["credits"]["free"] == "0"


def test_settlements_are_the_confirmed_steps_newest_first(http: httpx.Client, services: Services) -> None:
    settle(services)
    settle(services, SLOT + 900)
    first = http.get("/v1/settlements", params={"limit": 1}).json()
    rest = http.get("/v1/settlements", params={"limit": 1, "cursor": first["next"]}).json()
    assert [item["slot"] for item in first["items"] + rest["items"]] == [SLOT + 900, SLOT]
    assert first["items"][0]["gas_used"] == 90_000
    assert rest["next"] is None
    assert_problem(http.get("/v1/settlements", params={"cursor": "WzEsMl0"}), 422, "request.invalid")


def test_a_reading_is_taken_once(http: httpx.Client, clock: SteppedClock) -> None:
    clock.advance_to(SLOT + 900)
    body = reading_body()
    first = http.post("/v1/readings", json=body)
    assert first.status_code == 200
    taken = first.json()
    assert {name: taken[name] for name in ("device", "slot", "energy_wh", "sequence")} == {
        name: body[name] for name in ("device", "slot", "energy_wh", "sequence")
    }
    assert (taken["revision"], taken["quality"], taken["received_at"]) == (0, "measured", SLOT + 900)
    assert taken["register_mwh"] == body["register_wh"] * 1_000
    assert taken["sources"][0].endswith(str(body["signature"])[2:])
    clock.advance_to(SLOT + 910)
    assert http.post("/v1/readings", json=body).json() == first.json()
    assert http.get("/v1/readings", params={"device": str(SOLAR)}).json()["items"] == [first.json()]


def test_a_refused_reading_is_a_problem(http: httpx.Client, services: Services) -> None:
    assert_problem(http.post("/v1/readings", json=reading_body()), 409, "reading.too_early")
    negative = http.post("/v1/readings", json=reading_body() | {"energy_wh": -1})
    assert assert_problem(negative, 422, "reading.invalid")["field"] == "energy_wh"
    forged = http.post("/v1/readings", json=reading_body() | {"signature": "0x" + "11" * 64})
    assert_problem(forged, 403, "evidence.signature")
    assert services.store.latest_readings() == []


def test_in_a_list_every_reading_stands_or_falls_alone(http: httpx.Client, clock: SteppedClock) -> None:
    clock.advance_to(SLOT + 900)
    rows = [reading_body(), reading_body(LOAD) | {"energy_wh": 1}, reading_body(LOAD, slot=SLOT + 900)]
    report = http.post("/v1/readings", json=rows).json()
    assert report["accepted"] == 1
    assert [row["accepted"] for row in report["rows"]] == [True, False, False]
    assert [row["problem"] and row["problem"]["code"] for row in report["rows"]] == [
        None,
        "evidence.signature",
        "reading.too_early",
    ]
    assert len(http.get("/v1/readings", params={"slot": SLOT}).json()["items"]) == 1


def test_too_long_a_list_of_readings_is_refused(http: httpx.Client) -> None:
    response = http.post("/v1/readings", json=[reading_body()] * 1_001)
    assert_problem(response, 422, "request.invalid")


def test_only_the_operator_registers_members_and_devices(http: httpx.Client, services: Services) -> None:
    member = {"account": "0x" + STRANGER.address.hex(), "name": "Carol"}
    device = {
        "device": str(2**64 - 1),
        "account": member["account"],
        "kind": "generator",
        "technology": "T010100",
        "fuel": "F01040100",
        "nameplate_w": 5_000,
        "metering_point": "roof of Carol's",
        "key": {"algorithm": "ed25519", "public_key": "0x" + "07" * 32},
        "latitude": 5_237,
        "longitude": 490,
        "commissioned_day": 18_000,
        "support": "investment",
        "name": "roof",
    }
    for path, body in (("/v1/members", member), ("/v1/devices", device)):
        assert_problem(http.post(path, json=body), 401, "request.unauthorized")
        assert_problem(http.post(path, json=body, headers={"X-API-Key": "guess"}), 401, "request.unauthorized")
    assert len(services.store.members()) == len(services.store.devices()) == 2

    for _ in range(2):
        assert http.post("/v1/members", json=member, headers=OPERATOR_HEADERS).json() == member
        registered = http.post("/v1/devices", json=device, headers=OPERATOR_HEADERS).json()
        assert {name: registered[name] for name in device} == device
    assert [found["name"] for found in http.get("/v1/members").json()["items"]] == ["Alice", "Bob", "Carol"]
    assert [found["device"] for found in http.get("/v1/devices").json()["items"]] == ["1", "2", str(2**64 - 1)]
    mine = http.get("/v1/devices", params={"account": ALICE_HEX}).json()["items"]
    assert [found["device"] for found in mine] == ["1"]


@pytest.mark.parametrize(
    "change",
    [
        {"device": str(2**64)},
        {"nameplate_w": -1},
        {"kind": "windmill"},
        {"key": {"algorithm": "rsa", "public_key": "0x" + "07" * 32}},
        {"latitude": 9_001},
        {"metering_point": ""},
    ],
)
def test_a_malformed_device_is_refused(http: httpx.Client, change: dict[str, object]) -> None:
    device = {
        "device": "3",
        "account": ALICE_HEX,
        "kind": "load",
        "metering_point": "cellar",
        "key": {"public_key": "0x" + "07" * 32},
    }
    response = http.post("/v1/devices", json=device | change, headers=OPERATOR_HEADERS)
    assert_problem(response, 422, "request.invalid")


def test_the_operator_moves_the_clock_and_sees_what_moved(http: httpx.Client, services: Services) -> None:
    signed = order()
    services.intake.place(signed.order, signed.signature)
    assert http.get("/v1/clock").json() == {"mode": "stepped", "now": START}
    assert_problem(http.post("/v1/clock", json={"now": SLOT}), 401, "request.unauthorized")
    moved = http.post("/v1/clock", json={"now": SLOT}, headers=OPERATOR_HEADERS).json()
    assert moved["now"] == SLOT
    assert [(slot["slot"], slot["state"]) for slot in moved["slots"]] == [(SLOT, "closed")]
    back = http.post("/v1/clock", json={"now": SLOT - 1}, headers=OPERATOR_HEADERS)
    assert_problem(back, 409, "clock.backwards")


def test_whoever_watches_is_told_that_all_is_well(http: httpx.Client) -> None:
    well = {"status": "ok", "concerns": []}
    assert http.get("/health").json() == well
    assert http.get("/ready").json() == well | {"claimed_by": "this node", "is_ours": True}


class OutOfReach(Ledger):
    def state(self, account: bytes) -> AccountState:
        raise ChainUnavailableError("no connection")


def test_a_node_without_its_chain_is_healthy_but_not_ready(
    http: httpx.Client, server: Server, services: Services
) -> None:
    server.app.state.services = replace(services, accounts=OutOfReach())
    assert http.get("/health").status_code == 200
    answer = http.get("/ready")
    assert_problem(answer, 503, "chain.unavailable")
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v1/orders?state=open", "state"),
        ("/v1/members?format=csv", "format"),
        ("/v1/readings?format=csv", "format"),
        ("/v1/market?x=1", "x"),
    ],
)
def test_a_query_parameter_that_a_route_does_not_know_is_refused(http: httpx.Client, path: str, name: str) -> None:
    answer = http.get(path)
    assert_problem(answer, 422, "request.invalid")
    assert answer.json()["field"] == name
    assert http.get("/v1/orders", params={"status": "open", "limit": 5}).status_code == 200


def test_an_address_that_is_none_is_refused_in_our_words(http: httpx.Client) -> None:
    for wrong in ("0x12", "zz", "0xzz"):
        answer = http.get("/v1/orders", params={"account": wrong}).json()
        assert answer["detail"].startswith("field 'account': must be 0x and 40 hexadecimal digits")


def test_unknown_routes_and_methods_are_problems(http: httpx.Client) -> None:
    assert_problem(http.get("/v1/nothing"), 404, "request.not_found")
    assert_problem(http.put("/v1/orders"), 405, "request.method")


def test_a_body_above_the_limit_is_refused_however_it_is_sent(http: httpx.Client) -> None:
    body = b" " * (MAX_BODY_BYTES + 1)
    assert_problem(http.post("/v1/orders", content=body), 413, "request.too_large")
    in_chunks = http.post("/v1/orders", content=iter([body[: 2**19]] * 3))
    assert_problem(in_chunks, 413, "request.too_large")


def test_the_api_describes_itself(http: httpx.Client) -> None:
    description = http.get("/openapi.json").json()
    assert "/v1/orders" in description["paths"]
    properties = description["components"]["schemas"]["OrderFields"]["properties"]
    assert properties["account"]["pattern"] == "^0x[0-9a-fA-F]{40}$"
