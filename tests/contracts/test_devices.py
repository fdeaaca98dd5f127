"""Devices are entered once, by the registrar, within limits."""

import pytest

from tests.contracts.devices import DEVICE, LOAD, certificates, details, register, send
from tests.world import World, refused


def test_a_device_is_entered_with_its_details(world: World) -> None:
    owner = world.members[0].address
    receipt = register(world, DEVICE, owner)
    assert certificates(world).read("device_of", DEVICE) == details(owner)
    event = certificates(world).interface.decode_event(receipt.logs[0])
    assert event is not None
    assert (event.name, event.arguments) == (
        "DeviceRegistered",
        {"device": DEVICE, "owner": owner, "details": details(owner)},
    )


@pytest.mark.parametrize("who", ["issuer", "owner", "operator", "deployer", "meter_authority"])
def test_only_the_registrar_enters_devices(world: World, who: str) -> None:
    with refused("certificates: not the registrar"):
        send(world, who, "register_device", DEVICE, details(world.members[0].address))


def test_a_device_number_is_given_once(world: World) -> None:
    register(world, DEVICE, world.members[0].address)
    with refused("certificates: device exists"):
        register(world, DEVICE, world.members[1].address)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"owner": bytes(20)}, "certificates: owner"),
        ({"meter_key": bytes(32)}, "certificates: meter key"),
        ({"slot_length_s": 0}, "certificates: slot length"),
        ({"slot_length_s": 899}, "certificates: slot length"),
        ({"slot_length_s": 7_200}, "certificates: slot length"),
        ({"nameplate_w": 0}, "certificates: nameplate"),
        ({"nameplate_w": 2**32}, "certificates: nameplate"),
        ({"nameplate_w": 2**32, "technology": LOAD}, "certificates: nameplate"),
        ({"technology": 256}, "certificates: technology"),
    ],
)
def test_details_outside_their_limits_are_refused(world: World, changes: dict[str, object], reason: str) -> None:
    with refused(reason):
        send(world, "registrar", "register_device", DEVICE, details(world.members[0].address) | changes)


@pytest.mark.parametrize(
    "changes",
    [{"nameplate_w": 1}, {"nameplate_w": 2**32 - 1}, {"nameplate_w": 0, "technology": LOAD}, {"technology": 255}],
)
@pytest.mark.parametrize("slot_length_s", [300, 900, 1_800, 3_600])
def test_details_at_their_limits_are_taken(world: World, changes: dict[str, object], slot_length_s: int) -> None:
    owner = world.members[0].address
    register(world, 2**64 - 1, owner, slot_length_s=slot_length_s, **changes)
    found = certificates(world).read("device_of", 2**64 - 1)
    assert found == details(owner, slot_length_s=slot_length_s, **changes)


def test_a_contract_owns_no_device(world: World) -> None:
    with refused("certificates: owner"):
        register(world, DEVICE, world.exchange.address)


def test_an_unknown_device_has_no_details(world: World) -> None:
    with refused("certificates: no such device"):
        certificates(world).read("device_of", DEVICE)
