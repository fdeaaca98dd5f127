"""Members, their devices and the devices' readings in the store."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select, tuple_

from ledger.eip712 import Domain
from matching.readings import Reading, SignedReading
from node.store import schema
from node.store.database import Database
from node.store.errors import StoreConflictError
from node.store.records import DeviceRecord, MemberRecord, ReadingRecord

_DEVICES = schema.devices.c
_READINGS = schema.readings.c


class Members(Database):
    """The part of the store that keeps members, devices and readings."""

    def members(self) -> list[MemberRecord]:
        """All members, by name."""
        query = select(schema.members).order_by(schema.members.c.name, schema.members.c.account)
        with self._read() as connection:
            return [MemberRecord(account=row.account, name=row.name) for row in connection.execute(query)]

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
            return [_device(row) for row in connection.execute(query)]

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
            connection.execute(
                insert(schema.devices).values(
                    device=device.device,
                    account=device.account,
                    technology=device.technology,
                    nameplate_w=device.nameplate_w,
                    meter_key=device.meter_key,
                    first_slot=device.first_slot,
                    name=device.name,
                )
            )

    def add_reading(self, signed: SignedReading, received_at: int) -> ReadingRecord:
        """Keep a verified reading; the same one again changes nothing, and its first record is returned.

        Raises:
            StoreConflictError: there is another reading of this device and slot.
        """
        reading = signed.reading
        with self._write() as connection:
            existing = _find_reading(connection, self.domain, self.market, reading.device, reading.slot)
            if existing is not None and existing.signed != signed:
                raise StoreConflictError(f"device {reading.device} has another reading of slot {reading.slot}")
            if existing is not None:
                return existing
            connection.execute(
                insert(schema.readings).values(
                    device=reading.device,
                    slot=reading.slot,
                    energy_wh=reading.energy_wh,
                    register_wh=reading.register_wh,
                    sequence=reading.sequence,
                    signature=signed.signature,
                    received_at=received_at,
                )
            )
        return ReadingRecord(signed=signed, received_at=received_at)

    def reading(self, device: int, slot: int) -> ReadingRecord | None:
        """The reading of a device and slot, or None."""
        with self._read() as connection:
            return _find_reading(connection, self.domain, self.market, device, slot)

    def readings(self, slot: int) -> dict[int, ReadingRecord]:
        """All readings of a slot, by device."""
        query = select(schema.readings).where(_READINGS.slot == slot).order_by(_READINGS.device)
        with self._read() as connection:
            return {row.device: _reading(row, self.domain, self.market) for row in connection.execute(query)}

    def latest_readings(
        self,
        *,
        device: int | None = None,
        slot: int | None = None,
        after: tuple[int, int] | None = None,
        limit: int | None = None,
    ) -> list[ReadingRecord]:
        """Readings, the latest slot's first; `after` is (slot, device) of the last one seen."""
        query = select(schema.readings)
        if device is not None:
            query = query.where(_READINGS.device == device)
        if slot is not None:
            query = query.where(_READINGS.slot == slot)
        if after is not None:
            query = query.where(tuple_(_READINGS.slot, _READINGS.device) < after)
        query = query.order_by(_READINGS.slot.desc(), _READINGS.device.desc()).limit(limit)
        with self._read() as connection:
            return [_reading(row, self.domain, self.market) for row in connection.execute(query)]

    def last_reading(self, device: int) -> ReadingRecord | None:
        """The device's reading of its latest slot, or None."""
        query = select(schema.readings).where(_READINGS.device == device).order_by(_READINGS.slot.desc()).limit(1)
        with self._read() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else _reading(row, self.domain, self.market)


def _find_device(connection: Connection, device: int) -> DeviceRecord | None:
    row = connection.execute(select(schema.devices).where(_DEVICES.device == device)).one_or_none()
    return None if row is None else _device(row)


def _device(row: Row[Any]) -> DeviceRecord:
    return DeviceRecord(
        device=row.device,
        account=row.account,
        technology=row.technology,
        nameplate_w=row.nameplate_w,
        meter_key=row.meter_key,
        first_slot=row.first_slot,
        name=row.name,
    )


def _find_reading(
    connection: Connection, domain: Domain, market: bytes, device: int, slot: int
) -> ReadingRecord | None:
    query = select(schema.readings).where(_READINGS.device == device, _READINGS.slot == slot)
    row = connection.execute(query).one_or_none()
    return None if row is None else _reading(row, domain, market)


def _reading(row: Row[Any], domain: Domain, market: bytes) -> ReadingRecord:
    reading = Reading(
        chain_id=domain.chain_id,
        market=market,
        device=row.device,
        slot=row.slot,
        energy_wh=row.energy_wh,
        register_wh=row.register_wh,
        sequence=row.sequence,
    )
    return ReadingRecord(signed=SignedReading(reading, row.signature), received_at=row.received_at)
