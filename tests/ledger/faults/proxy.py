"""A JSON-RPC proxy between the ledger and a real chain that treats messages as bad networks and providers do."""

import asyncio
import json
from collections import Counter
from random import Random
from typing import Any

import httpx
from starlette.types import Receive, Scope, Send

FAULTS = {
    "drop the request": 3,
    "drop the reply": 3,
    "never answer": 1,
    "answer too late": 1,
    "delay": 4,
    "duplicate": 5,
    "reorder": 4,
    "answer with another's reply": 3,
    "server error": 3,
    "garbage": 3,
    "internal error": 2,
}
"""Each kind of fault, with its weight."""

_GARBAGE = (
    b"",
    b"\xff\xfe\x00",
    b"<html>Bad gateway</html>",
    b"[]",
    b"null",
    b'{"jsonrpc": "2.0", "id"',
    b'"0x1"',
)
_SHORT_DELAY_S = 0.01


class FaultProxy:
    """An ASGI application that forwards each request to a chain, unless one of `FAULTS` strikes.

    Args:
        url: the chain's endpoint.
        seed: of the faults' order.
        timeout_s: what the client's patience is, to be outlasted by late answers.

    Attributes:
        fault_rate: the share of requests that something happens to; may be changed at any time.
        struck: how often each kind of fault happened.
    """

    def __init__(self, url: str, *, seed: int, fault_rate: float, timeout_s: float) -> None:
        self._url = url
        self._random = Random(seed)
        self.fault_rate = fault_rate
        self._timeout_s = timeout_s
        self._held: list[bytes] = []
        self._last_reply = b"{}"
        self._chain: httpx.AsyncClient | None = None
        self.struck: Counter[str] = Counter()

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        body = await _body(receive)
        fault = "none"
        if self._random.random() < self.fault_rate:
            fault = self._random.choices(list(FAULTS), weights=list(FAULTS.values()))[0]
        self.struck[fault] += 1
        status, reply = await self._treat(fault, body, receive)
        # What was held back arrives after a later message, and nobody waits for its answer any more.
        while self._held and self._random.random() < 0.5:
            await self._forward(self._held.pop(self._random.randrange(len(self._held))))
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": reply})

    async def _treat(self, fault: str, body: bytes, receive: Receive) -> tuple[int, bytes]:
        if fault in ("drop the request", "never answer", "reorder"):
            if fault == "reorder":
                self._held.append(body)
            elif fault == "never answer":
                await receive()  # until the client hangs up
            return 504, b"upstream timed out"
        if fault in ("server error", "garbage", "internal error") and self._random.random() < 0.5:
            return self._nonsense(fault, body)  # before the chain has heard of it; else after
        reply = await self._forward(body)
        earlier, self._last_reply = self._last_reply, reply
        if fault in ("server error", "garbage", "internal error"):
            return self._nonsense(fault, body)
        match fault:
            case "drop the reply":
                return 502, b"upstream hung up"
            case "answer too late":
                await asyncio.sleep(2 * self._timeout_s)
            case "delay":
                await asyncio.sleep(self._random.random() * _SHORT_DELAY_S)
            case "duplicate":
                again = await self._forward(body)
                reply = self._random.choice((reply, again))
            case "answer with another's reply":
                reply = earlier
        return 200, reply

    def _nonsense(self, fault: str, body: bytes) -> tuple[int, bytes]:
        if fault == "server error":
            return self._random.choice((500, 502, 503, 429)), b"<html>try again</html>"
        if fault == "garbage":
            return 200, self._random.choice(_GARBAGE)
        error: dict[str, Any] = {"code": -32603, "message": "internal error"}
        return 200, json.dumps({"jsonrpc": "2.0", "id": json.loads(body)["id"], "error": error}).encode()

    async def _forward(self, body: bytes) -> bytes:
        if self._chain is None:
            self._chain = httpx.AsyncClient(timeout=60)
        response = await self._chain.post(self._url, content=body, headers={"content-type": "application/json"})
        return response.content


async def _body(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body
