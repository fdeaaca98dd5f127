from dataclasses import replace

import pytest

from node.store import Store
from node.store.errors import StoreConflictError
from node.store.records import MemberRecord
from tests.node.parts import ALICE, BOB, LOAD, SLOT, SOLAR, device, reading


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
    assert onboarded.devices() == [device(SOLAR, ALICE), device(LOAD, BOB)]
    assert onboarded.devices(account=BOB.address) == [device(LOAD, BOB)]


def test_a_member_cannot_change_its_name_and_a_device_nothing(onboarded: Store) -> None:
    with pytest.raises(StoreConflictError, match="Alice"):
        onboarded.add_member(MemberRecord(ALICE.address, "Alicia"))
    with pytest.raises(StoreConflictError, match="exists"):
        onboarded.add_device(replace(device(SOLAR, ALICE), nameplate_w=1))
    assert onboarded.device(SOLAR) == device(SOLAR, ALICE)


def test_a_device_needs_a_member_as_its_owner(store: Store) -> None:
    with pytest.raises(StoreConflictError, match="must be a member"):
        store.add_device(device(SOLAR, ALICE))


def test_the_same_reading_again_changes_nothing_and_another_is_refused(onboarded: Store) -> None:
    first = onboarded.add_reading(reading(), SLOT + 900)
    assert onboarded.add_reading(reading(), SLOT + 1_000) == first
    with pytest.raises(StoreConflictError, match="another reading"):
        onboarded.add_reading(reading(energy_wh=1), SLOT + 1_000)
    assert onboarded.readings(SLOT) == {SOLAR: first}


def test_the_last_reading_is_the_latest_slots(onboarded: Store) -> None:
    assert onboarded.last_reading(SOLAR) is None
    onboarded.add_reading(reading(), SLOT + 900)
    later = onboarded.add_reading(reading(slot=SLOT + 900, register_wh=10_500, sequence=42), SLOT + 1_800)
    onboarded.add_reading(reading(LOAD, slot=SLOT + 1_800), SLOT + 2_700)
    assert onboarded.last_reading(SOLAR) == later
    newest_first = onboarded.latest_readings()
    assert [(r.signed.reading.slot - SLOT, r.signed.reading.device) for r in newest_first] == [
        (1_800, LOAD),
        (900, SOLAR),
        (0, SOLAR),
    ]
    assert onboarded.latest_readings(limit=1) == newest_first[:1]
    assert onboarded.latest_readings(after=(SLOT + 1_800, LOAD)) == newest_first[1:]
    assert onboarded.latest_readings(device=SOLAR, slot=SLOT) == newest_first[2:]
    assert onboarded.reading(SOLAR, SLOT) is not None
    assert onboarded.reading(SOLAR, SLOT + 1_800) is None
