"""Metering: checks what meters say, stands in for those that are silent, and keeps what counts.

A slot's first reading is what its delivery is made with. One that comes after a substitute value took its place,
or by which the meter authority puts another right, is kept as a correction: the slot's money stays as it was
settled, and its certificates follow (`node.corrections`).
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from ledger.eip712 import Domain
from ledger.evidence import compact, ocmf, ocmf_slots
from ledger.evidence.checks import Measured, Position, check, check_record, check_signatures
from ledger.evidence.evidence import Count, DeviceTerms, Evidence, Method, Quality, Statement
from ledger.evidence.substitutes import DAY_S, Substitute, of_substitute, propose
from ledger.market import Market
from matching.orders import MAX_TIME
from matching.readings import SignedReading
from node.authority import MeterAuthority
from node.clock import Clock
from node.refusals import (
    ConflictingReadingError,
    NothingToCorrectError,
    TooEarlyReadingError,
    UnexpectedReadingError,
    UnknownDeviceError,
)
from node.store import Store
from node.store.database import Section
from node.store.records import DeviceRecord, ReadingRecord

_HOUR_S = 3_600
_REMEMBERED = 1_000
"""So many of an OCMF meter's latest messages are known again."""

END = MAX_TIME + 1
"""After every slot."""

SILENT = "no reading came in time"


class Metering:
    """Takes readings for one market. Thread-safe."""

    def __init__(
        self,
        *,
        market: Market,
        domain: Domain,
        store: Store,
        clock: Clock,
        authority: MeterAuthority,
        largest_load_wh: int = 100_000,
    ) -> None:
        """`largest_load_wh` is the most that a load without nameplate can consume in a slot."""
        self._market = market
        self._domain = domain
        self._store = store
        self._clock = clock
        self.authority = authority
        self._largest_load_wh = largest_load_wh
        self._journals: dict[int, _Journal] = {}

    def submit(self, signed: SignedReading) -> ReadingRecord:
        """Take a compact reading; the same one again changes nothing and gets the same record.

        Raises:
            WattbookError: one of `node.refusals`' reading errors.
            EvidenceError: the reading does not pass one of `ledger.evidence.checks`.
        """
        device = self._device(signed.reading.device)
        return self.take(compact.of_reading(signed, self.terms(device)))

    def submit_ocmf(self, number: int, message: bytes) -> list[ReadingRecord]:
        """Take an OCMF message of a device, and return the readings of the slots that it completes, if any.

        The same message again changes nothing, and completes nothing.

        Raises:
            WattbookError: one of `node.refusals`' reading errors.
            EvidenceError: the message, or a reading that it completes, does not pass one of the checks.
        """
        device = self._device(number)
        terms, record = self.terms(device), ocmf.parse(message)
        check_record(record, terms)
        with self._taking() as section:
            journal = self._journal(device, terms)
            if record.statement in journal.statements:
                return []
            progress, complete = ocmf_slots.extend(journal.progress, record, terms)
            position = self._position(number, END)
            for evidence in complete:
                self._check_slot(evidence.slot, device)
                position = check(evidence, terms, position)
            records = self._store.add_ocmf(
                number, journal.entries, message, complete, self._clock.now(), within=section
            )
            statements = (*journal.statements[-_REMEMBERED:], record.statement)
            self._journals[number] = _Journal(journal.entries + 1, progress, statements)
            return records

    def knows_ocmf(self, number: int, message: bytes) -> bool:
        """Whether an OCMF message is one of the latest that were taken of a device.

        Raises:
            WattbookError: as of `submit_ocmf`.
        """
        device, record = self._device(number), ocmf.parse(message)
        with self._taking():
            return record.statement in self._journal(device, self.terms(device)).statements

    def substitute(self, number: int, slot: int) -> ReadingRecord:
        """Stand in for a silent meter, as the meter authority, so that its slot can be delivered.

        Generation is taken to be zero, so that nothing is certified that nobody metered; consumption to be the
        same as a day before. A reading that is there stays.
        """
        device = self._device(number)
        terms = self.terms(device)
        with self._taking() as section:
            existing = self._store.reading(number, slot)
            if existing is not None:
                return existing
            before = self._store.reading(number, slot - DAY_S)
            measured_wh = {}
            if before is not None and before.evidence.quality is Quality.MEASURED:
                measured_wh[slot - DAY_S] = before.energy_wh
            method, energy_wh = propose(slot, generates=device.generates, measured_wh=measured_wh)
            evidence = self._signed_by_authority(terms, slot, energy_wh, method, SILENT)
            return self._add_first(device, terms, evidence, section)

    def correct(self, number: int, slot: int, energy_wh: int, reason: str) -> ReadingRecord:
        """Put the meter authority's word in the place of a reading that turned out to be wrong.

        Raises:
            UnknownDeviceError: there is no such device.
            NothingToCorrectError: the slot has no reading that could be corrected.
            EvidenceError: the value is more than the device can meter, or the reason is empty or too long.
        """
        device = self._device(number)
        terms = self.terms(device)
        with self._taking() as section:
            if self._store.reading(number, slot) is None:
                raise NothingToCorrectError(f"device {number} has no reading of slot {slot}: nothing to correct")
            evidence = self._signed_by_authority(terms, slot, energy_wh, Method.HISTORICAL, reason)
            check(evidence, terms, Position())
            return self._store.add_correction(evidence, self._clock.now(), within=section)

    def terms(self, device: DeviceRecord) -> DeviceTerms:
        """What is registered of a device, against which its evidence is checked."""
        length_s = self._market.slot_length_s
        return DeviceTerms(
            chain_id=self._domain.chain_id,
            market=self._market.id,
            device=device.device,
            slot_length_s=length_s,
            nameplate_w=device.details.nameplate_w or self._largest_load_wh * _HOUR_S // length_s,
            keys=device.keys,
            authority=self.authority.keys,
            register=device.register,
        )

    # Taking evidence

    def take(self, evidence: Evidence) -> ReadingRecord:
        """Take evidence of one slot that is not from an OCMF meter's stream.

        Raises:
            WattbookError: as of `submit`.
        """
        device = self._device(evidence.device)
        terms = self.terms(device)
        check_signatures(evidence, terms)
        self._check_slot(evidence.slot, device)
        with self._taking() as section:
            known = self._store.revisions(evidence.device, evidence.slot)
            for record in known:
                if record.evidence == evidence:
                    return record
            if not known:
                return self._add_first(device, terms, evidence, section)
            if known[-1].evidence.quality is Quality.SUBSTITUTE and len(known) == 1:
                self._check_late(evidence, terms)
                return self._store.add_correction(evidence, self._clock.now(), within=section)
        raise ConflictingReadingError(
            f"device {evidence.device} has a reading of slot {evidence.slot} with {known[-1].energy_wh} Wh: "
            f"cannot become {evidence.energy_wh} Wh"
        )

    def _taking(self) -> AbstractContextManager[Section]:
        """One at a time, of all nodes, from looking at a meter's last reading to writing down the next."""
        return self._store.exclusively("readings")

    def _add_first(
        self, device: DeviceRecord, terms: DeviceTerms, evidence: Evidence, section: Section
    ) -> ReadingRecord:
        """Keep a slot's first reading; of an OCMF meter, a substitute, which its messages then go on after."""
        number, now = device.device, self._clock.now()
        check(evidence, terms, self._position(number, END))
        if device.register is None:
            return self._store.add_reading(evidence, now, within=section)
        journal = self._journal(device, terms)
        record = self._store.add_cover(number, journal.entries, evidence, now, within=section)
        progress = ocmf_slots.cover(journal.progress, evidence.slot, terms)
        self._journals[number] = _Journal(journal.entries + 1, progress, journal.statements)
        return record

    def _check_late(self, evidence: Evidence, terms: DeviceTerms) -> None:
        """What comes into a gap fits both what came before the gap and, if that is in, what came after it."""
        position = check(evidence, terms, self._position(evidence.device, evidence.slot))
        for later in self._store.readings_after(evidence.device, evidence.slot):
            position = check(later.evidence, terms, position)

    def _position(self, number: int, slot: int) -> Position:
        """Where a device's evidence had got to before a slot."""
        position = Position()
        for record in self._store.readings_before(number, slot):
            position = _after(position, record.evidence)
        return position

    def _journal(self, device: DeviceRecord, terms: DeviceTerms) -> "_Journal":
        """How far an OCMF meter's messages are read: all again after a start, or after another node's."""
        number = device.device
        known = self._journals.get(number)
        if known is None or known.entries != self._store.ocmf_entries(number):
            journal = _Journal(0, ocmf_slots.Progress(), ())
            for source, covered_slot in self._store.ocmf_journal(number):
                journal = journal.after(source, covered_slot, terms)
            self._journals[number] = journal
        return self._journals[number]

    def _device(self, number: int) -> DeviceRecord:
        device = self._store.device(number)
        if device is None:
            raise UnknownDeviceError(f"reading field 'device' is {number}: no such device is registered")
        return device

    def _check_slot(self, slot: int, device: DeviceRecord) -> None:
        if not device.is_metered(slot):
            closed = "" if device.closed_day is None else f", and before day {device.closed_day}"
            raise UnexpectedReadingError(
                f"reading field 'slot' is {slot}: must be at least {device.first_slot}{closed}"
            )
        now, ends_at = self._clock.now(), self._market.ends_at(slot)
        if now < ends_at:
            raise TooEarlyReadingError(f"slot {slot} ends at {ends_at}: it is {now}")

    def _signed_by_authority(
        self, terms: DeviceTerms, slot: int, energy_wh: int, method: Method, reason: str
    ) -> Evidence:
        value = Substitute(
            chain_id=terms.chain_id,
            market=terms.market,
            device=terms.device,
            slot=slot,
            energy_wh=energy_wh,
            method=method,
            reason=reason,
        )
        return of_substitute(value.sign(self.authority), terms)


@dataclass(frozen=True, slots=True)
class _Journal:
    """How far an OCMF meter's messages are read: journal entries, progress, and the latest statements."""

    entries: int
    progress: ocmf_slots.Progress
    statements: tuple[Statement, ...]

    def after(self, source: bytes | None, covered_slot: int | None, terms: DeviceTerms) -> "_Journal":
        """The journal after one more entry: a message, or a slot that was substituted."""
        if covered_slot is not None:
            return replace(
                self, entries=self.entries + 1, progress=ocmf_slots.cover(self.progress, covered_slot, terms)
            )
        assert source is not None  # noqa: S101 - an entry is one of the two
        record = ocmf.parse(source)
        progress, _ = ocmf_slots.extend(self.progress, record, terms)
        return _Journal(self.entries + 1, progress, (*self.statements[-_REMEMBERED:], record.statement))


def _after(position: Position, evidence: Evidence) -> Position:
    """The position after evidence that was checked when it came."""
    if isinstance(evidence.basis, Count):
        measured = Measured(evidence.slot, evidence.basis, evidence.statements[-1])
        return Position(measured=measured, last_slot=evidence.slot)
    return replace(
        position,
        last_slot=evidence.slot,
        substitutes=position.substitutes + 1,
        substituted_wh=position.substituted_wh + evidence.energy_wh,
    )
