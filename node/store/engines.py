"""The databases that a store can be kept in: how each is named, connected to, and made durable."""

import re
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from node.store.errors import StoreUrlError

WRITES = "wattbook_writes"
"""The execution option of a connection that is to write."""

_SCHEME = re.compile(r"[\w+]+")
WAIT_S = 30
"""So long one waits for others who write, or are where only one can be, seconds."""

# Whoever is stopped with a transaction open, and for good, must not stop the other nodes.
_IDLE_MS = 300_000
# A server that has vanished from the net is given up within half a minute.
_PATIENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
# Every request thread of the API may hold a connection to a file; a server has 100 for everybody, by default.
_FILE_CONNECTIONS, _SERVER_CONNECTIONS = 64, 16

# `synchronous_commit` may be off for a user or a database: then what was answered could be lost.
_PREPARE_POSTGRESQL = f"""
    SET lock_timeout = '{WAIT_S}s';
    SET idle_in_transaction_session_timeout = {_IDLE_MS};
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""


def open_engine(url: str) -> Engine:
    """The engine of a SQLite file or of a PostgreSQL database; nothing is connected to yet.

    Raises:
        StoreUrlError: the URL is neither's.
    """
    try:
        parsed = make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        if parsed.drivername == "postgresql+psycopg":
            return _postgresql(parsed)
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed)
    except (ArgumentError, NoSuchModuleError, ValueError) as error:
        raise StoreUrlError(f"the store's URL {shown_store(url)} cannot be used: {_wanted()}") from error
    raise StoreUrlError(f"the store's URL {shown_store(url)} is of another database: {_wanted()}")


def shown_store(url: str) -> str:
    """A store's URL without anything that might be secret: its kind, host, port and database."""
    scheme, separator, rest = url.partition("://")
    if not separator or not _SCHEME.fullmatch(scheme):
        return "(without a scheme)"
    # Up to the last `@` anything may be of a password; and in a query it may be behind an `@`, too.
    secrets, _, place = rest.rpartition("@")
    if "?" in secrets:
        return "(unreadable)"
    try:
        parts = urlsplit(f"{scheme}://{place}")
        host, port = parts.hostname or "", "" if parts.port is None else f":{parts.port}"
    except ValueError:
        return "(unreadable)"
    return f"{scheme}://{host}{port}{parts.path}"


def _wanted() -> str:
    return "must be like postgresql+psycopg://user@host:5432/database"


def _postgresql(url: URL) -> Engine:
    # A connection that was lost while nobody used it is not handed out, but made anew.
    engine = create_engine(
        url,
        pool_size=_SERVER_CONNECTIONS,
        max_overflow=0,
        pool_pre_ping=True,
        connect_args=_PATIENCE,
        # Whatever the server's, the role's or the database's: who waited for a lock sees what its holder wrote.
        isolation_level="READ COMMITTED",
    )

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.autocommit = True
        connection.execute(_PREPARE_POSTGRESQL)
        connection.autocommit = False

    return engine


def _sqlite(url: URL) -> Engine:
    """Make SQLite durable, check foreign keys, and begin transactions when we say so.

    Its driver begins none before a read and a weak one before a write, which then fails if another writer was
    faster; see SQLAlchemy's notes on pysqlite's transactions.
    """
    engine = create_engine(url, pool_size=8, max_overflow=_FILE_CONNECTIONS)

    @event.listens_for(engine, "connect")
    def configure(connection: Any, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            "foreign_keys = ON",
            f"busy_timeout = {WAIT_S * 1_000}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
