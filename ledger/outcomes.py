"""What becomes of intents: noted in the journal, and looked at again until no re-organisation can change it."""

from dataclasses import replace

from ledger.chain import Chain, Receipt
from ledger.intents import Intent, IntentRecord, IntentStatus, Journal
from ledger.nonces import Nonces

TAKEN = "lost its nonce to another transaction"
REVERTED = "reverted"
OVERTAKEN = "was not needed, as another transaction did its work"


class Outcomes:
    """Notes what became of intents. Nothing is remembered but in the journal.

    Args:
        confirmations: how many blocks on top make it final.
    """

    def __init__(self, chain: Chain, journal: Journal, nonces: Nonces, confirmations: int) -> None:
        self._chain = chain
        self._journal = journal
        self._nonces = nonces
        self._confirmations = confirmations

    def follow(self) -> list[tuple[int, str]]:
        """Look again at whatever is not final yet; see `Stepper.follow`."""
        if not self._journal.unfinished():
            return []
        deepest = self._deepest()
        for record in self._journal.unfinished():
            if record.status is IntentStatus.PENDING:
                self.look_at_pending(record)
            elif record.status is IntentStatus.CONFIRMED:
                self._look_at_confirmed(record, deepest)
        # Some of these have become final together with the confirmed ones.
        for record in self._journal.unfinished():
            if record.status is IntentStatus.FAILED and self._cannot_be_mined(record, deepest):
                self._journal.note_intent(replace(record, is_final=True))
        dropped = [entry for entry in self._journal.unfinished() if entry.status is IntentStatus.DROPPED]
        dropped.sort(key=lambda entry: (entry.block_number or 0, entry.intent.nonce))
        return list(dict.fromkeys((entry.intent.slot, entry.intent.step) for entry in dropped))

    def look_at_pending(self, record: IntentRecord) -> None:
        """Note what became of an intent, as far as its receipt tells, or its nonce if it has none."""
        is_used, receipt = self._nonces.look_up(record)
        if receipt is None:
            if is_used:
                self.fail(record, TAKEN)
        elif receipt.succeeded:
            self.confirm(record, receipt)
        else:
            self.fail(record, REVERTED)

    def confirm(self, record: IntentRecord, receipt: Receipt) -> bool:
        """Note the block that an intent's transaction did its work in; whether that is final."""
        is_final = receipt.block_number <= self._deepest()
        confirmed = replace(
            record,
            status=IntentStatus.CONFIRMED,
            is_final=is_final,
            block_number=receipt.block_number,
            block_hash=receipt.block_hash,
            gas_used=receipt.gas_used,
            reason=None,
        )
        self._journal.note_intent(confirmed)
        return is_final

    def fail(self, record: IntentRecord, reason: str) -> None:
        """Note that an intent's transaction has no effect."""
        is_final = self._cannot_be_mined(record, self._deepest())
        failed = replace(record, status=IntentStatus.FAILED, is_final=is_final, reason=reason)
        self._journal.note_intent(failed)

    def give_up_others(self, done: Intent, *, is_final: bool) -> None:
        """The step's other intents will have no effect, nor will any other with the nonce."""
        for record in self._journal.unfinished():
            other = record.intent
            of_step = (other.slot, other.step) == (done.slot, done.step)
            of_nonce = (other.sender, other.nonce) == (done.sender, done.nonce)
            # One that was confirmed for another step is left to `follow`: that step has to be run again.
            is_rival = of_step or (of_nonce and record.status is IntentStatus.PENDING)
            if is_rival and other.transaction_hash != done.transaction_hash:
                reason = record.reason if record.status is IntentStatus.FAILED else None
                reason = reason or (TAKEN if of_nonce else OVERTAKEN)
                failed = replace(record, status=IntentStatus.FAILED, is_final=is_final, reason=reason)
                self._journal.note_intent(failed)

    def _look_at_confirmed(self, record: IntentRecord, deepest: int) -> None:
        assert record.block_number is not None  # noqa: S101 - a confirmed intent has its block
        block = self._chain.block(record.block_number)
        if block is None or block.hash != record.block_hash:
            self._journal.note_intent(replace(record, status=IntentStatus.DROPPED))
        elif record.block_number <= deepest:
            self._journal.note_intent(replace(record, is_final=True))
            self.give_up_others(record.intent, is_final=True)

    def _cannot_be_mined(self, record: IntentRecord, deepest: int) -> bool:
        intent = record.intent
        if deepest < 0 or self._chain.nonce(intent.sender, block_number=deepest) <= intent.nonce:
            return False
        receipt = self._chain.receipt(intent.transaction_hash)
        return receipt is None or not receipt.succeeded

    def _deepest(self) -> int:
        """The newest block that is final."""
        return self._chain.head().number - self._confirmations
