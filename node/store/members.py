"""Members, their devices and the devices' keys in the store."""

from sqlalchemy import ColumnElement, Connection, insert, select, update

from ledger.evidence.keys import KeyAlgorithm, MeterKey, MeterKeys
from node.store import schema
from node.store.database import Database
from node.store.device_columns import device_columns, device_record
from node.store.errors import StoreConflictError
from node.store.records import DeviceRecord, MemberRecord

_DEVICES = schema.devices.c
_KEYS = schema.meter_keys.c


class Members(Database):
    """The part of the store that keeps members and devices."""

    def members(self) -> list[MemberRecord]:
        """All members, by name."""
        query = select(schema.members).order_by(schema.members.c.name, schema.members.c.account)
        with self._read() as connection:
            return [MemberRecord(account=row.account, name=row.name) for row in connection.execute(query)]

    def member(self, account: bytes) -> MemberRecord | None:
        """The member of this account, or None."""
        query = select(schema.members).where(schema.members.c.account == account)
        with self._read() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else MemberRecord(account=row.account, name=row.name)

    def add_member(self, member: MemberRecord) -> None:
        """Keep a member; keeping it again changes nothing.

        Raises:
            StoreConflictError: the account is known by another name.
        """
        with self._write() as connection:
            query = select(schema.members.c.name).where(schema.members.c.account == member.account)
            name = connection.scalar(query)
            if name is None:
                connection.execute(insert(schema.members).values(account=member.account, name=member.name))
            elif name != member.name:
                raise StoreConflictError(
                    f"member 0x{member.account.hex()} is named {name!r}: cannot become {member.name!r}"
                )

    def devices(self, *, account: bytes | None = None) -> list[DeviceRecord]:
        """All devices, or one account's, by number."""
        query = select(schema.devices).order_by(_DEVICES.device)
        if account is not None:
            query = query.where(_DEVICES.account == account)
        with self._read() as connection:
            keys = _keys(connection)
            return [device_record(row, keys[row.device]) for row in connection.execute(query)]

    def device(self, device: int) -> DeviceRecord | None:
        """The device with this number, or None."""
        with self._read() as connection:
            return _find_device(connection, device)

    def add_device(self, device: DeviceRecord) -> None:
        """Keep a device; keeping it again changes nothing.

        Raises:
            StoreConflictError: its number is taken by another, or its owner is not a member.
        """
        with self._write() as connection:
            existing = _find_device(connection, device.device)
            if existing == device:
                return
            if existing is not None:
                raise StoreConflictError(f"device {device.device} exists and is another: {existing}")
            owner = select(schema.members).where(schema.members.c.account == device.account)
            if connection.execute(owner).one_or_none() is None:
                raise StoreConflictError(
                    f"device {device.device} belongs to 0x{device.account.hex()}: must be a member"
                )
            connection.execute(insert(schema.devices).values(device_columns(device)))
            for from_slot, key in device.keys.spans:
                _insert_key(connection, device.device, from_slot, key)

    def add_meter_key(self, device: int, from_slot: int, key: MeterKey | None) -> None:
        """From this slot on, another key of the device's meter is valid, or none; noted again, nothing changes.

        Raises:
            StoreConflictError: there is no such device, or it has a key from then on or later.
        """
        with self._write() as connection:
            existing = _find_device(connection, device)
            if existing is None:
                raise StoreConflictError(f"there is no device {device}")
            last_slot, last_key = existing.keys.spans[-1]
            if (last_slot, last_key) == (from_slot, key):
                return
            if last_slot >= from_slot:
                raise StoreConflictError(
                    f"device {device} has a key from slot {last_slot}: not before {from_slot}"
                )
            _insert_key(connection, device, from_slot, key)

    def close_device(self, device: int, day: int) -> None:
        """The device is closed from this Unix day on; noted again, nothing changes.

        Raises:
            StoreConflictError: there is no such device, or it is closed from another day on.
        """
        with self._write() as connection:
            existing = _find_device(connection, device)
            if existing is None or existing.closed_day not in (None, day):
                raise StoreConflictError(
                    f"device {device} is not open, or is closed from another day than {day} on"
                )
            connection.execute(update(schema.devices).where(_DEVICES.device == device).values(closed_day=day))


def _find_device(connection: Connection, device: int) -> DeviceRecord | None:
    row = connection.execute(select(schema.devices).where(_DEVICES.device == device)).one_or_none()
    if row is None:
        return None
    return device_record(row, _keys(connection, _KEYS.device == device)[device])


def _keys(connection: Connection, *conditions: ColumnElement[bool]) -> dict[int, MeterKeys]:
    """Each device's keys."""
    spans: dict[int, list[tuple[int, MeterKey | None]]] = {}
    query = select(schema.meter_keys).where(*conditions).order_by(_KEYS.device, _KEYS.from_slot)
    for row in connection.execute(query):
        key = None if row.public_key is None else MeterKey(KeyAlgorithm(row.algorithm), row.public_key)
        spans.setdefault(row.device, []).append((row.from_slot, key))
    return {device: MeterKeys(tuple(found)) for device, found in spans.items()}


def _insert_key(connection: Connection, device: int, from_slot: int, key: MeterKey | None) -> None:
    connection.execute(
        insert(schema.meter_keys).values(
            device=device,
            from_slot=from_slot,
            algorithm=None if key is None else int(key.algorithm),
            public_key=None if key is None else key.public_key,
        )
    )
