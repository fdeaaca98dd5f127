"""What bills are made of: each member's fills and readings, slot by slot."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, case, false, func, or_, select, union

from ledger.bills import SlotMetered, SlotTrades
from ledger.evidence.tree import DAY_S
from ledger.intents import IntentStatus
from ledger.metered import GIVING
from matching.orders import Side
from node.store import schema
from node.store.database import Database
from node.store.records import OrderStatus, SlotState

_ORDERS = schema.orders.c
_SLOTS = schema.slots.c
_READINGS = schema.readings.c
_DEVICES = schema.devices.c
_INTENTS = schema.intents.c

_DELIVERED = (SlotState.DELIVERED, SlotState.CERTIFIED)

_ACCOUNTS_AT_ONCE = 500
"""Databases take so many parameters of a statement; SQLite, of ours the least, 32,766."""

AccountSlot = tuple[bytes, int]
"""Whose, and which slot's."""


@dataclass(frozen=True, slots=True)
class Progressed:
    """How far a span of slots is: how many there are, how many of them are delivered, and what is not final."""

    slots: int
    delivered: int
    unfinished_intents: int


@dataclass(frozen=True, slots=True)
class BilledStep:
    """A confirmed `settle` or `deliver` of a slot, and where it is."""

    slot: int
    step: str
    block_number: int
    transaction_hash: bytes


class BillingRows(Database):
    """The part of the store that adds up fills and readings by member and slot. Spans end before `end_slot`."""

    def billed_steps(self, account: bytes, last_block: int) -> list[BilledStep]:
        """Up to a block, what was settled and delivered of the slots that a member traded or was metered in."""
        traded = select(_ORDERS.slot).where(_ORDERS.account == account, _ORDERS.status == OrderStatus.FILLED)
        metered = (
            select(_READINGS.slot)
            .join(schema.devices, _DEVICES.device == _READINGS.device)
            .where(_DEVICES.account == account)
        )
        is_noted = or_(_INTENTS.step == "settle", and_(_INTENTS.step == "deliver", _SLOTS.state.in_(_DELIVERED)))
        query = (
            select(_INTENTS.slot, _INTENTS.step, _INTENTS.block_number, _INTENTS.transaction_hash)
            .join(schema.slots, _SLOTS.slot == _INTENTS.slot)
            .where(
                _INTENTS.slot.in_(union(traded, metered)),
                _INTENTS.status == IntentStatus.CONFIRMED,
                _INTENTS.block_number <= last_block,
                is_noted,
            )
        )
        with self._read() as connection:
            return [BilledStep(*row) for row in connection.execute(query)]

    def billed_trades(
        self, first_slot: int, end_slot: int, accounts: Collection[bytes]
    ) -> dict[AccountSlot, SlotTrades]:
        """What these members bought and sold in slots that are settled; those without trades are missing."""
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
        return {key: SlotTrades(*values) for key, values in self._sums(query, _ORDERS.account, accounts)}

    def billed_readings(
        self, first_slot: int, end_slot: int, accounts: Collection[bytes]
    ) -> dict[AccountSlot, SlotMetered]:
        """What slots were delivered with, by these members; slots that are not delivered are missing."""
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
        return {key: SlotMetered(*values) for key, values in self._sums(query, _DEVICES.account, accounts)}

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
        self, query: Select[Any], column: ColumnElement[bytes], accounts: Collection[bytes]
    ) -> Iterator[tuple[AccountSlot, tuple[int, ...]]]:
        wanted = list(accounts)
        with self._read() as connection:
            for start in range(0, len(wanted), _ACCOUNTS_AT_ONCE):
                rows = connection.execute(query.where(column.in_(wanted[start : start + _ACCOUNTS_AT_ONCE])))
                # PostgreSQL adds integers up to decimals.
                yield from (((row[0], row[1]), tuple(int(each) for each in row[2:])) for row in rows)


def _span(column: ColumnElement[int], first_slot: int, end_slot: int) -> list[ColumnElement[bool]]:
    return [and_(column >= first_slot, column < end_slot)]


def _sum(condition: ColumnElement[bool], value: ColumnElement[int]) -> ColumnElement[int]:
    return func.sum(case((condition, value), else_=0))
