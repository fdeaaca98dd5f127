"""Taking a whole chain out of its directory into one file, and beginning a directory with one."""

import errno
import os
import tempfile
from contextlib import closing
from pathlib import Path

from eth_hash.auto import keccak

from ledger.devchain import genesis
from ledger.devchain.archive import Archive
from ledger.devchain.errors import ChainExistsError, NoChainError
from ledger.devchain.state_file import Contents, reading_state, write_state
from ledger.devchain.store import Store, Table
from ledger.devchain.timekeeping import read_time_offset, write_time_offset


def export_state(directory: Path, target: Path) -> Contents:
    """Write the chain in `directory` into a file, which is replaced only once all is written.

    Raises:
        NoChainError: there is none.
        DirectoryInUseError: a process has it open.
        StorageFailedError: its database cannot be read.
        OSError: the file cannot be written.
    """
    if not Store.exists(directory):
        raise NoChainError(f"there is no chain in {directory}")
    with closing(Store(directory)) as store:
        contents = _contents(store)
        if contents is None:
            raise NoChainError(f"there is no chain in {directory}")
        if not target.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(target.parent))
        handle, draft = tempfile.mkstemp(dir=target.parent, prefix=f"{target.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                tables = (store.items(table) for table in (Table.STATE, Table.BLOCKS))
                write_state(file, contents, *((value for _, value in items) for items in tables))
                file.flush()
                os.fsync(file.fileno())
            Path(draft).replace(target)
        finally:
            Path(draft).unlink(missing_ok=True)
    return contents


def import_state(source: Path, directory: Path) -> Contents:
    """Begin a chain in `directory` with the one in a file: all of it or, if anything is wrong, nothing.

    The file is read twice: to check all of it before anything is written, and then to write.

    Raises:
        StateFileError: the file is damaged, foreign, or changes meanwhile.
        ChainExistsError: there is a chain in the directory already.
        DirectoryInUseError: a process has the directory open.
        StorageFailedError: the database cannot be written.
        OSError: the file cannot be read.
    """
    with reading_state(source) as state:
        for each in (state.entries(), state.blocks()):
            for _ in each:
                pass
        state.finish()
    with closing(Store(directory)) as store, reading_state(source) as state:
        archive = Archive(store)
        if archive.newest() is not None:
            raise ChainExistsError(f"there is a chain in {directory} already: import into a new directory")
        with store.writing():
            for entry in state.entries():
                store.put(Table.STATE, keccak(entry), entry)
            for record in state.blocks():
                archive.append(record)
            state.finish()
            genesis.write(store, state.contents.beginning)
            write_time_offset(store, state.contents.time_offset)
    return state.contents


def _contents(store: Store) -> Contents | None:
    beginning, newest = genesis.read(store), Archive(store).newest()
    if beginning is None or newest is None:
        return None
    return Contents(
        beginning,
        time_offset=read_time_offset(store),
        state_entries=store.count(Table.STATE),
        blocks=store.count(Table.BLOCKS),
        head_hash=newest.header.hash,
    )
