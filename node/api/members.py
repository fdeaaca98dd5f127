"""`/v1/members`: who takes part."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from node.api.fields import Address
from node.api.operator import OPERATOR
from node.api.paging import MAX_LIMIT, Cursor, Limit, Page, cut, name_and_account
from node.api.services import Parts, Services
from node.problems import RequestError
from node.store.records import MemberRecord

router = APIRouter(prefix="/members", tags=["members"])


class MemberFields(BaseModel):
    """A member's account and name."""

    model_config = ConfigDict(extra="forbid", strict=True)

    account: Address
    name: str = Field(min_length=1, max_length=100)


@router.get("")
def list_members(
    parts: Parts, *, account: Address | None = None, limit: Limit = MAX_LIMIT, cursor: Cursor = None
) -> Page[MemberFields]:
    """Members, by name; `account` selects one."""
    after = name_and_account(cursor)
    found = [
        member
        for member in sorted(parts.store.members(), key=_place)
        if account in (None, member.account) and (after is None or _place(member) > after)
    ]
    page, following = cut(found[: limit + 1], limit, lambda each: (each.name, f"0x{each.account.hex()}"))
    return Page(items=[_out(member) for member in page], next=following)


@router.get("/{account}")
def read_member(account: Address, parts: Parts) -> MemberFields:
    """One member."""
    return _out(require_member(parts, account))


def require_member(parts: Services, account: bytes) -> MemberRecord:
    """The member of this account.

    Raises:
        RequestError: there is none.
    """
    member = parts.store.member(account)
    if member is None:
        raise RequestError(f"0x{account.hex()} is not a member", code="member.unknown")
    return member


@router.post("", dependencies=[OPERATOR])
def register_member(fields: MemberFields, parts: Parts) -> MemberFields:
    """Make an account a member; the operator's API key is needed. Repeating it changes nothing."""
    return _out(parts.onboarding.register_member(fields.account, fields.name))


def _out(member: MemberRecord) -> MemberFields:
    return MemberFields(account=member.account, name=member.name)


def _place(member: MemberRecord) -> tuple[str, bytes]:
    return member.name, member.account
