"""What only an audit asks of a store: whether its file is whole, and what its rows claim, whatever they lack."""

from sqlalchemy import Table, select, text

from node.store import schema
from node.store.database import Database

_WHOLE = "ok"


def damage(store: Database) -> list[str]:
    """What SQLite finds wrong with its own file, in its words; nothing for other databases."""
    with store._read() as connection:
        if connection.dialect.name != "sqlite":
            return []
        return [problem for problem in connection.scalars(text("PRAGMA integrity_check")) if problem != _WHOLE]


def slots_in(store: Database, table: Table) -> set[int]:
    """Every slot that a row of the table names, known or not."""
    with store._read() as connection:
        return set(connection.scalars(select(table.c.slot).distinct()))


def approvals_in(store: Database, slot: int) -> list[tuple[bytes, bytes, bytes]]:
    """Validator, hash and signature of every approval for the slot, of whatever was proposed."""
    table = schema.approvals
    query = select(table.c.validator, table.c.digest, table.c.signature).where(table.c.slot == slot)
    with store._read() as connection:
        return [(row.validator, row.digest, row.signature) for row in connection.execute(query)]
