"""What a slot's meter readings come to: for its delivery by member, for its certificates by device."""

from ledger.allocation import Issuance
from ledger.batches import MemberReading
from node.store import Store
from node.store.records import Technology


def member_readings(store: Store, slot: int) -> list[MemberReading] | None:
    """Every member's gross consumption and generation; None while a reading is missing."""
    readings = store.readings(slot)
    consumption = dict.fromkeys((member.account for member in store.members()), 0)
    generation = dict(consumption)
    for device in store.devices():
        if slot < device.first_slot:
            continue
        reading = readings.get(device.device)
        if reading is None:
            return None
        metered = consumption if device.technology is Technology.LOAD else generation
        metered[device.account] += reading.signed.reading.energy_wh
    return [MemberReading(account, consumption[account], generation[account]) for account in consumption]


def issuances(store: Store, slot: int) -> list[Issuance]:
    """What each generating device is to be certified for."""
    generators = {device.device: device for device in store.devices() if device.technology is not Technology.LOAD}
    return [
        Issuance(number, generators[number].account, record.signed.reading.energy_wh)
        for number, record in sorted(store.readings(slot).items())
        if number in generators and record.signed.reading.energy_wh > 0
    ]
