"""Answers that can no longer change: they carry an `ETag`, and need not be sent again to whoever has them."""

from hashlib import sha256
from typing import Annotated, Any

from fastapi import Header, Request, Response
from pydantic import BaseModel

from node.api.services import Services
from node.store.records import SlotState

FRESH_S = 3_600
"""How long a final answer is used without asking again.

Not forever, because a development market that begins anew has the same slots at the same address.
"""

IfNoneMatch = Annotated[
    str | None, Header(description="The `ETag` of an answer that one has; it is not sent again if it still holds.")
]

LASTING_RESPONSES: dict[int | str, dict[str, Any]] = {
    304: {"description": "The answer that one has, by `If-None-Match`, still holds."}
}
"""What a route whose answers may be final says of that."""


def lasting(request: Request, answer: BaseModel, *, is_final: bool) -> Response:
    """The answer as JSON; if it is final, with an `ETag`, or 304 to whoever names that.

    Whoever shows an API key may see what others may not, so that answer is for nobody else's cache.
    """
    return lasting_content(request, answer.model_dump_json().encode(), "application/json", is_final=is_final)


def lasting_content(
    request: Request, content: bytes, media_type: str, *, is_final: bool, headers: dict[str, str] | None = None
) -> Response:
    """See `lasting`; for content of any type."""
    if not is_final:
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache", **(headers or {})})
    tag = f'"{sha256(content).hexdigest()[:32]}"'
    audience = "private" if "x-api-key" in request.headers else "public"
    lasts = {"ETag": tag, "Cache-Control": f"{audience}, max-age={FRESH_S}", "Vary": "Accept, X-API-Key"}
    if _names(request.headers.get("if-none-match", ""), tag):
        return Response(status_code=304, headers=lasts)
    return Response(content, media_type=media_type, headers={**lasts, **(headers or {})})


def is_slot_final(parts: Services, slot: int) -> bool:
    """Whether nothing of a slot can change: it is certified, and no re-organisation can take back a step of it."""
    record = parts.store.slot(slot)
    if record is None or record.state is not SlotState.CERTIFIED:
        return False
    return all(intent.is_final for intent in parts.store.intents(slot))


def _names(header: str, tag: str) -> bool:
    """Whether a header `If-None-Match` names a tag; weak ones do just as well (RFC 9110, 13.1.2)."""
    named = [each.strip().removeprefix("W/") for each in header.split(",")]
    return "*" in named or tag in named
