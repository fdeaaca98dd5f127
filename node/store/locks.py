"""Locks that nodes hold on a shared PostgreSQL database: advisory ones, named by a number.

A database's own locks end with the transaction or the connection that took them, so none outlives its holder.
"""

from hashlib import sha256

from sqlalchemy import Connection, text

from ledger.eip712 import Domain


def lock_number(domain: Domain, market: bytes, purpose: str) -> int:
    """The number of a market's lock for a purpose; a signed 64-bit integer, as PostgreSQL wants it."""
    name = b"wattbook|%d|%b|%b|%b" % (domain.chain_id, domain.exchange, market, purpose.encode())
    return int.from_bytes(sha256(name).digest()[:8], signed=True)


def hold_in_transaction(connection: Connection, number: int) -> None:
    """Wait for a lock and keep it until the connection's transaction ends; nothing to do for a file's database.

    In PostgreSQL's default isolation, what is read after this sees all that earlier holders committed.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
