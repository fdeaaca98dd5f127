"""The beginning of a database that nodes share: its first node opens the market, and writes down where it is."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, inspect, select, text

from node.store import schema
from node.store.database import refusals
from node.store.engines import open_engine
from node.store.locks import hold_in_transaction
from node.store.versions import bring_up_to_date

_BEGINNING = int.from_bytes(b"wattbook")
_WHEREABOUTS = "deployment"


class Beginning:
    """A shared database, as long as no other node begins with it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def whereabouts(self) -> str | None:
        """What the first node wrote down; None if there was none yet."""
        facts = schema.facts.c
        return self._connection.scalar(select(facts.value).where(facts.key == _WHEREABOUTS))

    def write_whereabouts(self, value: str) -> None:
        """Write it down, for all nodes that come later."""
        self._connection.execute(schema.facts.insert().values(key=_WHEREABOUTS, value=value))


def holds_store(url: str) -> bool:
    """Whether there is a store in a database, or a part of one, of whatever version. The database stays as it is.

    Raises:
        StoreUnavailableError: the database does not answer.
        StoreUrlError: the URL names no database that could be used.
    """
    engine = open_engine(url)
    try:
        with refusals(), engine.connect() as connection:
            return inspect(connection).has_table(schema.facts.name)
    finally:
        engine.dispose()


@contextmanager
def beginning(url: str) -> Iterator[Beginning]:
    """Wait until no other node begins with this database, and let none do so until the block is left.

    Raises:
        ForeignStoreError: see `bring_up_to_date`.
        StoreUnavailableError: the database does not answer.
        StoreUrlError: the URL names no database that could be used.
    """
    engine = open_engine(url)
    try:
        with refusals(), engine.begin() as connection:
            if engine.dialect.name == "postgresql":
                # Opening a market takes as long as the chain does.
                connection.execute(text("SET LOCAL lock_timeout = 0"))
                connection.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
            hold_in_transaction(connection, _BEGINNING)
            bring_up_to_date(connection)
            yield Beginning(connection)
    finally:
        engine.dispose()
