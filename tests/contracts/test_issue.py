"""Certificates of one device's slots, at once or by a day's root: asked for, within limits, issued once."""

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_hash.auto import keccak

from ledger import merkle
from ledger.chain import Receipt
from ledger.deployment import CERTIFICATE_LIFETIME_S
from tests.contracts.devices import (
    CHARGE,
    CONSUMPTION,
    DAY_S,
    DEVICE,
    LOAD,
    STORAGE,
    add_area,
    certify,
    events,
    held,
    on_devices,
    on_issuance,
    register,
    retire,
    send,
    token_id,
    totals,
)
from tests.world import MARKET, SLOT, World, refused

DAY = SLOT // DAY_S
MIDNIGHT = DAY * DAY_S
OTHER_MARKET = b"lugano".ljust(32, b"\0")
AMOUNTS = [(7 * place) % 50 for place in range(96)]


@pytest.fixture
def solar(world: World) -> World:
    """Member 0's generator has a standing request; the day of the slot is over."""
    register(world, DEVICE, world.members[0].address)
    world.time.now = MIDNIGHT + DAY_S
    return world


def issue(
    world: World, amounts: list[int], slot: int = MIDNIGHT, *, request: int = 0, device: int = DEVICE
) -> Receipt:
    return on_issuance(world, "issuer", "issue", request, device, slot, amounts)


# ------------------------------------------------------------------------------------------- slot by slot


@pytest.mark.parametrize("kind", [LOAD, 1])
def test_slots_of_a_device_are_issued_at_once(world: World, kind: int) -> None:
    owner = world.members[0].address
    register(world, DEVICE, owner, kind=kind)
    world.time.now = MIDNIGHT + DAY_S
    receipt = issue(world, [5, 0, 7, 8])
    slots = [MIDNIGHT, MIDNIGHT + 1_800, MIDNIGHT + 2_700]
    ids = [token_id(slot=slot, kind=CONSUMPTION if kind == LOAD else 1) for slot in slots]
    assert [held(world, owner, token) for token in ids] == [5, 7, 8]
    batch = {"_operator": world.contracts.issuance.address, "_from": bytes(20), "_to": owner}
    assert events(world, receipt) == [("TransferBatch", {**batch, "_ids": ids, "_values": [5, 7, 8]})]


def test_what_was_issued_one_way_is_not_issued_another(solar: World) -> None:
    certify(solar, [(DEVICE, 5)])
    with refused("certificates: issued"):
        issue(solar, [1], SLOT)
    issue(solar, [1], SLOT + 900)
    with refused("certificates: issued"):
        issue(solar, [1, 1, 1], SLOT - 900)


def test_a_device_without_a_standing_request_needs_an_approved_one(world: World) -> None:
    owner = world.members[0]
    register(world, DEVICE, owner.address, standing=False)
    world.time.now = MIDNIGHT + DAY_S
    on_devices(world, owner, "request", DEVICE, MIDNIGHT, MIDNIGHT + 1_800, bytes(32))
    with refused("issuance: not requested"):
        issue(world, [5], request=1)
    on_devices(world, "issuer", "decide", 1, True, "")
    with refused("issuance: not requested"):
        issue(world, [5], MIDNIGHT - 900, request=1)
    with refused("issuance: not requested"):
        issue(world, [5, 5, 5, 5], request=1)
    with refused("issuance: not requested"):
        issue(world, [5, 5], MIDNIGHT - 900, request=1)
    issue(world, [5, 5, 5], request=1)
    with refused("issuance: not requested"):
        issue(world, [5], device=DEVICE + 1, request=1)


def test_an_issuance_of_no_slots_is_refused(solar: World) -> None:
    with refused("issuance: no slots"):
        issue(solar, [])


def test_at_most_a_hundred_slots_come_at_once(solar: World) -> None:
    issue(solar, [1] * 100, MIDNIGHT - DAY_S)
    with refused(""):  # the ABI decoder's own refusal
        issue(solar, [1] * 101, MIDNIGHT - 3 * DAY_S)


@pytest.mark.parametrize("kind", [STORAGE, CHARGE])
def test_a_storage_is_not_certified_alone(world: World, kind: int) -> None:
    owner = world.members[0].address
    register(world, DEVICE + 1, owner, kind=STORAGE)
    register(world, DEVICE, owner, kind=kind, storage=DEVICE + 1 if kind == CHARGE else 0)
    world.time.now = MIDNIGHT + DAY_S
    with refused("issuance: kind"):
        issue(world, [1])
    commit(world, {DEVICE: AMOUNTS})
    with refused("issuance: kind"):
        mint(world, {DEVICE: AMOUNTS}, places=[1])


@pytest.mark.parametrize(
    ("amounts", "slot", "reason"),
    [
        ([1_001], MIDNIGHT, "issuance: nameplate"),
        ([1, 1_001], MIDNIGHT, "issuance: nameplate"),
        ([1], MIDNIGHT + 300, "issuance: slot"),
        ([1, 1], MIDNIGHT + DAY_S - 900, "issuance: slot not over"),
    ],
    ids=str,
)
def test_what_a_device_cannot_have_metered_is_not_issued(
    solar: World, amounts: list[int], slot: int, reason: str
) -> None:
    with refused(reason):
        issue(solar, amounts, slot)


# ------------------------------------------------------------------------------------------ by the day


def leaf(device: int, amounts: list[int], day: int = DAY) -> bytes:
    return keccak(encode(["uint64", "uint256", "uint256[]"], [device, day, amounts]))


def commit(world: World, amounts: dict[int, list[int]], *, day: int = DAY, **changes: Any) -> Receipt:
    leaves = [leaf(device, of_device, day) for device, of_device in sorted(amounts.items())]
    total = sum(map(sum, amounts.values()))
    arguments = {"root": merkle.root(leaves), "leaves": len(leaves), "total_wh": total, **changes}
    return on_issuance(world, "issuer", "commit_day", MARKET, day, *arguments.values())


def mint(
    world: World,
    day: dict[int, list[int]],
    places: list[int],
    *,
    device: int = DEVICE,
    market: bytes = MARKET,
    **changes: Any,
) -> Receipt:
    leaves = [leaf(number, of_device) for number, of_device in sorted(day.items())]
    index = sorted(day).index(device)
    shown = {"amounts": day[device], "places": places, "index": index, "path": merkle.path(leaves, index)}
    return on_issuance(world, world.strangers[0], "mint", market, DAY, device, *{**shown, **changes}.values())


STREET = {
    number: [place and 1 + place * number % 50 for place in range(96)] for number in range(DEVICE - 3, DEVICE + 4)
}


@pytest.fixture
def committed(solar: World) -> World:
    """A day of seven devices, of which one is there."""
    commit(solar, STREET)
    return solar


def test_a_day_is_committed_to(solar: World) -> None:
    receipt = commit(solar, {DEVICE: AMOUNTS})
    root = merkle.root([leaf(DEVICE, AMOUNTS)])
    day = {"root": root, "leaves": 1, "total_wh": sum(AMOUNTS)}
    assert solar.contracts.issuance.read("day_of", MARKET, DAY) == day
    assert solar.contracts.issuance.read("day_of", MARKET, DAY - 1)["leaves"] == 0
    assert events(solar, receipt) == [("DayCommitted", {"market": MARKET, "day": DAY, **day})]


def test_a_day_is_committed_to_once(committed: World) -> None:
    with refused("issuance: day committed"):
        commit(committed, {DEVICE: AMOUNTS})


def test_a_day_is_committed_to_when_it_is_over_and_not_a_second_before(world: World) -> None:
    world.at(MIDNIGHT + DAY_S - 1)
    with refused("issuance: day not over"):
        commit(world, {DEVICE: AMOUNTS})
    world.at(MIDNIGHT + DAY_S)
    commit(world, {DEVICE: AMOUNTS})


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"leaves": 0}, "issuance: no leaves"),
        ({"leaves": 2**32}, "issuance: leaves"),
        ({"total_wh": 2**64}, "issuance: total"),
        ({"day": 2**16}, "issuance: day"),
    ],
    ids=str,
)
def test_a_day_outside_the_limits_is_not_committed_to(solar: World, changes: Any, reason: str) -> None:
    with refused(reason):
        commit(solar, {DEVICE: AMOUNTS}, **changes)


@pytest.mark.parametrize("device", sorted(STREET))
def test_anybody_has_slots_of_each_leaf_minted(world: World, device: int) -> None:
    owner = world.members[1].address
    register(world, device, owner)
    world.time.now = MIDNIGHT + DAY_S
    commit(world, STREET)
    receipt = mint(world, STREET, [95, 3], device=device)
    ids = [token_id(device, MIDNIGHT + 900 * place) for place in (95, 3)]
    values = [STREET[device][place] for place in (95, 3)]
    batch = {"_operator": world.contracts.issuance.address, "_from": bytes(20), "_to": owner}
    assert events(world, receipt) == [("TransferBatch", {**batch, "_ids": ids, "_values": values})]
    assert [totals(world, token) for token in ids] == [(value, 0) for value in values]


def test_a_whole_day_is_minted(committed: World) -> None:
    places = [place for place in range(96) if STREET[DEVICE][place]]
    mint(committed, STREET, places)
    found = [held(committed, committed.members[0].address, token_id(slot=MIDNIGHT + 900 * p)) for p in range(96)]
    assert found == STREET[DEVICE]


def test_what_is_expired_is_not_minted(committed: World) -> None:
    committed.time.now = MIDNIGHT + 3 * 900 + CERTIFICATE_LIFETIME_S
    with refused("certificates: expired"):
        mint(committed, STREET, [3])
    mint(committed, STREET, [4])


def test_no_debt_is_paid_with_what_is_expired(committed: World) -> None:
    slot = MIDNIGHT + CERTIFICATE_LIFETIME_S
    certify(committed, [(DEVICE, 500)], slot=slot)
    fresh = token_id(slot=slot)
    retire(committed, committed.members[0], fresh, 500)
    send(committed, "issuer", "withdraw", fresh, "the meter was wrong")
    on_issuance(committed, "issuer", "reissue", fresh, 0, [])
    committed.time.now = slot + DAY_S
    for places in ([3], list(range(1, 96))):
        with refused("certificates: expired"):
            mint(committed, STREET, places)
    assert committed.contracts.issuance.read("debt_of", DEVICE) == 500


def test_a_slot_is_minted_once(committed: World) -> None:
    mint(committed, STREET, [3])
    with refused("certificates: issued"):
        mint(committed, STREET, [4, 4])


def test_what_somebody_had_minted_before_holds_up_nothing_else(committed: World) -> None:
    mint(committed, STREET, [3])
    issue(committed, [STREET[DEVICE][5] + 1], MIDNIGHT + 5 * 900)
    receipt = mint(committed, STREET, [3, 4, 5, 6])
    ((_, batch),) = events(committed, receipt)
    assert batch["_ids"] == [token_id(slot=MIDNIGHT + 900 * place) for place in (4, 6)]
    assert batch["_values"] == [STREET[DEVICE][place] for place in (4, 6)]
    assert totals(committed, token_id(slot=MIDNIGHT + 5 * 900)) == (STREET[DEVICE][5] + 1, 0)


@pytest.mark.parametrize(
    "changes",
    [
        {"amounts": [1, *STREET[DEVICE][1:]]},
        {"index": 2},
        {"index": 7},
        {"path": []},
        {"path": [bytes(32)] * 3},
        {"market": OTHER_MARKET},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_what_is_not_in_the_day_is_not_minted(committed: World, changes: Any) -> None:
    with refused("issuance: not in the day"):
        mint(committed, STREET, [3], **changes)


def test_the_leaf_of_another_device_is_not_minted(committed: World) -> None:
    register(committed, DEVICE + 1, committed.members[0].address)
    leaves = [leaf(number, of_device) for number, of_device in sorted(STREET.items())]
    with refused("issuance: not in the day"):
        mint(committed, STREET, [3], device=DEVICE + 1, index=3, path=merkle.path(leaves, 3))


def test_a_slot_without_generation_or_out_of_the_day_is_not_minted(committed: World) -> None:
    assert STREET[DEVICE][0] == 0
    with refused("issuance: empty"):
        mint(committed, STREET, [0])
    with refused(""):  # the array's own bounds
        mint(committed, STREET, [96])


def test_what_a_device_cannot_have_generated_is_not_minted(solar: World) -> None:
    too_much = {DEVICE: [1_001] * 96}
    commit(solar, too_much)
    with refused("issuance: nameplate"):
        mint(solar, too_much, [0])


def test_a_day_before_the_device_is_not_minted(world: World) -> None:
    register(world, DEVICE, world.members[0].address, commissioned_day=DAY + 1)
    world.time.now = MIDNIGHT + DAY_S
    commit(world, STREET)
    with refused("issuance: not commissioned"):
        mint(world, STREET, [3])


def test_a_device_is_minted_in_its_own_market_and_if_its_owner_asked(world: World) -> None:
    add_area(world)
    elsewhere = add_area(world, OTHER_MARKET)
    register(world, 1, world.members[0].address, area=elsewhere)
    register(world, 2, world.members[0].address, standing=False)
    world.time.now = MIDNIGHT + DAY_S
    day = dict.fromkeys((1, 2, 3), AMOUNTS)
    commit(world, day)
    for device, reason in (
        (1, "issuance: market"),
        (2, "issuance: no standing request"),
        (3, "issuance: no such device"),
    ):
        with refused(reason):
            mint(world, day, [3], device=device)


@pytest.mark.parametrize(
    ("slot_length_s", "count", "reason"),
    [
        (300, 96, "issuance: short slots"),
        (900, 95, "issuance: slots of the day"),
        (3_600, 25, "issuance: slots of the day"),
    ],
)
def test_a_leaf_holds_a_day_of_slots(world: World, slot_length_s: int, count: int, reason: str) -> None:
    register(world, DEVICE, world.members[0].address, slot_length_s=slot_length_s)
    world.time.now = MIDNIGHT + DAY_S
    commit(world, {DEVICE: [1] * count})
    with refused(reason):
        mint(world, {DEVICE: [1] * count}, [0])


def test_a_day_of_hours_is_minted(world: World) -> None:
    register(world, DEVICE, world.members[0].address, slot_length_s=3_600)
    world.time.now = MIDNIGHT + DAY_S
    commit(world, {DEVICE: [1] * 24})
    mint(world, {DEVICE: [1] * 24}, [0, 23])
    tokens = [token_id(slot=MIDNIGHT + 3_600 * hour) for hour in (0, 1, 23)]
    assert [totals(world, token) for token in tokens] == [(1, 0), (0, 0), (1, 0)]
