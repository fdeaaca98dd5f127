"""Readings in the store: checked evidence of what was metered, and its corrections."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, delete, exists, func, insert, select, tuple_, update

from ledger.evidence.evidence import Evidence, Quality
from ledger.evidence.tree import DAY_S, day_of
from node.store import schema
from node.store.database import Database, Section
from node.store.errors import StoreConflictError
from node.store.evidence_codec import columns, decoded_basis, decoded_statements
from node.store.records import ReadingRecord

_READINGS = schema.readings.c
_JOURNAL = schema.ocmf_journal.c
_OPEN = schema.open_corrections.c
_LATER = schema.readings.alias()


class Readings(Database):
    """The part of the store that keeps readings.

    `within` is the section in which it was found out that a reading can be taken.
    """

    def add_reading(self, evidence: Evidence, received_at: int, *, within: Section | None = None) -> ReadingRecord:
        """Keep the first reading of a slot; the same one again changes nothing, and its first record is returned.

        Raises:
            StoreConflictError: there is another reading of this device and slot.
        """
        with self._write(within) as connection:
            return _add(connection, evidence, received_at)

    def add_correction(
        self, evidence: Evidence, received_at: int, *, within: Section | None = None
    ) -> ReadingRecord:
        """Keep a reading that takes the place of the slot's last one; the same one again changes nothing.

        Its day has to be anchored anew, and certificates have to follow it.

        Raises:
            StoreConflictError: the slot has no reading to be corrected.
        """
        with self._write(within) as connection:
            last = _latest(connection, evidence.device, evidence.slot)
            if last is None:
                raise StoreConflictError(f"device {evidence.device} has no reading of slot {evidence.slot}")
            if last.evidence == evidence:
                return last
            record = ReadingRecord(evidence, received_at, last.revision + 1)
            _insert(connection, record)
            day = day_of(evidence.slot)
            connection.execute(delete(schema.anchored_days).where(schema.anchored_days.c.day == day))
            of_slot = {"device": evidence.device, "slot": evidence.slot}
            connection.execute(delete(schema.open_corrections).filter_by(**of_slot))
            connection.execute(insert(schema.open_corrections).values(of_slot))
            return record

    def add_ocmf(
        self,
        device: int,
        number: int,
        source: bytes,
        evidence: Sequence[Evidence],
        received_at: int,
        *,
        within: Section | None = None,
    ) -> list[ReadingRecord]:
        """Keep an OCMF message as entry `number` of its device's journal, and the readings that it completes.

        Raises:
            StoreConflictError: the journal is not there yet, or past it; or a slot has another reading.
        """
        with self._write(within) as connection:
            _append(connection, device, number, source=source)
            return [_add(connection, each, received_at) for each in evidence]

    def add_cover(
        self, device: int, number: int, evidence: Evidence, received_at: int, *, within: Section | None = None
    ) -> ReadingRecord:
        """Keep a substitute value for an OCMF meter, as entry `number` of its journal.

        Raises:
            StoreConflictError: as of `add_ocmf`.
        """
        with self._write(within) as connection:
            _append(connection, device, number, covered_slot=evidence.slot)
            return _add(connection, evidence, received_at)

    def ocmf_journal(self, device: int) -> list[tuple[bytes | None, int | None]]:
        """What came of an OCMF meter, in order: a message's source, or a slot that was substituted."""
        query = select(schema.ocmf_journal).where(_JOURNAL.device == device).order_by(_JOURNAL.number)
        with self._read() as connection:
            return [(row.source, row.covered_slot) for row in connection.execute(query)]

    def ocmf_entries(self, device: int) -> int:
        """How many entries an OCMF meter's journal has."""
        with self._read() as connection:
            return _entries(connection, device)

    def reading(self, device: int, slot: int) -> ReadingRecord | None:
        """The latest reading of a device and slot, or None."""
        with self._read() as connection:
            return _latest(connection, device, slot)

    def readings(self, slot: int) -> dict[int, ReadingRecord]:
        """What a slot was, or will be, delivered with, by device: corrections come too late for it."""
        query = select(schema.readings).where(_READINGS.slot == slot, _READINGS.revision == 0)
        with self._read() as connection:
            return {row.device: _reading(row) for row in connection.execute(query.order_by(_READINGS.device))}

    def energies(self, first_slot: int, end_slot: int) -> list[tuple[int, int, int]]:
        """Device, slot and Wh of everything that counts of these slots, corrections included."""
        wanted = (_READINGS.device, _READINGS.slot, _READINGS.energy_wh)
        of_period = (_READINGS.slot >= first_slot, _READINGS.slot < end_slot)
        query = _current().with_only_columns(*wanted).where(*of_period)
        with self._read() as connection:
            return [(row.device, row.slot, row.energy_wh) for row in connection.execute(query)]

    def day_readings(self, day: int) -> dict[int, list[ReadingRecord]]:
        """What counts of a UTC day, corrections included: by device, in ascending order of slots."""
        query = _current().where(_READINGS.slot >= day * DAY_S, _READINGS.slot < (day + 1) * DAY_S)
        found: dict[int, list[ReadingRecord]] = {}
        with self._read() as connection:
            for row in connection.execute(query.order_by(_READINGS.device, _READINGS.slot)):
                found.setdefault(row.device, []).append(_reading(row))
        return found

    def readings_before(self, device: int, slot: int) -> list[ReadingRecord]:
        """The device's readings before a slot, from the last measured one on, in ascending order."""
        before = _current().where(_READINGS.device == device, _READINGS.slot < slot)
        measured = before.where(_READINGS.quality == Quality.MEASURED).order_by(_READINGS.slot.desc()).limit(1)
        with self._read() as connection:
            last = connection.execute(measured).one_or_none()
            since = before if last is None else before.where(_READINGS.slot >= last.slot)
            return [_reading(row) for row in connection.execute(since.order_by(_READINGS.slot))]

    def readings_after(self, device: int, slot: int) -> list[ReadingRecord]:
        """The device's readings after a slot, up to the first measured one, in ascending order."""
        after = _current().where(_READINGS.device == device, _READINGS.slot > slot)
        measured = after.where(_READINGS.quality == Quality.MEASURED).order_by(_READINGS.slot).limit(1)
        with self._read() as connection:
            first = connection.execute(measured).one_or_none()
            until = after if first is None else after.where(_READINGS.slot <= first.slot)
            return [_reading(row) for row in connection.execute(until.order_by(_READINGS.slot))]

    def latest_readings(
        self,
        *,
        device: int | None = None,
        slot: int | None = None,
        after: tuple[int, int] | None = None,
        limit: int | None = None,
    ) -> list[ReadingRecord]:
        """What counts, the latest slot's first; `after` is (slot, device) of the last one seen."""
        query = _current()
        if device is not None:
            query = query.where(_READINGS.device == device)
        if slot is not None:
            query = query.where(_READINGS.slot == slot)
        if after is not None:
            query = query.where(tuple_(_READINGS.slot, _READINGS.device) < after)
        query = query.order_by(_READINGS.slot.desc(), _READINGS.device.desc()).limit(limit)
        with self._read() as connection:
            return [_reading(row) for row in connection.execute(query)]

    def revisions(self, device: int, slot: int) -> list[ReadingRecord]:
        """All readings of a device and slot: what it was delivered with, then the corrections."""
        query = select(schema.readings).where(_READINGS.device == device, _READINGS.slot == slot)
        with self._read() as connection:
            return [_reading(row) for row in connection.execute(query.order_by(_READINGS.revision))]

    # Corrections and days: what is still to be done on chain

    def open_corrections(self) -> list[ReadingRecord]:
        """Corrections that certificates do not follow yet, the latest of each slot; ascending."""
        corrected = exists().where(_OPEN.device == _READINGS.device, _OPEN.slot == _READINGS.slot)
        query = _current().where(corrected).order_by(_READINGS.slot, _READINGS.device)
        with self._read() as connection:
            return [_reading(row) for row in connection.execute(query)]

    def correction_of(self, device: int, slot: int) -> int | None:
        """Which revision of a slot's certificate its open correction withdraws, once that is noted."""
        query = select(_OPEN.withdrawn_revision).where(_OPEN.device == device, _OPEN.slot == slot)
        with self._read() as connection:
            revision: int | None = connection.scalar(query)
            return revision

    def note_correction_of(self, device: int, slot: int, revision: int) -> None:
        """An open correction is about to withdraw this revision of the slot's certificate."""
        of_slot = (_OPEN.device == device, _OPEN.slot == slot)
        with self._write() as connection:
            connection.execute(update(schema.open_corrections).where(*of_slot).values(withdrawn_revision=revision))

    def close_correction(self, record: ReadingRecord) -> None:
        """Certificates follow this correction; a later one of the same slot stays open."""
        with self._write() as connection:
            last = _latest(connection, record.evidence.device, record.evidence.slot)
            if last == record:
                of_slot = (_OPEN.device == record.evidence.device, _OPEN.slot == record.evidence.slot)
                connection.execute(delete(schema.open_corrections).where(*of_slot))

    def days_to_anchor(self, before: int) -> list[int]:
        """UTC days before that one that have readings, and are not anchored as they are now; ascending."""
        with self._read() as connection:
            anchored = set(connection.scalars(select(schema.anchored_days.c.day)))
            first = connection.scalar(select(func.min(_READINGS.slot)))
            if first is None:
                return []
            days = range(day_of(first), before)
            return [day for day in days if day not in anchored and connection.scalar(_has_readings(day))]

    def anchored_days(self) -> list[int]:
        """UTC days that are anchored as they are now, ascending."""
        with self._read() as connection:
            return sorted(connection.scalars(select(schema.anchored_days.c.day)))

    def note_anchored(self, day: int, revisions: int) -> None:
        """The day's evidence is anchored, as it was when it had so many corrections.

        Raises:
            StoreConflictError: another correction has come since then.
        """
        with self._write() as connection:
            of_day = (_READINGS.slot >= day * DAY_S, _READINGS.slot < (day + 1) * DAY_S)
            corrected = select(func.count()).select_from(schema.readings).where(_READINGS.revision > 0, *of_day)
            corrections = connection.scalar(corrected)
            if corrections != revisions:
                raise StoreConflictError(f"day {day} has {corrections} corrections: was anchored with {revisions}")
            connection.execute(insert(schema.anchored_days).values(day=day))


def _current() -> Select[Any]:
    """The rows that no correction has taken the place of."""
    corrected = exists().where(
        and_(
            _LATER.c.device == _READINGS.device,
            _LATER.c.slot == _READINGS.slot,
            _LATER.c.revision > _READINGS.revision,
        )
    )
    return select(schema.readings).where(~corrected)


def _latest(connection: Connection, device: int, slot: int) -> ReadingRecord | None:
    query = select(schema.readings).where(_READINGS.device == device, _READINGS.slot == slot)
    row = connection.execute(query.order_by(_READINGS.revision.desc()).limit(1)).one_or_none()
    return None if row is None else _reading(row)


def _add(connection: Connection, evidence: Evidence, received_at: int) -> ReadingRecord:
    existing = _latest(connection, evidence.device, evidence.slot)
    if existing is not None and existing.evidence != evidence:
        raise StoreConflictError(f"device {evidence.device} has another reading of slot {evidence.slot}")
    if existing is not None:
        return existing
    record = ReadingRecord(evidence, received_at)
    _insert(connection, record)
    return record


def _insert(connection: Connection, record: ReadingRecord) -> None:
    values = columns(record.evidence) | {"revision": record.revision, "received_at": record.received_at}
    connection.execute(insert(schema.readings).values(values))


def _append(
    connection: Connection,
    device: int,
    number: int,
    *,
    source: bytes | None = None,
    covered_slot: int | None = None,
) -> None:
    count = _entries(connection, device)
    if count != number:
        raise StoreConflictError(
            f"the journal of device {device} has {count} entries: cannot write number {number}"
        )
    connection.execute(
        insert(schema.ocmf_journal).values(device=device, number=number, source=source, covered_slot=covered_slot)
    )


def _entries(connection: Connection, device: int) -> int:
    counted = select(func.count()).select_from(schema.ocmf_journal).where(_JOURNAL.device == device)
    return connection.scalar(counted) or 0


def _has_readings(day: int) -> Select[Any]:
    of_day = select(_READINGS.slot).where(_READINGS.slot >= day * DAY_S, _READINGS.slot < (day + 1) * DAY_S)
    return select(of_day.exists())


def _reading(row: Row[Any]) -> ReadingRecord:
    evidence = Evidence(
        device=row.device,
        slot=row.slot,
        energy_wh=row.energy_wh,
        basis=decoded_basis(row.basis),
        statements=decoded_statements(row.statements),
    )
    if evidence.quality != row.quality:
        raise StoreConflictError(
            f"the reading of device {row.device}, slot {row.slot} is of quality {row.quality}"
        )
    return ReadingRecord(evidence, row.received_at, row.revision)
