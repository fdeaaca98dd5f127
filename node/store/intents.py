"""Intents in the store: the journal that `ledger.steps` writes before it sends."""

from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, Select, false, insert, select, tuple_, update

from ledger.intents import Intent, IntentRecord, IntentStatus
from node.store import schema
from node.store.database import Database
from node.store.errors import StoreConflictError
from node.store.slots import between

_INTENTS = schema.intents.c


class Intents(Database):
    """The part of the store that keeps intents; implements `ledger.intents.Journal`."""

    def attempts(self, slot: int, step: str) -> list[IntentRecord]:
        """All intents of a step, in order."""
        query = (
            select(schema.intents).where(_INTENTS.slot == slot, _INTENTS.step == step).order_by(_INTENTS.attempt)
        )
        return self._records(query)

    def unfinished(self) -> list[IntentRecord]:
        """The intents of all steps whose outcome is not final, in the order of slots, steps and attempts."""
        keys = (_INTENTS.slot, _INTENTS.step, _INTENTS.attempt)
        return self._records(select(schema.intents).where(_INTENTS.is_final == false()).order_by(*keys))

    def record_intent(self, intent: Intent) -> None:
        """Write a new, pending intent down; our own before its transaction is sent.

        Raises:
            StoreConflictError: the intent is another market's, or the step has such an attempt already.
        """
        if intent.market != self.market:
            raise StoreConflictError(f"intent of market 0x{intent.market.hex()}: must be 0x{self.market.hex()}")
        values = asdict(intent)
        del values["market"]
        with self._write() as connection:
            connection.execute(
                insert(schema.intents).values(**values, status=IntentStatus.PENDING, is_final=False)
            )

    def note_intent(self, record: IntentRecord) -> None:
        """Note what became of an intent.

        Raises:
            StoreConflictError: there is no such intent, or its outcome is final.
        """
        intent = record.intent
        with self._write() as connection:
            changed = connection.execute(
                update(schema.intents)
                .where(
                    _INTENTS.slot == intent.slot,
                    _INTENTS.step == intent.step,
                    _INTENTS.attempt == intent.attempt,
                    _INTENTS.transaction_hash == intent.transaction_hash,
                    _INTENTS.is_final == false(),
                )
                .values(
                    status=record.status,
                    is_final=record.is_final,
                    block_number=record.block_number,
                    block_hash=record.block_hash,
                    gas_used=record.gas_used,
                    reason=record.reason,
                )
            )
            if changed.rowcount != 1:
                raise StoreConflictError(
                    f"{intent.step} of slot {intent.slot}, attempt {intent.attempt}: must not be final"
                )

    def intents(self, slot: int) -> list[IntentRecord]:
        """All intents of a slot: steps by name, each step's attempts in order."""
        query = select(schema.intents).where(_INTENTS.slot == slot).order_by(_INTENTS.step, _INTENTS.attempt)
        return self._records(query)

    def settlements(
        self,
        *,
        slot: int | None = None,
        step: str | None = None,
        first_slot: int | None = None,
        last_slot: int | None = None,
        after: tuple[int, str, int] | None = None,
        limit: int | None = None,
    ) -> list[IntentRecord]:
        """Confirmed intents, the latest slot's first; `after` is (slot, step, attempt) of the last one seen."""
        keys = (_INTENTS.slot, _INTENTS.step, _INTENTS.attempt)
        query = select(schema.intents).where(_INTENTS.status == IntentStatus.CONFIRMED)
        if slot is not None:
            query = query.where(_INTENTS.slot == slot)
        if step is not None:
            query = query.where(_INTENTS.step == step)
        query = between(query, _INTENTS.slot, first_slot, last_slot)
        if after is not None:
            query = query.where(tuple_(*keys) < after)
        return self._records(query.order_by(*(key.desc() for key in keys)).limit(limit))

    def confirmed(self, slots: Collection[int]) -> dict[tuple[int, str], IntentRecord]:
        """The confirmed intents of the slots of a page, by slot and step."""
        query = select(schema.intents).where(_INTENTS.slot.in_(slots), _INTENTS.status == IntentStatus.CONFIRMED)
        with self._read() as connection:
            return {(row.slot, row.step): self._record(row) for row in connection.execute(query)}

    def _records(self, query: Select[Any]) -> list[IntentRecord]:
        with self._read() as connection:
            return [self._record(row) for row in connection.execute(query)]

    def _record(self, row: Row[Any]) -> IntentRecord:
        intent = Intent(
            market=self.market,
            slot=row.slot,
            step=row.step,
            attempt=row.attempt,
            sender=row.sender,
            nonce=row.nonce,
            calldata_hash=row.calldata_hash,
            raw_transaction=row.raw_transaction,
            transaction_hash=row.transaction_hash,
        )
        return IntentRecord(
            intent=intent,
            status=row.status,
            is_final=row.is_final,
            block_number=row.block_number,
            block_hash=row.block_hash,
            gas_used=row.gas_used,
            reason=row.reason,
        )
