"""Steps: transactions that happen once, whatever is killed, lost or repeated on the way.

A step belongs to a slot and has a name. Before its transaction is broadcast, the intent (nonce, calldata hash
and the signed transaction itself) is written down. Whoever comes back after a crash broadcasts that same
transaction again, and its nonce makes sure that the chain takes it once. Whether a step is done is asked of the
contract, never of the memory of having sent something.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from eth_hash.auto import keccak

from ledger.chain import Chain, ChainError, Receipt, TransactionRefusedError
from ledger.keys import Key
from ledger.transactions import PATIENCE_S, build, wait_for


class StepError(ChainError):
    """A step's transaction was mined and did not do its work."""

    code = "chain.step"


@dataclass(frozen=True, slots=True)
class Intent:
    """What we are about to send, written before it is sent."""

    market: bytes
    slot: int
    step: str
    attempt: int
    sender: bytes
    nonce: int
    calldata_hash: bytes
    raw_transaction: bytes
    transaction_hash: bytes


class Journal(Protocol):
    """Where intents are kept: durable when a method returns."""

    def pending_intent(self, slot: int, step: str) -> Intent | None:
        """The step's last intent that is neither confirmed nor failed."""

    def record_intent(self, intent: Intent) -> None:
        """Write an intent down."""

    def attempts(self, slot: int, step: str) -> int:
        """How many intents the step has had."""

    def confirm_intent(self, intent: Intent, block_number: int, gas_used: int) -> None:
        """Note that the intent's transaction was mined and did its work."""

    def fail_intent(self, intent: Intent, reason: str) -> None:
        """Note that the intent's transaction will have no effect."""


@dataclass(frozen=True)
class Step:
    """One thing to be done on chain, once.

    Attributes:
        is_done: asks the chain whether the step's effect is there.
        calldata: builds the call; asked only when the step is not done and has no intent that may still succeed.
    """

    market: bytes
    slot: int
    name: str
    key: Key
    to: bytes
    is_done: Callable[[], bool]
    calldata: Callable[[], bytes]


class Stepper:
    """Carries out steps, one at a time per sender. Not thread-safe: one writer owns it."""

    def __init__(self, chain: Chain, journal: Journal, *, patience_s: float = PATIENCE_S) -> None:
        """`patience_s` bounds the wait for a broadcast transaction to be mined."""
        self._chain = chain
        self._journal = journal
        self._patience_s = patience_s

    def run(self, step: Step) -> None:
        """Bring the step about, or find that it already is.

        Raises:
            CallRevertedError: the contract refuses the step on the head's state.
            StepError: its transaction was mined and failed, or did only a part; running the step again makes a
                new attempt.
            TransactionRefusedError: the chain did not take it, e.g. because its nonce is used by now; the same.
            NotMinedError: it was not mined in time; running the step again goes on waiting for it.
            ChainUnavailableError: the chain is out of reach; the same.
        """
        intent = self._journal.pending_intent(step.slot, step.name)
        if intent is None or not self._resume(intent):
            if step.is_done():
                return
            self._finish(self._send_new(step))
        if not step.is_done():
            raise StepError(f"{step.name} of slot {step.slot}: mined, but not done")

    def _resume(self, intent: Intent) -> bool:
        """Follow up an intent from before; False if it can no longer take effect."""
        receipt = self._chain.receipt(intent.transaction_hash)
        if receipt is None and self._chain.nonce(intent.sender) > intent.nonce:
            # Another transaction took the nonce; look again, in case ours was mined between the two questions.
            receipt = self._chain.receipt(intent.transaction_hash)
            if receipt is None:
                self._journal.fail_intent(intent, "another transaction took its nonce")
                return False
        if receipt is not None and not receipt.succeeded:
            self._journal.fail_intent(intent, "reverted")
            return False
        self._finish(intent)
        return True

    def _send_new(self, step: Step) -> Intent:
        data = step.calldata()
        transaction = build(self._chain, step.key, to=step.to, data=data)
        intent = Intent(
            market=step.market,
            slot=step.slot,
            step=step.name,
            attempt=self._journal.attempts(step.slot, step.name),
            sender=step.key.address,
            nonce=transaction.nonce,
            calldata_hash=keccak(data),
            raw_transaction=transaction.raw,
            transaction_hash=transaction.hash,
        )
        self._journal.record_intent(intent)
        return intent

    def _finish(self, intent: Intent) -> None:
        receipt = self._broadcast(intent)
        if not receipt.succeeded:
            self._journal.fail_intent(intent, "reverted")
            raise StepError(f"{intent.step} of slot {intent.slot}: 0x{intent.transaction_hash.hex()} reverted")
        self._journal.confirm_intent(intent, receipt.block_number, receipt.gas_used)

    def _broadcast(self, intent: Intent) -> Receipt:
        if self._chain.receipt(intent.transaction_hash) is None:
            try:
                self._chain.send(intent.raw_transaction)
            except TransactionRefusedError as refusal:
                # Perhaps because it is already known, or already mined: then a receipt will come.
                if self._chain.transaction(intent.transaction_hash) is None:
                    self._journal.fail_intent(intent, refusal.reason)
                    raise
        return wait_for(self._chain, intent.transaction_hash, patience_s=self._patience_s)
