"""Serving an application on an address of this machine, with the port taken before anything else is done."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from ledger.devchain.errors import CannotListenError

MAX_PORT = 65_535
_BACKLOG = 2_048
_GRACE_S = 5
"""How long requests under way may take once the server is to end."""


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """Take an address; port 0 is any that is free.

    Raises:
        CannotListenError: the port is no port, in use or reserved, or the host is not this machine's.
    """
    if not 0 <= port <= MAX_PORT:
        raise CannotListenError(f"port is {port}: must be 0 to {MAX_PORT}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named TCP, or else asyncio leaves Nagle's algorithm on, which holds answers back.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        # So that a server can be started again at once.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(_BACKLOG)
        except OSError as error:
            raise CannotListenError(f"cannot listen on {host}:{port}: {error.strerror}") from error
        yield listener


def address_of(listener: socket.socket) -> str:
    """Host and port, as a URL has them."""
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if listener.family == socket.AF_INET6 else f"{host}:{port}"


@contextmanager
def serving(app: ASGIApp, listener: socket.socket) -> Iterator[None]:
    """Serve in a thread until the block is left; requests under way are answered first."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", timeout_graceful_shutdown=_GRACE_S
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), name="chain server")
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()
