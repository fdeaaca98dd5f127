"""`/v1/audits`: the node's own audits of the chain; `wattbook audit` is everybody's."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from ledger.audit.run import AuditReport, SlotConsumer, audit
from node.api.operator import OPERATOR
from node.api.paging import Cursor, Limit, Page, cut, integers
from node.api.services import Parts, Services
from node.audits import AuditRecord, Audits, AuditState

router = APIRouter(prefix="/audits", tags=["audits"])

MAX_FINDINGS = 1_000


class FindingOut(BaseModel):
    """A rule that the history breaks, and where; see `docs/audit.md`."""

    rule: str
    where: str
    expected: str
    found: str


class TotalsOut(BaseModel):
    """What the history came to."""

    slots: int
    filled_orders: int
    trades: int
    traded_wh: int
    issued_wh: int
    retired_wh: int


class ReportOut(BaseModel):
    """What an audit looked at, and the first 1,000 of its findings."""

    first_block: int
    last_block: int
    checks: int
    totals: TotalsOut
    notes: list[str]
    finding_count: int
    findings: list[FindingOut]


class AuditOut(BaseModel):
    """An audit of the chain; `report` is null until it is done, `failure` says why it could not be."""

    number: int
    requested_at: int
    state: AuditState
    report: ReportOut | None
    failure: str | None


async def _audits(request: Request) -> Audits:
    audits: Audits = request.app.state.audits
    return audits


All = Annotated[Audits, Depends(_audits)]


@asynccontextmanager
async def auditing(app: FastAPI) -> AsyncIterator[None]:
    """An application's lifespan: audits that run when it ends are stopped."""
    app.state.audits = Audits()
    yield
    await run_in_threadpool(app.state.audits.close)


@router.post("", status_code=202, dependencies=[OPERATOR])
def start_audit(parts: Parts, audits: All, response: Response) -> AuditOut:
    """Re-verify the whole chain; the operator's API key is needed. While an audit runs, it is that one."""
    record = audits.start(partial(_run, parts), parts.clock.now())
    response.headers["Location"] = f"/v1/audits/{record.number}"
    return _out(record)


@router.get("")
def list_audits(audits: All, *, limit: Limit = 20, cursor: Cursor = None) -> Page[AuditOut]:
    """Audits, the latest first; a node that starts forgets those it made before."""
    after = integers(cursor, 1)
    found = [each for each in audits.records() if after is None or each.number < after[0]]
    page, following = cut(found[: limit + 1], limit, lambda each: (each.number,))
    return Page(items=[_out(record) for record in page], next=following)


@router.get("/{number}")
def read_audit(number: Annotated[int, Field(ge=1)], audits: All) -> AuditOut:
    """One audit."""
    return _out(audits.record(number))


def _run(parts: Services, on_settled: SlotConsumer) -> AuditReport:
    chain = parts.certificates.contracts.exchange.chain
    return audit(chain, parts.addresses.exchange, on_settled=on_settled)


def _out(record: AuditRecord) -> AuditOut:
    return AuditOut(
        number=record.number,
        requested_at=record.requested_at,
        state=record.state,
        report=None if record.report is None else _report(record.report),
        failure=record.failure,
    )


def _report(report: AuditReport) -> ReportOut:
    totals = {name: getattr(report.totals, name) for name in TotalsOut.model_fields}
    return ReportOut(
        first_block=report.first_block,
        last_block=report.last_block,
        checks=report.checks,
        totals=TotalsOut(**totals),
        notes=list(report.notes),
        finding_count=len(report.findings),
        findings=[
            FindingOut(rule=each.rule, where=each.where, expected=each.expected, found=each.found)
            for each in report.findings[:MAX_FINDINGS]
        ],
    )
