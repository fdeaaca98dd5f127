"""`/v1/evidence`: what an auditor holds against the roots on chain: signed readings, and public keys."""

import json
from collections.abc import Iterator
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from ledger.audit.codec import encoded
from ledger.audit.evidence_files import PublicKeys
from node.api.services import Parts
from node.api.tables import LinesResponse

router = APIRouter(prefix="/evidence", tags=["readings"])


class Days(BaseModel):
    """UTC days, counted from 1970, ascending."""

    items: list[int]


@router.get("/keys")
def list_keys(parts: Parts) -> dict[str, Any]:
    """The meters' public keys, of which the chain has hashes only, and those of the meter authority."""
    meters = [key for device in parts.store.devices() for _, key in device.keys.spans if key is not None]
    keys: dict[str, Any] = encoded(PublicKeys(tuple(meters), parts.metering.authority.keys))
    return keys


@router.get("/days")
def list_days(parts: Parts) -> Days:
    """The UTC days whose evidence is anchored on chain as it is now."""
    return Days(items=parts.store.anchored_days())


@router.get("/days/{day}", response_class=LinesResponse)
def stream_evidence(day: int, parts: Parts) -> LinesResponse:
    """A day's evidence, one piece a line of JSON, corrections in their places; nothing unless it is anchored."""

    def lines() -> Iterator[str]:
        if day in parts.store.anchored_days():
            for records in parts.store.day_readings(day).values():
                for record in records:
                    yield json.dumps(encoded(record.evidence)) + "\n"

    return LinesResponse(lines())
