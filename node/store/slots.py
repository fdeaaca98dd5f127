"""Slots in the store, and the rows that record how far they are."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Select, insert, select, update

from node.store import schema
from node.store.database import Database
from node.store.errors import StoreConflictError
from node.store.records import SlotRecord, SlotState
from node.store.telling import Event, EventKind, tell

_SLOTS = schema.slots.c

_BEFORE = {
    SlotState.CLOSED: (SlotState.OPEN,),
    SlotState.COMMITTED: (SlotState.CLOSED,),
    SlotState.CLEARED: (SlotState.COMMITTED,),
    SlotState.SETTLED: (SlotState.CLEARED,),
    SlotState.VOIDED: (SlotState.OPEN, SlotState.CLOSED, SlotState.COMMITTED, SlotState.CLEARED),
    SlotState.DELIVERED: (SlotState.SETTLED, SlotState.VOIDED),
    SlotState.CERTIFIED: (SlotState.DELIVERED,),
}
"""For each state the ones from which a slot may enter it."""


class Slots(Database):
    """The part of the store that keeps slots."""

    def ensure_slot(self, slot: int) -> SlotRecord:
        """The slot; if it was unknown, it is open from now on."""
        with self._write() as connection:
            if slot_state(connection, slot) is None:
                add_slot(connection, slot)
            row = connection.execute(select(schema.slots).where(_SLOTS.slot == slot)).one()
            return slot_record(row)

    def slot(self, slot: int) -> SlotRecord | None:
        """The slot, or None if nothing is known of it."""
        with self._read() as connection:
            row = connection.execute(select(schema.slots).where(_SLOTS.slot == slot)).one_or_none()
            return None if row is None else slot_record(row)

    def slots(
        self,
        *,
        states: Collection[SlotState] | None = None,
        first_slot: int | None = None,
        last_slot: int | None = None,
        after: int | None = None,
        limit: int | None = None,
        descending: bool = False,
    ) -> list[SlotRecord]:
        """Slots in ascending or descending order; `after` continues behind that slot."""
        query = select(schema.slots)
        if states is not None:
            query = query.where(_SLOTS.state.in_(states))
        query = between(query, _SLOTS.slot, first_slot, last_slot)
        if after is not None:
            query = query.where(_SLOTS.slot < after if descending else _SLOTS.slot > after)
        query = query.order_by(_SLOTS.slot.desc() if descending else _SLOTS.slot).limit(limit)
        with self._read() as connection:
            return [slot_record(row) for row in connection.execute(query)]

    def latest_slot(self) -> SlotRecord | None:
        """The latest slot of any state, or None if there is none."""
        return next(iter(self.slots(limit=1, descending=True)), None)


def between(query: Select[Any], column: ColumnElement[int], first: int | None, last: int | None) -> Select[Any]:
    """The query, held to what lies in a span, both ends included; None is no end."""
    if first is not None:
        query = query.where(column >= first)
    return query if last is None else query.where(column <= last)


def slot_record(row: Row[Any]) -> SlotRecord:
    """A row of the table as a value."""
    return SlotRecord(
        slot=row.slot,
        state=row.state,
        book_root=row.book_root,
        book_size=row.book_size,
        price=row.price,
        bought_wh=row.bought_wh,
    )


def slot_state(connection: Connection, slot: int) -> SlotState | None:
    """The slot's state, or None if it is unknown."""
    state: SlotState | None = connection.scalar(select(_SLOTS.state).where(_SLOTS.slot == slot))
    return state


def add_slot(connection: Connection, slot: int) -> None:
    """Write down an open slot."""
    connection.execute(insert(schema.slots).values(slot=slot, state=SlotState.OPEN))


def move_slot(connection: Connection, slot: int, to: SlotState, **columns: object) -> None:
    """Move a slot on, set its columns, and tell of it.

    Raises:
        StoreConflictError: it is not in a state from which it may move there.
    """
    moved = connection.execute(
        update(schema.slots).where(_SLOTS.slot == slot, _SLOTS.state.in_(_BEFORE[to])).values(state=to, **columns)
    )
    if moved.rowcount != 1:
        state = slot_state(connection, slot) or "unknown"
        expected = " or ".join(_BEFORE[to])
        raise StoreConflictError(f"slot {slot} is {state}: must be {expected} to become {to}")
    details = columns if to is SlotState.CLEARED else {}
    tell(connection, Event(EventKind(f"slot_{to.value}"), slot, details=details))
