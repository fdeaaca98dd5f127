"""How the API meets the web: who may come, from where, and how often."""

from dataclasses import dataclass

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from node.api.limits import AddressLimit
from node.limits import Rate


@dataclass(frozen=True, slots=True)
class Web:
    """How the API meets the web.

    Attributes:
        allowed_origins: web pages of these origins may use the API, '*' for all; none by default.
        address_rate: requests a second of one address; None for as many as come.
        closed_reads: whether reading needs an API key too.
        log_requests: whether the log tells of every request.
    """

    allowed_origins: tuple[str, ...] = ()
    address_rate: float | None = None
    closed_reads: bool = False
    log_requests: bool = False


def install(app: FastAPI, web: Web) -> None:
    """Guard the application, outside of whatever it has already."""
    if web.address_rate is not None:
        app.add_middleware(AddressLimit, rate=Rate(web.address_rate))
    if web.allowed_origins:
        # Outermost, so that pages can read refusals too. No cookies: whoever acts signs, or has a key.
        app.add_middleware(
            CORSMiddleware,
            allow_origins=web.allowed_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Content-Type", "X-API-Key", "X-Signature", "Last-Event-ID"],
            expose_headers=["Retry-After", "ETag"],
        )
