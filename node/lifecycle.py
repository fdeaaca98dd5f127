"""The slot's state machine: the only place that moves a slot on.

open -> closed -> committed -> cleared -> settled -> delivered -> certified, or voided instead of settled when its
time is over. Every move first takes effect outside (on chain) and is then recorded, and every step outside can be
repeated; so whatever is killed in between, the next `advance` goes on where this one stopped.
"""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog

from ledger.allocation import Issuance, Move, allocate
from ledger.batches import FilledOrder, MemberReading
from ledger.certificates import Certification
from ledger.chain import CallRevertedError
from ledger.delivery import Delivery
from ledger.market import Market
from ledger.settlement import Settlement
from ledger.steps import Stepper
from ledger.trades import Trade
from matching.errors import WattbookError
from matching.orders import Side
from node.clock import Clock
from node.design import Design
from node.ports import Accounts
from node.store.records import (
    CertificateMoveRecord,
    IssuanceRecord,
    OrderRecord,
    SlotRecord,
    SlotState,
    Technology,
    TradeRecord,
)
from node.store.store import Store

UNFINISHED = tuple(state for state in SlotState if state is not SlotState.CERTIFIED)
CANCELLED_REASON = "its account cancelled all earlier orders"
EXPIRED_REASON = "it expires before it can settle"
UNCOVERED_REASON = "its account's escrow no longer covers it"

# Between clearing and the block that settles.
TIME_TO_SETTLE_S = 300

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Steps:
    """The parties' actions on chain, and what carries them out."""

    stepper: Stepper
    settlement: Settlement
    delivery: Delivery
    certification: Certification


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
        steps: Steps,
        design: Design,
    ) -> None:
        """`first_slot` is the first slot this market ever trades."""
        self._store = store
        self._market = market
        self._clock = clock
        self._first_slot = first_slot
        self._accounts = accounts
        self._steps = steps
        self._design = design
        self._turn = threading.Lock()
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
            "settle": self._settle_fills,
            "void": steps.settlement.void,
            "unwind": steps.settlement.void,
            "deliver": self._deliver_readings,
            "certify": self._issue_certificates,
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
            self.trouble = None
            return [self._record(slot) for slot in moved]

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
            self._actions[step.partition("-")[0]](slot)  # whichever chunk it was
            log.info("step taken again", slot=slot, step=step)
        except WattbookError as error:
            log.warning("step is lost for now", slot=slot, step=step, code=error.code, reason=str(error))

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
        book = self._store.book(slot)
        rejected = self._rejected(slot, book)
        accepted = [order for order in book if order.signed.hash not in rejected]
        cleared = self._design.clear(accepted)
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
            rejected=rejected,
            trades=trades,
            bought_wh=sum(trade.quantity_wh for trade in trades),
        )
        return True

    def _settle(self, slot: int) -> bool:
        if self._void_if_too_late(slot):
            return True
        try:
            self._settle_fills(slot)
        except CallRevertedError:
            # An account has changed since the clearing, e.g. its credits were withdrawn: clear again with what is
            # left, at the next attempt. Unless something was sent that the chain may still take.
            if all(record.is_final for record in self._store.attempts(slot, "settle")):
                self._store.discard_clearing(slot)
            raise
        self._store.record_settled(slot)
        return True

    def _deliver(self, slot: int) -> bool:
        if self._clock.now() < self._market.ends_at(slot):
            return False
        if self._member_readings(slot) is None:
            return False
        self._deliver_readings(slot)
        self._store.record_delivered(slot)
        return True

    def _certify(self, slot: int) -> bool:
        issuances, moves = self._issue_certificates(slot)
        self._store.record_certified(
            slot,
            [IssuanceRecord(slot=slot, device=issued.device, amount_wh=issued.amount_wh) for issued in issuances],
            [
                CertificateMoveRecord(
                    slot=slot,
                    number=number,
                    device=move.device,
                    account=move.account,
                    amount_wh=move.amount_wh,
                    retired=move.retired,
                )
                for number, move in enumerate(moves)
            ],
        )
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

    def _settle_fills(self, slot: int) -> None:
        price = (self._record(slot).price or 0) if self._design.uniform_price else 0
        self._steps.settlement.settle(slot, price, list(self._fills(slot).values()))

    def _deliver_readings(self, slot: int) -> None:
        readings = self._member_readings(slot)
        assert readings is not None  # noqa: S101 - a slot is delivered once it has them all
        self._steps.delivery.deliver(slot, readings)

    def _issue_certificates(self, slot: int) -> tuple[list[Issuance], list[Move]]:
        readings = self._member_readings(slot)
        assert readings is not None  # noqa: S101 - the slot was delivered with them
        issuances = self._issuances(slot)
        moves = allocate(issuances, readings, self._trades(slot))
        self._steps.certification.certify(slot, issuances, moves)
        return issuances, moves

    # What the moves need to know

    def _rejected(self, slot: int, book: Sequence[OrderRecord]) -> dict[bytes, str]:
        """Orders that the contract would refuse by now, with the reason: first come, first covered."""
        accounts = {order.signed.order.account for order in book}
        states = {account: self._accounts.state(account) for account in accounts}
        cover_nano = {account: state.balance_nano - state.withdrawal_nano for account, state in states.items()}
        rejected = {}
        for record in sorted(book, key=lambda record: record.index):
            order = record.signed.order
            if not self._accounts.epoch_holds(order.account, slot, order.epoch):
                rejected[record.signed.hash] = CANCELLED_REASON
            elif order.expires_at < self._clock.now() + TIME_TO_SETTLE_S:
                rejected[record.signed.hash] = EXPIRED_REASON
            elif order.side is Side.BID:
                cost_nano = order.price * order.quantity_wh
                if cost_nano > cover_nano[order.account]:
                    rejected[record.signed.hash] = UNCOVERED_REASON
                else:
                    cover_nano[order.account] -= cost_nano
        return rejected

    def _fills(self, slot: int) -> dict[bytes, FilledOrder]:
        return {
            order.signed.hash: FilledOrder(order.signed, order.fill_wh, order.amount_nano)
            for order in self._store.book(slot)
            if order.fill_wh > 0
        }

    def _trades(self, slot: int) -> list[Trade]:
        fills = self._fills(slot)
        records = sorted(self._store.trades(slot=slot), key=lambda record: record.number)
        return [
            Trade(record.number, fills[record.seller_order], fills[record.buyer_order], record.quantity_wh)
            for record in records
        ]

    def _member_readings(self, slot: int) -> list[MemberReading] | None:
        """Every member's gross consumption and generation; None while a reading is missing."""
        readings = self._store.readings(slot)
        consumption = dict.fromkeys((member.account for member in self._store.members()), 0)
        generation = dict(consumption)
        for device in self._store.devices():
            if slot < device.first_slot:
                continue
            reading = readings.get(device.device)
            if reading is None:
                return None
            metered = consumption if device.technology is Technology.LOAD else generation
            metered[device.account] += reading.signed.reading.energy_wh
        return [MemberReading(account, consumption[account], generation[account]) for account in consumption]

    def _issuances(self, slot: int) -> list[Issuance]:
        readings = self._store.readings(slot)
        generators = {
            device.device: device for device in self._store.devices() if device.technology is not Technology.LOAD
        }
        return [
            Issuance(number, generators[number].account, record.signed.reading.energy_wh)
            for number, record in sorted(readings.items())
            if number in generators and record.signed.reading.energy_wh > 0
        ]
