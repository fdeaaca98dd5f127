"""Checks a device's evidence, slot after slot, in ascending order. Pure functions: a refusal changes nothing.

Each check has its own error, whose code docs/evidence.md lists. A silent meter's slots are covered by substitute
values; when it speaks again, its register tells what it counted meanwhile, and `Gap` sets that beside what had
been substituted: what was certified too much is to be withdrawn.
"""

from dataclasses import dataclass, replace

from ledger.evidence.errors import (
    ClockError,
    ForeignDeviceError,
    KeyNotValidError,
    NameplateError,
    RegisterError,
    SequenceError,
    SignatureError,
    SlotError,
    SubstituteError,
)
from ledger.evidence.evidence import MWH_PER_WH, Clock, Count, DeviceTerms, Evidence, Statement
from ledger.evidence.keys import MeterKeys
from ledger.evidence.ocmf import Record

_HOUR_S = 3_600


@dataclass(frozen=True, slots=True)
class Gap:
    """A gap that ended: what a meter counted in it, and what had been substituted.

    Attributes:
        substitutes: how many slots had a substitute value.
        substituted_wh: their energy together, Wh.
        counted_wh: what the register passed between the readings on both sides, Wh.
    """

    substitutes: int
    substituted_wh: int
    counted_wh: int


@dataclass(frozen=True, slots=True)
class Measured:
    """The last measured slot of a device: its count, and the statement that closed it."""

    slot: int
    count: Count
    closing: Statement


@dataclass(frozen=True, slots=True)
class Position:
    """Where a device's evidence has got to. Begin with `Position()`.

    Attributes:
        measured: the last measured slot.
        last_slot: the last slot that has evidence.
        substitutes: how many substitute values came since `measured`.
        substituted_wh: their energy together, Wh.
        gap: the gap that the last evidence ended, if it did.
    """

    measured: Measured | None = None
    last_slot: int | None = None
    substitutes: int = 0
    substituted_wh: int = 0
    gap: Gap | None = None


def check(evidence: Evidence, terms: DeviceTerms, position: Position) -> Position:
    """Return the position after this evidence, if it may follow.

    Raises:
        ForeignDeviceError: it is of another device or register.
        SlotError: its slot is not the start of one, or not after those that have evidence.
        NameplateError: `energy_wh * 3600 > nameplate_w * slot_length_s`.
        KeyNotValidError, SignatureError: of measured evidence, a statement is not signed by the meter's valid key.
        SubstituteError: of a substitute, the statement is not signed by the authority's valid key.
        ClockError: the meter's clock was not synchronised.
        RegisterError: the register runs backwards, does not go on where it stopped, or is not the energies' sum.
        SequenceError: a statement is missing, and slots since the last measured one have no substitute values.
    """
    _check_slot(evidence, terms, position)
    if evidence.energy_wh * _HOUR_S > terms.nameplate_w * terms.slot_length_s:
        raise NameplateError(
            f"device {terms.device} has {evidence.energy_wh} Wh in slot {evidence.slot}: {terms.nameplate_w} W "
            f"make at most {terms.nameplate_w * terms.slot_length_s // _HOUR_S}"
        )
    check_signatures(evidence, terms, verified=position.measured.closing if position.measured else None)
    count = evidence.basis
    if not isinstance(count, Count):
        return replace(
            position,
            last_slot=evidence.slot,
            substitutes=position.substitutes + 1,
            substituted_wh=position.substituted_wh + evidence.energy_wh,
            gap=None,
        )
    _check_clock(count.clock, terms, evidence.slot)
    gap = _check_count(evidence, count, terms, position)
    measured = Measured(evidence.slot, count, evidence.statements[-1])
    return Position(measured=measured, last_slot=evidence.slot, gap=gap)


def check_signatures(evidence: Evidence, terms: DeviceTerms, *, verified: Statement | None = None) -> None:
    """Return if every statement is signed: a measured one by the meter, a substitute by the authority.

    `verified` is not verified again: one OCMF message with many readings is many slots' statement.

    Raises:
        KeyNotValidError, SignatureError: the meter did not sign.
        SubstituteError: the authority did not sign.
    """
    measured = isinstance(evidence.basis, Count)
    for statement in evidence.statements:
        if measured:
            if statement != verified or statement.signature != verified.signature:
                _check_signature(statement, terms.keys, terms.device)
            continue
        try:
            _check_signature(statement, terms.authority, terms.device)
        except (KeyNotValidError, SignatureError) as error:
            raise SubstituteError(
                f"substitute value of device {terms.device}, slot {evidence.slot} is not signed by the meter "
                f"authority: {error}"
            ) from error


def check_record(record: Record, terms: DeviceTerms) -> None:
    """Return if a record is of the device's meter, signed by its valid key, and read by a synchronised clock.

    Before it takes part in any slot: a forged record must not stand in the way of the true one.

    Raises:
        ForeignDeviceError: it is of another meter or page counter than the device's, or that has no OCMF meter.
        KeyNotValidError, SignatureError, ClockError: as `check` does.
    """
    if terms.register is None:
        raise ForeignDeviceError(f"device {terms.device} has no OCMF meter")
    identification = record.identification
    found = (identification.gateway_serial or "", identification.meter_serial or "", record.context)
    expected = (terms.register.gateway_serial, terms.register.meter_serial, terms.register.context)
    if found != expected:
        raise ForeignDeviceError(f"OCMF fields 'GS', 'MS' and 'PG' are of {found!r}: must be of {expected!r}")
    _check_signature(record.statement, terms.keys, terms.device)
    for reading in record.readings:
        if reading.obis == terms.register.obis:
            _check_clock(reading.clock, terms, reading.at_ms // 1_000)


def _check_slot(evidence: Evidence, terms: DeviceTerms, position: Position) -> None:
    if evidence.device != terms.device:
        raise ForeignDeviceError(f"evidence field 'device' is {evidence.device}: must be {terms.device}")
    if isinstance(evidence.basis, Count) and evidence.basis.register != terms.register:
        raise ForeignDeviceError(
            f"device {terms.device} is counted by {terms.register}: evidence is of {evidence.basis.register}"
        )
    if evidence.slot % terms.slot_length_s:
        raise SlotError(f"evidence field 'slot' is {evidence.slot}: must be a multiple of {terms.slot_length_s} s")
    if position.last_slot is not None and evidence.slot <= position.last_slot:
        raise SlotError(f"evidence field 'slot' is {evidence.slot}: must be after {position.last_slot}")


def _check_signature(statement: Statement, keys: MeterKeys, device: int) -> None:
    key = keys.at(statement.made_at)
    if key is None:
        raise KeyNotValidError(f"device {device} has no valid key at {statement.made_at}")
    if key.algorithm is not statement.algorithm:
        raise SignatureError(
            f"statement of device {device} is signed with {statement.algorithm.name}: its key is of "
            f"{key.algorithm.name}"
        )
    key.verify(statement.message, statement.signature, statement.digest)


def _check_clock(clock: Clock, terms: DeviceTerms, at: int) -> None:
    if clock is not Clock.SYNCHRONISED:
        raise ClockError(f"clock of device {terms.device} at {at} is {clock.name}: must be SYNCHRONISED")


def _check_count(evidence: Evidence, count: Count, terms: DeviceTerms, position: Position) -> Gap | None:
    slot = evidence.slot
    if count.register_mwh < count.opening_mwh:
        raise RegisterError(
            f"register in slot {slot} runs from {count.opening_mwh} back to {count.register_mwh} mWh"
        )
    if count.energy_wh != evidence.energy_wh:
        raise RegisterError(
            f"register in slot {slot} passed {count.energy_wh} Wh: evidence has {evidence.energy_wh}"
        )
    measured = position.measured
    if measured is None:
        return None
    if not _follows(evidence, count, measured) and not _covered(evidence, count, terms, position, measured):
        raise SequenceError(
            f"slot {slot} rests on statements {count.first_sequence} to {count.sequence}: must go on from "
            f"{measured.count.sequence}, or all slots since {measured.slot} have substitute values"
        )
    return _check_opening(slot, count, position, measured.count)


def _follows(evidence: Evidence, count: Count, measured: Measured) -> bool:
    if count.first_sequence == measured.count.sequence:
        # One message can close a slot and open the next; the same number of another message is a repetition.
        return evidence.statements[0] == measured.closing
    return count.first_sequence == measured.count.sequence + 1


def _covered(evidence: Evidence, count: Count, terms: DeviceTerms, position: Position, measured: Measured) -> bool:
    missing = (evidence.slot - measured.slot) // terms.slot_length_s - 1
    return 0 < missing == position.substitutes and count.first_sequence > measured.count.sequence


def _check_opening(slot: int, count: Count, position: Position, previous: Count) -> Gap | None:
    counted_mwh = count.opening_mwh - previous.register_mwh
    if counted_mwh < 0 or (counted_mwh > 0 and not position.substitutes):
        limit = "at least" if position.substitutes else "exactly"
        raise RegisterError(
            f"register at the start of slot {slot} is {count.opening_mwh} mWh: must be {limit} "
            f"{previous.register_mwh}"
        )
    if not position.substitutes:
        return None
    counted_wh = count.opening_mwh // MWH_PER_WH - previous.register_mwh // MWH_PER_WH
    return Gap(position.substitutes, position.substituted_wh, counted_wh)
