"""Imports rows of evidence: each stands or falls alone, and what is refused changes nothing.

Memory does not grow with the file: rows come from an iterator, reports go out as one, and what was accepted is
kept by the caller's `Shelf`, which also answers what is there already.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Protocol

from ledger.evidence.checks import Position, check, check_record, check_signatures
from ledger.evidence.compact import of_reading
from ledger.evidence.errors import ConflictingRowError, MalformedRowError, UnknownDeviceError, UnsignedRowError
from ledger.evidence.evidence import DeviceTerms, Evidence, Method
from ledger.evidence.ocmf import Record, parse
from ledger.evidence.ocmf_slots import Progress, cover, extend
from ledger.evidence.rows import Row, RowKind, UnreadableRow
from ledger.evidence.substitutes import SignedSubstitute, Signer, Substitute, of_substitute
from ledger.hexcodec import from_data
from matching.errors import WattbookError
from matching.readings import Reading, SignedReading

HISTORICAL_REASON = "imported from records that no meter signed"
"""Reason of a substitute value whose row gives none."""

_MAX_DIGITS = 20


@dataclass(frozen=True, slots=True)
class DeviceState:
    """Where one device's import has got to: its checked evidence, and its OCMF records."""

    position: Position = field(default_factory=Position)
    progress: Progress = field(default_factory=Progress)


class Shelf(Protocol):
    """Where evidence is kept, and what is registered of its devices."""

    def terms(self, device: int) -> DeviceTerms | None:
        """What is registered of a device; None if it is not."""

    def state(self, device: int) -> DeviceState:
        """Where the device has got to; `DeviceState()` at first."""

    def evidence(self, device: int, slot: int) -> Evidence | None:
        """The slot's evidence, or None."""

    def save(self, device: int, state: DeviceState, evidence: Sequence[Evidence]) -> None:
        """Keep a row's evidence and the state after it, all or nothing."""


class Outcome(Enum):
    """What became of a row."""

    ACCEPTED = "accepted"
    KNOWN = "known"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RowReport:
    """What became of one row.

    Attributes:
        line: its line in the file, from 1 on.
        device: its device; None if that cannot be read.
        slot: its slot, of an OCMF message that of its last reading; None if that cannot be read.
        outcome: accepted; known, if the same had been accepted before; or refused.
        slots: how many slots it completed: none, one, or, with OCMF, more.
        code: the refusal's code; empty if it was not refused.
        message: the refusal in words.
    """

    line: int
    device: int | None
    slot: int | None
    outcome: Outcome
    slots: int = 0
    code: str = ""
    message: str = ""


def import_rows(
    rows: Iterable[Row | UnreadableRow], shelf: Shelf, *, signer: Signer | None = None
) -> Iterator[RowReport]:
    """Take rows one after the other, those of a device in ascending order of slots, and report each.

    `signer` is the meter authority's key: it vouches for substitute rows that carry no signature. Without it, they
    are refused.

    Raises:
        EvidenceError: what `rows.read_rows` raises of the file as a whole.
    """
    for row in rows:
        if isinstance(row, UnreadableRow):
            yield RowReport(row.line, None, None, Outcome.REFUSED, code=row.error.code, message=str(row.error))
            continue
        try:
            yield _take(row, shelf, signer)
        except WattbookError as error:
            yield RowReport(
                line=row.line,
                device=_peek(row, "device"),
                slot=_peek(row, "slot"),
                outcome=Outcome.REFUSED,
                code=error.code,
                message=str(error),
            )


def _take(row: Row, shelf: Shelf, signer: Signer | None) -> RowReport:
    device = _integer(row.fields, "device")
    terms = shelf.terms(device)
    if terms is None:
        raise UnknownDeviceError(f"row field 'device' is {device}: no such device is registered")
    if row.kind is RowKind.OCMF:
        return _take_record(row, parse(_message(row.fields)), terms, shelf)
    if row.kind is RowKind.COMPACT:
        evidence = of_reading(_reading(row.fields), terms)
    else:
        evidence = of_substitute(_substitute(row.fields, terms, signer), terms)
    existing = shelf.evidence(device, evidence.slot)
    report = RowReport(row.line, device, evidence.slot, Outcome.ACCEPTED, slots=1)
    if existing is not None:
        check_signatures(evidence, terms)
        if existing != evidence:
            raise ConflictingRowError(
                f"slot {evidence.slot} of device {device} has {existing.quality.name} evidence of "
                f"{existing.energy_wh} Wh: cannot get {evidence.quality.name} evidence of {evidence.energy_wh} Wh"
            )
        return replace(report, outcome=Outcome.KNOWN, slots=0)
    state = shelf.state(device)
    position = check(evidence, terms, state.position)
    progress = cover(state.progress, evidence.slot, terms) if terms.register else state.progress
    shelf.save(device, DeviceState(position, progress), [evidence])
    return report


def _take_record(row: Row, record: Record, terms: DeviceTerms, shelf: Shelf) -> RowReport:
    check_record(record, terms)
    slot = record.statement.made_at // terms.slot_length_s * terms.slot_length_s
    report = RowReport(row.line, terms.device, slot, Outcome.ACCEPTED)
    state = shelf.state(terms.device)
    if state.progress.page is not None and record.page <= state.progress.page:
        if not _is_known(record, terms, state.progress, shelf):
            raise ConflictingRowError(
                f"OCMF field 'PG' is {record.context.value}{record.page}: pages to {state.progress.page} have "
                "been read, and this was not among them"
            )
        return replace(report, outcome=Outcome.KNOWN)
    progress, complete = extend(state.progress, record, terms)
    position = state.position
    for evidence in complete:
        position = check(evidence, terms, position)
    shelf.save(terms.device, DeviceState(position, progress), complete)
    return replace(report, slots=len(complete))


def _is_known(record: Record, terms: DeviceTerms, progress: Progress, shelf: Shelf) -> bool:
    if progress.holds(record.statement):
        return True
    length_ms = terms.slot_length_s * 1_000
    # A reading at the edge of two slots closes the one and opens the other.
    starts = {at_ms // length_ms for reading in record.readings for at_ms in (reading.at_ms - 1, reading.at_ms)}
    found = (shelf.evidence(terms.device, start * terms.slot_length_s) for start in sorted(starts))
    return any(record.statement in evidence.statements for evidence in found if evidence is not None)


def _reading(fields: dict[str, Any]) -> SignedReading:
    reading = Reading(
        chain_id=_integer(fields, "chain_id"),
        market=_data(fields, "market"),
        device=_integer(fields, "device"),
        slot=_integer(fields, "slot"),
        energy_wh=_integer(fields, "energy_wh"),
        register_wh=_integer(fields, "register_wh"),
        sequence=_integer(fields, "sequence"),
    )
    return SignedReading(reading, _data(fields, "signature"))


def _substitute(fields: dict[str, Any], terms: DeviceTerms, signer: Signer | None) -> SignedSubstitute:
    name = _string(fields, "method") if fields.get("method") else Method.HISTORICAL.name
    try:
        method = Method[name.upper()]
    except KeyError as error:
        known = ", ".join(method.name.lower() for method in Method)
        raise MalformedRowError(f"row field 'method' is {name[:40]!r}: must be one of {known}") from error
    value = Substitute(
        chain_id=terms.chain_id,
        market=terms.market,
        device=terms.device,
        slot=_integer(fields, "slot"),
        energy_wh=_integer(fields, "energy_wh"),
        method=method,
        reason=_string(fields, "reason") if fields.get("reason") else HISTORICAL_REASON,
    )
    if fields.get("signature"):
        return SignedSubstitute(value, _data(fields, "signature"))
    if signer is None:
        raise UnsignedRowError(f"slot {value.slot} of device {value.device} has no signature: must have one")
    return value.sign(signer)


def _integer(fields: dict[str, Any], name: str) -> int:
    value = fields[name]
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _MAX_DIGITS:
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**_MAX_DIGITS:
        return value
    raise MalformedRowError(f"row field '{name}' is {str(value)[:40]!r}: must be a whole number")


def _string(fields: dict[str, Any], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise MalformedRowError(f"row field '{name}' is {str(value)[:40]!r}: must be text")
    return value


def _message(fields: dict[str, Any]) -> bytes:
    try:
        return _string(fields, "ocmf").encode()
    except UnicodeEncodeError as error:  # JSON can escape half a surrogate pair
        raise MalformedRowError(f"row field 'ocmf' is no Unicode text: {error.reason}") from error


def _data(fields: dict[str, Any], name: str) -> bytes:
    try:
        return from_data(_string(fields, name))
    except ValueError as error:
        raise MalformedRowError(f"row field '{name}': {error}") from error


def _peek(row: Row, name: str) -> int | None:
    try:
        return _integer(row.fields, name)
    except (KeyError, MalformedRowError):
        return None
