"""Following events: what comes over the line, and where to go on after it breaks."""

import json
import time
from dataclasses import dataclass, field

from ledger.eip712 import Domain, following_hash
from ledger.hexcodec import to_data
from ledger.keys import Key
from node.answers import Json
from node.client.calls import Request
from node.client.described import given

_PATH = "/v1/events"
# A node shows three times as often that it is there.
_SILENCE_S = 45.0
_SIGNED_FOR_S = 3_600


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """Something that happened.

    Attributes:
        number: its id, above those of all earlier ones.
        kind: what happened, e.g. `slot_settled`; nodes may come to know more kinds.
        slot: the slot that it is about, Unix seconds UTC.
        details: everything that is said of it, as the API documents it.
    """

    number: int
    kind: str
    slot: int
    details: Json


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose events are followed, and what lets one.

    Attributes:
        account: the account; None for the market.
        domain: where the account's signature counts; None if none is needed.
        key: signs for the account.
        api_key: instead of the signature.
    """

    account: bytes | None = None
    domain: Domain | None = None
    key: Key | None = None
    api_key: str | None = None


@dataclass(slots=True)
class Following:
    """A stream of events, over as many connections as it takes.

    Attributes:
        wanted: what is followed.
        last: the number of the last event that was seen, or behind which to begin; None for what is yet to come.
    """

    wanted: Wanted
    last: int | None
    _block: dict[str, str] = field(default_factory=dict)

    def request(self) -> Request:
        """How to begin, or go on."""
        self._block = {}
        wanted = self.wanted
        params: Json = {"account": wanted.account}
        headers = {"Accept": "text/event-stream"}
        if wanted.api_key is not None:
            headers["X-API-Key"] = wanted.api_key
        if wanted.account is not None and wanted.key is not None and wanted.domain is not None:
            params["until"] = int(time.time()) + _SIGNED_FOR_S
            digest = following_hash(wanted.domain, wanted.account, params["until"])
            headers["X-Signature"] = to_data(wanted.key.sign(digest))
        if self.last is not None:
            headers["Last-Event-ID"] = str(self.last)
        return Request("GET", _PATH, params=given(params), headers=headers, timeout_s=_SILENCE_S)

    def take(self, line: str) -> EventAnswer | None:
        """The next line that came; the event that it completes, or None."""
        if line:
            name, _, value = line.partition(":")
            self._block[name] = value.removeprefix(" ")
            return None
        block, self._block = self._block, {}
        if "id" in block:
            self.last = int(block["id"])
        if "event" not in block or self.last is None:
            return None
        details = json.loads(block["data"])
        return EventAnswer(self.last, block["event"], details["slot"], details)
