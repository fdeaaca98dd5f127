"""Refuses requests of addresses that send too many."""

from ipaddress import IPv6Address, ip_address

from starlette.types import ASGIApp, Receive, Scope, Send

from node.api.errors import refusal
from node.limits import Rate, TooManyRequestsError

UNLIMITED = ("/health", "/ready")
"""Whoever watches over the process is always answered."""

_NETWORK_BITS = 64


class AddressLimit:
    """ASGI middleware: one bucket for each client's address, or IPv6 network, as one client has all of that."""

    def __init__(self, app: ASGIApp, *, rate: Rate) -> None:
        self._app = app
        self._rate = rate

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] == "http" and scope["path"] not in UNLIMITED:
            host = scope["client"][0] if scope.get("client") else ""
            try:
                self._rate.take(visitor(host), host)
            except TooManyRequestsError as error:
                await refusal(error)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def visitor(host: str) -> str | int:
    """Who counts as one client: an IPv4 address, an IPv6 network of 64 bits, or whatever else is there."""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped) if address.ipv4_mapped else int(address) >> _NETWORK_BITS
    return str(address)
