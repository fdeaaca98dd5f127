"""Members' own transactions in the store: those that they handed to the node to be sent."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, insert, select

from node.store import schema
from node.store.database import Database
from node.store.records import SentRecord

_SENT = schema.sent_transactions.c


class Sent(Database):
    """The part of the store that keeps what was sent for members, so that no transaction is lost with the node."""

    def add_sent(self, record: SentRecord) -> SentRecord:
        """Keep a transaction before it is sent; the same one again changes nothing, and is returned as it was."""
        with self._write() as connection:
            query = select(schema.sent_transactions).where(_SENT.hash == record.hash)
            row = connection.execute(query).one_or_none()
            if row is not None:
                return _sent(row)
            connection.execute(insert(schema.sent_transactions).values(**asdict(record)))
        return record

    def sent(self, transaction_hash: bytes) -> SentRecord | None:
        """The transaction with this hash, or None."""
        query = select(schema.sent_transactions).where(_SENT.hash == transaction_hash)
        with self._read() as connection:
            row = connection.execute(query).one_or_none()
            return None if row is None else _sent(row)

    def sent_nonces(self, sender: bytes, first: int) -> set[int]:
        """The nonces of a sender's transactions, from `first` on."""
        query = select(_SENT.nonce).where(_SENT.sender == sender, _SENT.nonce >= first)
        with self._read() as connection:
            return set(connection.scalars(query))


def _sent(row: Row[Any]) -> SentRecord:
    return SentRecord(
        hash=row.hash, sender=row.sender, nonce=row.nonce, to=row.to, raw=row.raw, received_at=row.received_at
    )
