"""The client that is awaited."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import IO, Self, TypeVar

import httpx

from ledger.keys import Key
from node.client.calls import TIMEOUT_S, Awaiting, Call, Pause, Request
from node.client.following import EventAnswer, Following
from node.client.operations import Operations
from node.client.retrying import Attempts

_PIECE_BYTES = 2**16

T = TypeVar("T")


class AsyncWattbookClient(Operations, Awaiting):
    """What `WattbookClient` is, for programs that do many things at a time in one thread.

    Args:
        base_url: where the node's API is, e.g. `http://127.0.0.1:8000`.
        key: the member's key; without one, nothing can be signed.
        patience_s: how long to keep trying to reach the node, seconds.
        api_key: an API key that goes with every request, which a node with closed reads wants; what a method is
            given counts before it.
    """

    def __init__(
        self, base_url: str, key: Key | None = None, *, patience_s: float = 10.0, api_key: str | None = None
    ) -> None:
        super().__init__(base_url, key, api_key)
        self._http = httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT_S, headers=self._headers)
        self._patience_s = patience_s

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def events(
        self, account: bytes | None = None, *, after: int | None = None, api_key: str | None = None
    ) -> AsyncIterator[EventAnswer]:
        """As `WattbookClient.events`."""
        following = Following(await self._run(self._wanted(account, api_key)), after)
        attempts = Attempts(self.base_url, following.request(), self._patience_s)
        while True:
            try:
                async with self._http.stream(**following.request().arguments) as response:
                    if response.is_success:
                        async for line in response.aiter_lines():
                            attempts.succeeded()
                            event = following.take(line)
                            if event is not None:
                                yield event
                        pause_s = attempts.pause_after_end()
                    else:
                        await response.aread()
                        pause_s = attempts.pause_after_refusal(response)
            except httpx.TransportError as error:
                pause_s = attempts.pause_after_loss(error)
            await asyncio.sleep(pause_s)

    async def _run(self, call: Call[T]) -> T:
        response: httpx.Response | None = None
        while True:
            try:
                wanted = call.send(response)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(wanted, Pause):
                await asyncio.sleep(wanted.seconds)
                response = None
            else:
                response = await self._fetch(wanted)

    async def _fetch(self, request: Request) -> httpx.Response:
        attempts = Attempts(self.base_url, request, self._patience_s)
        sent = request.arguments
        if request.content is not None:
            sent["content"] = _pieces(request.content)
        while True:
            try:
                response = await self._http.request(**sent)
                pause_s = attempts.pause_after(response)
            except httpx.TransportError as error:
                pause_s = attempts.pause_after_loss(error)
            if pause_s is None:
                return response
            await asyncio.sleep(pause_s)


async def _pieces(content: IO[bytes]) -> AsyncIterator[bytes]:
    """A file as httpx wants it where nothing may block."""
    while piece := await asyncio.to_thread(content.read, _PIECE_BYTES):
        yield piece
