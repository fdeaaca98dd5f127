"""`/v1/events`: what happens in the market, as it happens (server-sent events)."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterable
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from ledger.eip712 import following_hash
from ledger.hexcodec import to_data
from ledger.keys import recover
from matching.errors import WattbookError
from node import api_keys
from node.api.errors import refusal
from node.api.fields import Address, Signature
from node.api.limits import visitor
from node.api.members import require_member
from node.api.onchain import on_chain
from node.api.operator import scopes_of
from node.api.services import Parts, Services
from node.events.streams import Streams, TooManyStreamsError
from node.problems import RequestError
from node.store.events import EventRecord
from node.store.telling import EventKind

router = APIRouter(prefix="/events", tags=["events"])

PAGE = 200
"""Most events that wait for a reader: what is not read yet stays in the store."""

HEARTBEAT_S = 15.0
_SEND_TIMEOUT_S = 30.0
_RETRY_MS = 1_000
_LONGEST_S = 86_400
_FOLLOWING = frozenset({api_keys.Scope.OPERATOR, api_keys.Scope.READ})
_STEPS = {
    EventKind.SLOT_COMMITTED: "commit",
    EventKind.SLOT_SETTLED: "settle",
    EventKind.SLOT_VOIDED: "void",
    EventKind.SLOT_DELIVERED: "deliver",
    EventKind.SLOT_CERTIFIED: "certify",
}
_EXAMPLE = 'id: 42\nevent: slot_closed\ndata: {"slot": 1795371300}\n\n'

log = structlog.get_logger(__name__)


class EventStream(StreamingResponse):
    """A stream that counts as one of those that a node feeds, and that a reader who stands still loses."""

    media_type = "text/event-stream"

    def __init__(self, streams: Streams, content: AsyncIterator[bytes]) -> None:
        # Proxies must pass events on as they come.
        super().__init__(content, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Feed one reader."""
        host = scope["client"][0] if scope.get("client") else ""
        try:
            with self._streams.opened(visitor(host)):
                await super().__call__(scope, receive, send)
        except TooManyStreamsError as error:
            await refusal(error)(scope, receive, send)

    async def stream_response(self, send: Send) -> None:
        """Send all of it, each piece in time."""

        async def in_time(message: Any) -> None:
            await asyncio.wait_for(send(message), _SEND_TIMEOUT_S)

        await super().stream_response(in_time)


@router.get(
    "",
    status_code=200,
    response_class=EventStream,
    responses={200: {"content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}}}},
)
def follow_events(
    parts: Parts,
    *,
    account: Annotated[Address | None, Query(description="The member's own events, its orders' included.")] = None,
    until: Annotated[int, Query(description="Until when the signature holds, Unix s: at most a day ahead.")] = 0,
    after: Annotated[
        int | None, Query(ge=0, description="Begin behind this event, at 0 with the first; else with the next.")
    ] = None,
    follow: Annotated[bool, Query(description="Whether to go on with what is yet to happen.")] = True,
    last_event_id: Annotated[
        str | None, Header(description="The last event that was seen; counts more than `after`.")
    ] = None,
    x_signature: Annotated[Signature | None, Header(description="The account's, of its `Following`.")] = None,
    x_api_key: Annotated[str, Header(alias="X-API-Key", description="Instead of the signature.")] = "",
) -> EventStream:
    """Follow what happens: slots that move on and certificates that move; with `account`, its orders too.

    Each event has an id. Who comes back with the last one in `Last-Event-ID` misses nothing, whatever has become
    of the connection or the node meanwhile. Orders are their account's own, so that following an account needs its
    signature or an API key that is for reading. Lines that begin with a colon say that the connection is alive.
    """
    if account is not None:
        _check_key_or_signature(parts, account, until, x_signature, scopes_of(parts, x_api_key))
        require_member(parts, account)
    begin = _beginning(parts, _number(last_event_id, after))
    return EventStream(parts.streams, _stream(parts, account, begin, follow=follow))


def _check_key_or_signature(
    parts: Services, account: bytes, until: int, signature: bytes | None, scopes: frozenset[api_keys.Scope]
) -> None:
    if scopes & _FOLLOWING:
        return
    if scopes and signature is None:
        raise RequestError(
            f"the API key's scope is {', '.join(sorted(scopes))}: must have {' or '.join(sorted(_FOLLOWING))}",
            code="request.forbidden",
        )
    _check_signature(parts, account, until, signature)


def _check_signature(parts: Services, account: bytes, until: int, signature: bytes | None) -> None:
    # Signatures are made and run out in people's time, whatever the market's clock says.
    now = int(time.time())
    if signature is None:
        raise RequestError(
            "header 'X-Signature' must be the account's signature, or 'X-API-Key' a key to read: "
            "its orders are its own",
            code="request.unauthorized",
        )
    if not now <= until <= now + _LONGEST_S:
        raise RequestError(
            f"field 'until' is {until}: must be from {now} to {now + _LONGEST_S}",
            code="event.signature",
            field="until",
        )
    signer = recover(following_hash(parts.domain, account, until), signature)
    if signer != account:
        raise RequestError(
            f"signed by {to_data(signer)}: must be by {to_data(account)}, for this exchange and this 'until'",
            code="event.signature",
        )


def _number(last_event_id: str | None, after: int | None) -> int | None:
    if last_event_id is None:
        return after
    if not (last_event_id.isascii() and last_event_id.isdigit() and len(last_event_id) <= 18):
        raise RequestError(
            f"header 'Last-Event-ID' is {last_event_id!r}: must be the id of an event", field="Last-Event-ID"
        )
    return int(last_event_id)


def _beginning(parts: Services, after: int | None) -> int:
    """The number to begin behind, if nothing that comes after it is missing."""
    first, last = parts.store.event_numbers()
    if after is None:
        return last
    if after > last or (after >= first and not parts.store.has_event(after)):
        raise RequestError(
            f"there is no event {after}, the latest is {last}: the store was made anew, or is another",
            code="event.unknown",
        )
    if 0 < after < first - 1:
        raise RequestError(
            f"events after {after} are forgotten, up to {first - 1}: read what you follow anew, and go on after "
            f"{last}",
            code="event.forgotten",
        )
    return after


async def _stream(parts: Services, account: bytes | None, after: int, *, follow: bool) -> AsyncIterator[bytes]:
    # An id without data is no event: it only says where to go on.
    yield f"retry: {_RETRY_MS}\nid: {after}\n\n".encode()
    last_sent_at = time.monotonic()
    try:
        while not parts.streams.is_closed:
            page = await asyncio.to_thread(parts.store.events, after=after, account=account, limit=PAGE)
            after = page.last
            if page.events:
                yield await asyncio.to_thread(_written, parts, page.events)
                last_sent_at = time.monotonic()
            elif time.monotonic() - last_sent_at >= HEARTBEAT_S:
                yield f":\nid: {after}\n\n".encode()
                last_sent_at = time.monotonic()
            if page.has_next:
                continue
            if not follow:
                return
            while await parts.streams.latest() <= after and not parts.streams.is_closed:
                if time.monotonic() - last_sent_at >= HEARTBEAT_S:
                    break
    except WattbookError as error:
        # The reader comes back, and is told then.
        log.warning("stream of events ends", code=error.code, reason=str(error))


def _written(parts: Services, records: Iterable[EventRecord]) -> bytes:
    """Events as they are sent; those of steps on chain with where these were taken."""
    found = list(records)
    confirmed = parts.store.confirmed({record.event.slot for record in found if record.event.kind in _STEPS})
    blocks = []
    for record in found:
        event = record.event
        data: dict[str, Any] = {"slot": event.slot}
        if event.kind is EventKind.CERTIFICATE_MOVED:
            data |= {"from": _shown(event.account), "to": _shown(event.other)}
        elif event.account is not None:
            data["account"] = _shown(event.account)
        if event.kind in _STEPS:
            place = on_chain(confirmed.get((event.slot, _STEPS[event.kind])))
            data["step"] = None if place is None else place.model_dump(mode="json")
        blocks.append(
            f"id: {record.number}\nevent: {event.kind.value}\ndata: {json.dumps(data | event.details)}\n\n"
        )
    return "".join(blocks).encode()


def _shown(account: bytes | None) -> str | None:
    return None if account is None else to_data(account)
