"""How the store tells of what happened: events, written in the transaction that they tell of.

Whoever follows events remembers the last number it has seen and asks for higher ones, so no event may turn up
below a number that somebody has seen. A database's own sequence does not promise that, as of two transactions the
one with the lower number may be committed later. Numbers are given out here instead, one above the highest:
`Database` lets only one writer at a time into the store, whatever the number of nodes, so they follow the order of
commits, and have no gaps; but a store that was made anew goes on far above all numbers that were given before.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select

from node.store import schema


class EventKind(StrEnum):
    """What happened. A slot's events are named after the state it entered; the last is about no slot."""

    ORDER_ACCEPTED = "order_accepted"
    ORDER_CANCELLED = "order_cancelled"
    SLOT_CLOSED = "slot_closed"
    SLOT_COMMITTED = "slot_committed"
    SLOT_CLEARED = "slot_cleared"
    SLOT_SETTLED = "slot_settled"
    SLOT_VOIDED = "slot_voided"
    SLOT_DELIVERED = "slot_delivered"
    SLOT_CERTIFIED = "slot_certified"
    CERTIFICATE_MOVED = "certificate_moved"
    STORE_RESTORED = "store_restored"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened.

    Attributes:
        kind: what.
        slot: the slot that it is about, Unix seconds UTC.
        account: whom it is about; None if everybody.
        other: whom it is about as well.
        details: what else there is to say, as JSON.
    """

    kind: EventKind
    slot: int
    account: bytes | None = None
    other: bytes | None = None
    details: dict[str, Any] = field(default_factory=dict)


def tell(connection: Connection, *events: Event) -> None:
    """Write down what happened in this transaction, which must be one of the store's writing ones."""
    if not events:
        return
    last = connection.scalar(select(func.max(schema.events.c.number))) or 0
    _write(connection, last + 1, events)


def tell_restored(connection: Connection) -> None:
    """Say that the store was made anew, and may lack what it had told: no number that it gave then comes again."""
    # No store tells a million things a second for long.
    _write(connection, time.time_ns() // 1_000, [Event(EventKind.STORE_RESTORED, 0)])


def _write(connection: Connection, first: int, events: Sequence[Event]) -> None:
    rows = [
        {
            "number": number,
            "kind": event.kind.value,
            "slot": event.slot,
            "account": event.account,
            "other": event.other,
            "details": json.dumps(event.details),
        }
        for number, event in enumerate(events, start=first)
    ]
    connection.execute(insert(schema.events), rows)
