"""Orders against the signatures on them, and rejections against the chain of their time."""

from collections.abc import Sequence

from ledger.audit.model import SlotModel
from ledger.eip712 import Receipt, cancellation_hash, order_hash, receipt_hash
from ledger.market import AccountState, read_account
from node.reconcile.context import Context, OnChain, hexed
from node.rejections import (
    CANCELLED_REASON,
    CLEARING_TIME_S,
    EXPIRED_REASON,
    NOT_A_MEMBER_REASON,
    UNCOVERED_REASON,
    to_report,
    uncovered,
)
from node.store.records import OrderRecord, OrderStatus
from node.wishes import decoded


def order_where(record: OrderRecord) -> str:
    """The order's row, in words."""
    return f"table orders, order {hexed(record.signed.hash)}"


def check_order(context: Context, record: OrderRecord) -> None:
    """Hash, signature, receipt, wishes and cancellation of an order."""
    order, where = record.signed.order, order_where(record)
    digest = order_hash(context.domain, order)
    context.findings.check("store.order.hash", where, expected=digest, found=record.signed.hash)
    signature = record.signed.signature
    context.check_signer("store.order.signature", where, order.account, record.signed.hash, signature)
    if record.receipt_signature is not None:
        receipt = Receipt(record.signed.hash, order.market, order.slot, record.index, record.received_at)
        digest = receipt_hash(context.domain, receipt)
        operator = context.market.operator
        context.check_signer("store.order.receipt", where, operator, digest, record.receipt_signature)
    if record.wishes is not None:
        salt = decoded(record.wishes).salt
        context.findings.check("store.order.wishes", where, expected=order.salt, found=salt)
    is_cancelled = record.status is OrderStatus.CANCELLED
    # Who posted an order on chain and cancelled it here still has it there.
    expected = record.cancellation_signature is not None and not record.posted
    context.findings.check("store.order.cancelled", where, expected=expected, found=is_cancelled)
    if record.cancellation_signature is not None:
        digest = cancellation_hash(context.domain, order.account, record.signed.hash)
        signature = record.cancellation_signature
        context.check_signer("store.order.cancellation", where, order.account, digest, signature)


def check_rejections(context: Context, state: SlotModel, book: Sequence[OrderRecord]) -> None:
    """Every order that clearing rejected in a settled slot: whether the chain bears the reason out."""
    for record in book:
        if record.reason is not None:
            holds = is_borne_out(context, state, book, record)
            context.findings.require(
                "store.order.reason", order_where(record), holds,
                expected="no reason, or one that the chain bears out", found=record.reason,
            )  # fmt: skip


def check_reports(context: Context, state: SlotModel, orders: Sequence[OrderRecord], price: int) -> None:
    """Whoever overdrew and could say to have been left out was reported to the chain in time."""
    for bids in to_report(orders, price) if context.market.has_priority else ():
        account = bids[0].order.account
        reported = context.contracts.challenges.read("is_overdrawn", state.market, state.slot, account)
        where = f"slot {state.slot}, account {hexed(account)}"
        context.findings.check("store.overdrawn", where, expected=True, found=reported)


def is_borne_out(context: OnChain, state: SlotModel, book: Sequence[OrderRecord], record: OrderRecord) -> bool:
    """Whether the chain of the time bears out why clearing rejected an order."""
    settled_in = state.blocks["settle"]
    if record.reason == EXPIRED_REASON:
        block = context.chain.block(settled_in)
        return block is not None and record.signed.order.expires_at < block.timestamp + CLEARING_TIME_S
    if record.reason == CANCELLED_REASON:
        return not _epoch_holds(context, record)
    blocks = _blocks_of_clearing(context, state)
    if record.reason == NOT_A_MEMBER_REASON:
        return any(_account(context, record, block).market != state.market for block in blocks)
    if record.reason == UNCOVERED_REASON:
        own = [each for each in book if each.signed.order.account == record.signed.order.account]
        others = {
            each.signed.hash for each in own if each.reason == EXPIRED_REASON or not _epoch_holds(context, each)
        }
        return any(
            record.signed.hash in uncovered(own, _account(context, record, block), others) for block in blocks
        )
    return False


def _blocks_of_clearing(context: OnChain, state: SlotModel) -> list[int]:
    """The blocks between commitment and settlement after which an account may have differed, the latest first.

    The slot was cleared after one of them; which one, only the node knows.
    """
    first, last = state.blocks["commit"], state.blocks.get("settle-0", state.blocks["settle"]) - 1
    contracts = [context.contracts.exchange.address, context.contracts.escrow.address]
    logs = context.chain.logs(first_block=first, last_block=last, address=contracts)
    return sorted({last, *(log.block_number for log in logs)}, reverse=True)


def _account(context: OnChain, record: OrderRecord, block_number: int) -> AccountState:
    return read_account(context.contracts, record.signed.order.account, block_number=block_number)


def _epoch_holds(context: OnChain, record: OrderRecord) -> bool:
    # Whether it does can no longer change once the gate has closed, so the model's last word on it will do.
    order = record.signed.order
    return context.model.accounts[order.account].epoch_holds(order.slot, order.epoch)
