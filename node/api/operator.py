"""What needs an API key: acting for a party, and reading where reads are closed."""

import secrets
from typing import Annotated

from fastapi import Depends, Header, Request

from node.api.services import Parts, Services
from node.api_keys import ALL_SCOPES, Scope
from node.problems import RequestError

SCOPES = (
    ("/v1/certificates", Scope.ISSUER),
    ("/v1/requests", Scope.ISSUER),
    ("/v1/readings", Scope.METER),
)
"""Which scope opens the guarded routes below a path; the operator's opens all others."""

_Token = Annotated[str, Header(alias="X-API-Key")]


def scope_needed(path: str) -> Scope:
    """The scope that a key needs for a guarded route."""
    for below, scope in SCOPES:
        if path == below or path.startswith(f"{below}/"):
            return scope
    return Scope.OPERATOR


async def _require_party(request: Request, parts: Parts, x_api_key: _Token = "") -> None:
    found, needed = scopes_of(parts, x_api_key), scope_needed(request.url.path)
    if not found:
        raise RequestError(
            "header 'X-API-Key' must be the operator's key, or one that was made for this",
            code="request.unauthorized",
        )
    if needed not in found:
        raise RequestError(
            f"the API key's scope is {', '.join(sorted(found))}: must have {needed}", code="request.forbidden"
        )


async def require_reader(request: Request, parts: Parts, x_api_key: _Token = "") -> None:
    """Refuse reads without an API key, of whatever scope.

    Raises:
        RequestError: there is none.
    """
    if request.method in ("GET", "HEAD") and not scopes_of(parts, x_api_key):
        raise RequestError("header 'X-API-Key' must be a key: reads are closed here", code="request.unauthorized")


def scopes_of(parts: Services, token: str) -> frozenset[Scope]:
    """What an API key opens; nothing, if it is none."""
    if secrets.compare_digest(token.encode(), parts.operator_api_key.encode()):
        return ALL_SCOPES
    return parts.api_keys.scopes(token)


OPERATOR = Depends(_require_party)
