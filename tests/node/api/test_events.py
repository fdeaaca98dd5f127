"""`/v1/events` over a real server: what is told to whom, where it goes on, and how much of it there may be."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.eip712 import following_hash
from ledger.keys import Key
from node.api import events as api
from node.api.services import Services
from node.api_keys import ApiKeyFile, Scope
from node.events import streams
from node.store import events as stored
from node.store.telling import Event, EventKind
from tests.node.parts import ALICE, BOB, DOMAIN, SLOT, STRANGER, order
from tests.node.progress import certify, settle
from tests.node.small_node import API_KEY, Server
from tests.node.taken import take

Told = tuple[int, str, dict[str, Any]]


def address(key: Key) -> str:
    return "0x" + key.address.hex()


def signed(key: Key, account: Key | None = None, *, seconds: int = 600) -> dict[str, Any]:
    """What a request to follow an account needs, by default of one's own."""
    until = int(time.time()) + seconds
    account = account or key
    signature = key.sign(following_hash(DOMAIN, account.address, until))
    return {
        "params": {"account": address(account), "until": until},
        "headers": {"X-Signature": "0x" + signature.hex()},
    }


def blocks(lines: Iterator[str]) -> Iterator[dict[str, str]]:
    """The stream's blocks, comments and ids without an event included."""
    found: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            found[name] = value.strip()
        else:
            yield found
            found = {}


def told(lines: Iterator[str]) -> Iterator[Told]:
    for block in blocks(lines):
        if "event" in block:
            yield int(block["id"]), block["event"], json.loads(block["data"])


def so_far(http: httpx.Client, *, after: int = 0, **details: Any) -> list[Told]:
    params = {"after": after, "follow": "false", **details.pop("params", {})}
    with http.stream("GET", "/v1/events", params=params, **details) as answer:
        assert answer.status_code == 200, answer.read()
        return list(told(answer.iter_lines()))


@contextmanager
def following(http: httpx.Client, **details: Any) -> Iterator[Iterator[str]]:
    with http.stream("GET", "/v1/events", timeout=10, **details) as answer:
        assert answer.status_code == 200, answer.read()
        yield answer.iter_lines()


def refused(http: httpx.Client, **details: Any) -> tuple[int, str]:
    answer = http.get("/v1/events", **details)
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_the_market_sees_a_slot_move_on_with_its_transactions(http: httpx.Client, services: Services) -> None:
    settle(services)
    certify(services)
    found = so_far(http)
    assert [kind for _, kind, _ in found] == [
        "slot_closed",
        "slot_committed",
        "slot_cleared",
        "slot_settled",
        "slot_delivered",
        "slot_certified",
    ]
    slot = http.get(f"/v1/slots/{SLOT}").json()
    data = {kind: told for _, kind, told in found}
    assert data["slot_cleared"] == {"slot": SLOT, "price": slot["price"], "bought_wh": slot["bought_wh"]}
    assert data["slot_settled"] == {"slot": SLOT, "step": slot["steps"]["settle"]}
    assert data["slot_certified"] == {"slot": SLOT, "step": slot["steps"]["certify"]}


def test_a_member_sees_its_own_orders_and_nobody_elses(http: httpx.Client, services: Services) -> None:
    """The market sees none, whether their gate is closed or not."""
    offer, bid = settle(services)
    (accepted, *slots) = so_far(http, **signed(BOB))
    assert accepted[1:] == (
        "order_accepted",
        {
            "slot": SLOT,
            "account": address(BOB),
            "order": "0x" + bid.hex(),
            "index": 1,
            "side": "bid",
            "price": 200_000,
            "quantity_wh": 600,
        },
    )
    assert slots == so_far(http)
    assert not any(offer.hex() in json.dumps(data) for _, _, data in so_far(http, **signed(BOB)))


def test_an_api_key_follows_any_account(http: httpx.Client, services: Services) -> None:
    settle(services)
    found = so_far(http, params={"account": address(ALICE)}, headers={"X-API-Key": API_KEY})
    assert found == so_far(http, **signed(ALICE))


def test_a_key_follows_accounts_only_if_it_is_for_reading_or_the_operators(
    http: httpx.Client, services: Services, server: Server, tmp_path: Path
) -> None:
    settle(services)
    keys = ApiKeyFile.of(tmp_path)
    server.app.state.services = replace(services, api_keys=keys)
    asked: dict[str, str] = {"account": address(ALICE), "after": "0", "follow": "false"}
    own, found = signed(ALICE), {}
    for scope in Scope:
        headers = {"X-API-Key": keys.new(scope, frozenset({scope}), 0)}
        answer = http.get("/v1/events", params=asked, headers=headers)
        found[scope] = (answer.status_code, "order_accepted" in answer.text)
        # Whoever signs needs no key: showing one that opens something else takes nothing away.
        assert so_far(http, params=own["params"], headers=own["headers"] | headers) == so_far(http, **own)
    assert found == {
        Scope.OPERATOR: (200, True),
        Scope.READ: (200, True),
        Scope.ISSUER: (403, False),
        Scope.METER: (403, False),
    }


def test_who_is_no_member_has_nothing_of_its_own_to_follow(http: httpx.Client) -> None:
    with_key = {"params": {"account": address(STRANGER)}, "headers": {"X-API-Key": API_KEY}}
    for asked in (signed(STRANGER), with_key):
        assert refused(http, **asked) == (404, "member.unknown")
    # Who may not follow it does not learn here whether it is one.
    assert refused(http, params={"account": address(STRANGER)}) == (401, "request.unauthorized")


def test_moves_of_certificates_name_both_sides(http: httpx.Client, services: Services) -> None:
    details = {"certificate": "0x1", "amount_wh": 5}
    move = Event(EventKind.CERTIFICATE_MOVED, SLOT, None, BOB.address, details)
    services.store.tell_certificates([move], after=-1, block=4)
    assert so_far(http) == [(1, "certificate_moved", {"slot": SLOT, "from": None, "to": address(BOB), **details})]
    assert so_far(http, **signed(BOB)) == so_far(http)
    assert so_far(http, **signed(ALICE)) == []


def test_following_an_account_needs_its_signature_and_a_fresh_one(http: httpx.Client) -> None:
    assert refused(http, params={"account": address(ALICE)}) == (401, "request.unauthorized")
    assert refused(http, **signed(BOB, ALICE)) == (403, "event.signature")
    for seconds in (-5, 100_000):
        assert refused(http, **signed(ALICE, seconds=seconds)) == (403, "event.signature")
    another = signed(ALICE)
    another["params"]["until"] += 1
    assert refused(http, **another) == (403, "event.signature")


def test_a_follower_is_told_as_it_happens(http: httpx.Client, services: Services) -> None:
    services.store.close_slot(SLOT - 900)
    with following(http) as lines:
        first = next(blocks(lines))
        assert first == {"retry": "1000", "id": "1"}
        services.store.close_slot(SLOT)
        assert next(told(lines)) == (2, "slot_closed", {"slot": SLOT})


def test_who_comes_back_goes_on_behind_the_last_event(http: httpx.Client, services: Services) -> None:
    for number in range(4):
        services.store.close_slot(SLOT + 900 * number)
    with following(http, headers={"Last-Event-ID": "2"}, params={"after": 0}) as lines:
        events = told(lines)
        assert [next(events)[0], next(events)[0]] == [3, 4]


def test_who_came_before_the_first_event_and_comes_back_misses_none(
    http: httpx.Client, services: Services
) -> None:
    with following(http) as lines:
        assert next(blocks(lines))["id"] == "0"
    services.store.close_slot(SLOT)
    assert [number for number, _, _ in so_far(http, headers={"Last-Event-ID": "0"})] == [1]


def test_an_event_that_has_not_happened_is_refused(http: httpx.Client, services: Services) -> None:
    services.store.close_slot(SLOT)
    assert refused(http, headers={"Last-Event-ID": "2"}) == (409, "event.unknown")
    assert refused(http, headers={"Last-Event-ID": "slot"}) == (422, "request.invalid")
    assert refused(http, params={"after": "-1"}) == (422, "request.invalid")


def test_what_a_restored_store_lacks_is_not_passed_over_in_silence(http: httpx.Client, services: Services) -> None:
    """Its numbers go on above those that it had given, so that none of these means another event now."""
    services.store.close_slot(SLOT)
    services.store.tell_restored()
    for number in range(1, 4):
        services.store.close_slot(SLOT + 900 * number)
    assert refused(http, headers={"Last-Event-ID": "3"}) == (409, "event.unknown")
    (_, restored, *later) = so_far(http)
    assert restored[1:] == ("store_restored", {"slot": 0})
    assert [number - restored[0] for number, _, _ in later] == [1, 2, 3]
    assert so_far(http, headers={"Last-Event-ID": "1"}) == [restored, *later]


def test_events_that_are_forgotten_are_not_passed_over_in_silence(http: httpx.Client, services: Services) -> None:
    for number in range(6):
        services.store.close_slot(SLOT + 900 * number)
    services.store.prune_events(keep=2)
    assert refused(http, headers={"Last-Event-ID": "3"}) == (410, "event.forgotten")
    assert [number for number, _, _ in so_far(http, headers={"Last-Event-ID": "4"})] == [5, 6]
    assert [number for number, _, _ in so_far(http)] == [5, 6]


def test_a_quiet_stream_shows_that_it_is_alive(
    http: httpx.Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "HEARTBEAT_S", 0.1)
    with following(http, **signed(BOB)) as lines:
        found = blocks(lines)
        next(found)
        # What is not Bob's moves him on all the same, so that he need not look at it again.
        take(services.store, order(ALICE), SLOT - 3_600)
        beats = [next(found) for _ in range(5)]
    assert all(beat.keys() == {"", "id"} for beat in beats)
    assert beats[-1]["id"] == "1"


def test_a_long_past_comes_in_pieces_and_in_order(
    http: httpx.Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api, "PAGE", 3)
    for number in range(10):
        services.store.close_slot(SLOT + 900 * number)
    assert [number for number, _, _ in so_far(http)] == list(range(1, 11))


def test_what_is_ones_own_is_found_behind_much_that_is_not(
    http: httpx.Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "LOOKED_AT", 3)
    for number in range(8):
        take(services.store, order(ALICE, salt=number), SLOT - 3_600)
    services.store.close_slot(SLOT)
    assert [(number, kind) for number, kind, _ in so_far(http, **signed(BOB))] == [(9, "slot_closed")]


def test_so_many_streams_are_fed_and_no_more(
    http: httpx.Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MAX_STREAMS_OF_ONE", 2)
    with ExitStack() as stack:
        open_ones = [stack.enter_context(following(http)) for _ in range(2)]
        assert [next(lines) for lines in open_ones] == ["retry: 1000"] * 2
        answer = http.get("/v1/events")
        assert (answer.status_code, answer.json()["code"]) == (503, "event.too_many_streams")
        assert int(answer.headers["Retry-After"]) > 0
    give_up_at = time.monotonic() + 10
    while len(services.streams) and time.monotonic() < give_up_at:
        time.sleep(0.05)
    assert so_far(http) == []


def test_streams_end_when_the_node_does(http: httpx.Client, services: Services) -> None:
    with following(http) as lines:
        next(blocks(lines))
        threading.Timer(0.1, services.streams.close).start()
        assert list(told(lines)) == []


def test_a_reader_who_stands_still_is_let_go(
    http: httpx.Client, services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it does not read stays in the store; nothing piles up for it."""
    monkeypatch.setattr(api, "_SEND_TIMEOUT_S", 0.2)
    details = {"padding": "x" * 100_000}
    moves = [Event(EventKind.CERTIFICATE_MOVED, SLOT, details=details)] * 300
    services.store.tell_certificates(moves, after=-1, block=4)
    with following(http, params={"after": 0}) as lines:
        next(lines)
        give_up_at = time.monotonic() + 10
        while len(services.streams) and time.monotonic() < give_up_at:
            time.sleep(0.05)
        assert len(services.streams) == 0
