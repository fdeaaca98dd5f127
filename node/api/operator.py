"""What only the operator may do: its API key."""

import secrets
from typing import Annotated

from fastapi import Depends, Header

from node.api.services import Parts
from node.problems import RequestError


async def _require_operator(parts: Parts, x_api_key: Annotated[str, Header()] = "") -> None:
    if not secrets.compare_digest(x_api_key.encode(), parts.operator_api_key.encode()):
        raise RequestError("header 'X-API-Key' must be the operator's key", code="request.unauthorized")


OPERATOR = Depends(_require_operator)
