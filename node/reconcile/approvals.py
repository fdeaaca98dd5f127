"""The store's proposals and approvals against what was cleared, and against the validators' signatures."""

from ledger.merkle import commitment
from ledger.settlement import approval_hash
from node.design import Cleared
from node.reconcile.context import Context, hexed
from node.store.evidence import approvals_in
from node.store.records import SlotRecord, SlotState


def compare_approvals(context: Context, record: SlotRecord, cleared: Cleared | None, price: int) -> None:
    """One slot: `cleared` and `price` are what clearing it again came to; None if it is not cleared."""
    store, where = context.store, f"slot {record.slot}"
    needed: int = context.contracts.markets.read("approvals_needed", store.market)
    found, expected = store.proposal(record.slot), None
    is_open = record.state is SlotState.CLEARED and found is None  # not proposed yet
    if needed and cleared is not None and not is_open:
        expected = (price, _digest(context, record, cleared, price))
    context.findings.check("store.proposal", f"table proposals, {where}", expected=expected, found=found)
    approved = 0
    for validator, digest, signature in approvals_in(store, record.slot):
        whose = f"table approvals, {where}, validator {hexed(validator)}"
        context.check_signer("store.approval", whose, validator, digest, signature)
        approved += expected is not None and digest == expected[1]
    if expected is not None and record.state is not SlotState.CLEARED:
        context.findings.require(
            "store.approvals", f"table approvals, {where}", approved >= needed, expected=f"{needed} approvals",
            found=approved,
        )  # fmt: skip


def _digest(context: Context, record: SlotRecord, cleared: Cleared, price: int) -> bytes:
    return approval_hash(
        context.domain,
        market=context.store.market,
        slot=record.slot,
        book=commitment(record.book_root or bytes(32), record.book_size or 0),
        price=price,
        fills=cleared.fills,
    )
