"""What a slot's readings come to: for its delivery by member, for its certificates by device."""

from ledger import metered
from ledger.allocation.model import Consumption
from ledger.batches import MemberReading
from node.store import Store


def missing_readings(store: Store, slot: int) -> list[int]:
    """The devices whose readings the slot's delivery still waits for, by number."""
    readings = store.readings(slot)
    return [each.device for each in store.devices() if each.is_metered(slot) and each.device not in readings]


def metered_wh(store: Store, slot: int) -> dict[int, int]:
    """What the slot is delivered with, by device; only of devices that are metered in it."""
    metered_devices = {each.device for each in store.devices() if each.is_metered(slot)}
    readings = store.readings(slot)
    return {number: record.energy_wh for number, record in readings.items() if number in metered_devices}


def consumptions_of(store: Store, slot: int) -> list[Consumption]:
    """What the slot's certificates can be matched with: what devices with a standing request took."""
    taken_wh = metered_wh(store, slot)
    return [
        Consumption(
            device=record.device,
            owner=record.account,
            kind=record.details.kind,
            area=record.details.area,
            amount_wh=taken_wh[record.device],
            certified_wh=taken_wh[record.device],
            storage=record.details.storage,
        )
        for record in store.devices()
        if not record.generates and record.details.standing and taken_wh.get(record.device, 0) > 0
    ]


def member_readings(store: Store, slot: int) -> list[MemberReading] | None:
    """Every member's gross consumption and generation; None while a reading is missing."""
    if missing_readings(store, slot):
        return None
    devices = [each.details for each in store.devices() if each.is_metered(slot)]
    members = [member.account for member in store.members()]
    return metered.member_readings(members, devices, metered_wh(store, slot))
