"""The database under the store: how it is opened, and what a transaction is."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.pool import ConnectionPoolEntry

from ledger.eip712 import Domain
from node.store import schema
from node.store.errors import ForeignStoreError, StoreConflictError

_BUSY_TIMEOUT_MS = 30_000
_VERSION = "schema version"
_NOT_CONVERTED = (
    "; stores of other versions are not converted, as their certificates are of other contracts: keep the folder "
    "for the program that made it, and start with an empty one"
)
# Every request thread of the API may hold a connection.
_CONNECTIONS = 64


class Database:
    """One open database that belongs to one market. Thread-safe.

    Every method of the store is one transaction: what it wrote is on disk when it returns, and nothing of it is
    if it raises. A write that breaks one of the schema's rules raises `StoreConflictError`.

    Args:
        url: SQLAlchemy URL, e.g. `sqlite:///node.sqlite`.
        domain: the chain and the exchange that the store's orders are signed for.
        market: the market's 32-byte id.

    Raises:
        ForeignStoreError: the database was made for another chain, exchange or market, or has another schema.
    """

    def __init__(self, url: str, *, domain: Domain, market: bytes) -> None:
        self.domain = domain
        self.market = market
        self._engine = create_engine(url, pool_size=8, max_overflow=_CONNECTIONS)
        if self._engine.dialect.name == "sqlite":
            _prepare_sqlite(self._engine)
        # Writers queue here instead of in the database, whose queue is a loop of sleeps.
        self._writing = threading.Lock()
        try:
            self._claim()
        except ForeignStoreError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def fact(self, key: str) -> str | None:
        """A single remembered value, e.g. a stepped clock's time; None if never set."""
        with self._read() as connection:
            return _fact(connection, key)

    def set_fact(self, key: str, value: str) -> None:
        """Remember a single value under a key."""
        with self._write() as connection:
            if _fact(connection, key) is None:
                connection.execute(insert(schema.facts).values(key=key, value=value))
            else:
                connection.execute(schema.facts.update().where(schema.facts.c.key == key).values(value=value))

    def _claim(self) -> None:
        schema.metadata.create_all(self._engine)
        ours = {
            _VERSION: schema.SCHEMA_VERSION,
            "chain id": str(self.domain.chain_id),
            "exchange": "0x" + self.domain.exchange.hex(),
            "market": "0x" + self.market.hex(),
        }
        with self._write() as connection:
            for key, value in ours.items():
                found = _fact(connection, key)
                if found is None:
                    connection.execute(insert(schema.facts).values(key=key, value=value))
                elif found != value:
                    hint = _NOT_CONVERTED if key == _VERSION else ""
                    raise ForeignStoreError(f"the store's {key} is {found}: must be {value}{hint}")

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _write(self) -> Iterator[Connection]:
        try:
            with (
                self._writing,
                self._engine.connect().execution_options(wattbook_writes=True) as connection,
                connection.begin(),
            ):
                yield connection
        except IntegrityError as error:
            raise StoreConflictError(str(error.orig)) from error


def _fact(connection: Connection, key: str) -> str | None:
    return connection.scalar(select(schema.facts.c.value).where(schema.facts.c.key == key))


def _prepare_sqlite(engine: Engine) -> None:
    """Make SQLite durable, check foreign keys, and begin transactions when we say so.

    Its driver begins none before a read and a weak one before a write, which then fails if another writer was
    faster; see SQLAlchemy's notes on pysqlite's transactions.
    """

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {_BUSY_TIMEOUT_MS}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("wattbook_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
