"""`/health` and `/ready`, for whoever watches over the process."""

from fastapi import APIRouter, Response
from pydantic import BaseModel

from node.api.errors import response
from node.api.services import Parts
from node.problems import Problem
from node.readiness import Readiness

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """`status` is `ok`; anything else is a problem. `concerns` need a person's attention, and stop nothing."""

    status: str = "ok"
    concerns: list[str] = []


class Ready(Health):
    """`claimed_by` names the node that moves slots on; None while none does. All nodes take orders."""

    claimed_by: str | None
    is_ours: bool


@router.get("/health")
def health(parts: Parts) -> Health:
    """The process answers."""
    return Health(concerns=list(parts.lifecycle.concerns))


@router.get("/ready", response_model=Ready)
def ready(parts: Parts) -> Ready | Response:
    """The store takes writes, the chain answers and slots move on; otherwise a problem with all its `reasons`."""
    readiness = Readiness(
        store=parts.store,
        market=parts.market,
        clock=parts.clock,
        accounts=parts.accounts,
        market_state=parts.market_state,
        lifecycle=parts.lifecycle,
        approvals=parts.approvals,
    )
    reasons = readiness.reasons()
    if reasons:
        texts = [reason.text for reason in reasons]
        return response(Problem(reasons[0].code, "; ".join(texts), {"reasons": texts}))
    claim = parts.claim
    return Ready(concerns=readiness.concerns(), claimed_by=claim.holder(), is_ours=claim.is_held())
