"""Serving an application in a thread.

The port is taken first, and nobody's word for where a request came from counts but a trusted proxy's.
"""

import logging
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from ledger.devchain.rpc.server import listening
from matching.errors import WattbookError

_POLL_S = 0.01
_GRACE_S = 5
"""How long requests under way may take once the server is to end."""


class TlsError(WattbookError):
    """A certificate or its key cannot be used."""

    code = "node.tls"


class ServerError(WattbookError):
    """A server did not start."""

    code = "node.server"


@dataclass(frozen=True, slots=True)
class Front:
    """How a server meets its clients.

    Attributes:
        certificate, key: PEM files, the certificate with its chain; None for plain HTTP.
        proxies: addresses or networks of proxies whose `X-Forwarded-For` and `-Proto` count; none by default.
    """

    certificate: Path | None = None
    key: Path | None = None
    proxies: tuple[str, ...] = ()

    @property
    def scheme(self) -> str:
        """`https` if there is a certificate."""
        return "http" if self.certificate is None else "https"


@contextmanager
def running_server(app: ASGIApp, host: str, port: int, front: Front | None = None) -> Iterator[None]:
    """Serve an application until the block is left; requests under way are answered first.

    Raises:
        CannotListenError: the port is in use, or the host is not this machine's.
        TlsError: the certificate or its key cannot be used.
    """
    settings = front or Front()
    require_usable(settings)
    with listening(host, port) as listener:
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level=logging.WARNING,
                access_log=False,
                proxy_headers=bool(settings.proxies),
                forwarded_allow_ips=list(settings.proxies),
                ssl_certfile=settings.certificate,
                ssl_keyfile=settings.key,
                timeout_graceful_shutdown=_GRACE_S,
            )
        )
        thread = threading.Thread(target=server.run, args=([listener],), name=f"server:{port}")
        thread.start()
        try:
            while not server.started:
                if not thread.is_alive():
                    raise ServerError(f"cannot serve on {host}:{port}: the log says why")
                thread.join(_POLL_S)
            yield
        finally:
            server.should_exit = True
            thread.join()


def require_free(host: str, *ports: int) -> None:
    """Refuse ports that are in use, before anything else is done.

    Raises:
        CannotListenError: one is, or the host is not this machine's.
    """
    for port in ports:
        with listening(host, port):
            pass


def require_usable(front: Front) -> None:
    """Refuse a certificate that does not load, or is not its key's.

    Raises:
        TlsError: that is so.
    """
    if (front.certificate is None) != (front.key is None):
        raise TlsError("a certificate needs its key, and a key its certificate: give both")
    if front.certificate is None:
        return
    try:
        # A password would be asked for at the terminal: refuse instead.
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(front.certificate, front.key, password=lambda: b"")
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or type(error).__name__
        raise TlsError(f"{front.certificate} and {front.key} cannot be used for TLS: {reason}") from error
