"""Which nonces our transactions have, and which comes next, as blocks and the journal say."""

import time

from ledger.chain import Chain, Receipt
from ledger.intents import Intent, IntentRecord, IntentStatus, Journal
from ledger.transactions import POLL_S

_MAY_BE_MINED = (IntentStatus.PENDING, IntentStatus.DROPPED)


class Nonces:
    """The nonces of our senders. Nothing is remembered: others may send with the same keys."""

    def __init__(self, chain: Chain, journal: Journal) -> None:
        self._chain = chain
        self._journal = journal

    def next(self, sender: bytes) -> int:
        """The first nonce that neither the chain nor a waiting intent has used."""
        nonce = self._chain.nonce(sender)
        taken = {intent.nonce for intent in self.waiting(sender)}
        while nonce in taken:
            nonce += 1
        return nonce

    def waiting(self, sender: bytes) -> list[Intent]:
        """The sender's intents that the chain has not refused, and that may be in no block yet, by nonce."""
        mined = self._chain.nonce(sender)
        waiting = [
            record.intent
            for record in self._journal.unfinished()
            if record.intent.sender == sender
            and is_on_its_way(record)
            and record.reason is None
            and record.intent.nonce >= mined
        ]
        return sorted(waiting, key=lambda intent: (intent.nonce, intent.slot, intent.step, intent.attempt))

    def look_up(self, record: IntentRecord) -> tuple[bool, Receipt | None]:
        """Whether a transaction with the record's nonce is in a block, and the receipt of its own if there is one.

        Endpoints may show a block's state a moment before its receipts: a loss is looked at twice.
        """
        # The nonce first: what is mined between is then not missed.
        is_used = self.is_used(record.intent)
        receipt = self._chain.receipt(record.intent.transaction_hash)
        if receipt is None and is_used and is_on_its_way(record):
            time.sleep(POLL_S)
            receipt = self._chain.receipt(record.intent.transaction_hash)
        return is_used, receipt

    def is_used(self, intent: Intent) -> bool:
        """Whether a transaction with the intent's nonce is in a block."""
        return self._chain.nonce(intent.sender) > intent.nonce

    def can_be_next(self, record: IntentRecord) -> bool:
        """Whether it can be mined as soon as those of ours before it are: none of their nonces is missing."""
        nonce, free = record.intent.nonce, self.next(record.intent.sender)
        if record.reason is not None:
            # The chain refused it, so that its nonce is free for any other step's.
            return nonce == free
        return self._chain.nonce(record.intent.sender) <= nonce < free


def is_on_its_way(record: IntentRecord) -> bool:
    """Whether it is ours and, as far as the journal knows, may still be mined, or is."""
    return record.intent.raw_transaction is not None and record.status in _MAY_BE_MINED
