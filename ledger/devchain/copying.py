"""A copy of a chain's folder as it is at one moment, while its process goes on with it."""

from contextlib import closing
from pathlib import Path

import lmdb

from ledger.devchain.errors import StorageFailedError
from ledger.devchain.store import DATABASE_FILE, MAP_SIZE_BYTES, Store

COPIED = DATABASE_FILE
"""The one file that a copy consists of."""


def copy_chain(directory: Path, target: Path) -> None:
    """Copy the chain of a folder into an empty one. Not for a chain that this same process has open.

    Raises:
        StorageFailedError: there is no chain, or it cannot be read, or its copy not be written.
    """
    if not Store.exists(directory):
        raise StorageFailedError(f"{directory} holds no chain: {COPIED} is missing")
    try:
        # A reader's view does not change while others write; without what is free, the copy is smaller.
        # It may outgrow what it is now before the copy begins, and a reader sees no further than its map.
        with closing(
            lmdb.open(str(directory), readonly=True, create=False, map_size=MAP_SIZE_BYTES)
        ) as environment:
            environment.copy(str(target), compact=True)
    except lmdb.Error as error:
        raise StorageFailedError(f"the chain in {directory} cannot be copied: {error}") from error
