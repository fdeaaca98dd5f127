"""`/v1/members`: who takes part."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from node.api.fields import Address
from node.api.operator import OPERATOR
from node.api.services import Parts

router = APIRouter(prefix="/members", tags=["members"])


class MemberFields(BaseModel):
    """A member's account and name."""

    model_config = ConfigDict(extra="forbid", strict=True)

    account: Address
    name: str = Field(min_length=1, max_length=100)


class Members(BaseModel):
    """All members, by name."""

    items: list[MemberFields]


@router.get("")
def list_members(parts: Parts) -> Members:
    """All members."""
    return Members(
        items=[MemberFields(account=member.account, name=member.name) for member in parts.store.members()]
    )


@router.post("", dependencies=[OPERATOR])
def register_member(fields: MemberFields, parts: Parts) -> MemberFields:
    """Make an account a member; the operator's API key is needed. Repeating it changes nothing."""
    member = parts.onboarding.register_member(fields.account, fields.name)
    return MemberFields(account=member.account, name=member.name)
