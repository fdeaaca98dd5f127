"""What orders add up to: the depth of a slot's book, and who holds how much energy of which slot."""

from dataclasses import dataclass

from sqlalchemy import case, func, select, tuple_

from matching.orders import Side
from node.store import schema
from node.store.database import Database
from node.store.records import OrderStatus, SlotState

_ORDERS = schema.orders.c
_OUT = (OrderStatus.CANCELLED, OrderStatus.VOIDED)


@dataclass(frozen=True, slots=True)
class Level:
    """What is bid or offered at one price, nano-credit per Wh: energy, and in how many orders."""

    side: Side
    price: int
    quantity_wh: int
    orders: int


@dataclass(frozen=True, slots=True)
class Position:
    """What an account bought (+) or sold (-) of a slot that is settled and not delivered, Wh."""

    slot: int
    account: bytes
    position_wh: int


class Standings(Database):
    """The part of the store that adds orders up."""

    def depth(self, slot: int) -> list[Level]:
        """A slot's orders by side and price, ascending; cancelled and void ones are left out."""
        query = (
            select(_ORDERS.side, _ORDERS.price, func.sum(_ORDERS.quantity_wh), func.count())
            .where(_ORDERS.slot == slot, _ORDERS.status.not_in(_OUT))
            .group_by(_ORDERS.side, _ORDERS.price)
            .order_by(_ORDERS.side, _ORDERS.price)
        )
        with self._read() as connection:
            return [Level(Side(row[0]), row[1], int(row[2]), row[3]) for row in connection.execute(query)]

    def positions(
        self,
        *,
        slot: int | None = None,
        account: bytes | None = None,
        after: tuple[int, bytes] | None = None,
        limit: int | None = None,
    ) -> list[Position]:
        """Undelivered positions by slot and account, ascending; `after` is those of the last one seen."""
        net_wh = func.sum(case((_ORDERS.side == int(Side.BID), _ORDERS.fill_wh), else_=-_ORDERS.fill_wh))
        query = (
            select(_ORDERS.slot, _ORDERS.account, net_wh)
            .join(schema.slots, schema.slots.c.slot == _ORDERS.slot)
            .where(schema.slots.c.state == SlotState.SETTLED)
            .group_by(_ORDERS.slot, _ORDERS.account)
            .having(net_wh != 0)
            .order_by(_ORDERS.slot, _ORDERS.account)
            .limit(limit)
        )
        for column, value in ((_ORDERS.slot, slot), (_ORDERS.account, account)):
            if value is not None:
                query = query.where(column == value)
        if after is not None:
            query = query.where(tuple_(_ORDERS.slot, _ORDERS.account) > after)
        with self._read() as connection:
            return [Position(row[0], row[1], int(row[2])) for row in connection.execute(query)]
