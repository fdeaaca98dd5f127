"""Serving ASGI applications on this machine, each under its own path, for as long as a test needs them."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    host, url = _running_host()
    path = host.add(app)
    try:
        yield url + path
    finally:
        host.remove(path)


class _Host:
    """An application of applications, each of which believes to be at the root."""

    def __init__(self) -> None:
        self._apps: dict[str, ASGIApp] = {}
        self._numbers = count()

    def add(self, app: ASGIApp) -> str:
        path = f"/{next(self._numbers)}"
        self._apps[path] = app
        return path

    def remove(self, path: str) -> None:
        del self._apps[path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._apps[scope["path"]]({**scope, "path": "/"}, receive, send)


@cache
def _running_host() -> tuple[_Host, str]:
    """One server for all tests: starting and stopping one takes longer than most tests do."""
    host = _Host()
    config = uvicorn.Config(host, host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    address, port = server.servers[0].sockets[0].getsockname()
    return host, f"http://{address}:{port}"
