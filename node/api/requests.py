"""`/v1/requests`: what owners asked to be certified, and what the issuer decided."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from ledger.certificates.records import Request
from node.api.certificate_out import point_out
from node.api.fields import DeviceNumber, Hash, Uint64
from node.api.onchain import OnChain
from node.api.operator import OPERATOR
from node.api.paging import Cursor, Limit, Page, cut, integers
from node.api.services import Parts
from node.problems import RequestError

router = APIRouter(prefix="/requests", tags=["requests"])


class DecisionFields(BaseModel):
    """Whether a request is approved; a refusal needs a reason."""

    model_config = ConfigDict(extra="forbid", strict=True)

    approved: bool
    reason: str = ""


class DecisionOut(BaseModel):
    """What the issuer decided, for good."""

    approved: bool
    reason: str
    at: OnChain


class RequestOut(BaseModel):
    """What a device's owner asked for; `decision` is null until it is decided."""

    number: int
    device: Uint64
    first_slot: int
    last_slot: int
    evidence: Hash
    at: OnChain
    decision: DecisionOut | None


@router.get("")
def list_requests(
    parts: Parts,
    *,
    device: DeviceNumber | None = None,
    open_only: bool = False,
    limit: Limit = 100,
    cursor: Cursor = None,
) -> Page[RequestOut]:
    """Requests, the latest first; `open_only` leaves out those that are decided."""
    after = integers(cursor, 1)
    with parts.certificates.history() as history:
        found = [
            request
            for number, request in sorted(history.requests.items(), reverse=True)
            if (after is None or number < after[0])
            and (device is None or request.device == device)
            and not (open_only and request.decision is not None)
        ]
    page, following = cut(found[: limit + 1], limit, lambda request: (request.number,))
    return Page(items=[_out(request) for request in page], next=following)


@router.get("/{number}")
def read_request(number: int, parts: Parts) -> RequestOut:
    """One request."""
    with parts.certificates.history() as history:
        request = history.requests.get(number)
    if request is None:
        raise RequestError(f"there is no request {number}", code="request.unknown")
    return _out(request)


@router.post("/{number}/decision", dependencies=[OPERATOR])
def decide(number: int, fields: DecisionFields, parts: Parts) -> RequestOut:
    """Approve or refuse a request, for good; the operator's API key is needed.

    What is approved the node issues in its next step, or as soon as it can.
    """
    parts.issuing.decide(number, approved=fields.approved, reason=fields.reason)
    return read_request(number, parts)


def _out(request: Request) -> RequestOut:
    decision = request.decision
    return RequestOut(
        number=request.number,
        device=request.device,
        first_slot=request.first_slot,
        last_slot=request.last_slot,
        evidence=request.evidence,
        at=point_out(request.made),
        decision=None
        if decision is None
        else DecisionOut(approved=decision.approved, reason=decision.reason, at=point_out(decision.point)),
    )
