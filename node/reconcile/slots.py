"""One slot: its state, book, clearing, delivery and certificates against the chain."""

from collections import defaultdict
from collections.abc import Sequence

from ledger import merkle
from ledger.allocation.model import BrokenAllocationError, InvalidMeteringError, Match, Move
from ledger.allocation.parts import parts_of
from ledger.allocation.rule import allocate
from ledger.audit.model import SlotModel
from ledger.intents import IntentRecord
from ledger.trades import Trade
from node.design import Cleared
from node.metered import consumptions_of
from node.reconcile.approvals import compare_approvals
from node.reconcile.context import Context, hexed
from node.reconcile.intents import check_intent, compare_steps, is_after, is_of_step
from node.reconcile.orders import check_order, check_rejections, check_reports, order_where
from node.reconcile.posted import compare_posted
from node.store.records import OrderRecord, OrderStatus, SlotRecord, SlotState

_UNCOMMITTED = (SlotState.OPEN, SlotState.CLOSED)
_NOT_CLEARED = (SlotState.OPEN, SlotState.CLOSED, SlotState.COMMITTED)
_FINISHED = (SlotState.DELIVERED, SlotState.CERTIFIED)
_NOTHING = Cleared(None, (), ())


class SlotComparison:
    """Compares one slot of the store with the chain's.

    The store notes a step after the chain has taken it. So it may be one step behind, if it has the step's intent:
    then everything that its own state implies is compared, and what the next step would add must not be there yet.
    """

    def __init__(self, context: Context, record: SlotRecord) -> None:
        self._context = context
        self._findings = context.findings
        self._record = record
        self._where = f"slot {record.slot}"
        self._state = context.model.slots.get(
            (context.store.market, record.slot), SlotModel(context.store.market, record.slot)
        )
        self._is_voided = "void" in self._state.blocks and record.state not in (*_NOT_CLEARED, SlotState.CLEARED)

    def run(self) -> None:
        """Compare everything that belongs to the slot."""
        store, slot = self._context.store, self._record.slot
        intents = self._context.read(f"table intents, {self._where}", lambda: store.intents(slot))
        orders = self._context.read(f"table orders, {self._where}", lambda: store.orders(slot=slot))
        for intent in intents or []:
            overtaken = "void" in self._state.blocks and intent.intent.step in ("commit", "settle")
            check_intent(self._context, intent, overtaken=overtaken)
        if any(is_after(self._context, intent) for intent in intents or []):
            return
        if intents is not None:
            self._compare_progress(intents)
        if orders is not None:
            self._compare_orders(orders)
        self._context.read(f"table readings, {self._where}", self._compare_delivery)
        self._compare_certificates()

    # How far the slot is

    def _compare_progress(self, intents: Sequence[IntentRecord]) -> None:
        reached, step, before = _progress(self._state)
        # Anybody may void a slot, so that the store need not have an intent of it.
        has_taken_it = step == "void" or any(is_of_step(intent, self._state, step) for intent in intents)
        is_behind = self._record.state in before and has_taken_it
        self._findings.require(
            "store.state",
            f"table slots, {self._where}",
            is_behind or self._record.state in reached,
            expected=" or ".join(reached),
            found=self._record.state,
        )
        compare_steps(self._context, self._state, intents, not_noted=step if is_behind else None)

    # Orders and what clearing made of them

    def _compare_orders(self, orders: Sequence[OrderRecord]) -> None:
        for order in orders:
            self._context.read(order_where(order), lambda order=order: check_order(self._context, order))  # type: ignore[misc]  # a loop's variable, bound
        where = f"table orders, {self._where}"
        arrivals = sorted(order.index for order in orders)
        self._findings.check("store.arrivals", where, expected=list(range(len(orders))), found=arrivals)
        for order in orders:
            if order.status is OrderStatus.CANCELLED:
                found = (order.fill_wh, order.amount_nano, order.reason)
                self._findings.check("store.order.fill", order_where(order), expected=(0, 0, None), found=found)
        compare_posted(self._context, self._record.slot, orders, noted=self._has_noted_posted())
        by_hash = sorted(orders, key=lambda order: order.signed.hash)
        self._compare_book([order for order in by_hash if order.is_in_book])
        self._compare_clearing([order for order in by_hash if order.status is not OrderStatus.CANCELLED])

    def _has_noted_posted(self) -> bool | None:
        """Whether clearing, for which posted orders are read, has begun; None if that cannot be told."""
        if self._record.state in _UNCOMMITTED:
            return False
        return None if self._is_voided or self._record.state is SlotState.COMMITTED else True

    def _compare_book(self, book: Sequence[OrderRecord]) -> None:
        where = f"table slots, {self._where}"
        committed = (self._state.book_root, self._state.book_size if self._state.book_root is not None else None)
        if self._record.state in _UNCOMMITTED:
            expected: tuple[bytes | None, int | None] = (None, None)
        elif self._is_voided and self._record.book_root is None:
            expected = (None, None)  # voided before the commitment was noted
        else:
            expected = committed
        self._findings.check("store.book_root", where, expected=expected[0], found=self._record.book_root)
        self._findings.check("store.book_size", where, expected=expected[1], found=self._record.book_size)
        if self._state.book_root is not None:
            root = merkle.root([order.signed.hash for order in book])
            where = f"table orders, {self._where}"
            self._findings.check("store.book", where, expected=self._state.book_root, found=root)

    def _compare_clearing(self, orders: Sequence[OrderRecord]) -> None:
        """Whether the operator cleared as the market's design says: the same orders, the same result."""
        is_cleared = self._record.state not in _NOT_CLEARED and not self._is_voided
        cleared, accepted = _NOTHING, [order for order in orders if order.reason is None]
        price = 0
        if is_cleared:
            cleared = self._context.design.clear(accepted)
            price = self._context.design.settlement_price(cleared.price, accepted)
        compare_approvals(self._context, self._record, cleared if is_cleared else None, price)
        fills = {fill.signed.hash: (fill.fill_wh, fill.amount_nano, fill.is_posted) for fill in cleared.fills}
        if is_cleared and "settle" in self._state.blocks:
            on_chain = {
                fill.signed.hash: (fill.fill_wh, fill.amount_nano, fill.is_posted) for fill in self._state.fills
            }
            where = f"clearing of {self._where}"
            self._findings.check("store.clearing", where, expected=_shown(fills), found=_shown(on_chain))
            self._findings.check("store.settlement_price", where, expected=price, found=self._state.price)
            fills = on_chain
            check_rejections(self._context, self._state, orders)
            check_reports(self._context, self._state, orders, price)
            self._compare_allocation([trade for trade, _ in cleared.trades])
        for order in orders:
            fill = fills.get(order.signed.hash, (0, 0, order.posted))
            self._compare_result(order, fill, is_cleared=is_cleared)
        bought_wh = sum(trade.quantity_wh for trade, _ in cleared.trades) if is_cleared else None
        where = f"table slots, {self._where}"
        self._findings.check("store.bought_wh", where, expected=bought_wh, found=self._record.bought_wh)
        self._findings.check("store.price", where, expected=cleared.price, found=self._record.price)
        self._context.read(f"table trades, {self._where}", lambda: self._compare_trades(cleared))

    def _compare_result(self, order: OrderRecord, fill: tuple[int, int, bool], *, is_cleared: bool) -> None:
        where = order_where(order)
        found = (order.fill_wh, order.amount_nano, order.posted)
        self._findings.check("store.order.fill", where, expected=fill, found=found)
        if not is_cleared:
            self._findings.check("store.order.reason", where, expected=None, found=order.reason)
        status = self._status(order)
        self._findings.check("store.order.status", where, expected=status, found=order.status)

    def _status(self, order: OrderRecord) -> OrderStatus:
        if self._is_voided:
            return OrderStatus.VOIDED
        if self._record.state is SlotState.OPEN:
            return OrderStatus.OPEN
        if self._record.state in (*_NOT_CLEARED, SlotState.CLEARED):
            return OrderStatus.CLOSED
        if order.fill_wh > 0:
            return OrderStatus.FILLED
        return OrderStatus.UNFILLED if order.reason is None else OrderStatus.REJECTED

    def _compare_trades(self, cleared: Cleared) -> None:
        expected = [
            (
                trade.number,
                hexed(trade.seller.signed.hash),
                hexed(trade.buyer.signed.hash),
                trade.quantity_wh,
                price,
            )
            for trade, price in cleared.trades
        ]
        found = [
            (trade.number, hexed(trade.seller_order), hexed(trade.buyer_order), trade.quantity_wh, trade.price)
            for trade in sorted(self._context.store.trades(slot=self._record.slot), key=lambda trade: trade.number)
        ]
        self._findings.check("store.trades", f"table trades, {self._where}", expected=expected, found=found)

    def _compare_allocation(self, trades: Sequence[Trade]) -> None:
        """Whether the certificates followed the trades; where there is one price, the chain alone shows it too."""
        if "certify" not in self._state.blocks:
            return
        consumptions = consumptions_of(self._context.store, self._record.slot)
        try:
            allocated = allocate(self._state.issuances, consumptions, trades)
            parts = parts_of(self._state.issuances, consumptions, allocated)
            expected: object = _passed_on(
                [move for part in parts for move in part.moves],
                [match for part in parts for match in part.matches],
            )
        except (BrokenAllocationError, InvalidMeteringError) as error:  # what was issued is not what was metered
            expected = error
        found = _passed_on(self._state.moves, self._state.matches)
        where = f"certification of {self._where}"
        self._findings.check("store.allocation", where, expected=expected, found=found)

    # Delivery and certificates

    def _compare_delivery(self) -> None:
        if self._state.state != "delivered":
            return
        readings = self._context.store.readings(self._record.slot)
        consumption: dict[bytes, int] = defaultdict(int)
        generation: dict[bytes, int] = defaultdict(int)
        missing = []
        for device in self._context.store.devices():
            if device.device in readings:
                metered = generation if device.generates else consumption
                metered[device.account] += readings[device.device].energy_wh
            elif device.is_metered(self._record.slot):
                missing.append(device.device)
        where = f"table readings, {self._where}"
        self._findings.check("store.readings.missing", where, expected=[], found=missing)
        for delivered in self._state.readings:
            expected = (delivered.consumption_wh, delivered.generation_wh)
            found = (consumption[delivered.account], generation[delivered.account])
            whose = f"{where}, account {hexed(delivered.account)}"
            self._findings.check("store.readings", whose, expected=expected, found=found)

    def _compare_certificates(self) -> None:
        """What the certification did, once it is noted, and nothing before."""
        self._context.read(f"certificates of {self._where}", self._compare_certified)

    def _compare_certified(self) -> None:
        state, found = self._state, self._context.store.certified(self._record.slot)
        is_noted = self._record.state is SlotState.CERTIFIED
        tables: tuple[tuple[str, list[object], list[object]], ...] = (
            (
                "issuances",
                [(each.device, each.amount_wh, each.certified_wh) for each in state.issuances],
                [(each.device, each.amount_wh, each.certified_wh) for each in found.issuances],
            ),
            (
                "consumptions",
                [(each.device, each.amount_wh) for each in state.consumptions],
                [(each.device, each.amount_wh) for each in found.consumptions],
            ),
            (
                "certificate_moves",
                [(move.device, hexed(move.account), move.amount_wh) for move in state.moves],
                [(move.device, hexed(move.account), move.amount_wh) for move in found.moves],
            ),
            (
                "matches",
                [(match.device, match.consumption, match.amount_wh) for match in state.matches],
                [(match.device, match.consumption, match.amount_wh) for match in found.matches],
            ),
        )
        for table, records in (("certificate_moves", found.moves), ("matches", found.matches)):
            numbers = [record.number for record in records]
            where = f"table {table}, {self._where}"
            self._findings.check("store.numbers", where, expected=list(range(len(numbers))), found=numbers)
        for table, on_chain, in_store in tables:
            expected = sorted(on_chain, key=str) if is_noted else []
            where = f"table {table}, {self._where}"
            self._findings.check(f"store.{table}", where, expected=expected, found=sorted(in_store, key=str))


def _passed_on(moves: Sequence[Move], matches: Sequence[Match]) -> list[str]:
    """Where certificates went, as text that sorts."""
    moved = [f"{each.device} to {hexed(each.account)}: {each.amount_wh}" for each in moves]
    return sorted(moved + [f"{each.device} for {each.consumption}: {each.amount_wh}" for each in matches])


def _progress(state: SlotModel) -> tuple[tuple[SlotState, ...], str, tuple[SlotState, ...]]:
    """States that say how far the chain is, the step that led there, and the states of a store that missed it."""
    if "certify" in state.blocks:
        return (SlotState.CERTIFIED,), "certify", (SlotState.DELIVERED,)
    if state.state == "delivered":
        before = SlotState.VOIDED if "void" in state.blocks else SlotState.SETTLED
        # Without a transaction, if there is nothing to certify; whether there is, the store's devices say.
        return _FINISHED, "deliver", (before,)
    if "void" in state.blocks:
        return (SlotState.VOIDED,), "void", (*_NOT_CLEARED, SlotState.CLEARED)
    if "settle" in state.blocks:
        return (SlotState.SETTLED,), "settle", (SlotState.CLEARED,)
    if "commit" in state.blocks:
        return (SlotState.COMMITTED, SlotState.CLEARED), "commit", (SlotState.CLOSED,)
    return _UNCOMMITTED, "", ()


def _shown(fills: dict[bytes, tuple[int, int, bool]]) -> dict[str, tuple[int, int, bool]]:
    return {hexed(order): fill for order, fill in sorted(fills.items())}
