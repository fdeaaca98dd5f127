"""A limit order book that trades each order as it arrives: design 3, the continuous double auction.

Price-time priority, trades at the resting order's price. Every event (an order, an amendment, a
cancellation) has a number, counted from 0 in order of arrival; an order goes by the number of the event
that put it into the book. The same events always lead to the same book.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from matching.errors import WattbookError
from matching.orders import MAX_PRICE, MAX_QUANTITY_WH, Side
from matching.result import Reason

NUMBER_BITS = 31
MAX_EVENTS = 2**NUMBER_BITS
"""Most events of one book: a number and a price together fit 63 bits."""

_NUMBER_MASK = MAX_EVENTS - 1
_SPARE_KEYS = 64


class Action(IntEnum):
    """What an event does: the first four enter an order of that type."""

    LIMIT = 0
    """Trade what is possible, let the rest wait in the book."""
    IOC = 1
    """Immediate or cancel: trade what is possible, drop the rest."""
    FOK = 2
    """Fill or kill: trade everything at once or nothing."""
    POST_ONLY = 3
    """Wait in the book; refuse the order if it would trade at once."""
    AMEND = 4
    CANCEL = 5


_IOC, _FOK, _POST_ONLY = (
    Action.IOC,
    Action.FOK,
    Action.POST_ONLY,
)  # looked up for each order: worth 5 % of its time


class InvalidEventError(WattbookError):
    """An event's field is outside its limits.

    Attributes:
        field: the name of the field.
    """

    code = "event.invalid"

    def __init__(self, field: str, value: object, limit: str) -> None:
        super().__init__(f"event field '{field}' is {value!r}: {limit}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Event:
    """One event, as in a recorded list; fields that its action does not need are ignored.

    Attributes:
        action: what it does.
        side: bid or offer (orders).
        price: limit price, nano-credit per Wh (orders, amendments).
        quantity_wh: energy to trade, Wh (orders); energy still to trade (amendments).
        account: whose order it is (orders).
        number: the order it is about (amendments, cancellations).
    """

    action: Action
    side: Side = Side.BID
    price: int = 0
    quantity_wh: int = 0
    account: int = 0
    number: int = 0


class Execution(NamedTuple):
    """One trade of an incoming with a resting order. A named tuple, as many are made and they must be cheap."""

    resting: int
    price: int
    quantity_wh: int


class Outcome(NamedTuple):
    """What an event did.

    `number` is the number of the order it put into the book or changed, `left_wh` what of it now waits
    there; `removed` are orders of the same account taken out of the book so that it does not trade with
    itself.
    """

    number: int
    executions: list[Execution]
    left_wh: int
    removed: list[int]
    refused: Reason | None


@dataclass(frozen=True, slots=True)
class RestingOrder:
    """An order waiting in the book; `left_wh` is what is still to trade, Wh."""

    number: int
    side: Side
    price: int
    left_wh: int
    account: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A book's whole state: the orders by number, how many events there were, the last trade's price."""

    orders: tuple[RestingOrder, ...]
    events: int
    last_price: int | None


class Level(NamedTuple):
    """All that waits at one price."""

    price: int
    left_wh: int
    orders: int


class _Resting:
    """A mutable `RestingOrder`: only the book sees it."""

    __slots__ = ("account", "left_wh", "price", "side")

    def __init__(self, side: int, price: int, left_wh: int, account: int) -> None:
        self.side = side
        self.price = price
        self.left_wh = left_wh
        self.account = account


class LimitOrderBook:
    """A limit order book of one slot.

    An order never trades with a resting order of its own account: it takes that order out of the book and
    goes on. A resting order takes about 250 bytes of memory.
    """

    def __init__(self) -> None:
        self._orders: dict[int, _Resting] = {}
        # a heap for each side: price and number in one key, best first; keys of removed orders stay until
        # they surface
        self._keys: tuple[list[int], list[int]] = ([], [])
        self._events = 0
        self._last_price: int | None = None

    def submit(
        self, side: Side, price: int, quantity_wh: int, account: int, action: Action = Action.LIMIT
    ) -> Outcome:
        """Enter an order; `action` is its type.

        Raises:
            InvalidEventError: price or quantity is outside an order's limits, or the book has had
                `MAX_EVENTS`.
        """
        _require_terms(price, quantity_wh)
        return self._enter(side, price, quantity_wh, account, action, number=self._next_number())

    def amend(self, number: int, price: int, quantity_wh: int) -> Outcome:
        """Change a resting order's price and what it still has to trade.

        An order whose price stays and whose quantity does not grow keeps its place. Any other leaves the
        book and enters it anew as a limit order, under the number of this event.

        Raises:
            InvalidEventError: price or quantity is outside an order's limits, or the book has had
                `MAX_EVENTS`.
        """
        _require_terms(price, quantity_wh)
        event = self._next_number()
        resting = self._orders.get(number)
        if resting is None:
            return Outcome(number, [], 0, [], Reason.NOT_RESTING)
        if price == resting.price and quantity_wh <= resting.left_wh:
            resting.left_wh = quantity_wh
            return Outcome(number, [], quantity_wh, [], None)
        self._remove(number)
        return self._enter(Side(resting.side), price, quantity_wh, resting.account, Action.LIMIT, number=event)

    def cancel(self, number: int) -> Outcome:
        """Take a resting order out of the book.

        Raises:
            InvalidEventError: the book has had `MAX_EVENTS`.
        """
        self._next_number()
        if number not in self._orders:
            return Outcome(number, [], 0, [], Reason.NOT_RESTING)
        self._remove(number)
        return Outcome(number, [], 0, [], None)

    def apply(self, event: Event) -> Outcome:
        """Do what a recorded event says; see `submit`, `amend` and `cancel`."""
        if event.action is Action.CANCEL:
            return self.cancel(event.number)
        if event.action is Action.AMEND:
            return self.amend(event.number, event.price, event.quantity_wh)
        return self.submit(event.side, event.price, event.quantity_wh, event.account, event.action)

    @property
    def best_bid(self) -> int | None:
        """Highest price bid, nano-credit per Wh."""
        return self._best(Side.BID)

    @property
    def best_offer(self) -> int | None:
        """Lowest price offered, nano-credit per Wh."""
        return self._best(Side.OFFER)

    @property
    def mid_price(self) -> int | None:
        """Halfway between best bid and best offer, rounded down to a whole nano-credit per Wh."""
        bid, offer = self.best_bid, self.best_offer
        return None if bid is None or offer is None else (bid + offer) // 2

    @property
    def last_price(self) -> int | None:
        """Price of the last trade, nano-credit per Wh."""
        return self._last_price

    def depth(self, side: Side, levels: int | None = None) -> list[Level]:
        """What waits at each price, best first, at most `levels` prices."""
        totals: dict[int, tuple[int, int]] = {}
        for resting in self._orders.values():
            if resting.side == side:
                left_wh, orders = totals.get(resting.price, (0, 0))
                totals[resting.price] = left_wh + resting.left_wh, orders + 1
        prices = sorted(totals, reverse=side is Side.BID)
        return [Level(price, *totals[price]) for price in prices[:levels]]

    def snapshot(self) -> Snapshot:
        """The state now; a book restored from it goes on exactly as this one would."""
        return Snapshot(
            orders=tuple(
                RestingOrder(number, Side(resting.side), resting.price, resting.left_wh, resting.account)
                for number, resting in sorted(self._orders.items())
            ),
            events=self._events,
            last_price=self._last_price,
        )

    @classmethod
    def restored(cls, snapshot: Snapshot) -> "LimitOrderBook":
        """The book whose state was recorded."""
        book = cls()
        book._events, book._last_price = snapshot.events, snapshot.last_price
        for order in snapshot.orders:
            book._rest(order.number, _Resting(order.side, order.price, order.left_wh, order.account))
        return book

    def _next_number(self) -> int:
        number = self._events
        if number >= MAX_EVENTS:
            raise InvalidEventError("number", number, f"a book takes at most {MAX_EVENTS} events")
        self._events = number + 1
        return number

    def _enter(
        self, side: Side, price: int, left_wh: int, account: int, action: Action, *, number: int
    ) -> Outcome:
        orders = self._orders
        facing = self._keys[1 - side]
        reach = ((MAX_PRICE - price if side else price) << NUMBER_BITS) | _NUMBER_MASK
        executions: list[Execution] = []
        removed: list[int] = []
        if action is _FOK and self._within_reach(facing, reach, account, left_wh) < left_wh:
            return Outcome(number, executions, 0, removed, Reason.FILL_OR_KILL)
        if action is _POST_ONLY and self._within_reach(facing, reach, account, 1):
            return Outcome(number, executions, 0, removed, Reason.POST_ONLY)
        while left_wh and facing and facing[0] <= reach:
            best = facing[0] & _NUMBER_MASK
            resting = orders.get(best)
            if resting is None:
                heappop(facing)
                continue
            if resting.account == account:
                heappop(facing)
                del orders[best]
                removed.append(best)
                continue
            traded_wh = min(left_wh, resting.left_wh)
            executions.append(Execution(best, resting.price, traded_wh))
            left_wh -= traded_wh
            if traded_wh == resting.left_wh:
                heappop(facing)
                del orders[best]
            else:
                resting.left_wh -= traded_wh
        if executions:
            self._last_price = executions[-1].price
        if left_wh and action is not _IOC:
            self._rest(number, _Resting(side, price, left_wh, account))
            return Outcome(number, executions, left_wh, removed, None)
        return Outcome(number, executions, 0, removed, None)

    def _rest(self, number: int, resting: _Resting) -> None:
        self._orders[number] = resting
        key = resting.price if resting.side else MAX_PRICE - resting.price
        heappush(self._keys[resting.side], (key << NUMBER_BITS) | number)

    def _remove(self, number: int) -> None:
        side = self._orders.pop(number).side
        keys = self._keys[side]
        if len(keys) > 2 * len(self._orders) + _SPARE_KEYS:
            keys[:] = [key for key in keys if key & _NUMBER_MASK in self._orders]
            heapify(keys)

    def _within_reach(self, keys: list[int], reach: int, account: int, enough_wh: int) -> int:
        """What other accounts' orders within reach would trade, counted until it is enough.

        Looks only at the part of the heap within reach: below a key out of reach there are only worse ones.
        """
        found_wh, look_at = 0, [0]
        while look_at and found_wh < enough_wh:
            place = look_at.pop()
            if place >= len(keys) or keys[place] > reach:
                continue
            resting = self._orders.get(keys[place] & _NUMBER_MASK)
            if resting is not None and resting.account != account:
                found_wh += resting.left_wh
            look_at += (2 * place + 1, 2 * place + 2)
        return found_wh

    def _best(self, side: Side) -> int | None:
        keys = self._keys[side]
        while keys:
            resting = self._orders.get(keys[0] & _NUMBER_MASK)
            if resting is not None:
                return resting.price
            heappop(keys)
        return None


def replayed(events: Iterable[Event]) -> LimitOrderBook:
    """The book that these events lead to."""
    book = LimitOrderBook()
    for event in events:
        book.apply(event)
    return book


def _require_terms(price: int, quantity_wh: int) -> None:
    if not 0 <= price <= MAX_PRICE:
        raise InvalidEventError("price", price, f"must be between 0 and {MAX_PRICE}")
    if not 1 <= quantity_wh <= MAX_QUANTITY_WH:
        raise InvalidEventError("quantity_wh", quantity_wh, f"must be between 1 and {MAX_QUANTITY_WH}")
