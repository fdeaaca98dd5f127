"""A lock that a node holds for as long as a connection of its own lasts, and is used.

It is lost with the connection, and so never outlives the node; nor is it kept by a node that was stopped or hangs.
"""

import threading
from contextlib import suppress

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from node.store.database import Database, refusals
from node.store.locks import lock_number

_LONGEST_NAME = 63
"""PostgreSQL keeps no more of a connection's name."""

# A server notices within half a minute that a holder has vanished from the net.
_PREPARE = """
    SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3
"""
IDLE_S = 900
"""A holder that asks nothing for so long has lost the lock: many times what a transaction may take to be mined."""

# PostgreSQL has it from version 14 on. Nobody who goes on is hurt: the lock is asked for at least at every step.
_END_IF_IDLE = text(
    """
    SELECT set_config('idle_session_timeout', :idle, false)
    WHERE current_setting('server_version_num')::integer >= 140000
    """
)
_HOLDER = text(
    """
    SELECT holder.application_name
    FROM pg_locks AS lock JOIN pg_stat_activity AS holder USING (pid)
    WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
      AND lock.database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND ((lock.classid::bigint << 32) | lock.objid::bigint) = :number
    """
)


class SessionLock:
    """One market's lock for a purpose, on a PostgreSQL database that nodes share. Thread-safe.

    Args:
        database: where it is.
        purpose: what it is for.
        name: what the holder is called towards the others; its first 63 bytes.
    """

    def __init__(self, database: Database, purpose: str, name: str) -> None:
        self._database = database
        self._number = {"number": lock_number(database.domain, database.market, purpose)}
        self._name = name.encode()[:_LONGEST_NAME].decode(errors="ignore")
        self._connection: Connection | None = None
        self._using = threading.Lock()

    def take(self) -> bool:
        """Whether it is ours, taking it if it is nobody's. Does not wait.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        with self._using:
            return self._is_alive() or self._try()

    def is_held(self) -> bool:
        """Whether it is ours still: the connection that holds it answers."""
        with self._using:
            return self._is_alive()

    def holder(self) -> str | None:
        """Whoever has it, by name; None if nobody does.

        Raises:
            StoreUnavailableError: the database does not answer.
        """
        with self._database._read() as connection:
            name: str | None = connection.scalar(_HOLDER, self._number)
            return name

    def release(self) -> None:
        """Let it go."""
        with self._using:
            if self._connection is not None:
                # A server notices a moment later that a connection was closed.
                with suppress(DBAPIError):
                    self._connection.execute(text("SELECT pg_advisory_unlock(:number)"), self._number)
                self._connection.close()
            self._connection = None

    def _is_alive(self) -> bool:
        if self._connection is None:
            return False
        try:
            self._connection.scalar(text("SELECT 1"))
        except DBAPIError:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
        return self._connection is not None

    def _try(self) -> bool:
        with refusals():
            connection = self._database._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            try:
                if not connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), self._number):
                    return False
                connection.detach()  # from now on it is no other's, and closed when it is let go of
                connection.exec_driver_sql(_PREPARE)
                connection.execute(_END_IF_IDLE, {"idle": f"{IDLE_S}s"})
                connection.execute(
                    text("SELECT set_config('application_name', :name, false)"), {"name": self._name}
                )
                self._connection = connection
            finally:
                if self._connection is not connection:
                    connection.close()
        return True
