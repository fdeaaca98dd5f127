"""Intents in the store: the journal that `ledger.steps` writes before it sends."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, insert, select, tuple_, update

from ledger.steps import Intent
from node.store import schema
from node.store.database import Database
from node.store.errors import StoreConflictError
from node.store.records import IntentRecord, IntentStatus

_INTENTS = schema.intents.c


class Intents(Database):
    """The part of the store that keeps intents; implements `ledger.steps.Journal`."""

    def pending_intent(self, slot: int, step: str) -> Intent | None:
        """The step's last intent that is neither confirmed nor failed."""
        query = (
            select(schema.intents)
            .where(_INTENTS.slot == slot, _INTENTS.step == step, _INTENTS.status == IntentStatus.PENDING)
            .order_by(_INTENTS.attempt.desc())
            .limit(1)
        )
        with self._read() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else self._record(row).intent

    def attempts(self, slot: int, step: str) -> int:
        """How many intents the step has had."""
        query = select(func.count()).where(_INTENTS.slot == slot, _INTENTS.step == step)
        with self._read() as connection:
            return connection.scalar(query) or 0

    def record_intent(self, intent: Intent) -> None:
        """Write an intent down before its transaction is sent.

        Raises:
            StoreConflictError: the intent is another market's, or its step has a pending intent, which may still
                happen.
        """
        if intent.market != self.market:
            raise StoreConflictError(f"intent of market 0x{intent.market.hex()}: must be 0x{self.market.hex()}")
        pending = select(_INTENTS.attempt).where(
            _INTENTS.slot == intent.slot, _INTENTS.step == intent.step, _INTENTS.status == IntentStatus.PENDING
        )
        with self._write() as connection:
            attempt = connection.scalar(pending)
            if attempt is not None:
                raise StoreConflictError(
                    f"{intent.step} of slot {intent.slot}: attempt {attempt} is pending, another must wait"
                )
            connection.execute(
                insert(schema.intents).values(
                    slot=intent.slot,
                    step=intent.step,
                    attempt=intent.attempt,
                    sender=intent.sender,
                    nonce=intent.nonce,
                    calldata_hash=intent.calldata_hash,
                    raw_transaction=intent.raw_transaction,
                    transaction_hash=intent.transaction_hash,
                    status=IntentStatus.PENDING,
                )
            )

    def confirm_intent(self, intent: Intent, block_number: int, gas_used: int) -> None:
        """Note that the intent's transaction was mined and did its work.

        Raises:
            StoreConflictError: it is not pending.
        """
        self._conclude(intent, status=IntentStatus.CONFIRMED, block_number=block_number, gas_used=gas_used)

    def fail_intent(self, intent: Intent, reason: str) -> None:
        """Note that the intent's transaction will have no effect.

        Raises:
            StoreConflictError: it is not pending.
        """
        self._conclude(intent, status=IntentStatus.FAILED, reason=reason)

    def intents(self, slot: int) -> list[IntentRecord]:
        """All intents of a slot: steps by name, each step's attempts in order."""
        query = select(schema.intents).where(_INTENTS.slot == slot).order_by(_INTENTS.step, _INTENTS.attempt)
        with self._read() as connection:
            return [self._record(row) for row in connection.execute(query)]

    def settlements(
        self, *, slot: int | None = None, after: tuple[int, str, int] | None = None, limit: int | None = None
    ) -> list[IntentRecord]:
        """Confirmed intents, the latest slot's first; `after` is (slot, step, attempt) of the last one seen."""
        keys = (_INTENTS.slot, _INTENTS.step, _INTENTS.attempt)
        query = select(schema.intents).where(_INTENTS.status == IntentStatus.CONFIRMED)
        if slot is not None:
            query = query.where(_INTENTS.slot == slot)
        if after is not None:
            query = query.where(tuple_(*keys) < after)
        query = query.order_by(*(key.desc() for key in keys)).limit(limit)
        with self._read() as connection:
            return [self._record(row) for row in connection.execute(query)]

    def confirmed(self, slots: Collection[int]) -> dict[tuple[int, str], IntentRecord]:
        """The confirmed intents of some slots, by slot and step."""
        query = select(schema.intents).where(_INTENTS.slot.in_(slots), _INTENTS.status == IntentStatus.CONFIRMED)
        with self._read() as connection:
            return {(row.slot, row.step): self._record(row) for row in connection.execute(query)}

    def _conclude(self, intent: Intent, **columns: object) -> None:
        with self._write() as connection:
            changed = connection.execute(
                update(schema.intents)
                .where(_is(intent), _INTENTS.status == IntentStatus.PENDING)
                .values(**columns)
            )
            if changed.rowcount != 1:
                raise StoreConflictError(
                    f"{intent.step} of slot {intent.slot}, attempt {intent.attempt}: must be pending"
                )

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
            block_number=row.block_number,
            gas_used=row.gas_used,
            reason=row.reason,
        )


def _is(intent: Intent) -> ColumnElement[bool]:
    return and_(
        _INTENTS.slot == intent.slot,
        _INTENTS.step == intent.step,
        _INTENTS.attempt == intent.attempt,
        _INTENTS.transaction_hash == intent.transaction_hash,
    )
