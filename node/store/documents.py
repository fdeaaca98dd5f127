"""Documents in the store: statements that were signed here, and the private texts of retirements."""

from dataclasses import asdict

from sqlalchemy import func, insert, select

from node.store import schema
from node.store.database import Database
from node.store.records import PrivateText, StatementRecord

_STATEMENTS = schema.statements.c
_TEXTS = schema.private_texts.c


class Documents(Database):
    """The part of the store that keeps statements and private texts."""

    def add_statement(self, digest: bytes, jws: str, made_at: int) -> StatementRecord:
        """Keep a signed statement; the same one again changes nothing, and is returned as it was."""
        with self._write() as connection:
            known = connection.execute(select(schema.statements).where(_STATEMENTS.digest == digest)).one_or_none()
            if known is not None:
                return StatementRecord(**known._mapping)
            last = connection.scalar(select(func.max(_STATEMENTS.number)))
            record = StatementRecord(digest, 0 if last is None else last + 1, jws, made_at)
            connection.execute(insert(schema.statements).values(**asdict(record)))
            return record

    def statement(self, digest: bytes) -> StatementRecord | None:
        """The statement with this digest, or None."""
        with self._read() as connection:
            row = connection.execute(select(schema.statements).where(_STATEMENTS.digest == digest)).one_or_none()
            return None if row is None else StatementRecord(**row._mapping)

    def statements(self, *, before: int | None = None, limit: int | None = None) -> list[StatementRecord]:
        """Statements, the latest first; `before` continues behind the one of that number."""
        query = select(schema.statements).order_by(_STATEMENTS.number.desc()).limit(limit)
        if before is not None:
            query = query.where(_STATEMENTS.number < before)
        with self._read() as connection:
            return [StatementRecord(**row._mapping) for row in connection.execute(query)]

    def add_private_text(self, text: PrivateText) -> None:
        """Keep what a retirement is for; the same again changes nothing."""
        with self._write() as connection:
            known = connection.scalar(select(_TEXTS.hash).where(_TEXTS.hash == text.hash))
            if known is None:
                connection.execute(insert(schema.private_texts).values(**asdict(text)))

    def private_texts(self, account: bytes) -> list[PrivateText]:
        """What an account gave, by hash; not all of it need have come on chain."""
        query = select(schema.private_texts).where(_TEXTS.account == account).order_by(_TEXTS.hash)
        with self._read() as connection:
            return [PrivateText(**row._mapping) for row in connection.execute(query)]
