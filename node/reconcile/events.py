"""Events against what they tell of: the slots' states, the orders, and the moves of certificates on chain.

An event has to say what the other tables say, which are held against the chain themselves. Of a clearing that was
discarded or voided nothing else is left: its price and energy are the node's own note, as is whether a voided slot
was closed before. And a store that was made anew, or has told more than is kept, lacks the beginning.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

from node.events.certificates import KEPT_EVENTS, moves_in
from node.reconcile.context import Context
from node.store.events import EventRecord
from node.store.orders import order_event
from node.store.records import OrderRecord, SlotRecord, SlotState
from node.store.telling import Event, EventKind

_RESTORED = Event(EventKind.STORE_RESTORED, 0)
_OF_ORDERS = (EventKind.ORDER_ACCEPTED, EventKind.ORDER_CANCELLED)
_STEPS = (
    SlotState.CLOSED,
    SlotState.COMMITTED,
    SlotState.CLEARED,
    SlotState.SETTLED,
    SlotState.DELIVERED,
    SlotState.CERTIFIED,
)
_AFTER_SETTLEMENT = (SlotState.DELIVERED, SlotState.CERTIFIED)


def compare_events(context: Context, slots: Sequence[SlotRecord]) -> None:
    """Every event tells what happened, and what happened since the first one is told."""
    records = context.store.all_events()
    _compare_numbers(context, records)
    is_whole = bool(records) and records[0].number == 1
    told: defaultdict[int, list[Event]] = defaultdict(list)
    moves = []
    for event in (record.event for record in records):
        if event.kind is EventKind.CERTIFICATE_MOVED:
            moves.append(event)
        elif event != _RESTORED:
            told[event.slot].append(event)
    comparison = _Comparison(context, is_whole=is_whole or not records)
    context.read("table events, moves of certificates", partial(comparison.compare_moves, moves))
    for slot in slots:
        where = f"table events, slot {slot.slot}"
        context.read(where, partial(comparison.compare_slot, slot, told.pop(slot.slot, [])))
    context.findings.check("store.events.slots", "table events", expected=[], found=sorted(told))


def _compare_numbers(context: Context, records: Sequence[EventRecord]) -> None:
    """One after the other from 1 on, but where a store was made anew, or what is too old was forgotten."""
    where = "table events"
    numbers = [record.number for record in records]
    gaps = [
        record.number
        for last, record in zip(numbers, records[1:], strict=False)
        if record.number != last + 1 and record.event != _RESTORED
    ]
    context.findings.check("store.events.numbers", where, expected=[], found=gaps)
    if records and records[0].event != _RESTORED and numbers[-1] - numbers[0] + 1 < KEPT_EVENTS:
        context.findings.check("store.events.first", where, expected=1, found=numbers[0])


@dataclass(frozen=True)
class _Comparison:
    """Compares lists of events, whose beginnings may lack unless all events since the first one are there."""

    context: Context
    is_whole: bool

    def compare_moves(self, told: Sequence[Event]) -> None:
        last_block = self.context.store.certificates_told()
        expected = list(moves_in(self.context.contracts, 0, last_block))
        self._compare("store.events.certificates", "table events, moves of certificates", expected, told)

    def compare_slot(self, slot: SlotRecord, told: Sequence[Event]) -> None:
        where = f"table events, slot {slot.slot}"
        orders = [record for record in self.context.store.orders(slot=slot.slot) if record.receipt_signature]
        orders.sort(key=lambda record: record.index)
        accepted = [order_event(EventKind.ORDER_ACCEPTED, record) for record in orders]
        found = [event for event in told if event.kind is EventKind.ORDER_ACCEPTED]
        self._compare("store.events.accepted", where, accepted, found)
        self._compare_cancelled(
            where, orders, [event for event in told if event.kind is EventKind.ORDER_CANCELLED]
        )
        states = _without_discarded(slot, [event for event in told if event.kind not in _OF_ORDERS])
        self._compare("store.events.states", where, _states_of(slot, states), states)

    def _compare_cancelled(self, where: str, orders: Sequence[OrderRecord], told: Sequence[Event]) -> None:
        """In which order they were cancelled, nothing else says."""
        cancelled = [
            order_event(EventKind.ORDER_CANCELLED, record) for record in orders if record.cancellation_signature
        ]
        found = sorted(map(repr, told))
        known = set(found)
        expected = sorted(each for each in map(repr, cancelled) if self.is_whole or each in known)
        self._compare("store.events.cancelled", where, expected, found)

    def _compare(self, rule: str, where: str, expected: Sequence[object], found: Sequence[object]) -> None:
        """Note the first difference."""
        if not self.is_whole:
            expected = expected[max(len(expected) - len(found), 0) :]
        pairs = zip_longest(expected, found, fillvalue="nothing")
        differing = next((pair for pair in pairs if pair[0] != pair[1]), (None, None))
        self.context.findings.check(rule, where, expected=differing[0], found=differing[1])


def _without_discarded(slot: SlotRecord, told: Sequence[Event]) -> list[Event]:
    """Without clearings of which nothing is left: another one came, or the slot waits for one, or was voided."""
    clearings = [event for event in told if event.kind is EventKind.SLOT_CLEARED]
    counts = slot.price is not None or slot.bought_wh is not None
    return [event for event in told if event not in clearings or (counts and event is clearings[-1])]


def _states_of(slot: SlotRecord, told: Sequence[Event]) -> list[Event]:
    """What has to be told of the states that a slot has been in."""
    kinds = [event.kind for event in told]
    if slot.state is SlotState.VOIDED or (slot.state in _AFTER_SETTLEMENT and slot.bought_wh is None):
        was_closed = slot.book_root is not None or EventKind.SLOT_CLOSED in kinds
        before = (was_closed, SlotState.CLOSED), (slot.book_root is not None, SlotState.COMMITTED)
        after = (
            _AFTER_SETTLEMENT[: _AFTER_SETTLEMENT.index(slot.state) + 1] if slot.state in _AFTER_SETTLEMENT else ()
        )
        states = [*(state for was_in, state in before if was_in), SlotState.VOIDED, *after]
    else:
        states = [] if slot.state is SlotState.OPEN else list(_STEPS[: _STEPS.index(slot.state) + 1])
    cleared = {"price": slot.price, "bought_wh": slot.bought_wh}
    return [
        Event(EventKind(f"slot_{state}"), slot.slot, details=cleared if state is SlotState.CLEARED else {})
        for state in states
    ]
