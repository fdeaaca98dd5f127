"""`/v1/deposits`: money that has arrived at the treasurer goes into a member's escrow."""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from node.api.fields import Address
from node.api.operator import OPERATOR
from node.api.services import Parts

router = APIRouter(prefix="/deposits", tags=["deposits"])


class DepositFields(BaseModel):
    """A payment; `amount` is a decimal string of nano-credits, `reference` names it, e.g. the bank's."""

    model_config = ConfigDict(extra="forbid", strict=True)

    account: Address
    amount: Annotated[str, Field(pattern=r"^[1-9][0-9]{0,17}$")]
    reference: str = Field(min_length=1, max_length=50)


@router.post("", dependencies=[OPERATOR])
def enter_deposit(fields: DepositFields, parts: Parts) -> DepositFields:
    """Put a payment into escrow; the operator's API key is needed. Each reference is taken once."""
    parts.onboarding.deposit(fields.account, int(fields.amount), fields.reference)
    return fields
