"""Requests to an ASGI application in this process, without a server."""

import asyncio
from typing import Any

import httpx
from starlette.types import ASGIApp


class Client:
    """As `httpx.Client`, as far as the tests need it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def request(self, method: str, **options: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://chain") as client:
                return await client.request(method, "/", **options)

        return asyncio.run(send())

    def post(self, **options: Any) -> httpx.Response:
        return self.request("POST", **options)
