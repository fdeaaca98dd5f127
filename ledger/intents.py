"""Intents: what is written down of every transaction that a step is brought about with, and where it is kept."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class IntentStatus(StrEnum):
    """What became of an intent's transaction, as far as we know; a re-organisation may change it unless final."""

    PENDING = "pending"
    """It may be mined, or is and has not been looked at."""
    CONFIRMED = "confirmed"
    """It did its work: the step's event is its."""
    FAILED = "failed"
    """It has no effect: it reverted, or another transaction took its nonce or did its work."""
    DROPPED = "dropped"
    """It was confirmed, and a re-organisation took its block away: the step has to be run again."""


@dataclass(frozen=True, slots=True)
class Intent:
    """A transaction for a step. Ours is written down before it is sent; another's, when it is found to be faster.

    Attributes:
        attempt: counts the step's intents from 0.
        raw_transaction: signed, to be broadcast any number of times; None for another's.
    """

    market: bytes
    slot: int
    step: str
    attempt: int
    sender: bytes
    nonce: int
    calldata_hash: bytes
    raw_transaction: bytes | None
    transaction_hash: bytes


@dataclass(frozen=True, slots=True)
class IntentRecord:
    """An intent and what became of it.

    Attributes:
        is_final: whether that lies too deep for any re-organisation.
        block_number, block_hash, gas_used: where it was mined, once it was seen to be; for a dropped one, where
            it had been.
        reason: why it failed; of a pending one, why the chain did not take it when it was sent last.
    """

    intent: Intent
    status: IntentStatus = IntentStatus.PENDING
    is_final: bool = False
    block_number: int | None = None
    block_hash: bytes | None = None
    gas_used: int | None = None
    reason: str | None = None


class Journal(Protocol):
    """Where intents are kept: durable when a method returns."""

    def attempts(self, slot: int, step: str) -> list[IntentRecord]:
        """All intents of a step, in order."""

    def unfinished(self) -> list[IntentRecord]:
        """The intents of all steps whose outcome is not final."""

    def record_intent(self, intent: Intent) -> None:
        """Write a new, pending intent down."""

    def note_intent(self, record: IntentRecord) -> None:
        """Note what became of an intent that is not final."""
