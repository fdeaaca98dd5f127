"""How the store tells of what happened: events, written in the transaction that they tell of.

Whoever follows events remembers the last number it has seen and asks for higher ones, so no event may turn up
below a number that somebody has seen. A database's own sequence does not promise that, as of two transactions the
one with the lower number may be committed later. Numbers are given out here instead, one above the highest:
`Database` lets only one writer at a time into the store, whatever the number of nodes, so they follow the order of
commits, and have no gaps.
"""

import json
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, func, insert, select

from node.store import schema


class EventKind(StrEnum):
    """What happened. A slot's events are named after the state it entered."""

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
    rows = [
        {
            "number": number,
            "kind": event.kind.value,
            "slot": event.slot,
            "account": event.account,
            "other": event.other,
            "details": json.dumps(event.details),
        }
        for number, event in enumerate(events, start=last + 1)
    ]
    connection.execute(insert(schema.events), rows)
