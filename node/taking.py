"""Takes groups of orders that have passed every check that an order can be put to by itself.

Whether escrow covers an order, and which number of its slot it is, depends on the orders before it: groups are
taken one after the other. Nobody is told of an order before its group is on disk.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ledger.eip712 import Receipt, SignedOrder
from ledger.market import Market
from matching.errors import WattbookError
from matching.orders import Order
from node.clock import Clock
from node.escrow import Escrow, GroupEscrow
from node.refusals import (
    CancelledEpochError,
    ExpiredOrderError,
    NotAMemberError,
    TooLargeOrderError,
    TooManyOrdersError,
)
from node.store import Store
from node.store.errors import GateClosedError
from node.store.groups import TAKING, new_record, slot_closed
from node.store.records import OrderRecord
from node.store.surroundings import Surroundings


@dataclass(frozen=True, slots=True)
class Limits:
    """What a market's operator takes.

    Attributes:
        quantity_wh: largest order, Wh; by default 100 kWh, what a 400 kW connection carries in a quarter hour.
        horizon_s: how far ahead of now a slot may start, seconds.
        orders_per_slot: orders of all accounts for one slot, cancelled ones included: below what can settle, so
            that nobody's order can be more than settles.
        orders_per_account: orders of one account for one slot: a step curve, but no crowd. At most 64, as many as
            can be shown to the chain of an account that signed more than its escrow covers.
    """

    quantity_wh: int = 100_000
    horizon_s: int = 7 * 86_400
    orders_per_slot: int = 10_000
    orders_per_account: int = 32


@dataclass(frozen=True, slots=True)
class Arrival:
    """An order that its account signed, and its wishes as `node.wishes` encodes them, or None."""

    signed: SignedOrder
    wishes: str | None = None


class Taking:
    """Takes groups of orders for one market; only one at a time, over all nodes that share the store.

    Args:
        market: the market's terms.
        store: keeps the orders.
        clock: tells whether a slot's gate is open.
        escrow: tells what covers an order.
        limits: what the operator takes.
        sign: the operator's signature of a receipt.
        admit: called with the account of every new order; may refuse it.
    """

    def __init__(
        self,
        *,
        market: Market,
        store: Store,
        clock: Clock,
        escrow: Escrow,
        limits: Limits,
        sign: Callable[[Receipt], bytes],
        admit: Callable[[bytes], None],
    ) -> None:
        self._market = market
        self._store = store
        self._clock = clock
        self._escrow = escrow
        self._limits = limits
        self._sign = sign
        self._admit = admit

    def take(self, group: Sequence[Arrival]) -> list[OrderRecord | WattbookError]:
        """What became of each: its record, durable, or what refuses it. An order that is there keeps its record.

        Raises:
            ChainUnavailableError: the chain is out of reach. Nothing was taken.
            StoreUnavailableError: the store is.
        """
        orders = [each.signed.order for each in group]
        accounts, slots = {order.account for order in orders}, {order.slot for order in orders}
        with self._store.exclusively(TAKING) as section:
            tariffs = self._escrow.tariffs(self._clock.now() + self._limits.horizon_s)
            # The store before the chain: a slot that settles in between then takes cover twice rather than never.
            found = self._store.surroundings(
                hashes=[each.signed.hash for each in group], slots=slots, accounts=accounts, tariffs=tariffs
            )
            page = _Page(found, self._escrow.of_group(found, accounts, tariffs), self._limits)
            # Again, as waiting took time; and for the last time, as the store tells which slots are closed.
            now = self._clock.now()
            outcomes = [self._outcome(each, page, now) for each in group]
            closed = self._store.add_orders(page.new, within=section)
        refused = {each.signed.hash for each in page.new if each.signed.order.slot in closed}
        return [
            slot_closed(each.signed.order.slot, closed[each.signed.order.slot])
            if isinstance(each, OrderRecord) and each.signed.hash in refused
            else each
            for each in outcomes
        ]

    def _outcome(self, arrival: Arrival, page: "_Page", now: int) -> OrderRecord | WattbookError:
        signed, order = arrival.signed, arrival.signed.order
        if signed.hash in page.known:
            return page.known[signed.hash]
        try:
            self._admit(order.account)
            check_gate(self._market, order.slot, now)
            self._check_terms(order, page.escrow)
            index = page.next_index(order)
            page.escrow.set_aside(order)
        except WattbookError as error:
            return error
        record = new_record(signed, index, now, self._sign, wishes=arrival.wishes)
        page.add(record)
        return record

    def _check_terms(self, order: Order, escrow: GroupEscrow) -> None:
        state = escrow.states[order.account]
        if state.market != self._market.id or state.is_utility:
            raise NotAMemberError(f"0x{order.account.hex()} is not a member of market 0x{self._market.id.hex()}")
        if not self._escrow.epoch_holds(order, state):
            raise CancelledEpochError(
                f"order field 'epoch' is {order.epoch}: must be {state.epoch}, the account's"
            )
        # A node that does its work settles before the slot is over; one expired order would hold up all others.
        ends_at = self._market.ends_at(order.slot)
        if order.expires_at < ends_at:
            raise ExpiredOrderError(
                f"order field 'expires_at' is {order.expires_at}: must be at least {ends_at}, the slot's end"
            )
        if order.quantity_wh > self._limits.quantity_wh:
            raise TooLargeOrderError(
                f"order field 'quantity_wh' is {order.quantity_wh}: must be at most {self._limits.quantity_wh}",
                self._limits.quantity_wh,
            )


class _Page:
    """What is known and taken so far, while a group's orders are looked at one after the other."""

    def __init__(self, found: Surroundings, escrow: GroupEscrow, limits: Limits) -> None:
        self.known = dict(found.known)
        self.escrow = escrow
        self.new: list[OrderRecord] = []
        self._limits = limits
        self._sizes = Counter(found.sizes)
        self._counts = Counter(found.counts)

    def next_index(self, order: Order) -> int:
        """The number that an order is in its slot.

        Raises:
            TooManyOrdersError: its account, or everybody together, has too many there.
        """
        in_slot, of_account = self._sizes[order.slot], self._counts[order.slot, order.account]
        if of_account >= self._limits.orders_per_account:
            raise TooManyOrdersError(
                f"0x{order.account.hex()} has {of_account} orders for slot {order.slot}: at most "
                f"{self._limits.orders_per_account}"
            )
        if in_slot >= self._limits.orders_per_slot:
            raise TooManyOrdersError(
                f"slot {order.slot} has {in_slot} orders: at most {self._limits.orders_per_slot} can settle"
            )
        return in_slot

    def add(self, record: OrderRecord) -> None:
        """Count an order in."""
        order = record.signed.order
        self.known[record.signed.hash] = record
        self.new.append(record)
        self._sizes[order.slot] += 1
        self._counts[order.slot, order.account] += 1


def check_gate(market: Market, slot: int, now: int) -> None:
    """Refuse what comes after a slot's gate closure.

    Raises:
        GateClosedError: the gate is closed.
    """
    closes_at = market.gate_closes_at(slot)
    if now >= closes_at:
        raise GateClosedError(
            f"gate of slot {slot} closed at {closes_at}: it is {now}", slot=slot, closes_at=closes_at, now=now
        )
