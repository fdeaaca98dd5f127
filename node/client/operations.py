"""All that a client can do."""

from typing import Any

from node.answers import Json
from node.client.calls import Call, Request, operation
from node.client.certificates import CertificateOperations
from node.client.described import ask, given
from node.client.following import Wanted
from node.client.market import MarketOperations


class Operations(MarketOperations, CertificateOperations):
    """All that a client can do, however it waits. Events are followed by each in its own way."""

    @operation
    def read(self, /, path: str, **params: Any) -> Call[Json]:
        """Anything that can be read, as it was sent, e.g. `/v1/slots`."""
        return (yield from ask(Request("GET", path, params=given(params))))

    def _wanted(self, account: bytes | None, api_key: str | None) -> Call[Wanted]:
        """What it takes to follow an account's events, or the market's."""
        if account is None or api_key is not None:
            return Wanted(account, api_key=api_key)
        if self._api_key is not None and (self._key is None or account != self.account):
            return Wanted(account)
        return Wanted(account, (yield from self._terms()).domain, self._signer())
