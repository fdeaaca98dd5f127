"""Intake: checks orders and cancellations, and keeps what passes before anyone is told so.

What one order can be checked for by itself is checked in its caller's thread. The rest depends on what others are
taken at the same time: it is checked, and written, in groups; see `node.group_commit` and `node.taking`.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from ledger.eip712 import Domain, Receipt, SignedOrder, cancellation_hash, order_hash, order_signer, receipt_hash
from ledger.keys import Key, recover
from ledger.market import Market
from matching import uniform
from matching.errors import WattbookError
from matching.orders import Order
from node.clock import Clock
from node.design import may_wish
from node.escrow import Escrow
from node.group_commit import GroupCommit
from node.refusals import MisalignedSlotError, OrderSignatureError, TooEarlyOrderError, UnknownMarketError
from node.store import Store
from node.store.errors import UnknownOrderError
from node.store.records import OrderRecord
from node.taking import Arrival, Limits, Taking, check_gate
from node.wishes import InvalidStatementError, Statement

__all__ = ["Cancellation", "Intake", "Limits", "Placement"]

_GROUP_SIZE = 1_000
_MOST_WAITING = 10_000
_CORES = os.cpu_count() or 1
_LEAST_PART = 16
"""So few signatures are checked sooner than a thread is called."""

T = TypeVar("T")
R = TypeVar("R")
P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Placement:
    """An order that an account asks to be taken; `statement` says whom it wants to trade with."""

    order: Order
    signature: bytes
    statement: Statement | None = None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """An order that its account asks to be cancelled, and its signature of that."""

    order_hash: bytes
    signature: bytes


class Intake:
    """Takes orders and cancellations for one market. Thread-safe.

    Args:
        market: the market's terms.
        domain: where the orders' signatures count.
        operator: signs the receipts.
        store: keeps the orders.
        clock: tells whether a slot's gate is open.
        escrow: tells what covers an order.
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
        self._limits = limits
        self._design = design
        self._admit = admit
        taking = Taking(
            market=market, store=store, clock=clock, escrow=escrow, limits=limits, sign=self._sign, admit=admit
        )
        self._placing = GroupCommit(taking.take, group_size=_GROUP_SIZE, most_waiting=_MOST_WAITING)
        self._cancelling = GroupCommit(self._write_cancelled, group_size=_GROUP_SIZE, most_waiting=_MOST_WAITING)
        # What takes the time is libsecp256k1, which works on several cores at once.
        self._checkers = ThreadPoolExecutor(_CORES, thread_name_prefix="intake")

    def close(self) -> None:
        """Refuse whoever waits or comes; return once what is being written is."""
        self._placing.close()
        self._cancelling.close()
        self._checkers.shutdown()

    def place(self, order: Order, signature: bytes, statement: Statement | None = None) -> OrderRecord:
        """Take an order; the same order again gets the same record, whatever has become of it.

        `statement` says whom it wants to trade with; its salt must be the order's.

        Raises:
            WattbookError: one of `node.refusals`' order errors, `GateClosedError`, `InvalidSignatureError` or
                `BusyError`.
            ChainUnavailableError: the chain is out of reach.
        """
        return _value(self.place_all([Placement(order, signature, statement)])[0])

    def place_all(self, placements: Sequence[Placement]) -> list[OrderRecord | WattbookError]:
        """Take many orders, in this order: records, or what refuses them. Each stands or falls alone.

        Raises:
            BusyError: too many wait to be written. Nothing was taken.
            ChainUnavailableError: the chain is out of reach. Nothing was taken.
        """
        asked = [(each, order_hash(self._domain, each.order)) for each in placements]
        outcomes = self._each(asked, lambda each: self._arrival(*each), self._placing)
        # An order that is there is answered for, although its gate may have closed since.
        refused = [digest for (_, digest), each in zip(asked, outcomes, strict=True) if not _is_record(each)]
        known = self._store.orders_by_hash(refused) if refused else {}
        return [known.get(digest, each) for (_, digest), each in zip(asked, outcomes, strict=True)]

    def cancel(self, order_hash: bytes, signature: bytes) -> OrderRecord:
        """Cancel an order whose slot's gate is open, by its account's signature; again, it stays cancelled.

        Raises:
            UnknownOrderError: there is no such order.
            OrderSignatureError: the signature is not its account's.
            InvalidSignatureError: the signature is malformed or malleable.
            GateClosedError: it is too late.
            BusyError: too many wait to be written.
        """
        return _value(self.cancel_all([Cancellation(order_hash, signature)])[0])

    def cancel_all(self, cancellations: Sequence[Cancellation]) -> list[OrderRecord | WattbookError]:
        """Cancel many orders: their records, or why one is not cancelled. Each stands or falls alone.

        Raises:
            BusyError: too many wait to be written. Nothing was cancelled.
        """
        known = self._store.orders_by_hash([each.order_hash for each in cancellations])

        def check(asked: Cancellation) -> Cancellation:
            record = known.get(asked.order_hash)
            if record is None:
                raise UnknownOrderError(f"no order 0x{asked.order_hash.hex()}")
            order = record.signed.order
            digest = cancellation_hash(self._domain, order.account, asked.order_hash)
            self._check_signer(recover(digest, asked.signature), order.account)
            self._admit(order.account)
            check_gate(self._market, order.slot, self._clock.now())
            return asked

        return self._each(cancellations, check, self._cancelling)

    def _each(
        self,
        asked: Sequence[T],
        check: Callable[[T], P],
        commit: GroupCommit[P, OrderRecord | WattbookError],
    ) -> list[OrderRecord | WattbookError]:
        """Check each by itself, and write those that passed."""
        checked = self._checked(asked, check)
        to_write = [each for each in checked if not isinstance(each, WattbookError)]
        written = iter(commit.submit(to_write) if to_write else ())
        return [each if isinstance(each, WattbookError) else next(written) for each in checked]

    def _checked(self, asked: Sequence[T], check: Callable[[T], R]) -> list[R | WattbookError]:
        def part(start: int) -> list[R | WattbookError]:
            return [_outcome(check, each) for each in asked[start : start + size]]

        size = max(_LEAST_PART, -(-len(asked) // _CORES))
        if len(asked) <= size:
            return part(0)
        return [each for found in self._checkers.map(part, range(0, len(asked), size)) for each in found]

    def _arrival(self, placement: Placement, digest: bytes) -> Arrival:
        """What there is to check of an order without a look at any other, or at the chain."""
        order, statement = placement.order, placement.statement
        if order.market != self._market.id:
            raise UnknownMarketError(
                f"order field 'market' is 0x{order.market.hex()}: must be 0x{self._market.id.hex()}"
            )
        self._check_slot(order.slot)
        signed = SignedOrder(order=order, hash=digest, signature=placement.signature)
        self._check_signer(order_signer(signed), order.account)
        if statement is not None:
            self._check_statement(order, statement)
        return Arrival(signed, None if statement is None else statement.encoded())

    def _check_slot(self, slot: int) -> None:
        if not self._market.is_aligned(slot):
            raise MisalignedSlotError(slot, self._market.slot_length_s)
        now = self._clock.now()
        check_gate(self._market, slot, now)
        latest = now + self._limits.horizon_s
        if slot > latest:
            raise TooEarlyOrderError(slot, latest)

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

    def _write_cancelled(self, group: Sequence[Cancellation]) -> list[OrderRecord | WattbookError]:
        def check(order: Order) -> None:
            # Again, and for the last time, as waiting took time.
            check_gate(self._market, order.slot, self._clock.now())

        outcomes = self._store.cancel_orders({each.order_hash: each.signature for each in group}, check)
        return [outcomes[each.order_hash] for each in group]

    def _sign(self, receipt: Receipt) -> bytes:
        return self._operator.sign(receipt_hash(self._domain, receipt))


def _outcome(check: Callable[[T], R], asked: T) -> R | WattbookError:
    try:
        return check(asked)
    except WattbookError as error:
        return error


def _is_record(outcome: OrderRecord | WattbookError) -> bool:
    return isinstance(outcome, OrderRecord)


def _value(outcome: OrderRecord | WattbookError) -> OrderRecord:
    if isinstance(outcome, WattbookError):
        raise outcome
    return outcome
