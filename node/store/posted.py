"""Posted orders in the store: those that members put on chain, beside those that they placed with the node."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select, true, update

from node.store import schema
from node.store.errors import StoreConflictError
from node.store.orders import Orders, find_order, order_columns
from node.store.records import OrderRecord, OrderStatus, SlotState
from node.store.slots import slot_state

if TYPE_CHECKING:  # the chain takes long to import, and whoever only looks into a store does without
    from ledger.posted import PostedOrder

_ORDERS = schema.orders.c


class Posted(Orders):
    """The part of the store that keeps posted orders."""

    def note_posted(self, slot: int, posted: "Sequence[PostedOrder]") -> None:
        """Keep exactly these as the slot's posted orders, in their order on chain.

        A re-organisation of the chain may have changed which they are, so those noted before are forgotten.

        Raises:
            StoreConflictError: the slot is not committed, or has been cleared.
        """
        with self._write() as connection:
            state = slot_state(connection, slot)
            if state is not SlotState.COMMITTED:
                raise StoreConflictError(f"slot {slot} is {state}: must be committed to take its posted orders")
            of_slot = _ORDERS.slot == slot
            connection.execute(delete(schema.orders).where(of_slot, _ORDERS.receipt_signature.is_(None)))
            connection.execute(update(schema.orders).where(of_slot, _ORDERS.posted == true()).values(posted=False))
            connection.execute(
                update(schema.orders)
                .where(of_slot, _ORDERS.cancellation_signature.is_not(None))
                .values(status=OrderStatus.CANCELLED)
            )
            last = connection.scalar(select(func.max(_ORDERS.index)).where(of_slot))
            index = -1 if last is None else last
            for order in posted:
                if find_order(connection, order.signed.hash) is not None:
                    connection.execute(
                        update(schema.orders)
                        .where(_ORDERS.hash == order.signed.hash)
                        .values(posted=True, status=OrderStatus.CLOSED)
                    )
                    continue
                index += 1
                record = OrderRecord(
                    signed=order.signed,
                    index=index,
                    received_at=order.posted_at,
                    receipt_signature=None,
                    status=OrderStatus.CLOSED,
                    posted=True,
                )
                connection.execute(insert(schema.orders).values(order_columns(record)))
