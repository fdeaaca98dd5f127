"""The store's posted orders against those that members put on chain."""

from collections.abc import Sequence

from ledger.posted import read_posted
from node.reconcile.context import Context, hexed
from node.store.records import OrderRecord


def compare_posted(context: Context, slot: int, orders: Sequence[OrderRecord], *, noted: bool | None) -> None:
    """Whether the posted orders of a slot, and those only, are in the store as such.

    `noted` says whether the store must have them by now, or cannot; None if it may.
    """
    where = f"table orders, slot {slot}"
    posted = [order for order in sorted(orders, key=lambda order: order.index) if order.posted]
    on_chain = read_posted(context.contracts, context.store.market, slot)
    if noted is False or (noted is None and not posted):
        on_chain = []
    expected = sorted(hexed(each.signed.hash) for each in on_chain)
    found = sorted(hexed(order.signed.hash) for order in posted)
    context.findings.check("store.posted", where, expected=expected, found=found)
    # Those without a receipt come last, as they were posted.
    placed = {order.signed.hash for order in orders if order.receipt_signature is not None}
    alone = [(hexed(each.signed.hash), each.posted_at) for each in on_chain if each.signed.hash not in placed]
    without_receipt = [
        (hexed(order.signed.hash), order.received_at, order.index)
        for order in sorted(orders, key=lambda order: order.index)
        if order.receipt_signature is None
    ]
    numbered = [(*each, len(orders) - len(alone) + place) for place, each in enumerate(alone)]
    context.findings.check("store.posted.order", where, expected=numbered, found=without_receipt)
