"""Events in the store: what happened, in the order in which it was committed; see `node.store.telling`."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, delete, func, insert, or_, select, update

from node.store import schema
from node.store.database import Database
from node.store.errors import StoreConflictError
from node.store.telling import Event, EventKind, tell, tell_restored

LOOKED_AT = 20_000
"""Most events that are looked at for one page."""

_EVENTS = schema.events.c
_PRIVATE = (EventKind.ORDER_ACCEPTED, EventKind.ORDER_CANCELLED)
_CERTIFICATES_TOLD = "certificates told"


@dataclass(frozen=True, slots=True)
class EventRecord:
    """An event and its number, from 1."""

    number: int
    event: Event


@dataclass(frozen=True, slots=True)
class EventPage:
    """Some events, and where to go on.

    Attributes:
        events: those that were asked for, in order.
        last: the number up to which there are no others of them.
        has_next: whether there may be others above it already.
    """

    events: tuple[EventRecord, ...]
    last: int
    has_next: bool


class Events(Database):
    """The part of the store that keeps events."""

    def event_numbers(self) -> tuple[int, int]:
        """The lowest and the highest number of an event that is kept; (1, 0) before the first."""
        # Each by itself: SQLite finds one end of an index at once, and walks all along it for both.
        ends = (select(end(_EVENTS.number)).scalar_subquery() for end in (func.min, func.max))
        with self._read() as connection:
            first, last = connection.execute(select(*ends)).one()
            return (1, 0) if last is None else (first, last)

    def events(self, *, after: int, account: bytes | None = None, limit: int) -> EventPage:
        """The first events above a number, in order: those that everybody may see, or that an account may.

        An account sees its own orders' events, its certificates' and every slot's. No more than `LOOKED_AT` events
        are looked at, so that a page may have few, or none, and others come after it.
        """
        seen: ColumnElement[bool]
        if account is None:
            seen = _EVENTS.kind.not_in(_PRIVATE)
        else:
            of_nobody = and_(_EVENTS.account.is_(None), _EVENTS.other.is_(None))
            seen = or_(_EVENTS.account == account, _EVENTS.other == account, of_nobody)
        # Counted, not reckoned: where a store was made anew, numbers leap.
        next_ones = select(_EVENTS.number).where(_EVENTS.number > after).order_by(_EVENTS.number).limit(LOOKED_AT)
        next_numbers = next_ones.subquery().c.number
        with self._read() as connection:
            # Read first: what is committed between the two is of the next page.
            count, last = connection.execute(select(func.count(), func.max(next_numbers))).one()
            if not count:
                return EventPage((), after, has_next=False)
            query = select(schema.events).where(_EVENTS.number > after, _EVENTS.number <= last, seen)
            rows = connection.execute(query.order_by(_EVENTS.number).limit(limit)).all()
        found = tuple(map(_event_record, rows))
        if len(found) == limit:
            return EventPage(found, found[-1].number, has_next=True)
        return EventPage(found, last, has_next=count == LOOKED_AT)

    def all_events(self) -> list[EventRecord]:
        """Every event that is kept, in order, whomever it is for."""
        with self._read() as connection:
            rows = connection.execute(select(schema.events).order_by(_EVENTS.number))
            return [_event_record(row) for row in rows]

    def has_event(self, number: int) -> bool:
        """Whether an event of this number is kept."""
        with self._read() as connection:
            return connection.scalar(select(_EVENTS.number).where(_EVENTS.number == number)) is not None

    def tell_restored(self) -> None:
        """Say that the store was made anew, from a backup or from the chain: followers must read anew, too."""
        with self._write() as connection:
            tell_restored(connection)

    def prune_events(self, *, keep: int) -> None:
        """Forget all but the last events, of which there must be at least one: the next is numbered after it."""
        assert keep > 0  # noqa: S101 -- or else numbers would begin anew
        first, last = self.event_numbers()
        if last - first >= keep:
            with self._write() as connection:
                connection.execute(delete(schema.events).where(_EVENTS.number <= last - keep))

    def certificates_told(self) -> int:
        """The last block whose certificates' moves are told; -1 if none."""
        found = self.fact(_CERTIFICATES_TOLD)
        return -1 if found is None else int(found)

    def tell_certificates(self, moves: Sequence[Event], *, after: int, block: int) -> None:
        """Tell of the certificates' moves in the blocks above `after`, up to `block`.

        Raises:
            StoreConflictError: another writer has told of them meanwhile.
        """
        facts = schema.facts
        with self._write() as connection:
            if after == -1:
                connection.execute(insert(facts).values(key=_CERTIFICATES_TOLD, value=str(block)))
            else:
                told = connection.execute(
                    update(facts)
                    .where(facts.c.key == _CERTIFICATES_TOLD, facts.c.value == str(after))
                    .values(value=str(block))
                )
                if told.rowcount != 1:
                    raise StoreConflictError(f"moves of certificates after block {after} are told already")
            tell(connection, *moves)


def _event_record(row: Row[Any]) -> EventRecord:
    event = Event(EventKind(row.kind), row.slot, row.account, row.other, json.loads(row.details))
    return EventRecord(row.number, event)
