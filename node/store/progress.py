"""The steps of a slot's life as the store records them: each moves the slot on, with all that comes with it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType

from sqlalchemy import Connection, bindparam, case, delete, insert, literal, select, update

from node.store import schema
from node.store.approvals import withdraw_proposal
from node.store.errors import StoreConflictError
from node.store.orders import Orders, read_book
from node.store.records import (
    CertifiedSlot,
    OrderRecord,
    OrderStatus,
    SlotState,
    TradeRecord,
)
from node.store.slots import Slots, add_slot, move_slot, slot_state

_ORDERS = schema.orders.c

NO_AMOUNTS: Mapping[bytes, int] = MappingProxyType({})


class Progress(Orders, Slots):
    """The part of the store that moves slots on.

    Every method raises `StoreConflictError` if the slot is not where it must be for the move.
    """

    def close_slot(self, slot: int) -> list[OrderRecord]:
        """Gate closure: no order comes or goes any more. Returns the book; closing again returns it again."""
        with self._write() as connection:
            state = slot_state(connection, slot)
            if state is None:
                add_slot(connection, slot)
            if state in (None, SlotState.OPEN):
                move_slot(connection, slot, SlotState.CLOSED)
                connection.execute(
                    update(schema.orders)
                    .where(_ORDERS.slot == slot, _ORDERS.status == OrderStatus.OPEN)
                    .values(status=OrderStatus.CLOSED)
                )
            return read_book(connection, slot)

    def record_committed(self, slot: int, root: bytes, size: int) -> None:
        """The book's Merkle root and size are on chain."""
        with self._write() as connection:
            found = len(read_book(connection, slot))
            if found != size:
                raise StoreConflictError(f"book of slot {slot} has {found} orders: cannot commit to {size}")
            move_slot(connection, slot, SlotState.COMMITTED, book_root=root, book_size=size)

    def record_clearing(
        self,
        slot: int,
        *,
        price: int | None,
        fills: Mapping[bytes, int],
        amounts: Mapping[bytes, int] = NO_AMOUNTS,
        rejected: Mapping[bytes, str],
        trades: Sequence[TradeRecord],
        bought_wh: int,
    ) -> None:
        """What clearing decided; the orders stay `closed` until it is settled.

        Args:
            slot: start of the slot.
            price: the one price, nano-credit per Wh; None if nothing trades.
            fills: Wh by order hash; orders that are missing are not filled.
            amounts: nano-credits by order hash, where each filled order has an amount of its own; else empty.
            rejected: reasons by order hash.
            trades: who with whom.
            bought_wh: energy traded, Wh.
        """
        with self._write() as connection:
            move_slot(connection, slot, SlotState.CLEARED, price=price, bought_wh=bought_wh)
            _set_by_hash(connection, slot, "fill_wh", fills)
            _set_by_hash(connection, slot, "amount_nano", amounts)
            _set_by_hash(connection, slot, "reason", rejected)
            if trades:
                connection.execute(insert(schema.trades), [asdict(trade) for trade in trades])

    def discard_clearing(self, slot: int) -> None:
        """What clearing decided cannot be settled any more: the slot is committed again, and clears again."""
        with self._write() as connection:
            discarded = connection.execute(
                update(schema.slots)
                .where(schema.slots.c.slot == slot, schema.slots.c.state == SlotState.CLEARED)
                .values(state=SlotState.COMMITTED, price=None, bought_wh=None)
            )
            if discarded.rowcount != 1:
                raise StoreConflictError(f"slot {slot} has no clearing that is not settled: nothing to discard")
            withdraw_proposal(connection, slot)
            connection.execute(
                update(schema.orders)
                .where(_ORDERS.slot == slot, _ORDERS.status == OrderStatus.CLOSED)
                .values(fill_wh=0, amount_nano=0, reason=None)
            )
            connection.execute(delete(schema.trades).where(schema.trades.c.slot == slot))

    def record_settled(self, slot: int) -> None:
        """The clearing is settled on chain: its orders reach their final states."""
        kind = _ORDERS.status.type
        final = case(
            (_ORDERS.fill_wh > 0, literal(OrderStatus.FILLED, kind)),
            (_ORDERS.reason.is_not(None), literal(OrderStatus.REJECTED, kind)),
            else_=literal(OrderStatus.UNFILLED, kind),
        )
        with self._write() as connection:
            move_slot(connection, slot, SlotState.SETTLED)
            connection.execute(
                update(schema.orders)
                .where(_ORDERS.slot == slot, _ORDERS.status == OrderStatus.CLOSED)
                .values(status=final)
            )

    def record_voided(self, slot: int) -> None:
        """The slot was not settled in time: its orders are void, and what clearing decided never happened."""
        with self._write() as connection:
            move_slot(connection, slot, SlotState.VOIDED, price=None, bought_wh=None)
            withdraw_proposal(connection, slot)
            connection.execute(
                update(schema.orders)
                .where(_ORDERS.slot == slot, _ORDERS.status.in_((OrderStatus.OPEN, OrderStatus.CLOSED)))
                .values(status=OrderStatus.VOIDED, fill_wh=0, amount_nano=0, reason=None)
            )
            connection.execute(delete(schema.trades).where(schema.trades.c.slot == slot))

    def record_delivered(self, slot: int) -> None:
        """Energy tokens are redeemed and imbalances settled, on chain."""
        with self._write() as connection:
            move_slot(connection, slot, SlotState.DELIVERED)

    def record_certified(self, slot: int, certified: CertifiedSlot) -> None:
        """The slot's certificates are issued, moved and retired on chain; there may be none."""
        with self._write() as connection:
            move_slot(connection, slot, SlotState.CERTIFIED)
            for table, records in (
                (schema.issuances, certified.issuances),
                (schema.consumptions, certified.consumptions),
                (schema.certificate_moves, certified.moves),
                (schema.matches, certified.matches),
            ):
                if records:
                    connection.execute(insert(table), [asdict(record) for record in records])

    def awaited_from(self, slot: int, now: int) -> int:
        """Since when readings of a slot are awaited: `now`, if this is asked for the first time."""
        with self._write() as connection:
            column = schema.slots.c.awaited_from
            of_slot = schema.slots.c.slot == slot
            since: int | None = connection.scalar(select(column).where(of_slot))
            if since is None:
                connection.execute(update(schema.slots).where(of_slot).values(awaited_from=now))
            return now if since is None else since


def _set_by_hash(connection: Connection, slot: int, column: str, values: Mapping[bytes, object]) -> None:
    if not values:
        return
    statement = (
        update(schema.orders)
        .where(
            _ORDERS.hash == bindparam("order_hash"),
            _ORDERS.slot == slot,
            _ORDERS.status == OrderStatus.CLOSED,
        )
        .values({column: bindparam("value")})
    )
    rows = [{"order_hash": order_hash, "value": value} for order_hash, value in values.items()]
    changed = connection.execute(statement, rows).rowcount
    if changed != len(rows):
        raise StoreConflictError(
            f"{column} of {len(rows) - changed} orders that are not in the book of slot {slot}"
        )
