"""What new orders are checked against, read at once.

The statements are built once: for a single order, building them took longer than the database takes to answer.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Select, bindparam, case, false, func, select

from matching.orders import Side
from matching.tariff import Tariff
from node.store import schema
from node.store.orders import orders_with_hashes
from node.store.records import OrderRecord, OrderStatus, SlotState

_ORDERS, _SLOTS = schema.orders.c, schema.slots.c

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


def read_surroundings(
    connection: Connection,
    *,
    hashes: Collection[bytes],
    slots: Collection[int],
    accounts: Collection[bytes],
    tariffs: Tariffs,
) -> Surroundings:
    """See `node.store.groups.Groups.surroundings`."""
    asked = {"slots": list(slots), "accounts": list(accounts)}
    last = connection.execute(_LAST, asked)
    counted = connection.execute(_COUNTED, asked)
    return Surroundings(
        known=orders_with_hashes(connection, hashes),
        sizes={slot: index + 1 for slot, index in last if index is not None},
        counts={(slot, account): count for slot, account, count in counted},
        order_cover_nano=_order_cover(connection, accounts, tariffs) if accounts else {},
        positions=_positions(connection, accounts),
    )


def _among(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column.in_(bindparam(name, expanding=True))


# By the slots, and not grouped: so the last index of each is looked up, and the others are passed over.
_LAST = select(
    _SLOTS.slot,
    select(func.max(_ORDERS.index)).where(_ORDERS.slot == _SLOTS.slot).scalar_subquery(),
).where(_among(_SLOTS.slot, "slots"))

_COUNTED = (
    select(_ORDERS.slot, _ORDERS.account, func.count())
    .where(_among(_ORDERS.slot, "slots"), _among(_ORDERS.account, "accounts"))
    .group_by(_ORDERS.slot, _ORDERS.account)
)

# The slots first: an account may have had a hundred thousand orders, and few are of these.
_SETTLED = select(_SLOTS.slot).where(_SLOTS.state == SlotState.SETTLED)
_NET = (
    select(
        _ORDERS.account,
        _ORDERS.slot,
        func.sum(case((_ORDERS.side == int(Side.BID), _ORDERS.fill_wh), else_=-_ORDERS.fill_wh)),
    )
    .where(_among(_ORDERS.slot, "slots"), _among(_ORDERS.account, "accounts"))
    .group_by(_ORDERS.account, _ORDERS.slot)
)


def _positions(connection: Connection, accounts: Collection[bytes]) -> list[tuple[bytes, int, int]]:
    settled = list(connection.scalars(_SETTLED))
    if not settled:
        return []
    rows = connection.execute(_NET, {"slots": settled, "accounts": list(accounts)})
    return [(account, slot, int(net)) for account, slot, net in rows]


def _order_cover(connection: Connection, accounts: Collection[bytes], tariffs: Tariffs) -> dict[bytes, int]:
    """The sum of `node.cover.order_cover`, as an account may have hundreds of orders."""
    asked: dict[str, object] = {"accounts": list(accounts)}
    for number, (start, tariff) in enumerate(tariffs):
        asked |= {f"grid_fee_{number}": tariff.grid_fee, f"retail_price_{number}": tariff.retail_price}
        if number > 0:
            asked[f"start_{number}"] = start
    return {account: int(nano) for account, nano in connection.execute(_cover_under(len(tariffs)), asked)}


@cache
def _cover_under(tariffs: int) -> Select[bytes, int]:
    """The statement for so many tariffs."""
    of_bid = _ORDERS.price + _in_force(tariffs, "grid_fee")
    retail_price = _in_force(tariffs, "retail_price")
    of_offer = case((_ORDERS.price < retail_price, retail_price - _ORDERS.price), else_=0)
    cover = _ORDERS.quantity_wh * case((_ORDERS.side == int(Side.BID), of_bid), else_=of_offer)
    return (
        select(_ORDERS.account, func.sum(cover))
        .where(
            _among(_ORDERS.account, "accounts"),
            _ORDERS.status.in_((OrderStatus.OPEN, OrderStatus.CLOSED)),
            _ORDERS.posted == false(),
        )
        .group_by(_ORDERS.account)
    )


def _in_force(tariffs: int, price: str) -> ColumnElement[int]:
    """A price of the tariff in force in an order's slot."""
    later = [
        (_ORDERS.slot >= _bound("start", number), _bound(price, number)) for number in range(tariffs - 1, 0, -1)
    ]
    return case(*later, else_=_bound(price, 0)) if later else _bound(price, 0)


def _bound(name: str, number: int) -> ColumnElement[int]:
    return bindparam(f"{name}_{number}", type_=BigInteger)
