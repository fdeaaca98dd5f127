"""A market's design: how the node clears a slot, and what the chain then settles."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ledger.batches import FilledOrder
from ledger.trades import Trade
from matching import continuous, discriminatory, preferences, uniform
from matching.book import Book, from_orders
from matching.errors import WattbookError
from matching.orders import Side
from matching.result import Clearing
from matching.wishes import Trait, Wish
from node.store.records import OrderRecord
from node.wishes import SOURCES, Source, decoded

DESIGNS = (uniform.DESIGN, discriminatory.DESIGN, continuous.DESIGN, preferences.DESIGN)
"""What a node can trade by. McAfee's auction and the feeder's keep a surplus, for which the exchange has no
account: a settlement's buyers pay what its sellers receive."""

NEVER = -1
"""An account's number that no order has: a wish for sellers who are not there accepts nobody."""


# EECS technology codes begin with two digits for the group, of which 01 is solar, and have four more.
_GROUP, _SOLAR_GROUP = 10_000, 1


class OwnedDevice(Protocol):
    """What a design asks of a device."""

    @property
    def account(self) -> bytes:
        """Whose it is."""

    @property
    def technology(self) -> int:
        """The digits of its EECS technology code; 0 for what generates nothing."""


@dataclass(frozen=True, slots=True)
class ListedDevice:
    """A device as a list shows it: all that a design asks of it."""

    account: bytes
    technology: int


class UnknownDesignError(WattbookError):
    """A market is to be traded by a design that the node does not know, or cannot settle."""

    code = "market.design"


@dataclass(frozen=True, slots=True)
class Cleared:
    """What clearing made of a slot's orders.

    Attributes:
        price: the one price, nano-credit per Wh; None if nothing trades, or trades differ in price.
        fills: the filled orders as the chain settles them.
        trades: who with whom; each with the price its buyer pays.
    """

    price: int | None
    fills: tuple[FilledOrder, ...]
    trades: tuple[tuple[Trade, int], ...]


@dataclass(frozen=True)
class Design:
    """One of `DESIGNS`, with what it needs to know of the members' devices.

    Raises:
        UnknownDesignError: the name is not one of `DESIGNS`.
    """

    name: str
    devices: Callable[[], Iterable[OwnedDevice]]

    def __post_init__(self) -> None:
        """Check the name."""
        require_known(self.name)

    @property
    def uniform_price(self) -> bool:
        """Whether the exchange settles all fills at one price, or each for an amount of its own."""
        return self.name == uniform.DESIGN

    def clear(self, orders: Sequence[OrderRecord]) -> Cleared:
        """Clear the orders of a slot."""
        clearing = self._clear(_book(orders), orders)
        return _cleared(orders, clearing, uniform_price=self.uniform_price)

    def settlement_price(self, price: int | None, orders: Sequence[OrderRecord]) -> int:
        """The price at which the exchange settles a slot, nano-credit per Wh.

        `price` is what clearing these orders came to. If it is None, as nothing trades, it is one that no order is
        better than, because posted orders and challenges are held against it. 0 where each fill has an amount.
        """
        if not self.uniform_price:
            return 0
        return uniform.separating_price(_book(orders)) if price is None else price

    def _clear(self, book: Book, orders: Sequence[OrderRecord]) -> Clearing:
        if self.name == uniform.DESIGN:
            return uniform.clear(book)
        if self.name == discriminatory.DESIGN:
            return discriminatory.clear(book)
        if self.name == continuous.DESIGN:
            return continuous.clear(book)
        return preferences.clear(book, wishes=_wishes(orders, book), source=self._sources(orders))

    def _sources(self, orders: Sequence[OrderRecord]) -> list[int]:
        """What each order's account generates from."""
        solar = {device.account for device in self.devices() if device.technology // _GROUP == _SOLAR_GROUP}
        return [
            SOURCES.index(Source.SOLAR if record.signed.order.account in solar else Source.OTHER)
            for record in orders
        ]


def require_known(name: str) -> None:
    """Refuse a name that is not one of `DESIGNS`.

    Raises:
        UnknownDesignError: it is not.
    """
    if name not in DESIGNS:
        raise UnknownDesignError(f"market design is {name!r}: must be one of {', '.join(DESIGNS)}")


def _book(orders: Sequence[OrderRecord]) -> Book:
    return from_orders(
        [record.signed.order for record in orders],
        [record.signed.hash for record in orders],
        received=[record.index for record in orders],
    )


def _wishes(orders: Sequence[OrderRecord], book: Book) -> list[Wish]:
    number = {
        record.signed.order.account: account for record, account in zip(orders, book.account.tolist(), strict=True)
    }
    wishes = []
    for row, record in enumerate(orders):
        if record.wishes is None:
            continue
        for stated in decoded(record.wishes).wishes:
            if stated.trait is Trait.SOURCE:
                accepted = frozenset(SOURCES.index(Source(name)) for name in stated.accepted)
            else:
                accepted = frozenset(number.get(bytes.fromhex(name[2:]), NEVER) for name in stated.accepted)
            wishes.append(Wish(row, stated.trait, accepted, stated.premium))
    return wishes


def _cleared(orders: Sequence[OrderRecord], clearing: Clearing, *, uniform_price: bool) -> Cleared:
    filled = [
        FilledOrder(record.signed, fill_wh, 0 if uniform_price else abs(amount_nano), is_posted=record.posted)
        for record, fill_wh, amount_nano in zip(
            orders, clearing.fills_wh.tolist(), clearing.amounts_nano.tolist(), strict=True
        )
    ]
    columns = zip(
        clearing.trades.seller.tolist(),
        clearing.trades.buyer.tolist(),
        clearing.trades.quantity_wh.tolist(),
        clearing.trades.buyer_price.tolist(),
        strict=True,
    )
    trades = tuple(
        (Trade(number, filled[seller], filled[buyer], quantity_wh), price)
        for number, (seller, buyer, quantity_wh, price) in enumerate(columns)
    )
    return Cleared(clearing.price, tuple(fill for fill in filled if fill.fill_wh > 0), trades)


def may_wish(design: str, side: Side, trait: Trait, premium: int | None) -> str | None:
    """Why a wish is of no use in a market of this design; None if it is."""
    if design != preferences.DESIGN:
        return f"the market's design is {design}, which takes no wishes"
    if side is Side.OFFER and (trait is Trait.SOURCE or premium is not None):
        return "an offer can only restrict its buyers, by account"
    return None
