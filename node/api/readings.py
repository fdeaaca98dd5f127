"""`/v1/readings`: what the meters say, in both formats, and what stands in for those that are silent."""

import json
import tempfile
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from ledger.evidence.evidence import Count, Quality
from ledger.evidence.ocmf import MAX_MESSAGE_BYTES
from ledger.evidence.report import COLUMNS
from ledger.evidence.rows import FileFormat, read_rows
from ledger.evidence.substitutes import MAX_REASON_BYTES
from matching.errors import WattbookError
from matching.readings import MAX_ENERGY_WH, Reading, SignedReading
from node.api.fields import DeviceNumber, Hash, Hexadecimal, MeterSignature, Slot, Uint64
from node.api.operator import OPERATOR
from node.api.paging import Cursor, Limit, Page, cut, numbers
from node.api.services import Parts
from node.api.tables import LinesResponse
from node.problems import RequestError, problem
from node.readings_import import RowReport as ImportedRow
from node.readings_import import import_rows
from node.store.records import ReadingRecord

router = APIRouter(prefix="/readings", tags=["readings"])

MAX_ROWS = 1_000


Blob = Annotated[bytes, Hexadecimal()]


class ReadingFields(BaseModel):
    """A compact reading as its meter signs it; see `matching.readings` for the bytes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    chain_id: int
    market: Hash
    device: Uint64
    slot: int
    energy_wh: int
    register_wh: int
    sequence: int
    signature: MeterSignature


class OcmfFields(BaseModel):
    """A message of an OCMF meter; see `docs/evidence.md`."""

    model_config = ConfigDict(extra="forbid", strict=True)

    device: DeviceNumber
    ocmf: str = Field(max_length=MAX_MESSAGE_BYTES)


class CorrectionFields(BaseModel):
    """What the meter authority puts in the place of a slot's last reading, and why."""

    model_config = ConfigDict(extra="forbid", strict=True)

    device: DeviceNumber
    slot: Slot
    energy_wh: int = Field(ge=0, le=MAX_ENERGY_WH)
    reason: str = Field(min_length=1, max_length=MAX_REASON_BYTES)


class ReadingOut(BaseModel):
    """A reading that was taken, and when.

    `revision` is 0 for what the slot was delivered with, and one more for each correction. Registers are in mWh.
    A substitute value has no register and no sequence, but a method and a reason. `sources` is what was signed,
    signatures included, as it came.
    """

    device: Uint64
    slot: int
    revision: int
    energy_wh: int
    quality: str
    register_mwh: int | None
    sequence: int | None
    clock: str | None
    method: str | None
    reason: str | None
    sources: list[Blob]
    received_at: int


class RowReport(BaseModel):
    """What became of one reading of a list: `problem` says why it was refused, and is null if it was not."""

    device: Uint64
    slot: int | None
    accepted: bool
    problem: dict[str, Any] | None


class Report(BaseModel):
    """What became of a list of readings, row by row."""

    accepted: int
    rows: list[RowReport]


class OcmfReport(BaseModel):
    """The readings of the slots that an OCMF message completed, if any."""

    completed: list[ReadingOut]


@router.post("")
def submit_readings(
    fields: ReadingFields | OcmfFields | list[ReadingFields | OcmfFields], parts: Parts
) -> ReadingOut | OcmfReport | Report:
    """Take one reading, or a list, of which each row stands or falls alone. The same reading again is harmless."""
    if isinstance(fields, ReadingFields):
        return _reading_out(parts.metering.submit(_signed(fields)))
    if isinstance(fields, OcmfFields):
        completed = parts.metering.submit_ocmf(fields.device, fields.ocmf.encode())
        return OcmfReport(completed=[_reading_out(record) for record in completed])
    if len(fields) > MAX_ROWS:
        raise RequestError(f"{len(fields)} readings: at most {MAX_ROWS} in one request")
    rows = [_submit_row(parts, row) for row in fields]
    return Report(accepted=sum(row.accepted for row in rows), rows=rows)


@router.post("/import", dependencies=[OPERATOR], response_class=LinesResponse)
async def import_readings(
    request: Request,
    parts: Parts,
    file_format: Annotated[FileFormat, Query(alias="format")],
    device: Annotated[
        DeviceNumber | None, Query(description="Whose messages a file of bare OCMF lines holds.")
    ] = None,
) -> StreamingResponse:
    """Take the rows of a file, and report each as a line of JSON; the operator's API key is needed.

    Substitute values without a signature are signed by the meter authority.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the report is out
    async for chunk in request.stream():
        file.write(chunk)
    file.seek(0)

    def report() -> Iterator[str]:
        with file:
            try:
                for row in import_rows(read_rows(file, file_format, device=device), parts.metering, parts.store):
                    yield _line(row)
            except WattbookError as error:  # of the file as a whole
                yield json.dumps({"problem": problem(error).body()}) + "\n"

    return LinesResponse(report())


@router.post("/corrections", dependencies=[OPERATOR])
def correct_reading(fields: CorrectionFields, parts: Parts) -> ReadingOut:
    """Put a reading right, as the meter authority; certificates follow. The operator's API key is needed."""
    record = parts.metering.correct(fields.device, fields.slot, fields.energy_wh, fields.reason)
    return _reading_out(record)


@router.get("")
def list_readings(
    parts: Parts,
    *,
    slot: Slot | None = None,
    device: DeviceNumber | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ReadingOut]:
    """What counts, the latest slot's first."""
    rows = parts.store.latest_readings(device=device, slot=slot, after=numbers(cursor), limit=limit + 1)
    page, following = cut(rows, limit, lambda row: (row.evidence.slot, row.evidence.device))
    return Page(items=[_reading_out(record) for record in page], next=following)


@router.get("/{device}/{slot}")
def read_revisions(device: DeviceNumber, slot: Slot, parts: Parts) -> list[ReadingOut]:
    """All readings of a device and slot: what it was delivered with, then the corrections."""
    return [_reading_out(record) for record in parts.store.revisions(device, slot)]


def _submit_row(parts: Parts, fields: ReadingFields | OcmfFields) -> RowReport:
    slot = fields.slot if isinstance(fields, ReadingFields) else None
    try:
        if isinstance(fields, ReadingFields):
            parts.metering.submit(_signed(fields))
        else:
            parts.metering.submit_ocmf(fields.device, fields.ocmf.encode())
    except WattbookError as error:
        return RowReport(device=fields.device, slot=slot, accepted=False, problem=problem(error).body())
    return RowReport(device=fields.device, slot=slot, accepted=True, problem=None)


def _line(row: ImportedRow) -> str:
    fields = {name: getattr(row, name) for name in COLUMNS} | {"outcome": row.outcome.value}
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _signed(fields: ReadingFields) -> SignedReading:
    return SignedReading(
        reading=Reading(
            chain_id=fields.chain_id,
            market=fields.market,
            device=fields.device,
            slot=fields.slot,
            energy_wh=fields.energy_wh,
            register_wh=fields.register_wh,
            sequence=fields.sequence,
        ),
        signature=fields.signature,
    )


def _reading_out(record: ReadingRecord) -> ReadingOut:
    evidence = record.evidence
    count = evidence.basis if isinstance(evidence.basis, Count) else None
    substitution = None if isinstance(evidence.basis, Count) else evidence.basis
    return ReadingOut(
        device=evidence.device,
        slot=evidence.slot,
        revision=record.revision,
        energy_wh=evidence.energy_wh,
        quality=Quality(evidence.quality).name.lower(),
        register_mwh=None if count is None else count.register_mwh,
        sequence=None if count is None else count.sequence,
        clock=None if count is None else count.clock.name.lower(),
        method=None if substitution is None else substitution.method.name.lower(),
        reason=None if substitution is None else substitution.reason,
        sources=[statement.source for statement in evidence.statements],
        received_at=record.received_at,
    )
