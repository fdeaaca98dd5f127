"""Areas and devices come on chain once, as they were described; again does nothing, or says what differs."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger.chain import CallRevertedError
from ledger.devices import (
    NO_MARKET,
    Area,
    Device,
    DeviceError,
    DeviceKey,
    DeviceKind,
    ForeignDeviceError,
    Support,
    UnknownDeviceError,
    close_device,
    closed_day,
    metering_point,
    register_area,
    register_device,
    registered_area,
    registered_device,
    rotate_key,
    valid_key,
)
from ledger.eecs import EecsCodeError, fuel_number, technology_number
from ledger.evidence.keys import KeyAlgorithm, MeterKey
from ledger.keys import Key
from tests.world import MARKET, SLOT, World

AREA = Area(MARKET, "10YNL----------L")
SOLAR = Device(
    device=2**64 - 1,
    owner=b"\x0a" * 20,
    area=1,
    kind=DeviceKind.GENERATOR,
    nameplate_w=4_000,
    slot_length_s=900,
    metering_point=metering_point("871685900000000001"),
    key=DeviceKey(KeyAlgorithm.SECP256R1, b"\x07" * 32, SLOT),
    standing=False,
    technology=technology_number("T010101"),
    fuel=fuel_number("F01040100"),
    latitude=-9_000,
    longitude=18_000,
    commissioned_day=2**16 - 1,
    support=Support.BOTH,
)
STORAGE = replace(
    SOLAR,
    device=1,
    kind=DeviceKind.STORAGE,
    metering_point=metering_point("2"),
    technology=0,
    fuel=0,
    efficiency_ppm=900_000,
)
CHARGE = replace(STORAGE, device=2, kind=DeviceKind.CHARGE, efficiency_ppm=0, storage=1)
LOAD = replace(SOLAR, device=0, kind=DeviceKind.LOAD, nameplate_w=0, technology=0, fuel=0, standing=True)


def registrar(world: World) -> Key:
    return world.keys["registrar"]


def enter(world: World, *devices: Device) -> None:
    register_area(world.contracts, registrar(world), AREA)
    for device in devices:
        register_device(world.contracts, registrar(world), device)


def twice(world: World, action: Callable[[], object]) -> None:
    action()
    head = world.chain.head()
    action()
    assert world.chain.head() == head


def test_an_area_is_entered_once_and_read_back(world: World) -> None:
    twice(world, lambda: register_area(world.contracts, registrar(world), AREA))
    abroad = Area(NO_MARKET, AREA.zone)
    numbers = [register_area(world.contracts, registrar(world), area) for area in (AREA, abroad)]
    assert [registered_area(world.contracts, number) for number in numbers] == [AREA, abroad]
    with pytest.raises(CallRevertedError, match="devices: no such area"):
        registered_area(world.contracts, 3)


def test_devices_of_every_kind_are_read_back_as_they_were_registered(world: World) -> None:
    load = replace(LOAD, metering_point=metering_point("3"))
    for device in (SOLAR, STORAGE, CHARGE, load):
        assert registered_device(world.contracts, device.device) is None
        enter(world, device)
        assert registered_device(world.contracts, device.device) == device


def test_a_device_is_registered_once(world: World) -> None:
    twice(world, lambda: enter(world, SOLAR))


def test_a_number_that_is_another_devices_is_refused_with_what_differs(world: World) -> None:
    enter(world, SOLAR)
    other = replace(SOLAR, nameplate_w=5_000, latitude=0)
    with pytest.raises(ForeignDeviceError, match="with another nameplate_w, latitude"):
        enter(world, other)


def test_a_metering_point_has_one_device_at_a_time(world: World) -> None:
    enter(world, SOLAR)
    with pytest.raises(CallRevertedError, match="devices: metering point"):
        enter(world, LOAD)


def test_a_windmill_on_sunlight_is_not_registered(world: World) -> None:
    with pytest.raises(EecsCodeError, match="'fuel' is F01040100: must begin with F010501"):
        enter(world, replace(SOLAR, technology=technology_number("T020001")))


def test_a_key_is_rotated_once_and_each_is_valid_from_its_slot(world: World) -> None:
    enter(world, SOLAR)
    second = DeviceKey(KeyAlgorithm.ED25519, b"\x08" * 32, SLOT + 900)
    none = DeviceKey.of(None, SLOT + 1_800)
    for key in (second, none):
        twice(world, lambda key=key: rotate_key(world.contracts, registrar(world), SOLAR.device, key))  # type: ignore[misc]
    slots = (SLOT, SLOT + 900, SLOT + 1_800)
    assert [valid_key(world.contracts, SOLAR.device, slot) for slot in slots] == [SOLAR.key, second, none]
    assert not valid_key(world.contracts, SOLAR.device, SLOT - 900).is_valid
    with pytest.raises(CallRevertedError, match="devices: key order"):
        rotate_key(world.contracts, registrar(world), SOLAR.device, replace(second, from_slot=SLOT + 300))
    rotate_key(world.contracts, registrar(world), SOLAR.device, second)
    assert world.contracts.devices.read("key_count", SOLAR.device) == 3


def test_a_device_is_closed_once_for_good(world: World) -> None:
    device = replace(SOLAR, commissioned_day=0)
    enter(world, device)
    assert closed_day(world.contracts, device.device) is None
    twice(world, lambda: close_device(world.contracts, registrar(world), device.device, 20_000))
    assert closed_day(world.contracts, device.device) == 20_000
    with pytest.raises(ForeignDeviceError, match="closed from day 20000 on: cannot become 20001"):
        close_device(world.contracts, registrar(world), device.device, 20_001)
    enter(world, replace(LOAD, commissioned_day=20_000))


def test_a_device_that_is_not_there_has_no_key_and_is_not_closed(world: World) -> None:
    with pytest.raises(UnknownDeviceError, match="device 5 is not registered"):
        rotate_key(world.contracts, registrar(world), 5, SOLAR.key)
    with pytest.raises(UnknownDeviceError, match="device 5 is not registered"):
        close_device(world.contracts, registrar(world), 5, 20_000)
    enter(world, SOLAR)
    for day in (0, 2**16):
        with pytest.raises(DeviceError, match=f"'closed_day' is {day}: must be from 1 to 65535"):
            close_device(world.contracts, registrar(world), SOLAR.device, day)


def test_only_the_registrar_enters_devices(world: World) -> None:
    enter(world)
    with pytest.raises(CallRevertedError, match="devices: not the registrar"):
        register_device(world.contracts, world.keys["issuer"], SOLAR)


def test_a_device_is_read_as_of_a_block(world: World) -> None:
    before = world.chain.head().number
    enter(world, SOLAR)
    assert registered_device(world.contracts, SOLAR.device, block_number=before) is None


def test_a_meters_key_is_kept_as_it_is_or_as_its_hash() -> None:
    key = MeterKey(KeyAlgorithm.ED25519, b"\x09" * 32)
    assert DeviceKey.of(key, SLOT) == DeviceKey(KeyAlgorithm.ED25519, b"\x09" * 32, SLOT)
    assert not DeviceKey.of(None, SLOT).is_valid


@pytest.mark.parametrize(
    ("device", "changes", "message"),
    [
        (SOLAR, {"device": 2**64}, f"'device' is {2**64}: must be from 0 to {2**64 - 1}"),
        (SOLAR, {"device": -1}, "'device' is -1"),
        (SOLAR, {"owner": b"\x01"}, "'owner' is 0x01: must be an address of 20 bytes"),
        (SOLAR, {"area": 0}, "'area' is 0: must be from 1 to 65535"),
        (SOLAR, {"nameplate_w": 0}, "'nameplate_w' is 0: must be from 1 to 1073741823"),
        (SOLAR, {"nameplate_w": 2**30}, "'nameplate_w' is 1073741824"),
        (SOLAR, {"slot_length_s": 600}, "'slot_length_s' is 600: must be one of 300, 900, 1800, 3600"),
        (SOLAR, {"metering_point": bytes(32)}, "'metering_point' is 0x00.*: must be 32 bytes, not 0"),
        (SOLAR, {"metering_point": b"\x01"}, "'metering_point' is 0x01"),
        (SOLAR, {"key": DeviceKey.of(None)}, "'key' is zero: must be the meter's key"),
        (SOLAR, {"technology": 0}, "'technology' is 0: must be an EECS technology code"),
        (SOLAR, {"technology": 10**6}, "'technology' is 1000000: must be from 0 to 999999"),
        (SOLAR, {"fuel": 10**8}, "'fuel' is 100000000: must be from 0 to 99999999"),
        (SOLAR, {"latitude": 9_001}, "'latitude' is 9001: must be from -9000 to 9000"),
        (SOLAR, {"longitude": -18_001}, "'longitude' is -18001: must be from -18000 to 18000"),
        (SOLAR, {"commissioned_day": 2**16}, "'commissioned_day' is 65536: must be from 0 to 65535"),
        (SOLAR, {"efficiency_ppm": 1}, "'efficiency_ppm' is 1: must be 0"),
        (SOLAR, {"storage": 1}, "'storage' is 1: must be 0"),
        (STORAGE, {"efficiency_ppm": 0}, "'efficiency_ppm' is 0: must be from 1 to 1000000"),
        (STORAGE, {"efficiency_ppm": 1_000_001}, "'efficiency_ppm' is 1000001"),
        (CHARGE, {"storage": -1}, "'storage' is -1"),
        (CHARGE, {"technology": 10_100}, "'technology' is T010100: must be 0 for a charge"),
        (LOAD, {"fuel": 1_040_100}, "'fuel' is F01040100: must be 0 for a load"),
        (LOAD, {"nameplate_w": -1}, "'nameplate_w' is -1: must be from 0"),
    ],
)
def test_a_field_outside_its_limits_is_refused(device: Device, changes: dict[str, object], message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        replace(device, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("market", "zone", "message"),
    [
        (b"\x01", "NL", "area field 'market' is 0x01: must be 32 bytes"),
        (MARKET, "", "area field 'zone' is '': must be 1 to 16 ASCII characters"),
        (MARKET, "10YNL----------LL", "must be 1 to 16 ASCII"),
        (MARKET, "Zürich", "must be 1 to 16 ASCII"),
    ],
)
def test_an_areas_field_outside_its_limits_is_refused(market: bytes, zone: str, message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        Area(market, zone)


def test_a_keys_field_outside_its_limits_is_refused() -> None:
    with pytest.raises(DeviceError, match="'key' is 0x01: must be 32 bytes"):
        DeviceKey(KeyAlgorithm.ED25519, b"\x01")
    with pytest.raises(DeviceError, match=f"'from_slot' is {2**40}: must be from 0"):
        DeviceKey(KeyAlgorithm.ED25519, b"\x01" * 32, 2**40)
