"""Groups of orders in the store: what they are checked against is read at once, and they are written at once.

A transaction costs a wait for the disk, which the orders of a group share.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Connection, bindparam, insert, select, update

from ledger.eip712 import Receipt, SignedOrder
from matching.errors import WattbookError
from matching.orders import Order
from node.store import schema
from node.store.database import Database, Section
from node.store.errors import GateClosedError, UnknownOrderError
from node.store.orders import order_columns, order_event, orders_with_hashes
from node.store.records import OrderRecord, OrderStatus, SlotState
from node.store.slots import add_slot
from node.store.surroundings import Surroundings, Tariffs, read_surroundings
from node.store.telling import EventKind, tell

_ORDERS, _SLOTS = schema.orders.c, schema.slots.c

TAKING = "taking orders"
"""The section (see `Database.exclusively`) in which a slot's next index is looked up and used."""

_STATES = select(_SLOTS.slot, _SLOTS.state).where(_SLOTS.slot.in_(bindparam("slots", expanding=True)))


class Groups(Database):
    """The part of the store that takes groups of orders."""

    def surroundings(
        self, *, hashes: Collection[bytes], slots: Collection[int], accounts: Collection[bytes], tariffs: Tariffs
    ) -> Surroundings:
        """What is there already. It stays true of sizes and counts while nobody else takes orders."""
        with self._read() as connection:
            return read_surroundings(connection, hashes=hashes, slots=slots, accounts=accounts, tariffs=tariffs)

    def add_orders(self, records: Sequence[OrderRecord], *, within: Section | None = None) -> dict[int, SlotState]:
        """Keep new orders, each slot's from its next index on, and open their slots if need be.

        `within` is the section `TAKING` in which it was found out that they can be taken.
        Orders of slots that are no longer open are not kept: returned are these slots' states.
        """
        if not records:
            return {}
        slots = {record.signed.order.slot for record in records}
        with self._write(within) as connection:
            rows = connection.execute(_STATES, {"slots": list(slots)})
            states = {row.slot: row.state for row in rows}
            for slot in sorted(slots - states.keys()):
                add_slot(connection, slot)
            closed = {slot: state for slot, state in states.items() if state is not SlotState.OPEN}
            kept = [record for record in records if record.signed.order.slot not in closed]
            if kept:
                connection.execute(insert(schema.orders), [order_columns(record) for record in kept])
                tell(connection, *(order_event(EventKind.ORDER_ACCEPTED, record) for record in kept))
        return closed

    def cancel_orders(
        self, signatures: Mapping[bytes, bytes], check: Callable[[Order], None] = lambda _: None
    ) -> dict[bytes, OrderRecord | WattbookError]:
        """Mark open orders, by hash, as cancelled by their owners' signatures; a cancelled one stays as it is.

        `check` is called with each order that is to be cancelled once nobody else writes, and may refuse it.
        Each order's outcome is its record, or `UnknownOrderError`, `GateClosedError`, or what `check` raises.
        """
        with self._write() as connection:
            found = orders_with_hashes(connection, signatures)
            outcomes = {each: _cancelled(each, found.get(each), signatures[each], check) for each in signatures}
            changed = [
                outcome
                for outcome in outcomes.values()
                if isinstance(outcome, OrderRecord) and outcome is not found[outcome.signed.hash]
            ]
            if changed:
                _write_cancellations(connection, changed)
                tell(connection, *(order_event(EventKind.ORDER_CANCELLED, record) for record in changed))
        return outcomes


def new_record(
    signed: SignedOrder,
    index: int,
    received_at: int,
    sign_receipt: Callable[[Receipt], bytes],
    *,
    wishes: str | None = None,
) -> OrderRecord:
    """An order as it is taken, with its signed receipt."""
    receipt = Receipt(
        order_hash=signed.hash,
        market=signed.order.market,
        slot=signed.order.slot,
        index=index,
        received_at=received_at,
    )
    return OrderRecord(
        signed=signed,
        index=index,
        received_at=received_at,
        receipt_signature=sign_receipt(receipt),
        status=OrderStatus.OPEN,
        wishes=wishes,
    )


def slot_closed(slot: int, state: SlotState) -> GateClosedError:
    """What an order is refused with whose slot is no longer open."""
    return GateClosedError(f"slot {slot} is {state}: takes no more orders")


def _cancelled(
    order_hash: bytes, record: OrderRecord | None, signature: bytes, check: Callable[[Order], None]
) -> OrderRecord | WattbookError:
    if record is None:
        return UnknownOrderError(f"no order 0x{order_hash.hex()}")
    if record.status is OrderStatus.CANCELLED:
        return record
    if record.status is not OrderStatus.OPEN:
        return GateClosedError(f"order 0x{order_hash.hex()} is {record.status}: cannot be cancelled")
    try:
        check(record.signed.order)
    except WattbookError as error:
        return error
    return replace(record, status=OrderStatus.CANCELLED, cancellation_signature=signature)


def _write_cancellations(connection: Connection, records: Iterable[OrderRecord]) -> None:
    of_order = update(schema.orders).where(_ORDERS.hash == bindparam("of_order"))
    connection.execute(
        of_order.values(status=OrderStatus.CANCELLED, cancellation_signature=bindparam("by_owner")),
        [{"of_order": each.signed.hash, "by_owner": each.cancellation_signature} for each in records],
    )
