"""Groups of orders in the store: what they are checked against is read at once, and they are written at once.

A transaction costs a wait for the disk, which the orders of a group share.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    bindparam,
    case,
    false,
    func,
    insert,
    literal,
    select,
    update,
)

from ledger.eip712 import Receipt, SignedOrder
from matching.errors import WattbookError
from matching.orders import Side
from matching.tariff import Tariff
from node.store import schema
from node.store.database import Database
from node.store.errors import GateClosedError, UnknownOrderError
from node.store.orders import order_columns, order_event, orders_with_hashes
from node.store.records import OrderRecord, OrderStatus, SlotState
from node.store.slots import add_slot
from node.store.telling import EventKind, tell

_ORDERS, _SLOTS = schema.orders.c, schema.slots.c
TAKING = "taking orders"
"""The section (see `Database.exclusively`) in which a slot's next index is looked up and used."""

_COVERED = (OrderStatus.OPEN, OrderStatus.CLOSED)


Tariffs = Sequence[tuple[int, Tariff]]
"""Tariffs with the first slot that each holds for, ascending."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What new orders of some accounts for some slots are checked against.

    Attributes:
        known: those of the orders that there are already, by hash.
        sizes: how many orders a slot has had, if any: the index of the next.
        counts: how many of a slot's orders are an account's, if any; cancelled ones count.
        order_cover_nano: what the accounts' orders as `Orders.open_cover_orders` finds them may cost, if anything.
        positions: the accounts' positions as `Orders.undelivered_positions` finds them: account, slot and Wh.
    """

    known: dict[bytes, OrderRecord]
    sizes: dict[int, int]
    counts: dict[tuple[int, bytes], int]
    order_cover_nano: dict[bytes, int]
    positions: list[tuple[bytes, int, int]]


class Groups(Database):
    """The part of the store that takes groups of orders."""

    def surroundings(
        self, *, hashes: Collection[bytes], slots: Collection[int], accounts: Collection[bytes], tariffs: Tariffs
    ) -> Surroundings:
        """What is there already. It stays true of sizes and counts while nobody else takes orders."""
        with self._read() as connection:
            return Surroundings(
                known=orders_with_hashes(connection, hashes),
                sizes=_sizes(connection, slots),
                counts=_counts(connection, slots, accounts),
                order_cover_nano=_order_cover(connection, accounts, tariffs),
                positions=_positions(connection, accounts),
            )

    def add_orders(self, records: Sequence[OrderRecord]) -> dict[int, SlotState]:
        """Keep new orders, each slot's from its next index on, and open their slots if need be.

        Orders of slots that are no longer open are not kept: returned are these slots' states.
        """
        if not records:
            return {}
        slots = {record.signed.order.slot for record in records}
        with self._write() as connection:
            rows = connection.execute(select(_SLOTS.slot, _SLOTS.state).where(_SLOTS.slot.in_(slots)))
            states = {row.slot: row.state for row in rows}
            for slot in sorted(slots - states.keys()):
                add_slot(connection, slot)
            closed = {slot: state for slot, state in states.items() if state is not SlotState.OPEN}
            kept = [record for record in records if record.signed.order.slot not in closed]
            if kept:
                connection.execute(insert(schema.orders), [order_columns(record) for record in kept])
                tell(connection, *(order_event(EventKind.ORDER_ACCEPTED, record) for record in kept))
        return closed

    def add_order(
        self,
        signed: SignedOrder,
        received_at: int,
        sign_receipt: Callable[[Receipt], bytes],
        *,
        wishes: str | None = None,
    ) -> OrderRecord:
        """Keep one order as the next of its slot, with its signed receipt; the same order again changes nothing.

        Raises:
            GateClosedError: the slot is no longer open.
        """
        slot = signed.order.slot
        with self.exclusively(TAKING):
            found = self.surroundings(hashes=[signed.hash], slots=[slot], accounts=[], tariffs=[])
            if signed.hash in found.known:
                return found.known[signed.hash]
            record = new_record(signed, found.sizes.get(slot, 0), received_at, sign_receipt, wishes=wishes)
            closed = self.add_orders([record])
        if closed:
            raise slot_closed(slot, closed[slot])
        return record

    def cancel_order(self, order_hash: bytes, signature: bytes) -> OrderRecord:
        """As `cancel_orders`, of one.

        Raises:
            UnknownOrderError: there is no such order.
            GateClosedError: its slot is no longer open.
        """
        outcome = self.cancel_orders({order_hash: signature})[order_hash]
        if isinstance(outcome, WattbookError):
            raise outcome
        return outcome

    def cancel_orders(self, signatures: Mapping[bytes, bytes]) -> dict[bytes, OrderRecord | WattbookError]:
        """Mark open orders, by hash, as cancelled by their owners' signatures; a cancelled one stays as it is.

        Each order's outcome is its record, or `UnknownOrderError`, or `GateClosedError`.
        """
        with self._write() as connection:
            found = orders_with_hashes(connection, signatures)
            outcomes = {each: _cancelled(each, found.get(each), signatures[each]) for each in signatures}
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


def _sizes(connection: Connection, slots: Collection[int]) -> dict[int, int]:
    last = select(_ORDERS.slot, func.max(_ORDERS.index)).where(_ORDERS.slot.in_(slots)).group_by(_ORDERS.slot)
    return {slot: index + 1 for slot, index in connection.execute(last)}


def _counts(
    connection: Connection, slots: Collection[int], accounts: Collection[bytes]
) -> dict[tuple[int, bytes], int]:
    key = (_ORDERS.slot, _ORDERS.account)
    counted = select(*key, func.count()).where(_ORDERS.slot.in_(slots), _ORDERS.account.in_(accounts))
    return {(slot, account): count for slot, account, count in connection.execute(counted.group_by(*key))}


def _order_cover(connection: Connection, accounts: Collection[bytes], tariffs: Tariffs) -> dict[bytes, int]:
    """The sum of `node.cover.order_cover`, as an account may have hundreds of orders."""
    if not accounts:
        return {}
    of_bid = _ORDERS.price + _by_slot(tariffs, lambda tariff: tariff.grid_fee)
    retail_price = _by_slot(tariffs, lambda tariff: tariff.retail_price)
    of_offer = case((_ORDERS.price < retail_price, retail_price - _ORDERS.price), else_=0)
    cover = _ORDERS.quantity_wh * case((_ORDERS.side == int(Side.BID), of_bid), else_=of_offer)
    rows = connection.execute(
        select(_ORDERS.account, func.sum(cover))
        .where(_ORDERS.account.in_(accounts), _ORDERS.status.in_(_COVERED), _ORDERS.posted == false())
        .group_by(_ORDERS.account)
    )
    return {account: int(nano) for account, nano in rows}


def _by_slot(tariffs: Tariffs, price: Callable[[Tariff], int]) -> ColumnElement[int]:
    """A price of the tariff in force in an order's slot."""
    (_, first), *later = tariffs
    if not later:
        return literal(price(first), BigInteger)
    in_force = [(_ORDERS.slot >= start, price(tariff)) for start, tariff in reversed(later)]
    return case(*in_force, else_=price(first))


def _positions(connection: Connection, accounts: Collection[bytes]) -> list[tuple[bytes, int, int]]:
    net_wh = func.sum(case((_ORDERS.side == int(Side.BID), _ORDERS.fill_wh), else_=-_ORDERS.fill_wh))
    rows = connection.execute(
        select(_ORDERS.account, _ORDERS.slot, net_wh)
        .join(schema.slots, _SLOTS.slot == _ORDERS.slot)
        .where(_SLOTS.state == SlotState.SETTLED, _ORDERS.account.in_(accounts))
        .group_by(_ORDERS.account, _ORDERS.slot)
    )
    return [(account, slot, int(net)) for account, slot, net in rows]


def _cancelled(order_hash: bytes, record: OrderRecord | None, signature: bytes) -> OrderRecord | WattbookError:
    if record is None:
        return UnknownOrderError(f"no order 0x{order_hash.hex()}")
    if record.status is OrderStatus.CANCELLED:
        return record
    if record.status is not OrderStatus.OPEN:
        return GateClosedError(f"order 0x{order_hash.hex()} is {record.status}: cannot be cancelled")
    return replace(record, status=OrderStatus.CANCELLED, cancellation_signature=signature)


def _write_cancellations(connection: Connection, records: Iterable[OrderRecord]) -> None:
    of_order = update(schema.orders).where(_ORDERS.hash == bindparam("of_order"))
    connection.execute(
        of_order.values(status=OrderStatus.CANCELLED, cancellation_signature=bindparam("by_owner")),
        [{"of_order": each.signed.hash, "by_owner": each.cancellation_signature} for each in records],
    )
