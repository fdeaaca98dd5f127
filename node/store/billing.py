"""What bills are made of: each member's fills and readings, slot by slot."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select

from ledger.bills import SlotMetered, SlotTrades
from ledger.evidence.tree import DAY_S
from ledger.metered import GIVING
from matching.orders import Side
from node.store import schema
from node.store.database import Database
from node.store.records import OrderStatus, SlotState

_ORDERS = schema.orders.c
_SLOTS = schema.slots.c
_READINGS = schema.readings.c
_DEVICES = schema.devices.c

_DELIVERED = (SlotState.DELIVERED, SlotState.CERTIFIED)

AccountSlot = tuple[bytes, int]
"""Whose, and which slot's."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a span of slots is: how many there are, how many of them are delivered, and what is not final."""

    slots: int
    delivered: int
    unfinished_intents: int


class BillingRows(Database):
    """The part of the store that adds up fills and readings by member and slot. Spans end before `end_slot`."""

    def billed_trades(
        self, first_slot: int, end_slot: int, *, account: bytes | None = None
    ) -> dict[AccountSlot, SlotTrades]:
        """What members bought and sold in slots that are settled; those without trades are missing."""
        is_bid = _ORDERS.side == int(Side.BID)
        # One of the two is nothing: a slot has one price, or each fill has its own amount.
        amount = func.coalesce(_SLOTS.price, 0) * _ORDERS.fill_wh
        amount = case((_ORDERS.amount_nano > 0, _ORDERS.amount_nano), else_=amount)
        query = (
            select(
                _ORDERS.account,
                _ORDERS.slot,
                _sum(is_bid, _ORDERS.fill_wh),
                _sum(~is_bid, _ORDERS.fill_wh),
                _sum(is_bid, amount),
                _sum(~is_bid, amount),
            )
            .join(schema.slots, _SLOTS.slot == _ORDERS.slot)
            .where(_ORDERS.status == OrderStatus.FILLED, *_span(_ORDERS.slot, first_slot, end_slot))
            .group_by(_ORDERS.account, _ORDERS.slot)
        )
        return {key: SlotTrades(*values) for key, values in self._sums(query, _ORDERS.account, account)}

    def billed_readings(
        self, first_slot: int, end_slot: int, *, account: bytes | None = None
    ) -> dict[AccountSlot, SlotMetered]:
        """What slots were delivered with, by member; slots that are not delivered are missing."""
        gives = _DEVICES.kind.in_([int(kind) for kind in GIVING])
        query = (
            select(
                _DEVICES.account,
                _READINGS.slot,
                _sum(~gives, _READINGS.energy_wh),
                _sum(gives, _READINGS.energy_wh),
            )
            .join(schema.devices, _DEVICES.device == _READINGS.device)
            .join(schema.slots, _SLOTS.slot == _READINGS.slot)
            .where(
                _READINGS.revision == 0,
                _SLOTS.state.in_(_DELIVERED),
                _READINGS.slot >= _DEVICES.first_slot,
                or_(_DEVICES.closed_day.is_(None), _READINGS.slot < _DEVICES.closed_day * DAY_S),
                *_span(_READINGS.slot, first_slot, end_slot),
            )
            .group_by(_DEVICES.account, _READINGS.slot)
        )
        return {key: SlotMetered(*values) for key, values in self._sums(query, _DEVICES.account, account)}

    def delivered_slots(self, first_slot: int, end_slot: int) -> set[int]:
        """The slots that are delivered."""
        query = select(_SLOTS.slot).where(_SLOTS.state.in_(_DELIVERED), *_span(_SLOTS.slot, first_slot, end_slot))
        with self._read() as connection:
            return set(connection.scalars(query))

    def earliest_slot(self) -> int | None:
        """The first slot that there is, or None."""
        with self._read() as connection:
            earliest: int | None = connection.scalar(select(func.min(_SLOTS.slot)))
            return earliest

    def progressed(self, first_slot: int, end_slot: int) -> Progressed:
        """How far these slots are."""
        span = _span(_SLOTS.slot, first_slot, end_slot)
        slots = select(func.count()).select_from(schema.slots).where(*span)
        intents = schema.intents.c
        unfinished = (
            select(func.count())
            .select_from(schema.intents)
            .where(intents.is_final == false(), *_span(intents.slot, first_slot, end_slot))
        )
        with self._read() as connection:
            return Progressed(
                slots=connection.scalar(slots) or 0,
                delivered=connection.scalar(slots.where(_SLOTS.state.in_(_DELIVERED))) or 0,
                unfinished_intents=connection.scalar(unfinished) or 0,
            )

    def _sums(
        self, query: Select[Any], column: ColumnElement[bytes], account: bytes | None
    ) -> list[tuple[AccountSlot, tuple[int, ...]]]:
        if account is not None:
            query = query.where(column == account)
        with self._read() as connection:
            # PostgreSQL adds integers up to decimals.
            return [((row[0], row[1]), tuple(int(each) for each in row[2:])) for row in connection.execute(query)]


def _span(column: ColumnElement[int], first_slot: int, end_slot: int) -> list[ColumnElement[bool]]:
    return [and_(column >= first_slot, column < end_slot)]


def _sum(condition: ColumnElement[bool], value: ColumnElement[int]) -> ColumnElement[int]:
    return func.sum(case((condition, value), else_=0))
