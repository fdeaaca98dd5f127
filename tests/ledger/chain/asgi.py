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


class Caller:
    """Calls one method at a time."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def post(self, message: Any) -> Any:
        return self._client.post(json=message).json()

    def __call__(self, method: str, *params: Any) -> Any:
        answer = self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method: str, *params: Any) -> Any:
        answer = self.post({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)})
        assert "result" not in answer, answer
        return answer["error"]
