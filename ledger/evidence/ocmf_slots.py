"""What an OCMF meter counted in each slot, from readings that were taken for other reasons.

Between two readings the register passed what was counted in between. If both lie in one slot, its edges included,
that energy is the slot's. If the end of a slot lies between them, it is known only that nothing was counted if the
register stands where it stood. Otherwise the energy belongs to several slots in unknown parts: it is refused
(`SpanError`), and never interpolated here. A charger that is to prove slots therefore reads its register at the
end of each, as reason C or T of a transaction, or in the fiscal context. When one of these readings is missing,
the meter authority signs substitute values for the slots (`substitutes.interpolation` proposes them), `cover` is
told, and counting goes on from the first reading after them.

Transactions need not begin or end at the edge of a slot, several may lie in one, and one may be in several
messages: all that counts is the order of the readings. A slot is complete once a reading at or after its end is
in.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ledger.evidence.errors import (
    ForeignDeviceError,
    InvalidEvidenceError,
    RegisterError,
    SequenceError,
    SpanError,
    UnusableReadingError,
)
from ledger.evidence.evidence import Clock, Count, DeviceTerms, Evidence, Register, Statement
from ledger.evidence.ocmf import Record
from ledger.evidence.ocmf_readings import EXCEPTION, GOOD, Reading

MAX_POINTS = 1_024
"""Most readings of one slot, so that a slot that never ends takes no more and more memory."""

_MS = 1_000
_LEAST_TRUSTED_FIRST = (Clock.UNKNOWN, Clock.INFORMATIVE, Clock.RELATIVE, Clock.SYNCHRONISED)


@dataclass(frozen=True, slots=True)
class _Point:
    """A reading of the register that counts, and the record it stands in."""

    at_ms: int
    register_mwh: int
    clock: Clock
    page: int
    statement: Statement


@dataclass(frozen=True, slots=True)
class _OpenSlot:
    """A slot that has begun and is not complete: its points so far, the first with the opening register."""

    slot: int
    points: tuple[_Point, ...]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the records of one device have been read. Begin with `Progress()`.

    Attributes:
        page: the last record's page; None before the first.
        last: the last reading of the register.
        open_slot: the slot it lies in, unless that is complete.
        resume_at: readings before this Unix second are covered by substitute values; they are read over.
        covered: whether pages may be missing, because substitute values stand in.
    """

    page: int | None = None
    last: _Point | None = None
    open_slot: _OpenSlot | None = None
    resume_at: int = 0
    covered: bool = False

    def holds(self, statement: Statement) -> bool:
        """Whether a statement is among those that the open slot and the last reading rest on."""
        points = self.open_slot.points if self.open_slot else ()
        return any(point.statement == statement for point in (*points, *((self.last,) if self.last else ())))


def extend(progress: Progress, record: Record, terms: DeviceTerms) -> tuple[Progress, list[Evidence]]:
    """Read one more record, and return the evidence of the slots that it completes, in ascending order.

    The record is one that `checks.check_record` let pass.

    Raises:
        ForeignDeviceError: the device has no OCMF meter.
        SequenceError: its page is not the one after the last, or its readings are older.
        UnusableReadingError: a reading of the device's register is not to be used, as the meter itself says.
        RegisterError: the register runs backwards.
        SpanError: energy was counted across the end of a slot.
    """
    if terms.register is None:
        raise ForeignDeviceError(f"device {terms.device} has no OCMF meter")
    if progress.page is not None:
        expected = progress.page + 1
        if record.page < expected or (record.page > expected and not progress.covered):
            raise SequenceError(f"OCMF field 'PG' is {record.context.value}{record.page}: must be {expected}")
    now = replace(progress, page=record.page)
    complete: list[Evidence] = []
    for point in _points(record, terms.register):
        if point.at_ms < progress.resume_at * _MS:
            continue
        now, evidence = _advance(now, point, terms)
        complete += evidence
    return replace(now, covered=now.covered and now.last is None), complete


def cover(progress: Progress, slot: int, terms: DeviceTerms) -> Progress:
    """Go on after a slot that has a substitute value: with the first reading at or after its end."""
    end = slot + terms.slot_length_s
    if progress.last is not None and progress.last.at_ms >= end * _MS:
        return progress
    return Progress(page=progress.page, resume_at=end, covered=True)


def _points(record: Record, register: Register) -> Iterable[_Point]:
    for reading in record.readings:
        if reading.obis is not None and reading.obis != register.obis:
            continue
        _check_usable(reading, record.page)
        if reading.register_mwh is not None:
            yield _Point(reading.at_ms, reading.register_mwh, reading.clock, record.page, record.statement)


def _check_usable(reading: Reading, page: int) -> None:
    if reading.state != GOOD or reading.errors or reading.reason == EXCEPTION:
        raise UnusableReadingError(
            f"OCMF reading of page {page} has ST {reading.state!r}, EF {reading.errors!r}, TX {reading.reason!r}: "
            f"must be {GOOD!r}, '' and not {EXCEPTION!r}"
        )


def _advance(progress: Progress, point: _Point, terms: DeviceTerms) -> tuple[Progress, list[Evidence]]:
    last = progress.last
    if last is None:
        return replace(progress, last=point), []
    if point.at_ms < last.at_ms:
        raise SequenceError(f"OCMF reading is of {point.at_ms} ms: must not be before {last.at_ms} ms")
    if point.register_mwh < last.register_mwh:
        raise RegisterError(f"OCMF register is at {point.register_mwh} mWh: must be at least {last.register_mwh}")
    if point.at_ms == last.at_ms:
        if point.register_mwh != last.register_mwh:
            raise RegisterError(
                f"OCMF register is at {last.register_mwh} and {point.register_mwh} mWh at one time"
            )
        return progress, []
    length_ms = terms.slot_length_s * _MS
    ends_at_ms = (last.at_ms // length_ms + 1) * length_ms
    closed: list[Evidence] = []
    if point.at_ms <= ends_at_ms:
        open_slot = progress.open_slot or _OpenSlot(last.at_ms // length_ms * terms.slot_length_s, (last,))
    elif point.register_mwh != last.register_mwh:
        raise SpanError(
            f"OCMF register passed {point.register_mwh - last.register_mwh} mWh between {last.at_ms} and "
            f"{point.at_ms} ms: needs a reading at {ends_at_ms} ms, the end of a slot"
        )
    else:
        # Nothing was counted: the slot that was open ends as it stood, and the one of this reading begins so.
        if progress.open_slot:
            closed.append(_evidence(_with(progress.open_slot, point), terms))
        begins_at = (point.at_ms - 1) // length_ms * terms.slot_length_s
        open_slot = _OpenSlot(begins_at, (point if closed else last,))
    open_slot = _with(open_slot, point)
    if point.at_ms % length_ms == 0:
        return replace(progress, last=point, open_slot=None), [*closed, _evidence(open_slot, terms)]
    return replace(progress, last=point, open_slot=open_slot), closed


def _with(open_slot: _OpenSlot, point: _Point) -> _OpenSlot:
    if len(open_slot.points) >= MAX_POINTS:
        raise InvalidEvidenceError(
            f"slot {open_slot.slot} has {len(open_slot.points)} readings: no more are taken"
        )
    return replace(open_slot, points=(*open_slot.points, point))


def _evidence(open_slot: _OpenSlot, terms: DeviceTerms) -> Evidence:
    points = open_slot.points
    clocks = {point.clock for point in points}
    count = Count(
        opening_mwh=points[0].register_mwh,
        register_mwh=points[-1].register_mwh,
        first_sequence=points[0].page,
        sequence=points[-1].page,
        clock=next(clock for clock in _LEAST_TRUSTED_FIRST if clock in clocks),
        register=terms.register,
    )
    statements = tuple({point.page: point.statement for point in points}.values())
    return Evidence(terms.device, open_slot.slot, count.energy_wh, count, statements)
