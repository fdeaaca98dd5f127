"""`/v1/readings`: what the meters say."""

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from matching.errors import WattbookError
from matching.readings import Reading, SignedReading
from node.api.fields import Hash, MeterSignature, Uint64
from node.api.paging import Cursor, Limit, Page, cut, numbers
from node.api.services import Parts
from node.problems import RequestError, problem
from node.store.records import ReadingRecord

router = APIRouter(prefix="/readings", tags=["readings"])

MAX_ROWS = 1_000


class ReadingFields(BaseModel):
    """A reading as its meter signs it; see `matching.readings` for the bytes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    chain_id: int
    market: Hash
    device: Uint64
    slot: int
    energy_wh: int
    register_wh: int
    sequence: int
    signature: MeterSignature


class ReadingOut(ReadingFields):
    """A reading that was taken, and when."""

    received_at: int


class RowReport(BaseModel):
    """What became of one reading of a list: `problem` says why it was refused, and is null if it was not."""

    device: Uint64
    slot: int
    accepted: bool
    problem: dict[str, Any] | None


class Report(BaseModel):
    """What became of a list of readings, row by row."""

    accepted: int
    rows: list[RowReport]


@router.post("")
def submit_readings(fields: ReadingFields | list[ReadingFields], parts: Parts) -> ReadingOut | Report:
    """Take one reading, or a list, of which each row stands or falls alone. The same reading again is harmless."""
    if isinstance(fields, ReadingFields):
        return _reading_out(parts.metering.submit(_signed(fields)))
    if len(fields) > MAX_ROWS:
        raise RequestError(f"{len(fields)} readings: at most {MAX_ROWS} in one request")
    rows = [_submit_row(parts, row) for row in fields]
    return Report(accepted=sum(row.accepted for row in rows), rows=rows)


@router.get("")
def list_readings(
    parts: Parts,
    *,
    slot: int | None = None,
    device: Uint64 | None = None,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[ReadingOut]:
    """Readings, the latest slot's first."""
    rows = parts.store.latest_readings(device=device, slot=slot, after=numbers(cursor), limit=limit + 1)
    page, following = cut(rows, limit, lambda row: (row.signed.reading.slot, row.signed.reading.device))
    return Page(items=[_reading_out(record) for record in page], next=following)


def _submit_row(parts: Parts, fields: ReadingFields) -> RowReport:
    try:
        parts.metering.submit(_signed(fields))
    except WattbookError as error:
        return RowReport(device=fields.device, slot=fields.slot, accepted=False, problem=problem(error).body())
    return RowReport(device=fields.device, slot=fields.slot, accepted=True, problem=None)


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
    reading = record.signed.reading
    return ReadingOut(
        chain_id=reading.chain_id,
        market=reading.market,
        device=reading.device,
        slot=reading.slot,
        energy_wh=reading.energy_wh,
        register_wh=reading.register_wh,
        sequence=reading.sequence,
        signature=record.signed.signature,
        received_at=record.received_at,
    )
