"""Every error as problem+json."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from matching.errors import WattbookError
from node.problems import MEDIA_TYPE, Problem, problem

RETRY_AFTER_S = 5
"""When to ask a node again that lacks its chain or its store, unless the error knows better."""

_log = logging.getLogger(__name__)

_ROUTING = {404: "request.not_found", 405: "request.method"}


def install(app: FastAPI) -> None:
    """Make the app answer every error with a problem."""
    app.add_exception_handler(WattbookError, _refused)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _misrouted)
    app.add_exception_handler(Exception, _failed)


def response(found: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """A problem as a response; whatever passes by itself says when to come again."""
    if found.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers = {"Retry-After": str(RETRY_AFTER_S), **(headers or {})}
    return JSONResponse(found.body(), status_code=found.status, media_type=MEDIA_TYPE, headers=headers)


def refusal(error: WattbookError) -> JSONResponse:
    """The response to a request that ended in an error of ours."""
    retry_after_s = getattr(error, "retry_after_s", None)
    headers = None if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    return response(problem(error), headers)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, WattbookError)  # noqa: S101 -- it is registered for this class
    found = problem(error)
    if found.status >= 500:
        _log.error("request failed: %s: %s", error.code, error)
    return refusal(error)


async def _malformed(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101 -- it is registered for this class
    return response(malformed([(each["loc"][1:], each["msg"]) for each in error.errors()]))


def malformed(errors: Sequence[tuple[Sequence[object], str]]) -> Problem:
    """The problem of fields that are not as described: where each is, and what is wrong with it."""
    # The library's own prefix says nothing to the caller.
    listed = [
        {"field": ".".join(str(part) for part in place), "message": text.removeprefix("Value error, ")}
        for place, text in errors
    ]
    first = listed[0]
    detail = f"field '{first['field']}': {first['message']}" if first["field"] else first["message"]
    return Problem("request.invalid", detail, {"field": first["field"] or None, "errors": listed})


async def _misrouted(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101 -- it is registered for this class
    code = _ROUTING.get(error.status_code, "request.invalid")
    return response(Problem(code, f"{request.method} {request.url.path}: {error.detail}"))


async def _failed(request: Request, error: Exception) -> JSONResponse:
    _log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return response(Problem("internal.error", "something went wrong here; the log says what"))
