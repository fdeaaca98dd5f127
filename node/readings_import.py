"""Imports files of readings: each row stands or falls alone, by the same checks as a reading that comes alone."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from ledger.evidence import batch
from ledger.evidence.batch import DeviceState, Outcome, RowReport
from ledger.evidence.errors import MalformedRowError
from ledger.evidence.evidence import DeviceTerms, Evidence, Quality
from ledger.evidence.rows import Row, RowKind, UnreadableRow
from matching.errors import WattbookError
from matching.readings import MAX_DEVICE
from node.metering import Metering
from node.store import Store

__all__ = ["RowReport", "import_rows"]


def import_rows(rows: Iterable[Row | UnreadableRow], metering: Metering, store: Store) -> Iterator[RowReport]:
    """Take rows one after the other and report each.

    Substitute values that carry no signature get the meter authority's.

    Raises:
        EvidenceError: what `rows.read_rows` raises of the file as a whole.
    """
    shelf = _Shelf(metering, store)
    for row in rows:
        if isinstance(row, Row) and row.kind is RowKind.OCMF:
            yield _take_message(row, metering)
            continue
        shelf.is_known = False
        (report,) = batch.import_rows([row], shelf, signer=metering.authority)
        yield replace(report, outcome=Outcome.KNOWN, slots=0) if shelf.is_known else report


class _Shelf:
    """The store as an import sees it; metering checks what goes in, and keeps it.

    Attributes:
        is_known: set if what was to be saved had been before.
    """

    def __init__(self, metering: Metering, store: Store) -> None:
        self._metering = metering
        self._store = store
        self.is_known = False

    def terms(self, device: int) -> DeviceTerms | None:
        found = self._store.device(device)
        return None if found is None else self._metering.terms(found)

    def state(self, device: int) -> DeviceState:
        """Nothing: where a device's evidence has got to is metering's to know."""
        return DeviceState()

    def evidence(self, device: int, slot: int) -> Evidence | None:
        """What a row must be the same as: a substitute value can still give way to a reading."""
        found = self._store.reading(device, slot)
        if found is None or found.evidence.quality is Quality.SUBSTITUTE:
            return None
        return found.evidence

    def save(self, device: int, state: DeviceState, evidence: Sequence[Evidence]) -> None:
        for each in evidence:
            known = self._store.revisions(device, each.slot)
            self.is_known = each in (record.evidence for record in known)
            self._metering.take(each)


def _take_message(row: Row, metering: Metering) -> RowReport:
    device = None
    try:
        device = _device(row.fields["device"])
        message = row.fields["ocmf"]
        if not isinstance(message, str):
            raise MalformedRowError("row field 'ocmf' must be text")
        source = message.encode(errors="replace")
        is_known = metering.knows_ocmf(device, source)
        completed = metering.submit_ocmf(device, source)
    except WattbookError as error:
        return RowReport(row.line, device, None, Outcome.REFUSED, code=error.code, message=str(error))
    slot = completed[-1].evidence.slot if completed else None
    outcome = Outcome.KNOWN if is_known else Outcome.ACCEPTED
    return RowReport(row.line, device, slot, outcome, slots=len(completed))


def _device(value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= len(str(MAX_DEVICE)):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise MalformedRowError(f"row field 'device' is {str(value)[:40]!r}: must be a whole number")
