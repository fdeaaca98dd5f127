"""Certificates of other registries: taken in once by serial number, and then like any other."""

from typing import Any

import pytest

from ledger.chain import Receipt
from tests.contracts.devices import (
    IMPORTED,
    LOAD,
    MATCHED,
    ZONE,
    add_area,
    certificates,
    certify,
    claimed,
    consumption_id,
    events,
    held,
    on_issuance,
    register,
    retire,
    send,
    token_id,
    totals,
)
from tests.world import SLOT, World, refused

ABROAD = bytes(32)
HOME = 20
FIRST = token_id(1, kind=IMPORTED)


@pytest.fixture
def world_abroad(world: World) -> World:
    """Area 1 is the market's, area 2 abroad in the same zone, area 3 abroad in another; the slot is over."""
    add_area(world)
    add_area(world, ABROAD, ZONE)
    add_area(world, ABROAD, "10Y1001A1001A83F")
    world.time.now = SLOT + 3_600
    return world


def details(world: World, **changes: object) -> dict[str, Any]:
    return {
        "registry": "DE-HKNR",
        "serial": "2023/1",
        "to": world.members[0].address,
        "area": 2,
        "slot": SLOT,
        "slot_length_s": 900,
        "amount_wh": 700,
        "technology": 20_101,
        "fuel": 1_050_100,
        **changes,
    }


def take_in(world: World, **changes: object) -> Receipt:
    return on_issuance(world, "issuer", "import_certificate", details(world, **changes))


def test_an_import_is_issued_to_whom_it_is_for(world_abroad: World) -> None:
    receipt = take_in(world_abroad)
    anna = world_abroad.members[0].address
    assert (held(world_abroad, anna, FIRST), totals(world_abroad, FIRST)) == (700, (700, 0))
    transfer = {"_operator": world_abroad.contracts.issuance.address, "_from": bytes(20), "_to": anna}
    assert events(world_abroad, receipt) == [
        ("TransferSingle", {**transfer, "_id": FIRST, "_value": 700}),
        ("Imported", {"id": FIRST, "details": details(world_abroad)}),
    ]
    state = certificates(world_abroad).read("state_of", FIRST)
    assert (state["owner"], state["held_by_owner_wh"]) == (anna, 700)
    issuance = world_abroad.contracts.issuance
    assert issuance.read("import_of", "DE-HKNR", "2023/1") == FIRST
    assert issuance.read("import_of", "DE-HKNR", "2023/2") == 0
    assert certificates(world_abroad).read("title_of", FIRST) >> 197 == 2


def test_a_serial_number_is_imported_once(world_abroad: World) -> None:
    take_in(world_abroad)
    with refused("issuance: imported"):
        take_in(world_abroad, amount_wh=1, slot=SLOT + 900)
    take_in(world_abroad, serial="2023/2")
    take_in(world_abroad, registry="AT")
    assert world_abroad.contracts.issuance.read("import_count") == 3
    assert totals(world_abroad, token_id(3, kind=IMPORTED)) == (700, 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"registry": ""}, "issuance: no registry"),
        ({"serial": ""}, "issuance: no serial"),
        ({"to": bytes(20)}, "issuance: import to nobody"),
        ({"area": 0}, "issuance: area"),
        ({"area": 4}, "issuance: area"),
        ({"slot_length_s": 600}, "issuance: slot length"),
        ({"slot": SLOT + 300}, "issuance: slot"),
        ({"slot": SLOT + 3_600}, "issuance: slot not over"),
        ({"amount_wh": 0}, "issuance: empty"),
        ({"amount_wh": 2**31}, "issuance: nameplate"),
    ],
    ids=str,
)
def test_an_import_outside_the_limits_is_refused(world_abroad: World, changes: Any, reason: str) -> None:
    with refused(reason):
        take_in(world_abroad, **changes)


def test_an_import_is_not_for_a_contract(world_abroad: World) -> None:
    with refused("issuance: import to a contract"):
        take_in(world_abroad, to=world_abroad.exchange.address)


def test_an_import_is_transferred_and_retired_like_any_other(world_abroad: World) -> None:
    take_in(world_abroad)
    anna, bert = world_abroad.members[:2]
    send(world_abroad, anna, "safeTransferFrom", anna.address, bert.address, FIRST, 300, b"")
    retire(world_abroad, bert, FIRST, 200)
    retire(world_abroad, anna, FIRST, 50)
    assert [held(world_abroad, key.address, FIRST) for key in (anna, bert)] == [350, 100]
    assert [claimed(world_abroad, key.address, FIRST) for key in (anna, bert)] == [50, 200]
    assert totals(world_abroad, FIRST) == (700, 250)


def test_an_import_is_matched_in_its_zone_and_not_as_ones_own(world_abroad: World) -> None:
    anna = world_abroad.members[0]
    register(world_abroad, HOME, anna.address, kind=LOAD)
    certify(world_abroad, [], [(HOME, 400)])
    take_in(world_abroad)
    take_in(world_abroad, serial="2023/2", area=3)
    receipt = send(world_abroad, anna, "retire_pairs", [(FIRST, consumption_id(HOME), 100)])
    (topic,) = [fields["topic"] for name, fields in events(world_abroad, receipt) if name == "ClaimSingle"]
    assert topic == MATCHED
    with refused("certificates: zone"):
        pair = (token_id(2, kind=IMPORTED), consumption_id(HOME), 1)
        send(world_abroad, anna, "retire_pairs", [pair])


def test_an_import_is_withdrawn_and_not_issued_again(world_abroad: World) -> None:
    take_in(world_abroad)
    send(world_abroad, "issuer", "withdraw", FIRST, "cancelled there")
    with refused("certificates: withdrawn"):
        retire(world_abroad, world_abroad.members[0], FIRST, 1)
    with refused("issuance: reissue of an import"):
        on_issuance(world_abroad, "issuer", "reissue", FIRST, 5, [])
