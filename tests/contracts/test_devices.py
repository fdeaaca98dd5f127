"""Areas and devices are entered once, within limits; a meter's key changes, and a device is closed."""

from typing import Any

import pytest

from ledger.abi import interface
from ledger.transactions import build
from tests.contracts.devices import (
    AREA,
    CHARGE,
    DAY_S,
    DEVICE,
    GENERATOR,
    LOAD,
    STORAGE,
    ZONE,
    add_area,
    details,
    events,
    on_devices,
    register,
    register_battery,
)
from tests.world import MARKET, SLOT, World, refused

OTHER = DEVICE + 1
ABROAD = bytes(32)
LAST_DAY = 2**16 - 1
TOMORROW = SLOT // DAY_S + 1
Details = dict[str, Any]


def read(world: World, view: str, *arguments: object) -> Any:
    return world.contracts.devices.read(view, *arguments)


def key(byte: int, from_slot: int = 0, algorithm: int = 0) -> Details:
    return {"algorithm": algorithm, "key": bytes([byte]) * 32, "from_slot": from_slot}


NO_KEY = key(0)


@pytest.fixture
def solar(world: World) -> World:
    """Member 0 owns a generator."""
    register(world, DEVICE, world.members[0].address)
    return world


@pytest.mark.parametrize(
    ("missing", "reason"), [("issuer", "devices: issuer"), ("registrar", "devices: registrar")]
)
def test_devices_need_an_issuer_and_a_registrar(world: World, missing: str, reason: str) -> None:
    parties = {"issuer": b"\1" * 20, "registrar": b"\2" * 20, missing: bytes(20)}
    with refused(reason):
        build(world.chain, world.strangers[0], to=None, data=interface("devices").creation(*parties.values()))


# ------------------------------------------------------------------------------------------------ areas


def test_areas_are_numbered_from_one(world: World) -> None:
    receipt = on_devices(world, "registrar", "add_area", MARKET, ZONE)
    on_devices(world, "registrar", "add_area", ABROAD, "10Y1001A1001A83F")
    assert read(world, "area_count") == 2
    assert read(world, "area_of", 1) == {"market": MARKET, "zone": ZONE}
    assert [read(world, "market_of", number) for number in (0, 1, 2)] == [bytes(32), MARKET, ABROAD]
    assert read(world, "area_number", ABROAD, "10Y1001A1001A83F") == 2
    assert read(world, "area_number", ABROAD, ZONE) == 0
    assert events(world, receipt) == [("AreaAdded", {"area": 1, "market": MARKET, "zone": ZONE})]


def test_areas_of_two_markets_may_lie_in_one_zone(world: World) -> None:
    for market, zone in ((MARKET, ZONE), (b"x" * 32, ZONE), (MARKET, "elsewhere")):
        add_area(world, market, zone)
    assert [read(world, "same_zone", 1, other) for other in (1, 2, 3)] == [True, True, False]


def test_an_area_is_entered_once(world: World) -> None:
    add_area(world)
    with refused("devices: area exists"):
        on_devices(world, "registrar", "add_area", MARKET, ZONE)


def test_an_area_lies_in_a_zone(world: World) -> None:
    with refused("devices: zone"):
        on_devices(world, "registrar", "add_area", MARKET, "")


@pytest.mark.parametrize("number", [0, 2])
def test_an_area_that_is_not_there_is_not_described(world: World, number: int) -> None:
    add_area(world)
    with refused("devices: no such area"):
        read(world, "area_of", number)


def test_area_numbers_end_where_their_field_does(world: World) -> None:
    add_area(world)
    address = world.contracts.devices.address
    word = next(word for word in range(10) if world.chain.storage(address, word) == 1)
    world.chain.set_storage(address, word, LAST_DAY - 1)
    on_devices(world, "registrar", "add_area", MARKET, "last")
    with refused("devices: too many areas"):
        on_devices(world, "registrar", "add_area", MARKET, "one too many")


# ---------------------------------------------------------------------------------------- registration


@pytest.mark.parametrize("kind", [LOAD, GENERATOR, STORAGE])
def test_a_device_is_entered_with_its_details(world: World, kind: int) -> None:
    owner = world.members[0].address
    receipt = register(world, DEVICE, owner, kind=kind)
    expected = details(owner, kind=kind)
    assert read(world, "device_of", DEVICE) == expected
    assert events(world, receipt) == [
        ("DeviceRegistered", {"device": DEVICE, "owner": owner, "details": expected})
    ]


def test_every_field_keeps_its_largest_value(world: World) -> None:
    most = {
        "nameplate_w": 2**30 - 1,
        "slot_length_s": 3_600,
        "standing": False,
        "technology": 999_999,
        "fuel": 99_999_999,
        "latitude": -9_000,
        "longitude": 18_000,
        "commissioned_day": LAST_DAY,
        "support": 3,
        "metering_point": b"\xff" * 32,
        "key": {"algorithm": 5, "key": b"\xff" * 32, "from_slot": 2**40 - 1},
    }
    owner = world.members[0].address
    register(world, 2**64 - 1, owner, **most)
    assert read(world, "device_of", 2**64 - 1) == details(owner, **most)
    least = {"latitude": 9_000, "longitude": -18_000}
    register(world, 0, owner, **least)
    assert read(world, "device_of", 0) == details(owner, 0, **least)


def test_a_storage_and_what_charges_it_know_one_another(world: World) -> None:
    register_battery(world, DEVICE, OTHER, world.members[0].address, efficiency_ppm=850_000)
    assert read(world, "storage_of", OTHER) == DEVICE
    assert read(world, "efficiency_of", DEVICE) == 850_000
    assert read(world, "device_of", OTHER)["storage"] == DEVICE


def test_a_device_number_is_given_once(solar: World) -> None:
    with refused("devices: device exists"):
        register(solar, DEVICE, solar.members[1].address)


REFUSED: dict[str, tuple[Details, str]] = {
    "no owner": ({"owner": bytes(20)}, "devices: owner"),
    "no such area": ({"area": 9}, "devices: area"),
    "a kind of its own": ({"kind": 4, "technology": 0, "fuel": 0}, "devices: kind"),
    "a slot length of its own": ({"slot_length_s": 600}, "devices: slot length"),
    "no nameplate": ({"nameplate_w": 0}, "devices: no nameplate"),
    "a storage without a nameplate": ({"kind": STORAGE, "nameplate_w": 0}, "devices: no nameplate"),
    "a nameplate too large": ({"nameplate_w": 2**30}, "devices: nameplate"),
    "a load's nameplate too large": ({"kind": LOAD, "nameplate_w": 2**30}, "devices: nameplate"),
    "too far north": ({"latitude": 9_001}, "devices: latitude"),
    "too far south": ({"latitude": -9_001}, "devices: latitude"),
    "too far east": ({"longitude": 18_001}, "devices: longitude"),
    "too far west": ({"longitude": -18_001}, "devices: longitude"),
    "commissioned out of time": ({"commissioned_day": LAST_DAY + 1}, "devices: commissioned"),
    "a support of its own": ({"support": 4}, "devices: support"),
    "no key": ({"key": NO_KEY}, "devices: no key"),
    "an algorithm of its own": ({"key": key(1, algorithm=6)}, "devices: algorithm"),
    "a key out of time": ({"key": key(1, from_slot=2**40)}, "devices: key out of time"),
    "no technology": ({"technology": 0}, "devices: no technology"),
    "a technology too large": ({"technology": 1_000_000}, "devices: technology"),
    "a fuel too large": ({"fuel": 100_000_000}, "devices: fuel"),
    "a load with a technology": ({"kind": LOAD, "technology": 1}, "devices: source of a load"),
    "a load with a fuel": ({"kind": LOAD, "fuel": 1}, "devices: source of a load"),
    "a charge with a fuel": ({"kind": CHARGE, "fuel": 1}, "devices: source of a load"),
    "a lossless generator": ({"efficiency_ppm": 1}, "devices: efficiency of no storage"),
    "a storage that loses all": ({"kind": STORAGE, "efficiency_ppm": 0}, "devices: no efficiency"),
    "a storage that gains": ({"kind": STORAGE, "efficiency_ppm": 1_000_001}, "devices: efficiency"),
    "a load that charges": ({"kind": LOAD, "storage": 1}, "devices: storage of no charge"),
    "a charge of nothing": ({"kind": CHARGE, "storage": OTHER + 9}, "devices: no such storage"),
    "no metering point": ({"metering_point": bytes(32)}, "devices: no metering point"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_device_outside_the_limits_is_not_entered(world: World, what: str) -> None:
    changes, reason = REFUSED[what]
    with refused(reason):
        register(world, DEVICE, **{"owner": world.members[0].address, **changes})


def test_an_owner_is_no_contract(world: World) -> None:
    with refused("devices: owner is a contract"):
        register(world, DEVICE, world.exchange.address)


def test_a_device_is_not_abroad(world: World) -> None:
    abroad = add_area(world, ABROAD, "10Y1001A1001A83F")
    with refused("devices: area"):
        register(world, DEVICE, world.members[0].address, area=abroad)


def test_only_a_load_has_no_nameplate(world: World) -> None:
    register(world, DEVICE, world.members[0].address, kind=LOAD, nameplate_w=0)
    register(world, OTHER, world.members[0].address, kind=LOAD, nameplate_w=1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"owner": b"\x05" * 20}, "devices: owner of the storage"),
        ({"area": 2}, "devices: area of the storage"),
        ({"slot_length_s": 3_600}, "devices: slot length of the storage"),
        ({"storage": OTHER}, "devices: no such storage"),
    ],
    ids=str,
)
def test_what_charges_a_storage_belongs_to_it(world: World, changes: Details, reason: str) -> None:
    owner = world.members[0].address
    register(world, DEVICE, owner, kind=STORAGE)
    register(world, OTHER, owner)
    add_area(world, MARKET, "elsewhere")
    with refused(reason):
        register(world, 20, **{"owner": owner, "kind": CHARGE, "storage": DEVICE, **changes})


# -------------------------------------------------------------------------------------- metering points


def test_a_metering_point_has_one_device(solar: World) -> None:
    point = details(b"", DEVICE)["metering_point"]
    for kind in (LOAD, GENERATOR, STORAGE):
        with refused("devices: metering point"):
            register(solar, OTHER, solar.members[1].address, kind=kind, metering_point=point)


def test_a_storage_and_one_charge_of_it_share_a_metering_point(world: World) -> None:
    owner = world.members[0].address
    for storage in (1, 2):
        register(world, storage, owner, kind=STORAGE)
    point = details(b"", 1)["metering_point"]
    with refused("devices: metering point"):
        register(world, 3, owner, kind=CHARGE, storage=2, metering_point=point)
    register(world, 3, owner, kind=CHARGE, storage=1, metering_point=point)
    with refused("devices: metering point of a charge"):
        register(world, 4, owner, kind=CHARGE, storage=1, metering_point=point)
    with refused("devices: metering point"):
        register(world, 4, owner, metering_point=point)
    on_devices(world, "registrar", "close_device", 1, TOMORROW)
    with refused("devices: metering point of a charge"):
        register(world, 4, owner, metering_point=point, commissioned_day=TOMORROW)
    on_devices(world, "registrar", "close_device", 3, TOMORROW + 1)
    with refused("devices: metering point of a charge"):
        register(world, 4, owner, metering_point=point, commissioned_day=TOMORROW)
    register(world, 4, owner, metering_point=point, commissioned_day=TOMORROW + 1)


def test_a_charge_takes_its_storages_metering_point_from_the_storages_first_day_on(world: World) -> None:
    """Before that it was another's, whose energy would be certified twice."""
    owner, point = world.members[0].address, details(b"", 1)["metering_point"]
    register(world, 1, owner, kind=LOAD)
    on_devices(world, "registrar", "close_device", 1, TOMORROW)
    storage = {"kind": STORAGE, "metering_point": point, "commissioned_day": TOMORROW}
    register(world, 2, owner, **storage)
    charge = {"kind": CHARGE, "storage": 2, "metering_point": point}
    with refused("devices: metering point before the storage"):
        register(world, 3, owner, commissioned_day=TOMORROW - 1, **charge)
    register(world, 3, owner, commissioned_day=TOMORROW, **charge)


def test_a_metering_point_is_free_from_the_day_its_device_is_closed(solar: World) -> None:
    owner, point = solar.members[1].address, details(b"", DEVICE)["metering_point"]
    on_devices(solar, "registrar", "close_device", DEVICE, TOMORROW)
    with refused("devices: metering point"):
        register(solar, OTHER, owner, metering_point=point, commissioned_day=TOMORROW - 1)
    register(solar, OTHER, owner, metering_point=point, commissioned_day=TOMORROW)
    with refused("devices: metering point"):
        register(solar, OTHER + 1, owner, metering_point=point, commissioned_day=TOMORROW)


def test_a_device_is_closed_once_and_by_day(world: World) -> None:
    first = TOMORROW + 3
    register(world, DEVICE, world.members[0].address, commissioned_day=first)
    for day, reason in ((first - 1, "devices: not yet commissioned"), (LAST_DAY + 1, "devices: day out of time")):
        with refused(reason):
            on_devices(world, "registrar", "close_device", DEVICE, day)
    receipt = on_devices(world, "registrar", "close_device", DEVICE, first)
    assert events(world, receipt) == [("DeviceClosed", {"device": DEVICE, "day": first})]
    assert read(world, "word_of", DEVICE) >> 229 == first
    with refused("devices: closed"):
        on_devices(world, "registrar", "close_device", DEVICE, first + 1)


def test_a_device_is_not_closed_before_now_as_slots_may_be_certified(solar: World) -> None:
    solar.at(TOMORROW * DAY_S)
    for day in (0, TOMORROW - 1, TOMORROW):
        with refused("devices: day begun"):
            on_devices(solar, "registrar", "close_device", DEVICE, day)
    solar.at((TOMORROW + 1) * DAY_S - 1)
    on_devices(solar, "registrar", "close_device", DEVICE, TOMORROW + 1)


def test_what_is_no_device_is_not_closed_described_or_given_a_key(world: World) -> None:
    for call in (("close_device", DEVICE, 1), ("rotate_key", DEVICE, key(1))):
        with refused("devices: no such device"):
            on_devices(world, "registrar", *call)
    with refused("devices: no such device"):
        read(world, "device_of", DEVICE)
    assert read(world, "word_of", DEVICE) == 0


# ------------------------------------------------------------------------------------------------- keys


def test_a_key_signs_until_the_next_one_does(solar: World) -> None:
    first = details(b"")["key"]
    assert read(solar, "key_of", DEVICE, 0) == first
    later = [key(8, SLOT, algorithm=2), key(0, SLOT + 900), key(9, SLOT + 1_800)]
    for each in later:
        receipt = on_devices(solar, "registrar", "rotate_key", DEVICE, each)
    assert events(solar, receipt) == [("KeyRotated", {"device": DEVICE, "key": later[-1]})]
    assert read(solar, "key_count", DEVICE) == 4
    found = [read(solar, "key_of", DEVICE, SLOT + 900 * n + late) for n in range(3) for late in (-1, 0, 899)]
    assert found == [first, later[0], later[0], later[0], later[1], later[1], later[1], later[2], later[2]]
    assert read(solar, "device_of", DEVICE)["key"] == first


def test_before_the_first_key_and_for_no_device_there_is_none(world: World) -> None:
    register(world, DEVICE, world.members[0].address, key=key(1, from_slot=900))
    for device, slot in ((DEVICE, 899), (OTHER, 900)):
        assert read(world, "key_of", device, slot) == NO_KEY
    assert read(world, "key_of", DEVICE, 900) == key(1, from_slot=900)


def test_each_of_many_keys_is_found(solar: World) -> None:
    for number in range(1, 12):
        on_devices(solar, "registrar", "rotate_key", DEVICE, key(number, from_slot=number))
    for number in range(1, 12):
        assert read(solar, "key_of", DEVICE, number) == key(number, from_slot=number)


def test_keys_follow_one_another(solar: World) -> None:
    on_devices(solar, "registrar", "rotate_key", DEVICE, key(1, from_slot=900))
    for from_slot in (0, 899, 900):
        with refused("devices: key order"):
            on_devices(solar, "registrar", "rotate_key", DEVICE, key(2, from_slot=from_slot))
    with refused("devices: algorithm"):
        on_devices(solar, "registrar", "rotate_key", DEVICE, key(2, from_slot=901, algorithm=6))


def test_an_area_of_devices_is_the_first(solar: World) -> None:
    assert read(solar, "device_of", DEVICE)["area"] == AREA
