"""Compares a node's store with what the audit found on chain, record by record and column by column.

What the chain knows is compared with it; what it does not know is checked by the signatures on it (orders that
did not trade, receipts, cancellations, readings) and by clearing the book again. Names and the times at which
readings came in are the node's own notes: nothing depends on them and nothing proves them.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from eth_hash.auto import keccak

from ledger import merkle
from ledger.allocation import allocate
from ledger.audit.findings import Findings
from ledger.audit.model import Model, SlotModel
from ledger.audit.run import AuditReport
from ledger.chain import Chain
from ledger.eip712 import Domain, Receipt, cancellation_hash, order_hash, receipt_hash
from ledger.keys import InvalidSignatureError, recover
from ledger.trades import Trade
from matching.errors import WattbookError
from node.design import Cleared, Design
from node.lifecycle import CANCELLED_REASON, UNCOVERED_REASON
from node.store import Store
from node.store.records import (
    DeviceRecord,
    IntentRecord,
    IntentStatus,
    OrderRecord,
    OrderStatus,
    ReadingRecord,
    SlotRecord,
    SlotState,
    Technology,
)
from node.wishes import decoded

_STATE_ON_CHAIN = {
    SlotState.SETTLED: "settled",
    SlotState.VOIDED: "voided",
    SlotState.DELIVERED: "delivered",
    SlotState.CERTIFIED: "delivered",
}
_REASONS = (None, CANCELLED_REASON, UNCOVERED_REASON)
# What reading a damaged row may raise: a value that no enumeration, order or reading has.
_UNREADABLE = (WattbookError, ValueError, LookupError, TypeError)


class Reconciliation:
    """Compares one store with an audited history of the same market."""

    def __init__(
        self,
        *,
        store: Store,
        report: AuditReport,
        chain: Chain,
        design: Design,
        findings: Findings,
    ) -> None:
        self._store = store
        self._model: Model = report.model
        self._last_block = report.last_block
        self._chain = chain
        self._domain = Domain(report.chain_id, report.exchange)
        self._market = report.model.markets[store.market]
        self._design = design
        self._findings = findings

    def run(self) -> None:
        """Compare everything."""
        self._guarded("members", self._members)
        self._guarded("devices", self._devices)
        records: list[SlotRecord] = []
        self._guarded("slots", lambda: records.extend(self._store.slots()))
        known = {record.slot for record in records}
        for market, slot in sorted(self._model.slots):
            if market == self._store.market and records:
                where = f"table slots, slot {slot}"
                self._findings.require("store.slot", where, slot in known, expected="a slot", found="none")
        for record in records:
            self._guarded(f"slot {record.slot}", partial(self._slot, record))

    def _guarded(self, where: str, compare: Callable[[], None]) -> None:
        try:
            compare()
        except _UNREADABLE as error:
            self._findings.require("store.unreadable", where, False, expected="readable records", found=error)

    # Members and devices

    def _members(self) -> None:
        found = sorted(member.account for member in self._store.members())
        expected = self._model.members(self._store.market)
        self._findings.check("store.members", "table members", expected=_hexes(expected), found=_hexes(found))

    def _devices(self) -> None:
        for device in self._store.devices():
            where = f"table devices, device {device.device}"
            registered = self._model.devices.get(device.device)
            expected = registered and (
                registered.owner,
                registered.technology.name,
                registered.nameplate_w,
                registered.meter_key,
            )
            found = (device.account, device.technology.name, device.nameplate_w, device.meter_key)
            self._findings.check("store.device", where, expected=expected, found=found)
            self._reading_chain(device)

    def _reading_chain(self, device: DeviceRecord) -> None:
        """Every reading of a meter: signed by it, and going on where the one before stopped."""
        previous: ReadingRecord | None = None
        for record in reversed(self._store.latest_readings(device=device.device)):
            reading = record.signed.reading
            where = f"table readings, device {reading.device}, slot {reading.slot}"
            try:
                reading.verify(device.meter_key, record.signed.signature)
                if previous is not None:
                    reading.check_follows(previous.signed.reading)
            except WattbookError as error:
                self._findings.require("store.reading", where, False, expected="a genuine reading", found=error)
            previous = record

    # Slots

    def _slot(self, record: SlotRecord) -> None:
        intents = self._store.intents(record.slot)
        for intent in intents:
            self._intent(intent)
        orders = self._store.orders(slot=record.slot)
        for order in orders:
            self._order(order)
        if any(self._is_unsettled_business(intent) for intent in intents):
            return  # its transaction is under way, or was mined after the block that the audit ended with
        where = f"table slots, slot {record.slot}"
        arrivals = sorted(order.index for order in orders)
        self._findings.check("store.arrivals", where, expected=list(range(len(orders))), found=arrivals)
        state = self._model.slots.get((self._store.market, record.slot))
        if state is None:
            before_chain = (SlotState.OPEN, SlotState.CLOSED)
            self._findings.require(
                "store.state", where, record.state in before_chain, expected="open or closed", found=record.state
            )
            return
        book = sorted(
            (order for order in orders if order.status is not OrderStatus.CANCELLED),
            key=lambda order: order.signed.hash,
        )
        self._book(record, state, book)
        self._steps(record, state, intents)
        if record.state in _STATE_ON_CHAIN:
            self._settlement(record, state, book)
            self._delivery(record, state)
            self._certificates(record, state)

    def _is_unsettled_business(self, record: IntentRecord) -> bool:
        if record.status is IntentStatus.PENDING:
            return True
        return record.block_number is not None and record.block_number > self._last_block

    def _order(self, record: OrderRecord) -> None:
        order, where = record.signed.order, f"table orders, order {_hex(record.signed.hash)}"
        expected = order_hash(self._domain, order)
        self._findings.check("store.order.hash", where, expected=expected, found=record.signed.hash)
        self._signer("store.order.signature", where, order.account, record.signed.hash, record.signed.signature)
        receipt = Receipt(record.signed.hash, order.market, order.slot, record.index, record.received_at)
        digest = receipt_hash(self._domain, receipt)
        self._signer("store.order.receipt", where, self._market.operator, digest, record.receipt_signature)
        if record.wishes is not None:
            salt = decoded(record.wishes).salt
            self._findings.check("store.order.wishes", where, expected=order.salt, found=salt)
        is_cancelled = record.status is OrderStatus.CANCELLED
        has_signature = record.cancellation_signature is not None
        self._findings.check("store.order.cancelled", where, expected=has_signature, found=is_cancelled)
        if record.cancellation_signature is not None:
            digest = cancellation_hash(self._domain, order.account, record.signed.hash)
            self._signer("store.order.cancellation", where, order.account, digest, record.cancellation_signature)

    def _signer(self, rule: str, where: str, expected: bytes, digest: bytes, signature: bytes) -> None:
        try:
            found: object = recover(digest, signature)
        except InvalidSignatureError as error:
            found = error
        self._findings.check(rule, where, expected=expected, found=found)

    def _book(self, record: SlotRecord, state: SlotModel, book: Sequence[OrderRecord]) -> None:
        where = f"table slots, slot {record.slot}"
        if state.book_root is None:
            return  # voided before it was committed
        self._findings.check("store.book_root", where, expected=state.book_root, found=record.book_root)
        self._findings.check("store.book_size", where, expected=state.book_size, found=record.book_size)
        root = merkle.root([order.signed.hash for order in book])
        self._findings.check(
            "store.book", f"table orders, slot {record.slot}", expected=state.book_root, found=root
        )

    def _settlement(self, record: SlotRecord, state: SlotModel, book: Sequence[OrderRecord]) -> None:
        where_slot = f"table slots, slot {record.slot}"
        self._findings.check("store.state", where_slot, expected=state.state, found=_STATE_ON_CHAIN[record.state])
        voided = "void" in state.blocks
        bought_wh = None if voided else state.bought_wh
        self._findings.check("store.bought_wh", where_slot, expected=bought_wh, found=record.bought_wh)
        fills = {fill.signed.hash: (fill.fill_wh, fill.amount_nano) for fill in state.fills}
        for order in book:
            where = f"table orders, order {_hex(order.signed.hash)}"
            fill = fills.get(order.signed.hash, (0, 0))
            self._findings.check(
                "store.order.fill", where, expected=fill, found=(order.fill_wh, order.amount_nano)
            )
            self._findings.require(
                "store.order.reason",
                where,
                order.reason in _REASONS,
                expected="a known reason",
                found=order.reason,
            )
            status = _final_status(order, voided=voided)
            self._findings.check("store.order.status", where, expected=status, found=order.status)
        # Whether the operator cleared the book as the market's design says: the same orders, the same result.
        accepted = [order for order in book if order.reason is None]
        cleared = Cleared(None, (), ()) if voided else self._design.clear(accepted)
        expected = {fill.signed.hash: (fill.fill_wh, fill.amount_nano) for fill in cleared.fills}
        self._findings.check("store.clearing", f"clearing of slot {record.slot}", expected=expected, found=fills)
        self._findings.check("store.price", where_slot, expected=cleared.price, found=record.price)
        trades = [
            (trade.number, trade.seller.signed.hash, trade.buyer.signed.hash, trade.quantity_wh, price)
            for trade, price in cleared.trades
        ]
        stored = [
            (trade.number, trade.seller_order, trade.buyer_order, trade.quantity_wh, trade.price)
            for trade in sorted(self._store.trades(slot=record.slot), key=lambda trade: trade.number)
        ]
        where = f"table trades, slot {record.slot}"
        self._findings.check("store.trades", where, expected=trades, found=stored)
        self._allocation(state, [trade for trade, _ in cleared.trades])

    def _allocation(self, state: SlotModel, trades: Sequence[Trade]) -> None:
        """Whether the certificates followed the trades; where there is one price, the chain alone shows it too."""
        if "certify" in state.blocks:
            expected = allocate(state.issuances, state.readings, trades)
            where = f"certification of slot {state.slot}"
            self._findings.check("store.allocation", where, expected=expected, found=state.moves)

    def _delivery(self, record: SlotRecord, state: SlotModel) -> None:
        if state.state != "delivered":
            return
        readings = self._store.readings(record.slot)
        consumption: dict[bytes, int] = defaultdict(int)
        generation: dict[bytes, int] = defaultdict(int)
        for device in self._store.devices():
            if device.device in readings:
                metered = consumption if device.technology is Technology.LOAD else generation
                metered[device.account] += readings[device.device].signed.reading.energy_wh
        for delivered in state.readings:
            where = f"table readings, slot {record.slot}, account {_hex(delivered.account)}"
            expected = (delivered.consumption_wh, delivered.generation_wh)
            found = (consumption[delivered.account], generation[delivered.account])
            self._findings.check("store.readings", where, expected=expected, found=found)

    def _certificates(self, record: SlotRecord, state: SlotModel) -> None:
        issued = {entry.device: entry.amount_wh for entry in self._store.issuances(slot=record.slot)}
        expected_issued = {entry.device: entry.amount_wh for entry in state.issuances}
        where = f"table issuances, slot {record.slot}"
        self._findings.check("store.issuances", where, expected=expected_issued, found=issued)
        moves = [
            (move.number, move.device, move.account, move.amount_wh, move.retired)
            for move in self._store.certificate_moves([record.slot])
        ]
        expected_moves = [
            (number, move.device, move.account, move.amount_wh, move.retired)
            for number, move in enumerate(state.moves)
        ]
        where = f"table certificate_moves, slot {record.slot}"
        self._findings.check("store.certificate_moves", where, expected=expected_moves, found=moves)

    # Intents

    def _steps(self, record: SlotRecord, state: SlotModel, intents: Sequence[IntentRecord]) -> None:
        """Whether the store knows the transaction of every step, and has not skipped an attempt."""
        where = f"table intents, slot {record.slot}"
        confirmed = {
            entry.intent.step: entry.intent.transaction_hash
            for entry in intents
            if entry.status is IntentStatus.CONFIRMED
        }
        # Anybody may void a slot; then the node finds it done and has no intent.
        ours = {step: done for step, done in state.transactions.items() if step != "void" or step in confirmed}
        self._findings.check("store.steps", where, expected=ours, found=confirmed)
        attempts: dict[str, list[int]] = defaultdict(list)
        for entry in intents:
            attempts[entry.intent.step].append(entry.intent.attempt)
        for step, numbers in attempts.items():
            expected = list(range(len(numbers)))
            self._findings.check("store.attempts", f"{where}, step {step}", expected=expected, found=numbers)

    def _intent(self, record: IntentRecord) -> None:
        intent = record.intent
        where = f"table intents, slot {intent.slot}, step {intent.step}, attempt {intent.attempt}"
        found_hash = keccak(intent.raw_transaction)
        self._findings.check("store.intent.raw", where, expected=intent.transaction_hash, found=found_hash)
        if record.status is not IntentStatus.CONFIRMED:
            return
        transaction = self._chain.transaction(intent.transaction_hash)
        receipt = self._chain.receipt(intent.transaction_hash)
        expected = transaction and (transaction.sender, transaction.nonce, keccak(transaction.input))
        found = (intent.sender, intent.nonce, intent.calldata_hash)
        self._findings.check("store.intent.transaction", where, expected=expected, found=found)
        mined = receipt and (receipt.block_number, receipt.gas_used, receipt.succeeded)
        self._findings.check(
            "store.intent.receipt", where, expected=mined, found=(record.block_number, record.gas_used, True)
        )


def _final_status(order: OrderRecord, *, voided: bool) -> OrderStatus:
    if voided:
        return OrderStatus.VOIDED
    if order.fill_wh > 0:
        return OrderStatus.FILLED
    return OrderStatus.UNFILLED if order.reason is None else OrderStatus.REJECTED


def _hex(value: bytes) -> str:
    return "0x" + value.hex()


def _hexes(values: Sequence[bytes]) -> list[str]:
    return [_hex(value) for value in values]
