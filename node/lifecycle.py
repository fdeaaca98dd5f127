"""The slot's state machine: the only place that moves a slot on.

open -> closed -> committed -> cleared -> settled -> delivered -> certified, or voided instead of settled when its
time is over. Every move first takes effect outside (on chain) and is then recorded, and every step outside can be
repeated; so whatever is killed in between, the next `advance` goes on where this one stopped.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog

from ledger.chain import CallRevertedError
from ledger.defence import Defence
from ledger.delivery import Delivery
from ledger.market import Market
from ledger.posted import PostedOrder
from ledger.settlement import Settlement, SlotPhase
from ledger.steps import Stepper
from matching.errors import WattbookError
from node.answering import Answering
from node.approvals import Approvals, AwaitedApprovalsError
from node.certifying import Certifying
from node.clock import Clock
from node.design import Design
from node.fills import fills_of
from node.metered import member_readings, missing_readings
from node.metering import Metering
from node.ports import Accounts
from node.rejections import rejected, to_report
from node.store.records import SlotRecord, SlotState, TradeRecord
from node.store.store import Store

UNFINISHED = tuple(state for state in SlotState if state is not SlotState.CERTIFIED)

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Steps:
    """The parties' actions on chain, and what carries them out."""

    stepper: Stepper
    settlement: Settlement
    defence: Defence
    delivery: Delivery
    certifying: Certifying


@dataclass(frozen=True)
class Chores:
    """What is done besides moving slots on, in this order, and how its steps are taken again.

    Attributes:
        repeat: takes the step of this slot and name again.
        due: do what is due by now.
    """

    repeat: Callable[[int, str], None]
    due: tuple[Callable[[], None], ...]


class Lifecycle:
    """Moves the slots of one market on. One at a time: `advance` may be called from any thread."""

    def __init__(
        self,
        *,
        store: Store,
        market: Market,
        clock: Clock,
        first_slot: int,
        accounts: Accounts,
        posted: Callable[[int], Sequence[PostedOrder]],
        steps: Steps,
        approvals: Approvals,
        design: Design,
        metering: Metering,
        substitute_after_s: int,
        chores: Chores,
        turn: AbstractContextManager[None],
    ) -> None:
        """Set up.

        Args:
            store: keeps the slots.
            market: its terms.
            clock: tells what is due.
            first_slot: the first slot this market ever trades.
            accounts: the accounts on chain.
            posted: the orders that members put on chain for a slot.
            steps: what is done on chain.
            approvals: the validators', without which their market's slots are not settled.
            design: how slots are cleared.
            metering: stands in for silent meters.
            substitute_after_s: how long a slot that is over waits for their readings, seconds; the wait begins
                when the node first looks for them.
            chores: what is done besides.
            turn: held while steps are taken on chain; whoever may not take any is refused it.
        """
        self._store = store
        self._market = market
        self._clock = clock
        self._first_slot = first_slot
        self._accounts = accounts
        self._posted = posted
        self._steps = steps
        self._approvals = approvals
        self._design = design
        self._answering = Answering(store, steps.defence)
        self._metering = metering
        self._substitute_after_s = substitute_after_s
        self._chores = chores
        self._turn = turn
        self.trouble: str | None = None
        self._next_slot: int | None = None
        self._moves: dict[SlotState, Callable[[int], bool]] = {
            SlotState.OPEN: self._close,
            SlotState.CLOSED: self._commit,
            SlotState.COMMITTED: self._compute,
            SlotState.CLEARED: self._settle,
            SlotState.SETTLED: self._deliver,
            SlotState.VOIDED: self._deliver,
            SlotState.DELIVERED: self._certify,
        }
        self._actions: dict[str, Callable[[int], object]] = {
            "commit": self._commit_book,
            "overdrawn": self._report_overdrawn,
            "settle": self._settle_fills,
            "void": steps.settlement.void,
            "unwind": steps.settlement.void,
            "deliver": self._deliver_readings,
            "certify": steps.certifying.certify,
            "answer": lambda _: self._answering.answer_open(),
        }

    def advance(self) -> list[SlotRecord]:
        """Do everything that is due now, and return the slots that moved, as they are afterwards.

        A slot whose step fails stays where it is and is tried again at the next call; the others go on.
        """
        with self._turn:
            self.trouble = "the last attempt ended early: see the log"  # unless it ends below
            self._repair()
            self._add_due_slots()
            moved = [record.slot for record in self._store.slots(states=UNFINISHED) if self._advance_slot(record)]
            self._do_chores()
            # Last, as there are hours to answer, and many challenges must not hold up the slots.
            self._answering.answer_open()
            self.trouble = None
            return [self._record(slot) for slot in moved]

    @property
    def concerns(self) -> list[str]:
        """What an operator should know although slots move on: challenges that the node has no answer to."""
        unanswered = self._answering.unanswered
        return [f"challenge {number} is not answered: {unanswered[number]}" for number in sorted(unanswered)]

    def next_due_at(self) -> int:
        """When the clock alone will make something due: the next gate closure or end of a slot."""
        now, length = self._clock.now(), self._market.slot_length_s
        next_slot = (now // length + 1) * length
        gate = self._market.gate_closes_at(next_slot)
        return gate if gate > now else min(next_slot, gate + length)

    def _repair(self) -> None:
        """Take the steps again that a re-organisation of the chain took away."""
        try:
            for slot, step in self._steps.stepper.follow():
                self._repair_step(slot, step)
        except WattbookError as error:
            log.warning("steps not followed", code=error.code, reason=str(error))

    def _repair_step(self, slot: int, step: str) -> None:
        try:
            action = self._actions.get(step.partition("-")[0])  # whichever chunk it was
            if action is None:
                self._chores.repeat(slot, step)
            else:
                action(slot)
            log.info("step taken again", slot=slot, step=step)
        except WattbookError as error:
            log.warning("step is lost for now", slot=slot, step=step, code=error.code, reason=str(error))

    def _do_chores(self) -> None:
        for chore in self._chores.due:
            try:
                chore()
            except WattbookError as error:
                log.warning("chore waits", code=error.code, reason=str(error))

    def _add_due_slots(self) -> None:
        """Write down every slot whose gate has closed: slots without orders settle and deliver like others."""
        length = self._market.slot_length_s
        if self._next_slot is None:
            # Slots are added in ascending order, so none is missing before one that is past its gate closure.
            closed = [state for state in SlotState if state is not SlotState.OPEN]
            newest = self._store.slots(states=closed, limit=1, descending=True)
            self._next_slot = newest[0].slot + length if newest else self._first_slot
        while self._clock.now() >= self._market.gate_closes_at(self._next_slot):
            self._store.ensure_slot(self._next_slot)
            self._next_slot += length

    def _advance_slot(self, record: SlotRecord) -> bool:
        slot, state = record.slot, record.state
        try:
            while state is not SlotState.CERTIFIED and self._moves[state](slot):
                state = self._record(slot).state
                log.info("slot moved", slot=slot, state=state.value)
        except WattbookError as error:
            log.warning("slot stays", slot=slot, state=state.value, code=error.code, reason=str(error))
        return state is not record.state

    def _record(self, slot: int) -> SlotRecord:
        record = self._store.slot(slot)
        assert record is not None  # noqa: S101 - slots are written down before they move and never deleted
        return record

    # One method per move: True if the slot moved

    def _close(self, slot: int) -> bool:
        if self._clock.now() < self._market.gate_closes_at(slot):
            return False
        self._store.close_slot(slot)
        return True

    def _commit(self, slot: int) -> bool:
        if self._void_if_too_late(slot):
            return True
        root, size = self._commit_book(slot)
        self._store.record_committed(slot, root, size)
        return True

    def _compute(self, slot: int) -> bool:
        self._store.note_posted(slot, self._posted(slot))
        orders = self._store.orders_to_clear(slot)
        left_out = rejected(orders, self._accounts, market=self._market.id, now=self._clock.now())
        cleared = self._design.clear([order for order in orders if order.signed.hash not in left_out])
        trades = [
            TradeRecord(
                slot=slot,
                number=trade.number,
                seller_order=trade.seller.signed.hash,
                buyer_order=trade.buyer.signed.hash,
                quantity_wh=trade.quantity_wh,
                price=price,
            )
            for trade, price in cleared.trades
        ]
        self._store.record_clearing(
            slot,
            price=cleared.price,
            fills={fill.signed.hash: fill.fill_wh for fill in cleared.fills},
            amounts={fill.signed.hash: fill.amount_nano for fill in cleared.fills if fill.amount_nano},
            rejected=left_out,
            trades=trades,
            bought_wh=sum(trade.quantity_wh for trade in trades),
        )
        return True

    def _settle(self, slot: int) -> bool:
        if self._void_if_too_late(slot):
            return True
        try:
            self._report_overdrawn(slot)
            self._settle_fills(slot)
        except CallRevertedError:
            # An account has changed since the clearing, e.g. its credits were withdrawn: clear again with what is
            # left, at the next attempt.
            if self._can_clear_again(slot):
                self._store.discard_clearing(slot)
            raise
        self._store.record_settled(slot)
        return True

    def _can_clear_again(self, slot: int) -> bool:
        """Whether nothing of the slot is settled, nor was anything sent that the chain may still take."""
        attempts = [each for each in self._store.intents(slot) if each.intent.step.startswith("settle")]
        is_open = self._steps.settlement.phase(slot) is SlotPhase.OPEN
        return is_open and all(attempt.is_final for attempt in attempts)

    def _deliver(self, slot: int) -> bool:
        if self._clock.now() < self._market.ends_at(slot):
            return False
        missing = missing_readings(self._store, slot)
        if missing and not self._is_waited_for(slot):
            return False
        for device in missing:
            record = self._metering.substitute(device, slot)
            log.warning("meter is silent", slot=slot, device=device, energy_wh=record.energy_wh)
        self._deliver_readings(slot)
        self._store.record_delivered(slot)
        return True

    def _is_waited_for(self, slot: int) -> bool:
        """Whether silent meters had their time: since the slot was over, and since this node looks for them."""
        now = self._clock.now()
        return now >= self._store.awaited_from(slot, now) + self._substitute_after_s

    def _certify(self, slot: int) -> bool:
        self._store.record_certified(slot, self._steps.certifying.certify(slot))
        return True

    def _void_if_too_late(self, slot: int) -> bool:
        if self._clock.now() <= self._market.void_after(slot):
            return False
        if self._steps.settlement.is_settled(slot):
            return False  # in time, but the node was stopped before it could write that down
        self._steps.settlement.void(slot)
        self._store.record_voided(slot)
        return True

    # What the moves do on chain: each can be repeated, and is if a re-organisation undoes it

    def _commit_book(self, slot: int) -> tuple[bytes, int]:
        hashes = [order.signed.hash for order in self._store.book(slot)]
        return self._steps.settlement.commit_book(slot, hashes), len(hashes)

    def _report_overdrawn(self, slot: int) -> None:
        """Show on chain who has no claim to be filled, before somebody says that an order was left out."""
        if self._market.has_priority:
            reports = to_report(self._store.orders_to_clear(slot), self._settlement_price(slot))
            book = [order.signed.hash for order in self._store.book(slot)] if reports else []
            for bids in reports:
                self._steps.defence.report_overdrawn(slot, bids, book)

    def _settle_fills(self, slot: int) -> None:
        fills, price = list(fills_of(self._store, slot).values()), self._settlement_price(slot)
        try:
            approvals = self._approvals.obtain(slot, price, fills)
        except AwaitedApprovalsError:
            if not self._steps.settlement.is_settled(slot):
                raise
            approvals = []  # it had them, and a seat has changed hands since
        self._steps.settlement.settle(slot, price, fills, approvals)

    def _settlement_price(self, slot: int) -> int:
        accepted = [order for order in self._store.orders_to_clear(slot) if order.reason is None]
        return self._design.settlement_price(self._record(slot).price, accepted)

    def _deliver_readings(self, slot: int) -> None:
        readings = member_readings(self._store, slot)
        assert readings is not None  # noqa: S101 - a slot is delivered once it has them all
        self._steps.delivery.deliver(slot, readings)
