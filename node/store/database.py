"""The database under the store: what it belongs to, and what a transaction is."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from ledger.eip712 import Domain
from matching.errors import WattbookError
from node.store import schema
from node.store.engines import WAIT_S, WRITES, open_engine
from node.store.errors import ForeignStoreError, StoreConflictError, StoreUnavailableError
from node.store.locks import hold_in_transaction, lock_number
from node.store.versions import bring_up_to_date


@dataclass(frozen=True, slots=True)
class Section:
    """A node's being alone in a section of the store, as `Database.exclusively` gives it.

    Attributes:
        connection: its transaction holds the section's lock, which is lost if the connection is; None if the store
            is one node's only.
    """

    connection: Connection | None


class Database:
    """One open database that belongs to one market. Thread-safe; several nodes may have one on PostgreSQL open.

    Every method of the store is one transaction: what it wrote is on disk when it returns, and nothing of it is
    if it raises. Writes come one after the other, whichever process they come from: what a transaction reads
    before it writes stays true until it ends. A write that breaks one of the schema's rules raises
    `StoreConflictError`, and whatever finds the database out of reach, `StoreUnavailableError`.

    Args:
        url: SQLAlchemy URL, e.g. `sqlite:///node.sqlite` or `postgresql+psycopg://user@host/database`.
        domain: the chain and the exchange that the store's orders are signed for.
        market: the market's 32-byte id.

    Raises:
        ForeignStoreError: the database was made for another chain, exchange or market, or by another version of
            this program that cannot be converted.
        StoreUrlError: the URL names no database that could be used.
    """

    def __init__(self, url: str, *, domain: Domain, market: bytes) -> None:
        self.domain = domain
        self.market = market
        self._engine = open_engine(url)
        self._reader = self._engine
        if self.is_shared:
            # All that a transaction reads is of one moment, as it is in a file's database.
            self._reader = self._engine.execution_options(isolation_level="REPEATABLE READ")
        self._write_lock = lock_number(domain, market, "write")
        # Writers of this process queue here instead of in the database; SQLite's queue is a loop of sleeps.
        self._writing = threading.Lock()
        self._is_closed = False
        self._sections: defaultdict[str, threading.Lock] = defaultdict(threading.Lock)
        try:
            self._claim()
        except (WattbookError, DBAPIError):
            self.close()
            raise

    @property
    def is_shared(self) -> bool:
        """Whether other nodes may have it open too."""
        return self._engine.dialect.name == "postgresql"

    def close(self) -> None:
        """Let go of the database once the write under way is done; nothing is written afterwards."""
        self._is_closed = True
        if self._writing.acquire(timeout=WAIT_S):
            self._writing.release()
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

    def add_fact(self, key: str, value: str) -> str | None:
        """Remember a single value under a key, unless there is one: then that is returned, and stays."""
        with self._write() as connection:
            found = _fact(connection, key)
            if found is None:
                connection.execute(insert(schema.facts).values(key=key, value=value))
            return found

    @contextmanager
    def exclusively(self, section: str) -> Iterator[Section]:
        """Be the only one, in all nodes, who is in this section: for looking, asking the chain, and then writing.

        A node that loses its connection meanwhile lets the next one in without noticing. So what the section is to
        guard must be written `within` it: by one of the methods that take it, of which the first ends it.
        Others may write meanwhile what belongs to no such section.

        Raises:
            StoreUnavailableError: others are in it for longer than one waits.
        """
        with _held(self._sections[section]):
            if not self.is_shared:
                yield Section(None)
                return
            with refusals(), self._engine.connect().execution_options(**{WRITES: True}) as connection:
                hold_in_transaction(connection, lock_number(self.domain, self.market, section))
                try:
                    yield Section(connection)
                finally:
                    # Nothing is left to be written: whoever lost the connection has lost nothing with it.
                    with suppress(OperationalError, InterfaceError):
                        connection.rollback()

    def _claim(self) -> None:
        ours = {
            "chain id": str(self.domain.chain_id),
            "exchange": "0x" + self.domain.exchange.hex(),
            "market": "0x" + self.market.hex(),
        }
        with self._write() as connection:
            bring_up_to_date(connection)
            for key, value in ours.items():
                found = _fact(connection, key)
                if found is None:
                    connection.execute(insert(schema.facts).values(key=key, value=value))
                elif found != value:
                    raise ForeignStoreError(f"the store's {key} is {found}: must be {value}")
            # A database that may only be read is refused here, and not with the first order.
            facts = schema.facts
            connection.execute(facts.update().where(facts.c.key == "market").values(value=ours["market"]))

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with refusals(), self._reader.begin() as connection:
            yield connection

    @contextmanager
    def _write(self, within: Section | None = None) -> Iterator[Connection]:
        with refusals(), _held(self._writing), self._transaction(within) as connection:
            # A request may outlive the server that it came to, and the folder may be another process's by now.
            if self._is_closed:
                raise StoreUnavailableError("the store is closed: nothing more is written")
            hold_in_transaction(connection, self._write_lock)
            yield connection

    @contextmanager
    def _transaction(self, within: Section | None) -> Iterator[Connection]:
        """A transaction to write in: the section's, which ends with it, or one of its own."""
        if within is None or within.connection is None:
            with self._engine.connect().execution_options(**{WRITES: True}) as connection, connection.begin():
                yield connection
            return
        transaction = within.connection.get_transaction()
        if transaction is None:
            raise StoreConflictError("a section ends with its first write: this would be its second")
        with transaction:
            yield within.connection


@contextmanager
def _held(lock: threading.Lock) -> Iterator[None]:
    """A lock of this process, waited for no longer than for one of the database."""
    if not lock.acquire(timeout=WAIT_S):
        raise StoreUnavailableError(f"the store's database is busy: a turn did not come within {WAIT_S} s")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def refusals() -> Iterator[None]:
    """What a database refuses, in our words."""
    try:
        yield
    except (IntegrityError, DataError) as error:
        # The first line only: PostgreSQL goes on with the whole row.
        raise StoreConflictError(_first_line(error)) from error
    except (OperationalError, InterfaceError) as error:
        # Its own words only: SQLAlchemy adds the statement and what was to be written.
        raise StoreUnavailableError(f"the store's database cannot be used: {_first_line(error)}") from error
    except NoConnectionError as error:
        raise StoreUnavailableError("the store's database is busy: all connections are in use") from error


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).partition("\n")[0]


def _fact(connection: Connection, key: str) -> str | None:
    return connection.scalar(select(schema.facts.c.value).where(schema.facts.c.key == key))
