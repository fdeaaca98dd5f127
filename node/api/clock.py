"""`/v1/clock`: the market's time, and its next step where time goes by hand."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from matching.orders import MAX_TIME
from node.api.market import ClockOut
from node.api.operator import OPERATOR
from node.api.services import Parts
from node.api.slots import SlotOut, shown_slots
from node.clock import SteppedClock
from node.problems import RequestError

router = APIRouter(prefix="/clock", tags=["clock"])


class ClockStep(BaseModel):
    """The second to move on to."""

    model_config = ConfigDict(extra="forbid", strict=True)

    now: Annotated[int, Field(ge=0, le=MAX_TIME)]


class ClockMoved(ClockOut):
    """The time, and the slots that moved."""

    slots: list[SlotOut]


@router.get("")
def read_clock(parts: Parts) -> ClockOut:
    """The market's time."""
    return ClockOut(mode=parts.clock.mode, now=parts.clock.now())


@router.post("", dependencies=[OPERATOR])
def advance_clock(step: ClockStep, parts: Parts) -> ClockMoved:
    """Move a stepped clock on and do everything that is due then; the operator's API key is needed."""
    if not isinstance(parts.clock, SteppedClock):
        raise RequestError(f"clock is {parts.clock.mode}: moves on by itself", code="clock.not_stepped")
    parts.clock.advance_to(step.now)
    moved = parts.lifecycle.advance()
    return ClockMoved(mode=parts.clock.mode, now=parts.clock.now(), slots=shown_slots(parts, list(moved)))
