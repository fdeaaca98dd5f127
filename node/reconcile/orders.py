"""Orders against the signatures on them, and rejections against the chain of their time."""

from collections.abc import Sequence

from ledger.audit.model import SlotModel
from ledger.eip712 import Receipt, cancellation_hash, order_hash, receipt_hash
from ledger.market import AccountState, read_account
from matching.orders import Side
from node.lifecycle import CANCELLED_REASON, EXPIRED_REASON, TIME_TO_SETTLE_S, UNCOVERED_REASON
from node.reconcile.context import Context, hexed
from node.store.records import OrderRecord, OrderStatus
from node.wishes import decoded


def order_where(record: OrderRecord) -> str:
    """The order's row, in words."""
    return f"table orders, order {hexed(record.signed.hash)}"


def check_order(context: Context, record: OrderRecord) -> None:
    """Hash, signature, receipt, wishes and cancellation of an order."""
    order, where = record.signed.order, order_where(record)
    expected = order_hash(context.domain, order)
    context.findings.check("store.order.hash", where, expected=expected, found=record.signed.hash)
    signature = record.signed.signature
    context.check_signer("store.order.signature", where, order.account, record.signed.hash, signature)
    receipt = Receipt(record.signed.hash, order.market, order.slot, record.index, record.received_at)
    digest = receipt_hash(context.domain, receipt)
    operator = context.market.operator
    context.check_signer("store.order.receipt", where, operator, digest, record.receipt_signature)
    if record.wishes is not None:
        salt = decoded(record.wishes).salt
        context.findings.check("store.order.wishes", where, expected=order.salt, found=salt)
    is_cancelled = record.status is OrderStatus.CANCELLED
    has_signature = record.cancellation_signature is not None
    context.findings.check("store.order.cancelled", where, expected=has_signature, found=is_cancelled)
    if record.cancellation_signature is not None:
        digest = cancellation_hash(context.domain, order.account, record.signed.hash)
        signature = record.cancellation_signature
        context.check_signer("store.order.cancellation", where, order.account, digest, signature)


def check_rejections(context: Context, state: SlotModel, book: Sequence[OrderRecord]) -> None:
    """Every order that clearing rejected in a settled slot: whether the chain bears the reason out."""
    for record in book:
        if record.reason is not None:
            holds = _is_borne_out(context, state, book, record)
            context.findings.require(
                "store.order.reason", order_where(record), holds,
                expected="no reason, or one that the chain bears out", found=record.reason,
            )  # fmt: skip


def _is_borne_out(context: Context, state: SlotModel, book: Sequence[OrderRecord], record: OrderRecord) -> bool:
    settled_in = state.blocks["settle"]
    if record.reason == EXPIRED_REASON:
        block = context.chain.block(settled_in)
        return block is not None and record.signed.order.expires_at < block.timestamp + TIME_TO_SETTLE_S
    if record.reason == CANCELLED_REASON:
        return not _epoch_holds(context, record)
    if record.reason == UNCOVERED_REASON:
        own = [each for each in book if each.signed.order.account == record.signed.order.account]
        return any(
            record.signed.hash in _uncovered(context, own, _account(context, record, block))
            for block in _blocks_of_clearing(context, state)
        )
    return False


def _blocks_of_clearing(context: Context, state: SlotModel) -> list[int]:
    """The blocks between commitment and settlement after which an account may have differed, the latest first.

    The slot was cleared after one of them; which one, only the node knows.
    """
    first, last = state.blocks["commit"], state.blocks["settle"] - 1
    contracts = [context.contracts.exchange.address, context.contracts.escrow.address]
    logs = context.chain.logs(first_block=first, last_block=last, address=contracts)
    return sorted({last, *(log.block_number for log in logs)}, reverse=True)


def _account(context: Context, record: OrderRecord, block_number: int) -> AccountState:
    return read_account(context.contracts, record.signed.order.account, block_number=block_number)


def _epoch_holds(context: Context, record: OrderRecord) -> bool:
    # Whether it does can no longer change once the gate has closed, so the model's last word on it will do.
    order = record.signed.order
    return context.model.accounts[order.account].epoch_holds(order.slot, order.epoch)


def _uncovered(context: Context, own: Sequence[OrderRecord], account: AccountState) -> set[bytes]:
    """Hashes of one account's bids that its escrow does not cover: first come, first covered."""
    cover_nano = account.balance_nano - account.withdrawal_nano
    uncovered = set()
    for record in sorted(own, key=lambda record: record.index):
        order = record.signed.order
        takes_part = _epoch_holds(context, record) and record.reason != EXPIRED_REASON
        if takes_part and order.side is Side.BID:
            cost_nano = order.price * order.quantity_wh
            if cost_nano > cover_nano:
                uncovered.add(record.signed.hash)
            else:
                cover_nano -= cost_nano
    return uncovered
