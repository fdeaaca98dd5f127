"""The development chain's storage: a few ordered tables in one LMDB file."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import IO, cast

import lmdb
from eth.abc import AtomicWriteBatchAPI
from eth.db.backends.base import BaseAtomicDB

from ledger.devchain.errors import DirectoryInUseError, StorageFailedError

MAP_SIZE_BYTES = 2**40
"""Address space reserved for the file, which itself grows only as needed: 1 TiB is never reached."""

DATABASE_FILE = "data.mdb"
LOCK_FILE = "chain.lock"


class Table(Enum):
    """What is kept; the value is the table's name in the file."""

    STATE = b"state"  # trie node or code hash -> node or code
    BLOCKS = b"blocks"  # block number -> block record
    BLOCK_NUMBERS = b"block_numbers"  # block hash -> block number
    TRANSACTIONS = b"transactions"  # transaction hash -> block number
    LOG_INDEX = b"log_index"  # term and block number -> nothing
    SETTINGS = b"settings"


class Store:
    """Tables of bytes whose writes take effect together, or, if the process dies, not at all.

    Not thread-safe: its owner holds a lock around every use. Reads between writes see the last commit.

    Args:
        directory: where the file lives; None for a nameless temporary file that goes with the process.

    Raises:
        DirectoryInUseError: another process, or another store of this one, has the directory open.
        StorageFailedError: its file is not a database that can be read.
    """

    def __init__(self, directory: Path | None) -> None:
        self._lock_file = None if directory is None else _lock(directory)
        try:
            if directory is None:
                with tempfile.TemporaryDirectory() as temporary:
                    # Its names are gone once it is open: nothing is left behind however the process ends.
                    self._environment = self._open(Path(temporary), durable=False)
            else:
                self._environment = self._open(directory, durable=True)
            self._tables = {table: self._environment.open_db(table.value) for table in Table}
        except lmdb.Error as error:
            if self._lock_file is not None:
                self._lock_file.close()
            raise StorageFailedError(f"chain database in {directory} cannot be opened: {error}") from error
        self._transaction = self._environment.begin()
        self._is_writing = False

    @staticmethod
    def exists(directory: Path) -> bool:
        """Whether there is a database in the directory; whether it can be read shows when it is opened."""
        return (directory / DATABASE_FILE).exists()

    @staticmethod
    def _open(directory: Path, *, durable: bool) -> lmdb.Environment:
        return lmdb.open(str(directory), map_size=MAP_SIZE_BYTES, max_dbs=len(Table), sync=durable)

    def close(self) -> None:
        """Release the file and the directory; closing twice is harmless."""
        self._environment.close()
        if self._lock_file is not None:
            self._lock_file.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Make all writes inside atomic and, in a directory, durable once left; raising undoes them.

        Nested uses join the outermost.

        Raises:
            StorageFailedError: the database could not be written.
        """
        if self._is_writing:
            yield
            return
        self._transaction.abort()
        self._is_writing = True
        try:
            with self._environment.begin(write=True) as self._transaction:
                yield
        except lmdb.Error as error:
            raise StorageFailedError(f"the chain's database cannot be written: {error}") from error
        finally:
            self._is_writing = False
            self._transaction = self._environment.begin()

    def get(self, table: Table, key: bytes) -> bytes | None:
        """The value under `key`, or None."""
        return self._transaction.get(key, db=self._tables[table])

    def put(self, table: Table, key: bytes, value: bytes) -> None:
        """Set a value; only inside `writing`."""
        self._transaction.put(key, value, db=self._tables[table])

    def delete(self, table: Table, key: bytes) -> None:
        """Remove a key if it is there; only inside `writing`."""
        self._transaction.delete(key, db=self._tables[table])

    def first_key_from(self, table: Table, key: bytes) -> bytes | None:
        """The smallest key that is not below `key`, or None."""
        with self._transaction.cursor(db=self._tables[table]) as cursor:
            return cursor.key() if cursor.set_range(key) else None

    def items(self, table: Table) -> Iterator[tuple[bytes, bytes]]:
        """Keys and values in the order of their keys; nothing may be written meanwhile."""
        with self._transaction.cursor(db=self._tables[table]) as cursor:
            yield from cursor

    def count(self, table: Table) -> int:
        """How many keys the table has."""
        return int(self._transaction.stat(self._tables[table])["entries"])

    def last_key(self, table: Table) -> bytes | None:
        """The largest key, or None if the table is empty."""
        with self._transaction.cursor(db=self._tables[table]) as cursor:
            return cursor.key() if cursor.last() else None


class StateDatabase(BaseAtomicDB):
    """The state table as py-evm wants its database; a batch is part of the store's transaction."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getitem__(self, key: bytes) -> bytes:
        value = self._store.get(Table.STATE, key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self._store.put(Table.STATE, key, value)

    def __delitem__(self, key: bytes) -> None:
        self._store.delete(Table.STATE, key)

    def _exists(self, key: bytes) -> bool:
        return self._store.get(Table.STATE, key) is not None

    @contextmanager
    def atomic_batch(self) -> Iterator[AtomicWriteBatchAPI]:
        """Writes inside take effect together, with those of the block they belong to."""
        with self._store.writing():
            yield cast(AtomicWriteBatchAPI, self)


def _lock(directory: Path) -> IO[str]:
    directory.mkdir(parents=True, exist_ok=True)
    lock_file = (directory / LOCK_FILE).open("a+")
    try:
        fcntl.flock(lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock_file.seek(0)
        holder = lock_file.read().strip() or "unknown"
        lock_file.close()
        raise DirectoryInUseError(f"chain directory {directory} is in use by process {holder}") from error
    lock_file.truncate(0)
    lock_file.write(str(os.getpid()))
    lock_file.flush()
    return lock_file
