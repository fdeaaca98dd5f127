import pytest

from node.store import Store
from node.store.errors import StoreConflictError
from node.store.records import MemberRecord
from tests.node.parts import ALICE, BOB, LOAD, SLOT, SOLAR, STRANGER, device, meter_key


@pytest.fixture
def onboarded(store: Store) -> Store:
    for key, name in ((BOB, "Bob"), (ALICE, "Alice")):
        store.add_member(MemberRecord(key.address, name))
    store.add_device(device(SOLAR, ALICE))
    store.add_device(device(LOAD, BOB))
    return store


def test_adding_a_member_or_a_device_again_changes_nothing(onboarded: Store) -> None:
    onboarded.add_member(MemberRecord(ALICE.address, "Alice"))
    onboarded.add_device(device(SOLAR, ALICE))
    assert [member.name for member in onboarded.members()] == ["Alice", "Bob"]
    assert onboarded.member(BOB.address) == MemberRecord(BOB.address, "Bob")
    assert onboarded.member(STRANGER.address) is None
    assert onboarded.devices() == [device(SOLAR, ALICE), device(LOAD, BOB)]
    assert onboarded.devices(account=BOB.address) == [device(LOAD, BOB)]


def test_a_member_cannot_change_its_name_and_a_device_nothing(onboarded: Store) -> None:
    with pytest.raises(StoreConflictError, match="Alice"):
        onboarded.add_member(MemberRecord(ALICE.address, "Alicia"))
    with pytest.raises(StoreConflictError, match="exists"):
        onboarded.add_device(device(SOLAR, ALICE, nameplate_w=1))
    assert onboarded.device(SOLAR) == device(SOLAR, ALICE)


def test_a_device_needs_a_member_as_its_owner(store: Store) -> None:
    with pytest.raises(StoreConflictError, match="must be a member"):
        store.add_device(device(SOLAR, ALICE))


def test_a_devices_keys_follow_one_another(onboarded: Store) -> None:
    second = meter_key(LOAD)
    for _ in range(2):
        onboarded.add_meter_key(SOLAR, SLOT, second)
    onboarded.add_meter_key(SOLAR, SLOT + 900, None)
    found = onboarded.device(SOLAR)
    assert found is not None
    assert found.keys.spans == ((0, meter_key(SOLAR)), (SLOT, second), (SLOT + 900, None))
    assert found.details == device(SOLAR).details
    with pytest.raises(StoreConflictError, match="not"):
        onboarded.add_meter_key(SOLAR, SLOT + 450, second)
    with pytest.raises(StoreConflictError, match="no device"):
        onboarded.add_meter_key(77, SLOT, second)


def test_a_device_is_closed_once(onboarded: Store) -> None:
    day = SLOT // 86_400 + 1
    for _ in range(2):
        onboarded.close_device(LOAD, day)
    found = onboarded.device(LOAD)
    assert found is not None
    assert found.is_metered(day * 86_400 - 900)
    assert not found.is_metered(day * 86_400)
    assert not found.is_metered(found.first_slot - 900)
    for number, other in ((LOAD, day + 1), (77, day)):
        with pytest.raises(StoreConflictError, match=str(number)):
            onboarded.close_device(number, other)
