"""What the API shows of a real market: every member's history, tokens, receipts, tariffs and validators."""

import time
from collections.abc import Iterator

import httpx
import pytest

from ledger.market import read_account
from matching.orders import Side
from tests.system.street import BUYER, DEPOSIT, SELLER_OF_SUN, SLOT, Street, street


@pytest.fixture(scope="module")
def traded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Street, httpx.Client, dict[str, bytes]]]:
    """A slot that is settled and not delivered yet."""
    with street(tmp_path_factory.mktemp("resources")) as market, httpx.Client(base_url=market.node.url) as http:
        orders = {
            "offer": market.place(SELLER_OF_SUN, Side.OFFER, 3_000, 100_000),
            "bid": market.place(BUYER, Side.BID, 1_500, 180_000),
        }
        market.advance(SLOT - market.node.market.gate_lead_s)
        yield market, http, orders


Traded = tuple[Street, httpx.Client, dict[str, bytes]]


def test_energy_tokens_are_held_from_settlement_to_delivery_and_a_history_ends_at_the_balance(
    traded: Traded,
) -> None:
    market, http, _ = traded
    seller, buyer = (f"0x{market.keys[member].address.hex()}" for member in (SELLER_OF_SUN, BUYER))
    first = http.get("/v1/energy-tokens", params={"limit": 1}).json()
    second = http.get("/v1/energy-tokens", params={"limit": 1, "cursor": first["next"]}).json()
    held = {each["account"]: (each["held_wh"], each["obligation_wh"]) for each in first["items"] + second["items"]}
    assert held == {buyer: (1_500, 0), seller: (0, 1_500)}
    assert second["next"] is None
    assert http.get("/v1/energy-tokens", params={"account": buyer}).json()["items"][0]["slot"] == SLOT

    market.meter_after_the_slot(2_500, 1_900)
    assert http.get("/v1/energy-tokens").json()["items"] == []
    for key in market.keys:
        changes = http.get(f"/v1/balances/0x{key.address.hex()}/history").json()["items"]
        on_chain = read_account(market.node.contracts, key.address)
        assert int(changes[0]["balance_nano"]) == on_chain.balance_nano - on_chain.debt_nano
        assert (changes[-1]["kind"], changes[-1]["change_nano"]) == ("deposit", str(DEPOSIT))
    kinds = [change["kind"] for change in http.get(f"/v1/balances/{buyer}/history").json()["items"]]
    assert kinds == ["delivery", "settlement", "deposit"]
    newest = http.get(f"/v1/balances/{buyer}/history", params={"limit": 2}).json()
    oldest = http.get(f"/v1/balances/{buyer}/history", params={"limit": 2, "cursor": newest["next"]}).json()
    assert [change["kind"] for change in oldest["items"]] == ["deposit"]
    rows = http.get(f"/v1/balances/{buyer}/history", params={"format": "csv"}).text.splitlines()
    assert rows[0] == "block,kind,slot_unix_s,transaction,change_nano,balance_nano"
    assert len(rows) == 4
    assert http.get(f"/v1/balances/0x{'77' * 20}/history").json()["code"] == "member.unknown"


def test_the_depth_of_a_book_is_by_price_best_first(traded: Traded) -> None:
    market, http, _ = traded
    later = SLOT + 5 * 900
    for price, quantity_wh in ((150_000, 100), (170_000, 200), (170_000, 300)):
        market.place(BUYER, Side.BID, quantity_wh, price, slot=later)
    dropped = market.place(BUYER, Side.BID, 900, 190_000, slot=later)
    market.clients[BUYER].cancel(dropped)
    assert http.get(f"/v1/slots/{later}/depth").json() == {
        "slot": later,
        "bids": [
            {"price": 170_000, "quantity_wh": 500, "orders": 2},
            {"price": 150_000, "quantity_wh": 100, "orders": 1},
        ],
        "offers": [],
    }
    assert http.get(f"/v1/slots/{SLOT + 90_000}/depth").json()["code"] == "slot.unknown"


def test_a_receipt_is_shown_by_its_order(traded: Traded) -> None:
    _, http, orders = traded
    path = f"/v1/orders/0x{orders['bid'].hex()}"
    assert http.get(f"{path}/receipt").json() == http.get(path).json()["receipt"]
    assert http.get(f"/v1/orders/0x{'77' * 32}/receipt").json()["code"] == "order.unknown"


def test_tariffs_and_validators_are_those_on_chain(traded: Traded) -> None:
    _, http, _ = traded
    now = http.get("/v1/market").json()["tariff"]
    tariffs = http.get("/v1/market/tariffs", params={"first_slot": 0, "last_slot": SLOT}).json()["items"]
    assert [{name: tariff[name] for name in now} for tariff in tariffs] == [now]
    assert tariffs[0]["from_slot"] <= SLOT
    assert http.get("/v1/market/validators").json() == {"needed": 0, "accounts": []}


def test_members_and_devices_are_paged_and_filtered(traded: Traded) -> None:
    market, http, _ = traded
    names, cursor = [], None
    while True:
        page = http.get("/v1/members", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        names += [member["name"] for member in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert names == [f"member {number}" for number in range(4)]
    one = f"0x{market.keys[BUYER].address.hex()}"
    assert http.get(f"/v1/members/{one}").json()["name"] == f"member {BUYER}"
    assert http.get(f"/v1/members/0x{'77' * 20}").json()["code"] == "member.unknown"
    devices = http.get("/v1/devices", params={"limit": 1}).json()
    rest = http.get("/v1/devices", params={"limit": 1, "cursor": devices["next"]}).json()
    assert [device["device"] for device in devices["items"] + rest["items"]] == ["1", "2"]
    loads = http.get("/v1/devices", params={"kind": "load"}).json()["items"]
    assert [device["device"] for device in loads] == ["2"]


def test_a_request_for_too_long_a_period_is_refused_before_anything_is_read(traded: Traded) -> None:
    market, http, _ = traded
    body = {
        "account": f"0x{market.keys[SELLER_OF_SUN].address.hex()}",
        "device": "1",
        "first_slot": 0,
        "last_slot": 2**40 - 1,
    }
    refused = http.post("/v1/certificates/request/prepare", json=body)
    assert (refused.status_code, refused.json()["field"]) == (422, "last_slot")


def test_the_operator_has_the_chain_audited_and_everybody_reads_the_report(traded: Traded) -> None:
    market, http, _ = traded
    assert http.post("/v1/audits").json()["code"] == "request.unauthorized"
    started = http.post("/v1/audits", headers={"X-API-Key": market.node.services.operator_api_key})
    assert started.status_code == 202
    give_up_at = time.monotonic() + 60
    while (found := http.get(started.headers["location"]).json())["state"] == "running":
        assert time.monotonic() < give_up_at
        time.sleep(0.1)
    assert found["state"] == "holds"
    assert found["report"]["finding_count"] == 0 < found["report"]["checks"]
    assert found["report"]["last_block"] <= market.node.chain.head().number
    assert http.get("/v1/audits").json()["items"] == [found]
    assert http.get("/v1/audits/2").json()["code"] == "audit.unknown"
