"""The API's description (OpenAPI), with every problem that a resource may answer with."""

from collections import defaultdict
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI

from node.problem_meanings import MEANINGS
from node.problems import MEDIA_TYPE, STATUS, Problem

_REQUESTED = ("request.evidence", "request.not_approved", "request.too_early", "request.unknown")

FAMILIES = {
    "approvals": ("approval.", "proposal.", "signature.", "slot.", "store.conflict"),
    "audits": ("audit.",),
    "balances": ("member.unknown",),
    "bills": ("bill.", "member.unknown"),
    "certificates": ("certificates.", "chain.reverted", "device.eecs_code", "device.unknown", *_REQUESTED),
    "chain": ("request.not_found",),
    "clock": ("clock.",),
    "coverage": ("coverage.",),
    "deposits": ("chain.reverted", "deposit.", "order.not_a_member"),
    "devices": ("chain.reverted", "device.", "evidence.key_malformed", "store.conflict"),
    "events": ("event.", "signature.", "request.unauthorized"),
    "members": ("chain.reverted", "member.", "store.conflict"),
    "orders": ("node.busy", "order.", "signature.", "store.conflict"),
    "readings": ("device.unknown", "evidence.", "file.", "ocmf.", "reading.", "store.conflict"),
    "requests": ("certificates.", "chain.reverted", *_REQUESTED),
    "slots": ("slot.",),
    "statements": ("certificates.", "coverage.", "statement."),
    "transactions": ("transaction.",),
}
"""By tag, what the codes begin with that its resources answer with, besides those that any may."""

ALWAYS = ("chain.unavailable", "internal.error", "request.too_many", "store.unavailable")
ON_WRITES = ("devchain.storage_failed", "node.not_claimed")
WATCHED = {"/health": (), "/ready": ("chain.unavailable", "node.late", "node.trouble", "store.unavailable")}
READABLE = ("approvals", "bills", "coverage", "events", "statements")
"""Tags whose reads compute something, and may be refused for more than that there is nothing."""

RETRIED = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_RETRY_AFTER = {"description": "When to come again, in seconds.", "schema": {"type": "integer", "minimum": 1}}

_METHODS = ("get", "post", "delete")
_PROBLEM = {
    "title": "Problem",
    "description": "What is wrong (RFC 9457). Programs go by `code`, which is stable; `detail` is for people.",
    "type": "object",
    "required": ["type", "title", "status", "detail", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "field": {"type": ["string", "null"], "description": "The field that is to blame, if one is."},
        "most_wh": {
            "type": "integer",
            "description": "The most energy that it could have been, Wh, if it was too much.",
        },
    },
}


class DescribedApp(FastAPI):
    """An application whose description tells of problems."""

    def openapi(self) -> dict[str, Any]:
        """The description; made once."""
        if self.openapi_schema is None:
            described = super().openapi()
            for path, operations in described["paths"].items():
                for method in _METHODS:
                    if method in operations:
                        _describe(path, method, operations[method])
            schemas = described.setdefault("components", {}).setdefault("schemas", {})
            # FastAPI's own form of a 422, which nobody is answered with.
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            schemas["Problem"] = _PROBLEM
        return super().openapi()


def codes_of(path: str, method: str, operation: dict[str, Any]) -> Iterator[str]:
    """The codes that an operation may answer with."""
    if path in WATCHED:
        yield from WATCHED[path]
        return
    yield from ALWAYS
    if method != "get":
        yield from ON_WRITES
    # Any query parameter that the route does not know is refused.
    if "422" in operation["responses"] or path.startswith("/v1/"):
        yield "request.invalid"
    if any(parameter["name"] == "X-API-Key" for parameter in operation.get("parameters", ())):
        yield from ("request.forbidden", "request.unauthorized")
    if "requestBody" in operation:
        yield "request.too_large"
    for tag in operation.get("tags", ()):
        for code, status in STATUS.items():
            is_answered = method != "get" or tag in READABLE or status is HTTPStatus.NOT_FOUND
            if is_answered and code.startswith(FAMILIES.get(tag, ())):
                yield code


def _describe(path: str, method: str, operation: dict[str, Any]) -> None:
    by_status = defaultdict(set)
    for code in codes_of(path, method, operation):
        by_status[int(Problem(code, "").status)].add(code)
    operation["responses"].pop("422", None)
    for status in sorted(by_status):
        operation["responses"][str(status)] = _response(sorted(by_status[status]))
        if status in RETRIED:
            operation["responses"][str(status)]["headers"] = {"Retry-After": _RETRY_AFTER}


def _response(codes: list[str]) -> dict[str, Any]:
    schema = {
        "allOf": [
            {"$ref": "#/components/schemas/Problem"},
            {"type": "object", "properties": {"code": {"type": "string", "enum": codes}}},
        ]
    }
    # A code that nobody has explained yet is no reason to have no description: a test tells of it.
    meanings = {code: MEANINGS.get(code, code) for code in codes}
    examples = {code: {"value": Problem(code, meaning).body()} for code, meaning in meanings.items()}
    text = "\n".join(f"- `{code}`: {meaning}" for code, meaning in meanings.items())
    return {"description": text, "content": {MEDIA_TYPE: {"schema": schema, "examples": examples}}}
