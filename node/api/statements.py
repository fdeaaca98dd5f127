"""`/v1/statements`: signed statements of retirements and disclosures; `/verify`: what one is worth, as a page."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, ConfigDict, Field

from ledger.statements.building import Words
from ledger.statements.codec import to_plain
from ledger.statements.export import to_csv
from ledger.statements.model import Kind, Scope
from ledger.statements.page import CONTENT_SECURITY_POLICY, to_html
from ledger.statements.pdf import to_pdf
from ledger.statements.signing import SignedStatement
from node.api.caching import LASTING_RESPONSES, IfNoneMatch, lasting, lasting_content
from node.api.fields import Address, Hash, Slot
from node.api.paging import Limit, Page
from node.api.services import Parts

router = APIRouter(prefix="/statements", tags=["statements"])
pages = APIRouter(tags=["statements"])

MAX_TEXTS = 1_000


class StatementForm(StrEnum):
    """How a statement is written: the signed JSON (JWS), a PDF with it attached, its lines, or its fields."""

    JWS = "jws"
    PDF = "pdf"
    CSV = "csv"
    JSON = "json"


_MEDIA = {
    StatementForm.JWS: "application/jose",
    StatementForm.PDF: "application/pdf",
    StatementForm.CSV: "text/csv",
    StatementForm.JSON: "application/json",
}


_FORM_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"content": {media: {"schema": {"type": "string"}} for media in _MEDIA.values() if "json" not in media}}
}


class RevealedText(BaseModel):
    """A retirement's private text and its salt, which its holder reveals."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str
    salt: Hash


class StatementFields(BaseModel):
    """What to state: of an account, or without one of the community.

    `transactions` chooses retirements; none: all. `factors` are a disclosure's, such as NL/2023.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Annotated[Kind, Field(strict=False)]
    account: Address | None = None
    first_slot: Slot
    end_slot: Slot
    time_zone: str = "UTC"
    transactions: list[Hash] = []
    factors: str | None = None
    texts: list[RevealedText] = Field(default=[], max_length=MAX_TEXTS)


class StatementOut(BaseModel):
    """A statement; `digest` is its id, `statement` its fields as `docs/statements.md` describes them."""

    digest: Hash
    made_at: int
    verify: str
    statement: dict[str, Any]


@router.post("")
def make_statement(fields: StatementFields, parts: Parts, response: Response) -> StatementOut:
    """Make and sign a statement from the chain, as of now."""
    scope = Scope(
        account=fields.account,
        market=parts.market.id if fields.account is None else None,
        first_slot=fields.first_slot,
        end_slot=fields.end_slot,
        time_zone=fields.time_zone,
        transactions=tuple(sorted(set(fields.transactions))),
        factors=fields.factors,
    )
    signed = parts.stating.make(fields.kind, scope, [Words(each.text, each.salt) for each in fields.texts])
    response.headers["Location"] = f"/v1/statements/0x{signed.digest.hex()}"
    return _out(parts, signed)


@router.get("")
def list_statements(
    parts: Parts,
    *,
    limit: Limit = 100,
    cursor: Annotated[Slot | None, Query(description="The `next` of the page before.")] = None,
) -> Page[StatementOut]:
    """Statements, the latest first."""
    rows = parts.store.statements(before=cursor, limit=limit + 1)
    following = str(rows[limit - 1].number) if len(rows) > limit else None
    return Page(items=[_out(parts, parts.stating.statement(row.digest)) for row in rows[:limit]], next=following)


@router.get("/{digest}", response_model=StatementOut, responses=_FORM_RESPONSES | LASTING_RESPONSES)
def read_statement(
    digest: Hash,
    parts: Parts,
    request: Request,
    *,
    form: Annotated[StatementForm | None, Query(alias="format")] = None,
    accept: Annotated[str, Header()] = "",
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One statement, in the form that was asked for, by `format` or by the header `Accept`; it never changes."""
    signed = parts.stating.statement(digest)
    wanted = form or next((each for each, media in _MEDIA.items() if media in accept), StatementForm.JSON)
    if wanted is StatementForm.JSON:
        return lasting(request, _out(parts, signed), is_final=True)
    content: bytes | str = signed.token
    if wanted is StatementForm.PDF:
        content = to_pdf(signed)
    elif wanted is StatementForm.CSV:
        content = to_csv(signed.statement)
    name = f"statement-{signed.digest.hex()[:16]}.{wanted.value}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    data = content if isinstance(content, bytes) else content.encode()
    return lasting_content(request, data, _MEDIA[wanted], is_final=True, headers=headers)


@pages.get("/verify/{digest}", response_class=HTMLResponse)
def verification_page(digest: Hash, parts: Parts) -> HTMLResponse:
    """What a statement that was made here is worth now, as a page."""
    verdict = parts.stating.verify(digest)
    return HTMLResponse(to_html(verdict), headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


def _out(parts: Parts, signed: SignedStatement) -> StatementOut:
    record = parts.store.statement(signed.digest)
    assert record is not None  # noqa: S101 - it was kept when it was made
    return StatementOut(
        digest=signed.digest,
        made_at=record.made_at,
        verify=f"/verify/0x{signed.digest.hex()}",
        statement=to_plain(signed.statement),
    )
