"""Tells Prometheus and the log of every request."""

import json
import re
import time
from collections.abc import Sequence
from contextlib import nullcontext
from http import HTTPStatus

import structlog
from fastapi import APIRouter, FastAPI
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node.metrics import MEDIA_TYPE, Metrics

_ORDERS = "/v1/orders"
_STREAM = "/v1/events"
# Asked for every few seconds.
_UNTOLD = ("/health", "/ready", "/metrics")
_NAMED = ("order_hash", "slot", "account", "device")
_HASH = re.compile(rb'"hash": ?"(0x[0-9a-f]{64})"')
# What of an answer is kept, to find the code or the order in it.
_KEPT_BYTES = 2**14

log = structlog.get_logger(__name__)


class Measuring:
    """ASGI middleware: how long each request took and, of orders, what became of them; logged too if wished."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, is_logged: bool) -> None:
        self._app = app
        self._metrics = metrics
        self._is_logged = is_logged

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, kept, began = 500, bytearray(), time.monotonic()

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])  # an enumeration's member reads otherwise in a log
            elif len(kept) < _KEPT_BYTES:
                kept.extend(message.get("body", b"")[:_KEPT_BYTES])
            await send(message)

        is_stream = scope["path"] == _STREAM and scope["method"] == "GET"
        try:
            with self._metrics.event_stream() if is_stream else nullcontext():
                await self._app(scope, receive, watched)
        finally:
            self._tell(scope, status, bytes(kept), time.monotonic() - began)

    def _tell(self, scope: Scope, status: int, body: bytes, seconds: float) -> None:
        route = route_of(scope)
        if route != _STREAM or status != HTTPStatus.OK:  # streams last for as long as their readers wish
            self._metrics.request(scope["method"], route, status, seconds)
        about = {name: _shown(value) for name, value in scope.get("path_params", {}).items() if name in _NAMED}
        code = None if status < 400 else _code(body)
        if (scope["method"], route) == ("POST", _ORDERS):
            self._count(scope.get("state", {}).get("placed", ()))
            if code is not None:
                self._metrics.order_refused(code)
            elif (found := _HASH.search(body)) is not None:
                self._metrics.order_accepted()
                about["order_hash"] = found[1].decode()
        if self._is_logged and route not in _UNTOLD:
            if code is not None:
                about["code"] = code
            milliseconds = round(seconds * 1_000, 1)
            log.info("request", method=scope["method"], route=route, status=status, ms=milliseconds, **about)

    def _count(self, outcomes: Sequence[str | None]) -> None:
        """What became of a list's orders: each one's code if it was refused."""
        for code in outcomes:
            if code is None:
                self._metrics.order_accepted()
            else:
                self._metrics.order_refused(code)


def _shown(value: object) -> object:
    return f"0x{value.hex()}" if isinstance(value, bytes) else value


def route_of(scope: Scope) -> str:
    """The path with its parameters unfilled, so that there are only so many; `none` if it leads nowhere."""
    path = getattr(scope.get("route"), "path", None)
    if not isinstance(path, str):
        return "none"
    # What a router was included under is not in its routes' paths.
    asked, own = scope["path"].strip("/").split("/"), path.strip("/").split("/")
    return "/" + "/".join([*asked[: max(0, len(asked) - len(own))], *own])


def _code(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return "unknown"
    return str(found.get("code", "unknown")) if isinstance(found, dict) else "unknown"


def metrics_router(metrics: Metrics) -> APIRouter:
    """`/metrics`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    def read_metrics() -> Response:
        return Response(metrics.text(), media_type=MEDIA_TYPE)

    return router


def metrics_app(metrics: Metrics) -> FastAPI:
    """`/metrics` alone, for a port of its own that the world does not reach."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(metrics_router(metrics))
    return app
