"""Storages: what charges them is a lot, first in first out; a discharge is certified for lots with an origin."""

from typing import Any

import pytest
from eth_abi.abi import encode

from ledger.chain import Receipt
from tests.contracts.devices import (
    DEVICE,
    INTO_STORAGE,
    LOAD,
    STORED,
    TOKEN,
    certify,
    claimed,
    consumption_id,
    events,
    held,
    register,
    register_battery,
    token_id,
    totals,
)
from tests.world import SLOT, World, refused

BATTERY, CHARGER, HOME = 30, 31, 20
NO_ORIGIN = 0


@pytest.fixture
def home(world: World) -> World:
    """Member 0 has a generator, a load and a battery that gives back nine tenths; member 1 has a generator."""
    anna, bert = (key.address for key in world.members[:2])
    register(world, DEVICE, anna)
    register(world, DEVICE + 1, bert)
    register(world, HOME, anna, kind=LOAD)
    register_battery(world, BATTERY, CHARGER, anna, efficiency_ppm=900_000)
    return world


def at(number: int) -> int:
    return SLOT + 900 * number


def charge(world: World, wh: int, matched: int = 0, *, slot: int = SLOT, source: int = DEVICE) -> Receipt:
    """So much goes into the battery, of which a generator gave a part."""
    if matched == 0:
        return certify(world, [], [(CHARGER, wh)], slot=slot)
    return certify(world, [(source, matched)], [(CHARGER, wh)], matches=[(source, CHARGER, matched)], slot=slot)


def discharge(world: World, wh: int, number: int) -> dict[str, Any]:
    """What the event says of a discharge."""
    logged = events(world, certify(world, [(BATTERY, wh)], slot=at(number)))
    (fields,) = [fields for name, fields in logged if name == "Discharged"]
    return fields


def lots(world: World) -> list[tuple[int, int]]:
    queue = world.contracts.issuance.read("queue_of", BATTERY)
    found = world.contracts.issuance.read("lots_of", BATTERY, queue["first"], 256)
    return [(lot["source"], lot["output_uwh"]) for lot in found]


def discharge_id(number: int) -> int:
    return token_id(BATTERY, at(number), kind=STORED)


# ---------------------------------------------------------------------------------------------- charging


def test_what_charges_is_claimed_and_becomes_lots(home: World) -> None:
    anna, consumption = home.members[0].address, consumption_id(CHARGER)
    receipt = charge(home, 500, 300)
    assert lots(home) == [(TOKEN, 270_000_000), (NO_ORIGIN, 180_000_000)]
    assert (held(home, anna), claimed(home, anna), totals(home)) == (0, 300, (300, 300))
    assert (held(home, anna, consumption), totals(home, consumption)) == (0, (500, 500))
    (claim,) = [fields for name, fields in events(home, receipt) if name == "ClaimSingle"]
    assert (claim["topic"], claim["claimData"]) == (INTO_STORAGE, encode(["uint256"], [consumption]))
    assert [fields for name, fields in events(home, receipt) if name == "Stored"] == [
        {"storage": BATTERY, "source": TOKEN, "amount_wh": 300, "output_uwh": 270_000_000},
        {"storage": BATTERY, "source": NO_ORIGIN, "amount_wh": 200, "output_uwh": 180_000_000},
    ]


def test_a_charge_that_is_matched_whole_leaves_no_lot_without_origin(home: World) -> None:
    charge(home, 300, 300)
    assert lots(home) == [(TOKEN, 270_000_000)]


def test_a_charge_without_any_match_has_no_origin(home: World) -> None:
    charge(home, 300)
    assert lots(home) == [(NO_ORIGIN, 270_000_000)]


def test_the_bought_certificate_charges_too(home: World) -> None:
    charge(home, 200, 200, source=DEVICE + 1)
    assert lots(home) == [(token_id(DEVICE + 1), 180_000_000)]
    assert claimed(home, home.members[0].address, token_id(DEVICE + 1)) == 200


def test_a_charge_is_not_covered_later(home: World) -> None:
    charge(home, 300)
    with refused("certificates: balance"):
        certify(home, [(DEVICE, 5)], [(CHARGER, 0)], matches=[(DEVICE, CHARGER, 1)])
    certify(home, [(DEVICE, 5)], [(CHARGER, 0)])
    assert lots(home) == [(NO_ORIGIN, 270_000_000)]


# ------------------------------------------------------------------------------------------- discharging


def test_a_discharge_takes_the_first_lots_first(home: World) -> None:
    charge(home, 500, 300)
    charge(home, 100, 100, slot=at(1))
    first = discharge(home, 200, 2)
    identified = {"id": discharge_id(2), "storage": BATTERY, "metered_wh": 200, "certified_wh": 200}
    assert first == {**identified, "sources": [TOKEN], "outputs_uwh": [200_000_000]}
    assert held(home, home.members[0].address, discharge_id(2)) == 200
    second = discharge(home, 300, 3)
    assert second["sources"] == [TOKEN, NO_ORIGIN, token_id(slot=at(1))]
    assert second["outputs_uwh"] == [70_000_000, 180_000_000, 50_000_000]
    assert (second["metered_wh"], second["certified_wh"]) == (300, 120)
    assert totals(home, discharge_id(3)) == (120, 0)
    assert lots(home) == [(token_id(slot=at(1)), 40_000_000)]


def test_what_no_lot_is_left_for_is_not_certified(home: World) -> None:
    charge(home, 100, 100)
    assert discharge(home, 500, 1)["certified_wh"] == 90
    empty = discharge(home, 500, 2)
    assert (empty["certified_wh"], empty["sources"], empty["outputs_uwh"]) == (0, [], [])
    assert totals(home, discharge_id(2)) == (0, 0)
    with refused("issuance: storage used since"):
        certify(home, [(BATTERY, 1)] * 2, slot=at(3))


def test_fractions_of_a_wh_are_carried_and_not_lost(home: World) -> None:
    for number in range(10):
        charge(home, 2, 1, slot=at(number))
    found = [discharge(home, 1, 20 + number)["certified_wh"] for number in range(18)]
    assert sum(found) == 9
    assert set(found) == {0, 1}
    assert home.contracts.issuance.read("queue_of", BATTERY)["carry_uwh"] == 0


def test_a_discharge_takes_at_most_64_lots(home: World) -> None:
    for number in range(33):
        charge(home, 20, 10, slot=at(number))
    taken = discharge(home, 600, 40)
    assert len(taken["sources"]) == 64
    assert taken["certified_wh"] == 32 * 9
    assert lots(home) == [(token_id(slot=at(32)), 9_000_000), (NO_ORIGIN, 9_000_000)]


def test_lots_are_listed_from_where_one_wants(home: World) -> None:
    for number in range(3):
        charge(home, 10 * (number + 1), slot=at(number))
    read = home.contracts.issuance.read
    outputs = [lot["output_uwh"] for lot in read("lots_of", BATTERY, 1, 1)]
    assert outputs == [18_000_000]
    assert [len(read("lots_of", BATTERY, first, 256)) for first in (0, 2, 3, 9)] == [3, 1, 0, 0]
    queue = {"first": 0, "end": 3, "carry_uwh": 0, "after_slot": at(2) + 1}
    assert read("queue_of", BATTERY) == queue


def test_what_comes_back_is_matched_like_any_generation(home: World) -> None:
    charge(home, 100, 100)
    certify(home, [(BATTERY, 90)], [(HOME, 60)], matches=[(BATTERY, HOME, 60)], slot=at(1))
    anna = home.members[0].address
    assert (held(home, anna, discharge_id(1)), claimed(home, anna, discharge_id(1))) == (30, 60)


# -------------------------------------------------------------------------------------------- in order


def test_a_storages_slots_only_ascend(home: World) -> None:
    charge(home, 100, slot=at(2))
    with refused("issuance: storage charged since"):
        charge(home, 100, slot=at(1))
    with refused("issuance: storage used since"):
        discharge(home, 10, 1)
    with refused("issuance: storage used since"):
        discharge(home, 10, 2)
    discharge(home, 10, 3)
    with refused("issuance: storage charged since"):
        charge(home, 100, slot=at(2) - 900)
    charge(home, 100, slot=at(3))


def test_nothing_is_charged_and_discharged_within_a_slot(home: World) -> None:
    charge(home, 100)
    certify(home, [(BATTERY, 50), (DEVICE, 40)], [(CHARGER, 40)], matches=[(DEVICE, CHARGER, 40)], slot=at(1))
    assert totals(home, discharge_id(1)) == (0, 0)
    assert lots(home) == [(NO_ORIGIN, 40_000_000), (token_id(slot=at(1)), 36_000_000)]


def test_a_storage_gives_at_most_its_nameplate_power(home: World) -> None:
    with refused("issuance: nameplate"):
        certify(home, [(BATTERY, 1_001)])
    with refused("issuance: empty"):
        certify(home, [(BATTERY, 0)])
