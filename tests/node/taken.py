"""Orders in a store, taken and cancelled as intake does it, of accounts that can pay for all of them."""

from dataclasses import replace

from ledger.eip712 import SignedOrder
from ledger.market import AccountState
from matching.errors import WattbookError
from node.clock import SteppedClock
from node.escrow import Escrow
from node.store import Store
from node.store.records import OrderRecord
from node.taking import Arrival, Limits, Taking
from tests.node.parts import SLOT, sign_receipt
from tests.node.small_node import CREDIT, MEMBER, TERMS, Ledger


class RichLedger(Ledger):
    """Everybody is a member, and has enough."""

    def state(self, account: bytes) -> AccountState:
        return replace(MEMBER, balance_nano=10**12 * CREDIT)


def take(store: Store, signed: SignedOrder, at: int = SLOT - 600) -> OrderRecord:
    """The order's record, as if it had come at that second; raises what it is refused with."""
    ledger = RichLedger()
    taking = Taking(
        market=TERMS,
        store=store,
        clock=SteppedClock(at, lambda _: None),
        escrow=Escrow(store, ledger, ledger),
        limits=Limits(orders_per_account=1_000),
        sign=sign_receipt,
        admit=lambda _: None,
    )
    return _of(taking.take([Arrival(signed)])[0])


def cancel(store: Store, order_hash: bytes, signature: bytes = b"\1" * 65) -> OrderRecord:
    """The order's record, cancelled; raises what that is refused with."""
    return _of(store.cancel_orders({order_hash: signature})[order_hash])


def _of(outcome: OrderRecord | WattbookError) -> OrderRecord:
    if isinstance(outcome, WattbookError):
        raise outcome
    return outcome
