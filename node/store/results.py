"""What slots led to, for reading: trades and certificates."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Row, exists, or_, select, tuple_

from node.store import schema
from node.store.database import Database
from node.store.records import CertificateMoveRecord, IssuanceRecord, TradeRecord

_TRADES = schema.trades.c
_ISSUANCES = schema.issuances.c
_MOVES = schema.certificate_moves.c


class Results(Database):
    """The part of the store that shows trades and certificates; the newest slots come first."""

    def trades(
        self,
        *,
        slot: int | None = None,
        account: bytes | None = None,
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
        if after is not None:
            query = query.where(tuple_(_TRADES.slot, _TRADES.number) < after)
        query = query.order_by(_TRADES.slot.desc(), _TRADES.number.desc()).limit(limit)
        with self._read() as connection:
            return [_trade(row) for row in connection.execute(query)]

    def issuances(
        self,
        *,
        slot: int | None = None,
        device: int | None = None,
        account: bytes | None = None,
        after: tuple[int, int] | None = None,
        limit: int | None = None,
    ) -> list[IssuanceRecord]:
        """Issued certificates; `account` owns the device or got some of them; `after` is (slot, device)."""
        query = select(schema.issuances)
        if slot is not None:
            query = query.where(_ISSUANCES.slot == slot)
        if device is not None:
            query = query.where(_ISSUANCES.device == device)
        if account is not None:
            received = exists().where(
                _MOVES.slot == _ISSUANCES.slot, _MOVES.device == _ISSUANCES.device, _MOVES.account == account
            )
            query = query.join(schema.devices).where(or_(schema.devices.c.account == account, received))
        if after is not None:
            query = query.where(tuple_(_ISSUANCES.slot, _ISSUANCES.device) < after)
        query = query.order_by(_ISSUANCES.slot.desc(), _ISSUANCES.device.desc()).limit(limit)
        with self._read() as connection:
            return [
                IssuanceRecord(slot=row.slot, device=row.device, amount_wh=row.amount_wh)
                for row in connection.execute(query)
            ]

    def certificate_moves(self, slots: Collection[int]) -> list[CertificateMoveRecord]:
        """Transfers and retirements of the certificates of some slots, in their order on chain."""
        query = select(schema.certificate_moves).where(_MOVES.slot.in_(slots)).order_by(_MOVES.slot, _MOVES.number)
        with self._read() as connection:
            return [_move(row) for row in connection.execute(query)]

    def certificate_totals(self, account: bytes) -> tuple[int, int]:
        """Wh of certificates that the account holds, and that were retired for it."""
        issued = (
            select(schema.issuances.c.amount_wh).join(schema.devices).where(schema.devices.c.account == account)
        )
        given = select(_MOVES.amount_wh).join(schema.devices).where(schema.devices.c.account == account)
        taken = select(_MOVES.amount_wh, _MOVES.retired).where(_MOVES.account == account)
        with self._read() as connection:
            issued_wh = sum(connection.scalars(issued))
            given_wh = sum(connection.scalars(given))
            received = connection.execute(taken).all()
        retired_wh = sum(amount for amount, retired in received if retired)
        received_wh = sum(amount for amount, retired in received if not retired)
        return issued_wh - given_wh + received_wh, retired_wh


def _trade(row: Row[Any]) -> TradeRecord:
    return TradeRecord(
        slot=row.slot,
        number=row.number,
        seller_order=row.seller_order,
        buyer_order=row.buyer_order,
        quantity_wh=row.quantity_wh,
        price=row.price,
    )


def _move(row: Row[Any]) -> CertificateMoveRecord:
    return CertificateMoveRecord(
        slot=row.slot,
        number=row.number,
        device=row.device,
        account=row.account,
        amount_wh=row.amount_wh,
        retired=row.retired,
    )
