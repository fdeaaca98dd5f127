"""Refuses request bodies that are too large, before anything reads them."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from node.api.errors import response
from node.problems import Problem, RequestError

MAX_BODY_BYTES = 2**20

STREAMED = "/v1/readings/import"
"""Files of readings are taken as they come, and may be larger."""

MAX_STREAMED_BYTES = 2**28


class BodyLimit:
    """ASGI middleware: takes the body in, up to the limit, and passes it on."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == STREAMED:
            await self._app(scope, _counted(receive), send)
            return
        messages: list[Message] = []
        size = 0
        while not messages or messages[-1].get("more_body", False):
            messages.append(await receive())
            size += len(messages[-1].get("body", b""))
            if size > MAX_BODY_BYTES:
                refusal = Problem("request.too_large", f"body must have at most {MAX_BODY_BYTES} bytes")
                await response(refusal)(scope, receive, send)
                return
        await self._app(scope, _replay(messages, receive), send)


def _counted(receive: Receive) -> Receive:
    size = 0

    async def next_message() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > MAX_STREAMED_BYTES:
            raise RequestError(f"file must have at most {MAX_STREAMED_BYTES} bytes", code="request.too_large")
        return message

    return next_message


def _replay(messages: Sequence[Message], receive: Receive) -> Receive:
    left = iter(messages)

    async def next_message() -> Message:
        for message in left:
            return message
        return await receive()

    return next_message
