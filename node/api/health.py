"""`/health` and `/ready`, for whoever watches over the process."""

from fastapi import APIRouter
from pydantic import BaseModel

from node.api.services import Parts
from node.problems import RequestError

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """`status` is `ok`; anything else is a problem. `concerns` need a person's attention, and stop nothing."""

    status: str = "ok"
    concerns: list[str] = []


@router.get("/health")
def health(parts: Parts) -> Health:
    """The process answers."""
    return Health(concerns=list(parts.lifecycle.concerns))


@router.get("/ready")
def ready(parts: Parts) -> Health:
    """Store and chain answer too, and slots move on; otherwise a problem."""
    if parts.lifecycle.trouble is not None:
        raise RequestError(f"slots do not move on: {parts.lifecycle.trouble}", code="node.trouble")
    parts.store.latest_slot()
    parts.accounts.state(parts.market.operator)
    return Health()
