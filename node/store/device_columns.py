"""Devices as rows: the columns of `devices`, and the value behind them."""

from typing import Any

from sqlalchemy import Row

from ledger.devices import Device, DeviceKey, DeviceKind, Support, metering_point
from ledger.evidence.keys import MeterKeys
from node.store.evidence_codec import decoded_register, encoded_register
from node.store.records import DeviceRecord

_SAME = (
    "device",
    "area",
    "kind",
    "nameplate_w",
    "slot_length_s",
    "standing",
    "technology",
    "fuel",
    "latitude",
    "longitude",
    "commissioned_day",
    "support",
    "storage",
    "efficiency_ppm",
)
"""Columns that are named as the fields of `ledger.devices.Device`."""


def device_columns(record: DeviceRecord) -> dict[str, Any]:
    """The row of a device, its keys aside."""
    return {name: getattr(record.details, name) for name in _SAME} | {
        "kind": int(record.details.kind),
        "support": int(record.details.support),
        "account": record.account,
        "metering_point": record.metering_point,
        "register": None if record.register is None else encoded_register(record.register),
        "first_slot": record.first_slot,
        "closed_day": record.closed_day,
        "name": record.name,
    }


def device_record(row: Row[Any], keys: MeterKeys) -> DeviceRecord:
    """The device behind a row and its keys."""
    from_slot, first_key = keys.spans[0]
    fields = {name: getattr(row, name) for name in _SAME}
    details = Device(
        **fields
        | {
            "kind": DeviceKind(row.kind),
            "support": Support(row.support),
            "owner": row.account,
            "metering_point": metering_point(row.metering_point),
            "key": DeviceKey.of(first_key, from_slot),
        }
    )
    return DeviceRecord(
        details=details,
        keys=keys,
        metering_point=row.metering_point,
        register=None if row.register is None else decoded_register(row.register),
        first_slot=row.first_slot,
        closed_day=row.closed_day,
        name=row.name,
    )
