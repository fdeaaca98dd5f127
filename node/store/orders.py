"""Orders in the store."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, bindparam, case, false, func, select, tuple_

from ledger.eip712 import SignedOrder
from matching.orders import CertificatePreference, Order, Side
from node.store import schema
from node.store.database import Database
from node.store.records import OrderRecord, OrderStatus, SlotState
from node.store.telling import Event, EventKind

_ORDERS = schema.orders.c
_WITH_HASHES = select(schema.orders).where(_ORDERS.hash.in_(bindparam("hashes", expanding=True)))

Cursor = tuple[int, int]
"""Where a page of orders ends: slot and index of its last order."""


class Orders(Database):
    """The part of the store that keeps orders."""

    def order(self, order_hash: bytes) -> OrderRecord | None:
        """The order with this hash, or None."""
        with self._read() as connection:
            return find_order(connection, order_hash)

    def orders(
        self,
        *,
        slot: int | None = None,
        account: bytes | None = None,
        status: OrderStatus | None = None,
        after: Cursor | None = None,
        limit: int | None = None,
        descending: bool = False,
    ) -> list[OrderRecord]:
        """Orders in the order of slots and, within a slot, of arrival; `after` continues behind a cursor."""
        query = select(schema.orders)
        for column, value in ((_ORDERS.slot, slot), (_ORDERS.account, account), (_ORDERS.status, status)):
            if value is not None:
                query = query.where(column == value)
        place = tuple_(_ORDERS.slot, _ORDERS.index)
        if after is not None:
            query = query.where(place < after if descending else place > after)
        keys = (_ORDERS.slot, _ORDERS.index)
        query = query.order_by(*(key.desc() for key in keys) if descending else keys).limit(limit)
        with self._read() as connection:
            return [order_record(row) for row in connection.execute(query)]

    def orders_by_hash(self, hashes: Collection[bytes]) -> dict[bytes, OrderRecord]:
        """Those of the orders that exist, by their hashes."""
        with self._read() as connection:
            return orders_with_hashes(connection, hashes)

    def book(self, slot: int) -> list[OrderRecord]:
        """The orders that the operator commits to for a slot, in ascending order of their hashes.

        They are final once the slot is closed; before, there are none.
        """
        with self._read() as connection:
            return read_book(connection, slot)

    def orders_to_clear(self, slot: int) -> list[OrderRecord]:
        """The slot's book and its posted orders, in ascending order of their hashes."""
        with self._read() as connection:
            return read_orders_to_clear(connection, slot)

    def open_cover_orders(self, account: bytes) -> list[OrderRecord]:
        """The account's orders that may still settle: those of open, closed, committed and cleared slots.

        Posted ones are not among them: what covers them is set aside on chain.
        Read these before `undelivered_positions`: an order that settles in between then counts twice, not never.
        """
        query = select(schema.orders).where(
            _ORDERS.account == account,
            _ORDERS.status.in_((OrderStatus.OPEN, OrderStatus.CLOSED)),
            _ORDERS.posted == false(),
        )
        with self._read() as connection:
            return [order_record(row) for row in connection.execute(query)]

    def undelivered_positions(self, account: bytes) -> list[tuple[int, int]]:
        """Slots that are settled and not delivered, each with the account's Wh bought (+) or sold (-) if any."""
        net_wh = func.sum(case((_ORDERS.side == int(Side.BID), _ORDERS.fill_wh), else_=-_ORDERS.fill_wh))
        query = (
            select(_ORDERS.slot, net_wh)
            .join(schema.slots, schema.slots.c.slot == _ORDERS.slot)
            .where(schema.slots.c.state == SlotState.SETTLED, _ORDERS.account == account)
            .group_by(_ORDERS.slot)
            .having(net_wh != 0)
            .order_by(_ORDERS.slot)
        )
        with self._read() as connection:
            return [(int(slot), int(net)) for slot, net in connection.execute(query)]


def read_book(connection: Connection, slot: int) -> list[OrderRecord]:
    """See `Orders.book`."""
    return [record for record in read_orders_to_clear(connection, slot) if record.is_in_book]


def read_orders_to_clear(connection: Connection, slot: int) -> list[OrderRecord]:
    """See `Orders.orders_to_clear`."""
    query = (
        select(schema.orders)
        .where(_ORDERS.slot == slot, _ORDERS.status.not_in((OrderStatus.OPEN, OrderStatus.CANCELLED)))
        .order_by(_ORDERS.hash)
    )
    return [order_record(row) for row in connection.execute(query)]


def order_record(row: Row[Any]) -> OrderRecord:
    """A row of the table as a value."""
    order = Order(
        account=row.account,
        market=row.market,
        slot=row.slot,
        side=Side(row.side),
        price=row.price,
        quantity_wh=row.quantity_wh,
        certificates=CertificatePreference(row.certificates),
        epoch=row.epoch,
        expires_at=row.expires_at,
        salt=row.salt,
    )
    return OrderRecord(
        signed=SignedOrder(order=order, hash=row.hash, signature=row.signature),
        index=row._mapping[_ORDERS.index],  # `row.index` is a method, as of any tuple
        received_at=row.received_at,
        receipt_signature=row.receipt_signature,
        status=row.status,
        fill_wh=row.fill_wh,
        amount_nano=row.amount_nano,
        reason=row.reason,
        cancellation_signature=row.cancellation_signature,
        wishes=row.wishes,
        posted=row.posted,
    )


def order_event(kind: EventKind, record: OrderRecord) -> Event:
    """What has happened to an order, for its account to know."""
    order = record.signed.order
    details = {
        "order": "0x" + record.signed.hash.hex(),
        "index": record.index,
        "side": order.side.name.lower(),
        "price": order.price,
        "quantity_wh": order.quantity_wh,
    }
    return Event(kind, order.slot, order.account, details=details)


def orders_with_hashes(connection: Connection, hashes: Collection[bytes]) -> dict[bytes, OrderRecord]:
    """See `Orders.orders_by_hash`."""
    rows = connection.execute(_WITH_HASHES, {"hashes": list(hashes)})
    return {row.hash: order_record(row) for row in rows}


def find_order(connection: Connection, order_hash: bytes) -> OrderRecord | None:
    """See `Orders.order`."""
    row = connection.execute(select(schema.orders).where(_ORDERS.hash == order_hash)).one_or_none()
    return None if row is None else order_record(row)


def order_columns(record: OrderRecord) -> dict[str, object]:
    """A value as a row of the table."""
    order = record.signed.order
    return {
        "hash": record.signed.hash,
        "account": order.account,
        "market": order.market,
        "slot": order.slot,
        "side": int(order.side),
        "price": order.price,
        "quantity_wh": order.quantity_wh,
        "certificates": int(order.certificates),
        "epoch": order.epoch,
        "expires_at": order.expires_at,
        "salt": order.salt,
        "signature": record.signed.signature,
        "index": record.index,
        "received_at": record.received_at,
        "receipt_signature": record.receipt_signature,
        "status": record.status,
        "fill_wh": record.fill_wh,
        "amount_nano": record.amount_nano,
        "reason": record.reason,
        "cancellation_signature": record.cancellation_signature,
        "wishes": record.wishes,
        "posted": record.posted,
    }
