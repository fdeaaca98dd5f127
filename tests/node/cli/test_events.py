"""`wattbook events` against a real server."""

import json

from node.api.services import Services
from node.store.telling import Event, EventKind
from tests.node.cli.test_commands import ALICE_HEX, BOB_HEX, run
from tests.node.parts import ALICE, BOB, SLOT
from tests.node.progress import settle
from tests.node.small_node import API_KEY

SLOT_EVENTS = ["slot_closed", "slot_committed", "slot_cleared", "slot_settled"]


def test_a_member_follows_its_own_orders_and_every_slot(url: str, services: Services) -> None:
    _, bid = settle(services)
    result = run(url, "events", "--after", "0", "--count", "5", key=BOB.secret)
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert f"bid of 0.600 kWh at 20.00 ct/kWh accepted: order 0x{bid.hex()}" in lines[0]
    assert [line.split()[0] for line in lines] == ["2", "3", "4", "5", "6"]
    assert lines[3].endswith("slot cleared at 15.00 ct/kWh, 0.600 kWh traded")


def test_without_a_key_the_market_is_followed(url: str, services: Services) -> None:
    settle(services)
    result = run(url, "events", "--after", "0", "--count", "4", "--json", key=None)
    found = [json.loads(line) for line in result.output.splitlines()]
    assert [event["kind"] for event in found] == SLOT_EVENTS
    assert (found[0]["number"], found[0]["slot"]) == (3, SLOT)


def test_moves_of_certificates_are_told_in_words(url: str, services: Services) -> None:
    details = {"certificate": "0x1", "certificate_kind": "generation", "device": "1", "amount_wh": 250}
    moves = [
        Event(EventKind.CERTIFICATE_MOVED, SLOT, None, ALICE.address, details),
        Event(EventKind.CERTIFICATE_MOVED, SLOT, ALICE.address, BOB.address, details),
    ]
    services.store.tell_certificates(moves, after=-1, block=1)
    result = run(url, "events", "--after", "0", "--count", "2", key=None)
    issued, moved = result.output.splitlines()
    assert issued.endswith(f"certificate 0.250 kWh of generation of device 1: issued -> {ALICE_HEX}")
    assert moved.endswith(f"{ALICE_HEX} -> {BOB_HEX}")


def test_somebody_elses_account_needs_an_api_key(url: str, services: Services) -> None:
    settle(services)
    result = run(url, "events", "--account", ALICE_HEX, "--after", "0", key=BOB.secret)
    assert (result.exit_code, "event.signature" in result.output) == (1, True)
    arguments = ("--account", ALICE_HEX, "--after", "0", "--count", "1", "--api-key", API_KEY)
    result = run(url, "events", *arguments, key=None)
    assert "offer of 1.000 kWh" in result.output
