"""`/v1/coverage` and `/v1/carbon`: how far certificates cover consumption, slot by slot, and what it emits."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from ledger.coverage.carbon import Carbon
from ledger.coverage.claims import Claims
from ledger.coverage.periods import Granularity
from ledger.coverage.table import csv_lines, rows
from node.api.fields import Address, Slot
from node.api.services import Parts
from node.covering import carbon_of, claims_of

router = APIRouter(tags=["coverage"])


class Form(StrEnum):
    """How the rows are written; a CSV file holds all of them."""

    JSON = "json"
    CSV = "csv"


_CSV_RESPONSES: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}

FirstSlot = Annotated[Slot, Query(description="Start of the first slot.")]
EndSlot = Annotated[Slot, Query(description="End of the last slot, at most 366 days later.")]
Account = Annotated[Address | None, Query(description="A member; without it, the community.")]
TimeZone = Annotated[str, Query(description="IANA name of the calendar's time zone.")]


class CoverageOut(BaseModel):
    """Rows as `docs/matching-247.md` describes them: each member's, their sum's and the pool's, by period.

    Emissions are null unless they were asked for, with a region.
    """

    time_zone: str
    granularity: Granularity
    rows: list[dict[str, Any]]


@router.get("/coverage", response_model=CoverageOut, responses=_CSV_RESPONSES)
def read_coverage(
    parts: Parts,
    *,
    first_slot: FirstSlot,
    end_slot: EndSlot,
    account: Account = None,
    granularity: Granularity = Granularity.MONTH,
    time_zone: TimeZone = "UTC",
    form: Annotated[Form, Query(alias="format")] = Form.JSON,
) -> CoverageOut | StreamingResponse:
    """The 24/7 matching score: the share of consumption that certificates of its slot and zone are matched with.

    What was retired by hand is `claimed_wh`: claimed, not matched. A signed disclosure says the same.
    """
    claims = _claims(parts, first_slot, end_slot, account)
    return _answer(claims, time_zone, granularity, form, None)


@router.get("/carbon", response_model=CoverageOut, responses=_CSV_RESPONSES)
def read_carbon(
    parts: Parts,
    *,
    first_slot: FirstSlot,
    end_slot: EndSlot,
    region: Annotated[str, Query(description="A country of ISO 3166-1, or US- and an eGRID subregion.")],
    account: Account = None,
    granularity: Granularity = Granularity.YEAR,
    time_zone: TimeZone = "UTC",
    form: Annotated[Form, Query(alias="format")] = Form.JSON,
) -> CoverageOut | StreamingResponse:
    """Location-based and market-based emissions of the consumption, mg CO2, beside its coverage."""
    claims = _claims(parts, first_slot, end_slot, account)
    return _answer(claims, time_zone, granularity, form, carbon_of(claims, region, time_zone))


def _claims(parts: Parts, first_slot: int, end_slot: int, account: bytes | None) -> Claims:
    return claims_of(
        parts.store,
        parts.certificates,
        slot_length_s=parts.market.slot_length_s,
        first_slot=first_slot,
        end_slot=end_slot,
        account=account,
    )


def _answer(
    claims: Claims, time_zone: str, granularity: Granularity, form: Form, carbon: Carbon | None
) -> CoverageOut | StreamingResponse:
    table = rows(claims, time_zone, granularity, carbon=carbon)
    if form is Form.CSV:
        return StreamingResponse(csv_lines(table), media_type="text/csv")
    return CoverageOut(time_zone=time_zone, granularity=granularity, rows=list(table))
