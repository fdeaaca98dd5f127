"""Backups of a data folder with its store and its own chain, made while its node runs, and put back.

The store is copied before the chain. All that a store says has happened on chain has happened before it is written
down, so the copied chain is never behind the copied store; what it has beyond is what a node finds after a crash.
"""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from ledger.devchain.copying import copy_chain
from ledger.eip712 import Domain
from matching.errors import WattbookError
from node.datadir import DataFolder
from node.sealed_folders import FileEntry, FolderKind
from node.store import Store
from node.store.copying import copy_file

MANIFEST = "backup.json"


class BackupError(WattbookError):
    """A folder cannot be backed up, or a backup not be put there."""

    code = "backup.refused"


class DamagedBackupError(WattbookError):
    """A backup is not as it was when it was made."""

    code = "backup.damaged"


_BACKUP = FolderKind("backup", MANIFEST, BackupError, DamagedBackupError)


def back_up(data: Path, target: Path, *, made_at: int) -> dict[str, FileEntry]:
    """Copy a data folder into a new or empty folder; its node may be running. Returns what was copied.

    The copy has the node's secrets too: it is its owner's alone to read.

    Args:
        data: the data folder, whose store is a file.
        target: the folder of the backup.
        made_at: Unix seconds.

    Raises:
        BackupError: the folder holds no market or no store, or the target is not empty.
        StorageFailedError: the chain cannot be copied.
    """
    if not data.is_dir() or DataFolder(data).deployment() is None:
        raise BackupError(f"{data} holds no market: nothing to back up")
    folder = DataFolder(data)
    if not folder.store_file.is_file():
        raise BackupError(f"{data} holds no store: if it is in PostgreSQL, back it up with pg_dump")
    with _BACKUP.made_at_once(target) as draft:
        try:
            copy_file(folder.store_file, draft / folder.store_file.name)
        except sqlite3.Error as error:
            raise BackupError(f"{folder.store_file} cannot be copied: {error}") from error
        for path in sorted(data.iterdir()):
            if path.is_file() and path != folder.lock and not path.name.startswith(folder.store_file.name):
                shutil.copyfile(path, draft / path.name)
        if folder.chain.is_dir():
            (draft / folder.chain.name).mkdir()
            copy_chain(folder.chain, draft / folder.chain.name)
        return _BACKUP.seal(draft, made_at=made_at)


def restore(source: Path, data: Path) -> dict[str, FileEntry]:
    """Put a backup into a new or empty data folder. Returns what was put there.

    Raises:
        BackupError: the source is no backup, or the data folder is not empty.
        DamagedBackupError: a file of the backup is missing, or another than it was.
    """
    with _BACKUP.made_at_once(data) as draft:
        entries = _BACKUP.put_back(source, draft)
        _tell_restored(DataFolder(draft))
    return entries


def _tell_restored(folder: DataFolder) -> None:
    """Let those who follow events know that some that they have seen may never have happened."""
    deployment = folder.deployment()
    if deployment is not None:
        domain = Domain(deployment.chain_id, deployment.exchange)
        with closing(Store(folder.store_url, domain=domain, market=deployment.market)) as store:
            store.tell_restored()
