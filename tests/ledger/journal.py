"""A journal of intents in memory."""

from dataclasses import dataclass, field

from ledger.steps import Intent

Attempt = tuple[int, str, int]


def attempt(intent: Intent) -> Attempt:
    """What names an intent. Its transaction's hash does not: a new attempt may send the very same bytes."""
    return intent.slot, intent.step, intent.attempt


@dataclass
class MemoryJournal:
    intents: list[Intent] = field(default_factory=list)
    confirmed: dict[Attempt, tuple[int, int]] = field(default_factory=dict)
    failed: dict[Attempt, str] = field(default_factory=dict)

    def pending_intent(self, slot: int, step: str) -> Intent | None:
        mine = [intent for intent in self.intents if (intent.slot, intent.step) == (slot, step)]
        if not mine or attempt(mine[-1]) in {*self.confirmed, *self.failed}:
            return None
        return mine[-1]

    def record_intent(self, intent: Intent) -> None:
        assert attempt(intent) not in map(attempt, self.intents)
        self.intents.append(intent)

    def attempts(self, slot: int, step: str) -> int:
        return sum((intent.slot, intent.step) == (slot, step) for intent in self.intents)

    def confirm_intent(self, intent: Intent, block_number: int, gas_used: int) -> None:
        self.confirmed[attempt(intent)] = (block_number, gas_used)

    def fail_intent(self, intent: Intent, reason: str) -> None:
        self.failed[attempt(intent)] = reason
