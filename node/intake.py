"""Intake: checks orders and cancellations, and keeps what passes before anyone is told so."""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ledger.eip712 import (
    Domain,
    Receipt,
    SignedOrder,
    cancellation_hash,
    order_hash,
    order_signer,
    receipt_hash,
)
from ledger.keys import Key, recover
from ledger.market import Market
from matching import uniform
from matching.orders import Order
from node.clock import Clock
from node.cover import order_cover
from node.design import may_wish
from node.escrow import Escrow
from node.ports import Tariffs
from node.refusals import (
    CancelledEpochError,
    ExpiredOrderError,
    MisalignedSlotError,
    NotAMemberError,
    OrderSignatureError,
    TooEarlyOrderError,
    TooLargeOrderError,
    TooManyOrdersError,
    UncoveredOrderError,
    UnknownMarketError,
)
from node.store import Store
from node.store.errors import GateClosedError, UnknownOrderError
from node.store.records import OrderRecord
from node.wishes import InvalidStatementError, Statement


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


class Intake:
    """Takes orders and cancellations for one market. Thread-safe.

    Args:
        market: the market's terms.
        domain: where the orders' signatures count.
        operator: signs the receipts.
        store: keeps the orders.
        clock: tells whether a slot's gate is open.
        escrow: tells what covers an order.
        tariffs: the market's tariff.
        limits: what the operator takes.
        design: name of the market's design.
        admit: called with the account of every new order and cancellation that it signed; may refuse it.
    """

    def __init__(
        self,
        *,
        market: Market,
        domain: Domain,
        operator: Key,
        store: Store,
        clock: Clock,
        escrow: Escrow,
        tariffs: Tariffs,
        limits: Limits,
        design: str = uniform.DESIGN,
        admit: Callable[[bytes], None] = lambda _: None,
    ) -> None:
        self._market = market
        self._domain = domain
        self._operator = operator
        self._store = store
        self._clock = clock
        self._escrow = escrow
        self._tariffs = tariffs
        self._limits = limits
        self._design = design
        self._admit = admit
        # From looking at an account's free escrow to writing the order down, so that no cover is used twice.
        self._taking = threading.Lock()

    def place(self, order: Order, signature: bytes, statement: Statement | None = None) -> OrderRecord:
        """Take an order; the same order again gets the same record, whatever has become of it.

        `statement` says whom it wants to trade with; its salt must be the order's.

        Raises:
            WattbookError: one of `node.refusals`' order errors, `GateClosedError` or `InvalidSignatureError`.
            ChainUnavailableError: the chain is out of reach.
        """
        if order.market != self._market.id:
            raise UnknownMarketError(
                f"order field 'market' is 0x{order.market.hex()}: must be 0x{self._market.id.hex()}"
            )
        signed = SignedOrder(order=order, hash=order_hash(self._domain, order), signature=signature)
        existing = self._store.order(signed.hash)
        if existing is not None:
            return existing
        self._check_slot(order.slot)
        self._check_signer(order_signer(signed), order.account)
        self._admit(order.account)
        if statement is not None:
            self._check_statement(order, statement)
        with self._taking:
            self._check_account(order)
            self._check_number(order)
            # Again, as waiting and looking at the chain took time.
            self._check_gate(order.slot)
            wishes = None if statement is None else statement.encoded()
            return self._store.add_order(signed, self._clock.now(), self._sign, wishes=wishes)

    def cancel(self, order_hash: bytes, signature: bytes) -> OrderRecord:
        """Cancel an order whose slot's gate is open, by its account's signature; again, it stays cancelled.

        Raises:
            UnknownOrderError: there is no such order.
            OrderSignatureError: the signature is not its account's.
            InvalidSignatureError: the signature is malformed or malleable.
            GateClosedError: it is too late.
        """
        record = self._store.order(order_hash)
        if record is None:
            raise UnknownOrderError(f"no order 0x{order_hash.hex()}")
        order = record.signed.order
        digest = cancellation_hash(self._domain, order.account, order_hash)
        self._check_signer(recover(digest, signature), order.account)
        self._admit(order.account)
        self._check_gate(order.slot)
        return self._store.cancel_order(order_hash, signature)

    def _check_slot(self, slot: int) -> None:
        if not self._market.is_aligned(slot):
            raise MisalignedSlotError(
                f"order field 'slot' is {slot}: must be a multiple of {self._market.slot_length_s} s"
            )
        self._check_gate(slot)
        latest = self._clock.now() + self._limits.horizon_s
        if slot > latest:
            raise TooEarlyOrderError(f"order field 'slot' is {slot}: must be at most {latest} for now")

    def _check_gate(self, slot: int) -> None:
        now, closes_at = self._clock.now(), self._market.gate_closes_at(slot)
        if now >= closes_at:
            raise GateClosedError(f"gate of slot {slot} closed at {closes_at}: it is {now}")

    def _check_signer(self, signer: bytes, account: bytes) -> None:
        if signer != account:
            raise OrderSignatureError(
                f"signed by 0x{signer.hex()}: must be by 0x{account.hex()}, for chain {self._domain.chain_id} "
                f"and exchange 0x{self._domain.exchange.hex()}"
            )

    def _check_statement(self, order: Order, statement: Statement) -> None:
        if order.salt != statement.salt:
            raise InvalidStatementError(
                f"order field 'salt' is {order.salt}: must be {statement.salt}, that of its wishes"
            )
        for wish in statement.wishes:
            refusal = may_wish(self._design, order.side, wish.trait, wish.premium)
            if refusal is not None:
                raise InvalidStatementError(f"wish for '{wish.trait}': {refusal}")

    def _check_account(self, order: Order) -> None:
        standing = self._escrow.standing(order.account)
        if standing.state.market != self._market.id or standing.state.is_utility:
            raise NotAMemberError(f"0x{order.account.hex()} is not a member of market 0x{self._market.id.hex()}")
        if not self._escrow.epoch_holds(order):
            epoch = standing.state.epoch
            raise CancelledEpochError(f"order field 'epoch' is {order.epoch}: must be {epoch}, the account's")
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
        needed_nano = order_cover(order, self._tariffs.tariff(order.slot))
        if needed_nano > standing.free_nano:
            raise UncoveredOrderError(order.account, needed_nano, standing.free_nano)

    def _check_number(self, order: Order) -> None:
        in_slot, of_account = self._store.count_orders(order.slot, order.account)
        if of_account >= self._limits.orders_per_account:
            raise TooManyOrdersError(
                f"0x{order.account.hex()} has {of_account} orders for slot {order.slot}: at most "
                f"{self._limits.orders_per_account}"
            )
        if in_slot >= self._limits.orders_per_slot:
            raise TooManyOrdersError(
                f"slot {order.slot} has {in_slot} orders: at most {self._limits.orders_per_slot} can settle"
            )

    def _sign(self, receipt: Receipt) -> bytes:
        return self._operator.sign(receipt_hash(self._domain, receipt))
