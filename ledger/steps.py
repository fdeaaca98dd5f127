"""Steps: transactions that happen once, whatever is killed, lost, repeated or re-organised on the way.

A step belongs to a slot and has a name. Before a transaction for it is broadcast, the intent (nonce, calldata hash
and the signed transaction itself) is written down. Whoever comes back after a crash broadcasts that same
transaction again, and its nonce makes sure that the chain takes it once.

Whether a step is done is asked of the chain, never of the memory of having sent something, and never of a receipt
alone: the contract's state must show the effect, the step's event must be in a block, and the sender's nonce must
be used. Until that block lies `confirmations` deep, `follow` looks again whether it is still there. It also notes
what became of transactions whose step nobody runs again, as it was killed after sending them: by their receipts.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from eth_hash.auto import keccak

from ledger.chain import Chain, ChainError, Log, TransactionRefusedError
from ledger.intents import Intent, IntentRecord, IntentStatus, Journal
from ledger.keys import Key
from ledger.nonces import Nonces, is_on_its_way
from ledger.outcomes import REVERTED, TAKEN, Outcomes
from ledger.transactions import PATIENCE_S, POLL_S, NotMinedError, SignedTransaction, build, outbid, wait_for

MAX_CONFIRMATIONS = 64
"""The deepest re-organisation that is followed, in blocks; endpoints keep the state of that many at least."""

MAX_REPLACEMENTS = 8
"""How often a transaction's fees are raised; the last one pays 2.6 times the first one's."""

NOT_DONE = "was mined, but did not do its work"

_FIRST_SEARCH_BLOCKS = 1_024
# What endpoints say, in any case of letters, when a higher fee would help.
_FEE_REFUSALS = ("underpriced", "less than block base fee", "feetoolow", "replacementnotallowed")


class StepError(ChainError):
    """A step's transaction was mined and did not do its work."""

    code = "chain.step"


@dataclass(frozen=True)
class Step:
    """One thing to be done on chain, once.

    Attributes:
        to: the contract to call.
        event: the first topic of the event that tells of the step; its indexed fields are the market, the slot
            and, where the step has `topics`, these.
        emitter: the contract that logs it; None for the one that is called.
        names_slot: False if they are the `topics` alone.
        is_done: asks the chain whether the step's effect is there.
        calldata: builds the call; asked only when the step is not done and has no intent that may still succeed.
    """

    market: bytes
    slot: int
    name: str
    key: Key
    to: bytes
    event: bytes
    is_done: Callable[[], bool]
    calldata: Callable[[], bytes]
    topics: tuple[bytes, ...] = ()
    names_slot: bool = True
    emitter: bytes | None = None

    @property
    def event_topics(self) -> tuple[bytes, ...]:
        """All topics of the event."""
        of_slot = (self.market, self.slot.to_bytes(32, "big")) if self.names_slot else ()
        return (self.event, *of_slot, *self.topics)

    @property
    def title(self) -> str:
        """The step as messages name it."""
        return f"{self.name} of slot {self.slot}"


class Stepper:
    """Carries out steps, one at a time per sender. Not thread-safe: one writer owns it.

    Other programs may use the same keys, and other steppers may bring the same steps about.
    """

    def __init__(
        self,
        chain: Chain,
        journal: Journal,
        *,
        confirmations: int = 0,
        patience_s: float = PATIENCE_S,
        max_fee_wei: int | None = None,
    ) -> None:
        """Set up.

        Args:
            chain: where the steps are taken.
            journal: where their intents are kept.
            confirmations: how many blocks on top of a step's make it final, up to `MAX_CONFIRMATIONS`; 0 on a
                chain that never re-organises.
            patience_s: bounds the wait for a broadcast transaction to be mined.
            max_fee_wei: the most that is paid for a unit of gas; None for as much as it takes.
        """
        self._chain = chain
        self._journal = journal
        self._nonces = Nonces(chain, journal)
        self._outcomes = Outcomes(chain, journal, self._nonces, confirmations)
        self._patience_s = patience_s
        self._max_fee_wei = max_fee_wei

    def run(self, step: Step) -> None:
        """Bring the step about, or find that it already is.

        Raises:
            CallRevertedError: the contract refuses the step on the head's state.
            StepError: its transaction was mined and failed, or did only a part; running the step again makes a
                new attempt.
            TransactionRefusedError: the chain did not take it, e.g. because its nonce is used by now; the same.
            FeeTooHighError: it would cost more than may be paid.
            NotMinedError: it was not mined in time; its fees were raised, and running the step again goes on
                waiting for it.
            ChainUnavailableError: the chain is out of reach; the same.
        """
        if self._has_happened(step):
            return
        record = self._live(step) or self._attempt(step)
        try:
            self._broadcast(step, record)
        except TransactionRefusedError:
            # Perhaps because another was faster.
            if not self._has_happened(step):
                raise
            return
        give_up_at = time.monotonic() + self._patience_s
        while not self._has_happened(step):
            if self._live(step) is None:
                last = self._journal.attempts(step.slot, step.name)[-1]
                raise StepError(f"{step.title}: 0x{last.intent.transaction_hash.hex()} {last.reason or REVERTED}")
            if time.monotonic() > give_up_at:
                self._end_wait(step)
                return
            time.sleep(POLL_S)

    def follow(self) -> list[tuple[int, str]]:
        """Look again at whatever is not final yet. Costs a call or two for each such intent.

        Returns:
            Slot and name of the steps whose effect a re-organisation took away or moved, in the order in which
            they had happened: each has to be run again, and is returned again until it was.
        """
        return self._outcomes.follow()

    # What has become of a step

    def _has_happened(self, step: Step) -> bool:
        """Whether the step's effect is there; notes whose transaction had it, or which of ours will never have."""
        records = self._open(step)
        # Nonces and receipts before the state: what is mined between is then not missed.
        found = [(record, *self._nonces.look_up(record)) for record in records]
        for record, _, receipt in found:
            if record.status is IntentStatus.PENDING and receipt is not None and not receipt.succeeded:
                self._outcomes.fail(record, REVERTED)
        if step.is_done():
            return self._note_effect(step)
        for record, is_used, receipt in found:
            if record.status is IntentStatus.PENDING and receipt is None and is_used:
                self._outcomes.fail(record, TAKEN)
        return False

    def _note_effect(self, step: Step) -> bool:
        """Note whose transaction brought the step about; False while the sender's nonce does not show it."""
        attempts = self._journal.attempts(step.slot, step.name)
        if any(record.is_final and record.status is IntentStatus.CONFIRMED for record in attempts):
            # It may have happened again, after a step of another name had undone it.
            for record in filter(is_on_its_way, self._open(step)):
                self._outcomes.look_at_pending(record)
            return True
        log = self._find_event(step, attempts) or self._find_event_later(step, attempts)
        ours = (record for record in attempts if record.intent.transaction_hash == log.transaction_hash)
        record = next(ours, None) or self._note_other(step, log, len(attempts))
        if not self._nonces.is_used(record.intent):
            return False
        # Whatever the receipt says of success, the event says it; but it alone knows the gas.
        receipt = wait_for(self._chain, log.transaction_hash, patience_s=self._patience_s)
        is_final = self._outcomes.confirm(record, receipt)
        self._outcomes.give_up_others(record.intent, is_final=is_final)
        return True

    def _find_event(self, step: Step, attempts: Iterable[IntentRecord]) -> Log | None:
        """The event of our own transaction if one is in a block, else the newest, else None."""
        for record in attempts:
            receipt = self._chain.receipt(record.intent.transaction_hash)
            if receipt is not None and receipt.succeeded:
                for log in self._events(step, receipt.block_number, receipt.block_number):
                    if log.transaction_hash == record.intent.transaction_hash:
                        return log
        last, span = self._chain.head().number, _FIRST_SEARCH_BLOCKS
        while last >= 0:
            found = self._events(step, max(last - span + 1, 0), last)
            if found:
                return found[-1]
            last, span = last - span, 2 * span
        return None

    def _find_event_later(self, step: Step, attempts: Iterable[IntentRecord]) -> Log:
        """The same, once more: endpoints may show a block's state a moment before its events.

        Raises:
            StepError: there is none; the state that looks like the step's effect came about in another way.
        """
        time.sleep(POLL_S)
        log = self._find_event(step, attempts)
        if log is None:
            raise StepError(f"{step.title}: the contract's state shows it, but no event does")
        return log

    def _events(self, step: Step, first_block: int, last_block: int) -> list[Log]:
        return self._chain.logs(
            first_block=first_block,
            last_block=last_block,
            address=step.emitter or step.to,
            topics=step.event_topics,
        )

    def _note_other(self, step: Step, log: Log, attempt: int) -> IntentRecord:
        """Write down a transaction that is not ours and did our work."""
        transaction = self._chain.transaction(log.transaction_hash)
        if transaction is None:
            raise NotMinedError(f"{step.title}: 0x{log.transaction_hash.hex()} is in a block, but not to be had")
        intent = Intent(
            market=step.market,
            slot=step.slot,
            step=step.name,
            attempt=attempt,
            sender=transaction.sender,
            nonce=transaction.nonce,
            calldata_hash=keccak(transaction.input),
            raw_transaction=None,
            transaction_hash=transaction.hash,
        )
        self._journal.record_intent(intent)
        return IntentRecord(intent)

    # Sending

    def _live(self, step: Step) -> IntentRecord | None:
        """The step's newest intent that is mined, or can be."""
        for record in filter(is_on_its_way, reversed(self._open(step))):
            # This before the receipt: what is mined between is then not taken for lost.
            can_be_next = self._nonces.can_be_next(record)
            _, receipt = self._nonces.look_up(record)
            if can_be_next if receipt is None else receipt.succeeded:
                return record
        return None

    def _attempt(self, step: Step) -> IntentRecord:
        data = step.calldata()
        nonce = self._nonces.next(step.key.address)
        fee = self._max_fee_wei
        transaction = build(self._chain, step.key, to=step.to, data=data, nonce=nonce, max_fee_wei=fee)
        return self._record(step, transaction, keccak(data))

    def _replacement(self, step: Step, replaced: Intent) -> IntentRecord | None:
        """The same call at the same nonce for a higher fee; None if it was raised often enough."""
        attempts = self._journal.attempts(step.slot, step.name)
        rivals = [record for record in attempts if record.intent.nonce == replaced.nonce]
        if replaced.raw_transaction is None or len(rivals) > MAX_REPLACEMENTS:
            return None
        raw = replaced.raw_transaction
        transaction = outbid(self._chain, step.key, raw, max_fee_wei=self._max_fee_wei)
        return self._record(step, transaction, replaced.calldata_hash)

    def _record(self, step: Step, transaction: SignedTransaction, calldata_hash: bytes) -> IntentRecord:
        attempts = self._journal.attempts(step.slot, step.name)
        for record in attempts:
            if record.intent.transaction_hash == transaction.hash:
                # The same bytes again: a re-organisation gave back the nonce that they had lost.
                again = IntentRecord(record.intent)
                self._journal.note_intent(again)
                return again
        intent = Intent(
            market=step.market,
            slot=step.slot,
            step=step.name,
            attempt=len(attempts),
            sender=step.key.address,
            nonce=transaction.nonce,
            calldata_hash=calldata_hash,
            raw_transaction=transaction.raw,
            transaction_hash=transaction.hash,
        )
        self._journal.record_intent(intent)
        return IntentRecord(intent)

    def _broadcast(self, step: Step, record: IntentRecord) -> None:
        """Send our earlier nonces first, as the chain may have forgotten them, or never have heard of them."""
        for earlier in self._nonces.waiting(record.intent.sender):
            if earlier.nonce < record.intent.nonce:
                self._offer(earlier)
        while (refusal := self._offer(record.intent)) is not None:
            self._journal.note_intent(replace(record, reason=refusal.reason))
            is_about_fees = any(words in refusal.reason.lower() for words in _FEE_REFUSALS)
            replacement = self._replacement(step, record.intent) if is_about_fees else None
            if replacement is None:
                raise refusal
            record = replacement
        if record.reason is not None:
            self._journal.note_intent(replace(record, reason=None))

    def _offer(self, intent: Intent) -> TransactionRefusedError | None:
        """Send a transaction unless it is mined; the chain's refusal unless it knows it all the same."""
        assert intent.raw_transaction is not None  # noqa: S101 - only our own are offered
        if self._chain.receipt(intent.transaction_hash) is None:
            try:
                self._chain.send(intent.raw_transaction)
            except TransactionRefusedError as refusal:
                # Perhaps because it is already known, or already mined: then a receipt will come.
                if self._chain.transaction(intent.transaction_hash) is None:
                    return refusal
        return None

    def _end_wait(self, step: Step) -> None:
        """Patience is over: raise the fee of a transaction that is next in line and still not mined.

        Raises:
            StepError: it is mined, and did only a part of the work.
            NotMinedError: it is not mined.
        """
        record = self._live(step)
        if record is not None and self._chain.receipt(record.intent.transaction_hash) is not None:
            if not step.is_done():
                self._outcomes.fail(record, NOT_DONE)
                raise StepError(f"{step.title}: 0x{record.intent.transaction_hash.hex()} {NOT_DONE}")
        elif record is not None and self._chain.nonce(record.intent.sender) == record.intent.nonce:
            replacement = self._replacement(step, record.intent)
            if replacement is not None:
                self._broadcast(step, replacement)
        if not self._has_happened(step):
            raise NotMinedError(f"{step.title} was not mined within {self._patience_s:g} s")

    def _open(self, step: Step) -> list[IntentRecord]:
        return [record for record in self._journal.attempts(step.slot, step.name) if not record.is_final]
