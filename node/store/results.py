"""What slots led to, for reading: trades and certificates."""

from typing import Any

from sqlalchemy import Row, Select, Table, or_, select, tuple_

from node.store import schema
from node.store.database import Database
from node.store.records import (
    CertificateMoveRecord,
    CertifiedSlot,
    ConsumptionRecord,
    IssuanceRecord,
    MatchRecord,
    TradeRecord,
)
from node.store.slots import between

_TRADES = schema.trades.c


class Results(Database):
    """The part of the store that shows trades, the newest slots first, and what slots were certified with."""

    def trades(
        self,
        *,
        slot: int | None = None,
        account: bytes | None = None,
        first_slot: int | None = None,
        last_slot: int | None = None,
        after: tuple[int, int] | None = None,
        limit: int | None = None,
    ) -> list[TradeRecord]:
        """Trades, of one slot or of one account (selling or buying) if asked; `after` is (slot, number)."""
        query = select(schema.trades)
        if slot is not None:
            query = query.where(_TRADES.slot == slot)
        if account is not None:
            own = select(schema.orders.c.hash).where(schema.orders.c.account == account)
            query = query.where(or_(_TRADES.seller_order.in_(own), _TRADES.buyer_order.in_(own)))
        query = between(query, _TRADES.slot, first_slot, last_slot)
        if after is not None:
            query = query.where(tuple_(_TRADES.slot, _TRADES.number) < after)
        query = query.order_by(_TRADES.slot.desc(), _TRADES.number.desc()).limit(limit)
        with self._read() as connection:
            return [_trade(row) for row in connection.execute(query)]

    def certified(self, slot: int) -> CertifiedSlot:
        """What the slot's certification put on chain; nothing before it is done."""
        with self._read() as connection:
            issued = connection.execute(_of_slot(schema.issuances, slot, "device"))
            consumed = connection.execute(_of_slot(schema.consumptions, slot, "device"))
            moved = connection.execute(_of_slot(schema.certificate_moves, slot, "number"))
            matched = connection.execute(_of_slot(schema.matches, slot, "number"))
            return CertifiedSlot(
                issuances=tuple(IssuanceRecord(**row._mapping) for row in issued),
                consumptions=tuple(ConsumptionRecord(**row._mapping) for row in consumed),
                moves=tuple(CertificateMoveRecord(**row._mapping) for row in moved),
                matches=tuple(MatchRecord(**row._mapping) for row in matched),
            )


def _of_slot(table: Table, slot: int, order: str) -> Select[Any]:
    return select(table).where(table.c.slot == slot).order_by(table.c[order])


def _trade(row: Row[Any]) -> TradeRecord:
    return TradeRecord(
        slot=row.slot,
        number=row.number,
        seller_order=row.seller_order,
        buyer_order=row.buyer_order,
        quantity_wh=row.quantity_wh,
        price=row.price,
    )
