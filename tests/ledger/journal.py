"""A journal of intents in memory."""

from dataclasses import dataclass, field

from ledger.intents import Intent, IntentRecord, IntentStatus

Attempt = tuple[int, str, int]


@dataclass
class MemoryJournal:
    records: dict[Attempt, IntentRecord] = field(default_factory=dict)

    def attempts(self, slot: int, step: str) -> list[IntentRecord]:
        return [
            record for record in self.records.values() if (record.intent.slot, record.intent.step) == (slot, step)
        ]

    def unfinished(self) -> list[IntentRecord]:
        return [record for record in self.records.values() if not record.is_final]

    def record_intent(self, intent: Intent) -> None:
        key = intent.slot, intent.step, intent.attempt
        assert intent.attempt == len(self.attempts(intent.slot, intent.step))
        self.records[key] = IntentRecord(intent)

    def note_intent(self, record: IntentRecord) -> None:
        key = record.intent.slot, record.intent.step, record.intent.attempt
        assert self.records[key].intent == record.intent
        assert not self.records[key].is_final
        self.records[key] = record

    @property
    def intents(self) -> list[Intent]:
        return [record.intent for record in self.records.values()]

    def of_status(self, status: IntentStatus) -> list[IntentRecord]:
        return [record for record in self.records.values() if record.status is status]

    @property
    def confirmed(self) -> list[IntentRecord]:
        return self.of_status(IntentStatus.CONFIRMED)

    @property
    def failed(self) -> list[IntentRecord]:
        return self.of_status(IntentStatus.FAILED)
