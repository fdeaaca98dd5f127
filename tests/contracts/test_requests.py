"""Owners ask for certificates, and the issuer decides; the issuer anchors the evidence of a day."""

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from tests.contracts.devices import DAY_S, DEVICE, events, on_devices, register
from tests.world import SLOT, World, refused

EVIDENCE = b"\xee" * 32
DAY = SLOT // DAY_S
ROOT = b"\xaa" * 32


@pytest.fixture
def solar(world: World) -> World:
    """Member 0's generator waits to be asked for; it is two days after the slot."""
    register(world, DEVICE, world.members[0].address, standing=False)
    world.time.now = SLOT + 2 * DAY_S
    return world


def read(world: World, view: str, *arguments: object) -> Any:
    return world.contracts.devices.read(view, *arguments)


def ask(world: World, first: int = SLOT, last: int = SLOT + 900, *, member: int = 0, device: int = DEVICE) -> Any:
    return on_devices(world, world.members[member], "request", device, first, last, EVIDENCE)


def decide(world: World, number: int, *, approved: bool = True) -> Any:
    return on_devices(world, "issuer", "decide", number, approved, "as metered")


# --------------------------------------------------------------------------------------------- requests


def test_a_request_is_numbered_and_waits(solar: World) -> None:
    receipt = ask(solar)
    fields = {"number": 1, "device": DEVICE, "first_slot": SLOT, "last_slot": SLOT + 900, "evidence": EVIDENCE}
    assert events(solar, receipt) == [("Requested", fields)]
    ask(solar, SLOT, SLOT)
    assert read(solar, "request_count") == 2
    waiting = {"device": DEVICE, "first_slot": SLOT, "last_slot": SLOT, "decided": False, "approved": False}
    assert read(solar, "request_of", 2) == waiting


@pytest.mark.parametrize("approved", [True, False])
def test_a_request_is_decided_once(solar: World, approved: bool) -> None:
    ask(solar)
    receipt = decide(solar, 1, approved=approved)
    fields = {"number": 1, "approved": approved, "reason": "as metered"}
    assert events(solar, receipt) == [("RequestDecided", fields)]
    found = read(solar, "request_of", 1)
    assert (found["decided"], found["approved"]) == (True, approved)
    for again in (True, False):
        with refused("devices: decided"):
            decide(solar, 1, approved=again)


@pytest.mark.parametrize("number", [0, 2])
def test_what_was_not_requested_is_neither_decided_nor_described(solar: World, number: int) -> None:
    ask(solar)
    with refused("devices: no such request"):
        decide(solar, number)
    with refused("devices: no such request"):
        read(solar, "request_of", number)


def test_an_approved_request_covers_its_device_and_its_slots(solar: World) -> None:
    register(solar, DEVICE + 1, solar.members[0].address, standing=False)
    ask(solar, SLOT, SLOT + 1_800)
    ask(solar, SLOT + 3_600, SLOT + 3_600)
    slots = [SLOT - 900, SLOT, SLOT + 1_800, SLOT + 2_700]

    def covered(device: int = DEVICE, number: int = 1) -> list[bool]:
        return [read(solar, "may_issue", device, slot, number) for slot in slots]

    assert covered() == [False] * 4
    decide(solar, 1)
    decide(solar, 2, approved=False)
    assert covered() == [False, True, True, False]
    assert covered(DEVICE + 1) == covered(number=2) == covered(number=0) == [False] * 4
    assert not read(solar, "may_issue", DEVICE, SLOT + 3_600, 2)


def test_a_standing_request_covers_everything(world: World) -> None:
    register(world, DEVICE, world.members[0].address)
    assert read(world, "may_issue", DEVICE, SLOT, 99)
    assert not read(world, "may_issue", DEVICE + 1, SLOT, 99)


def test_only_the_owner_requests(solar: World) -> None:
    with refused("devices: not the owner"):
        ask(solar, member=1)
    with refused("devices: not the owner"):
        ask(solar, device=DEVICE + 1)


@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        (SLOT + 300, SLOT + 900, "devices: first slot"),
        (SLOT, SLOT + 600, "devices: last slot"),
        (SLOT + 900, SLOT, "devices: period"),
        (SLOT - 366 * DAY_S, SLOT, "devices: long period"),
        (SLOT, SLOT + 2 * DAY_S, "devices: period not over"),
    ],
)
def test_a_request_is_for_slots_of_a_year_that_are_over(solar: World, first: int, last: int, reason: str) -> None:
    with refused(reason):
        ask(solar, first, last)


def test_a_request_reaches_as_far_as_it_may(solar: World) -> None:
    ask(solar, SLOT - 366 * DAY_S + 900, SLOT)
    solar.at(SLOT + 3 * DAY_S + 899)
    with refused("devices: period not over"):
        ask(solar, SLOT, SLOT + 3 * DAY_S)
    solar.at(SLOT + 3 * DAY_S + 900)
    ask(solar, SLOT, SLOT + 3 * DAY_S)


# --------------------------------------------------------------------------------------------- evidence


def anchor(world: World, *anchors: tuple[int, bytes, int], day: int = DAY) -> Any:
    return on_devices(world, "issuer", "anchor", day, list(anchors))


def commitment(root: bytes, leaves: int) -> bytes:
    return keccak(encode(["bytes32", "uint256"], [root, leaves]))


def test_the_evidence_of_a_day_is_anchored_and_corrected(solar: World) -> None:
    register(solar, DEVICE + 1, solar.members[0].address)
    receipt = anchor(solar, (DEVICE, ROOT, 96), (DEVICE + 1, EVIDENCE, 2))
    of_day = {"day": DAY, "revision": 0}
    assert events(solar, receipt) == [
        ("Anchored", {**of_day, "device": DEVICE, "root": ROOT, "leaves": 96}),
        ("Anchored", {**of_day, "device": DEVICE + 1, "root": EVIDENCE, "leaves": 2}),
    ]
    assert read(solar, "anchor_of", DEVICE, DAY) == commitment(ROOT, 96)
    for revision in (1, 2):
        (event,) = events(solar, anchor(solar, (DEVICE, EVIDENCE, revision)))
        assert event[1]["revision"] == revision
    assert read(solar, "anchor_of", DEVICE, DAY) == commitment(EVIDENCE, 2)
    assert read(solar, "anchor_of", DEVICE + 1, DAY) == commitment(EVIDENCE, 2)
    assert read(solar, "anchor_of", DEVICE, DAY - 1) == bytes(32)


def test_a_day_is_anchored_when_it_is_over_and_not_a_second_before(world: World) -> None:
    register(world, DEVICE, world.members[0].address)
    world.at((DAY + 1) * DAY_S - 1)
    with refused("devices: day not over"):
        anchor(world, (DEVICE, ROOT, 1))
    world.at((DAY + 1) * DAY_S)
    anchor(world, (DEVICE, ROOT, 1))


def test_evidence_is_of_devices_and_of_something(solar: World) -> None:
    with refused("devices: no such device"):
        anchor(solar, (DEVICE + 1, ROOT, 1))
    with refused("devices: no leaves"):
        anchor(solar, (DEVICE, ROOT, 0))
    with refused("devices: day"):
        anchor(solar, (DEVICE, ROOT, 1), day=2**16)


def test_at_most_256_devices_are_anchored_at_once(solar: World) -> None:
    with refused("devices: no such device"):
        anchor(solar, *[(DEVICE + 1, ROOT, 1)] * 256)
    with refused(""):  # the ABI decoder's own refusal
        anchor(solar, *[(DEVICE + 1, ROOT, 1)] * 257)
