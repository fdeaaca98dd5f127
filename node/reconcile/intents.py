"""The store's intents against the chain's transactions."""

from collections import defaultdict
from collections.abc import Sequence

from eth_hash.auto import keccak

from ledger.audit.model import SlotModel
from ledger.intents import IntentRecord, IntentStatus
from node.reconcile.context import Context

_BESIDE = (
    *("overdrawn-", "answer-"),
    *("withdraw-", "reissue-", "import-", "decide-", "issue-", "anchor-", "commit-day"),
    "certify-",
)
"""Steps by which the operator and the issuer do something about a slot, or a day, that is not its next step; and
of a certification in several parts all but the last, by which the audit knows it."""


def check_intent(context: Context, record: IntentRecord, *, overtaken: bool) -> None:
    """One intent; `overtaken` if its slot was voided, so that nobody asks any more what became of it."""
    intent = record.intent
    where = f"table intents, slot {intent.slot}, step {intent.step}, attempt {intent.attempt}"
    if intent.raw_transaction is not None:  # it is ours
        found_hash = keccak(intent.raw_transaction)
        context.findings.check("store.intent.raw", where, expected=intent.transaction_hash, found=found_hash)
    is_open = record.status in (IntentStatus.PENDING, IntentStatus.DROPPED)
    context.findings.require(
        "store.intent.final", where, not (is_open and record.is_final), expected="not final", found="final"
    )
    if record.status is IntentStatus.DROPPED:
        return  # the node knows that its step has to be taken again
    # The nonce first: a transaction that is mined between the two questions is then not missed.
    is_nonce_used = context.chain.nonce(intent.sender) > intent.nonce
    receipt = context.chain.receipt(intent.transaction_hash)
    if record.status is IntentStatus.PENDING:
        may_be = receipt is not None or not is_nonce_used or overtaken
        context.findings.require(
            "store.intent.pending", where, may_be, expected="a transaction that is or may still be mined",
            found="one whose nonce another has taken",
        )  # fmt: skip
        return
    if record.status is IntentStatus.FAILED:
        without_effect = receipt is None or not receipt.succeeded
        context.findings.require(
            "store.intent.failed",
            where,
            without_effect,
            expected="no effect",
            found="it succeeded",
        )
        return
    transaction = context.chain.transaction(intent.transaction_hash)
    expected = transaction and (transaction.sender, transaction.nonce, keccak(transaction.input))
    found = (intent.sender, intent.nonce, intent.calldata_hash)
    context.findings.check("store.intent.transaction", where, expected=expected, found=found)
    mined = receipt and (receipt.block_number, receipt.block_hash, receipt.gas_used, receipt.succeeded)
    noted = (record.block_number, record.block_hash, record.gas_used, True)
    context.findings.check("store.intent.receipt", where, expected=mined, found=noted)


def compare_steps(
    context: Context, state: SlotModel, intents: Sequence[IntentRecord], *, not_noted: str | None
) -> None:
    """Whether the store knows the transaction of every step, once, and has not skipped an attempt.

    What is done beside, such as reports, answers to challenges and corrections, is no step of the slot itself.

    `not_noted` is the step that the chain has taken and the store has not: its intent may still be pending.
    """
    where = f"table intents, slot {state.slot}"
    done = sorted(
        (entry.intent.step, entry.intent.transaction_hash)
        for entry in intents
        if not is_beside(entry.intent.step)
        and (
            entry.status is IntentStatus.CONFIRMED
            or (entry.intent.step == not_noted and is_of_step(entry, state, not_noted))
        )
    )
    # Anybody may void a slot; then the node finds it done and has no intent.
    steps = {step for step, _ in done}
    ours = sorted((step, took) for step, took in state.transactions.items() if step != "void" or step in steps)
    context.findings.check("store.steps", where, expected=_shown(ours), found=_shown(done))
    attempts: dict[str, list[int]] = defaultdict(list)
    for entry in intents:
        attempts[entry.intent.step].append(entry.intent.attempt)
    for step, numbers in attempts.items():
        expected = list(range(len(numbers)))
        context.findings.check("store.attempts", f"{where}, step {step}", expected=expected, found=numbers)


def is_beside(step: str) -> bool:
    """Whether a step does something about its slot, or day, without moving the slot on."""
    return step.startswith(_BESIDE)


def is_of_step(record: IntentRecord, state: SlotModel, step: str) -> bool:
    """Whether the intent's transaction is the one that took the slot's step on chain."""
    took = state.transactions.get(step)
    return record.intent.step == step and record.intent.transaction_hash == took


def is_after(context: Context, record: IntentRecord) -> bool:
    """Whether the intent was confirmed in a block that the audit has not seen, since the node went on."""
    return record.block_number is not None and record.block_number > context.last_block


def _shown(steps: Sequence[tuple[str, bytes]]) -> list[str]:
    return [f"{step} 0x{transaction.hex()}" for step, transaction in steps]
