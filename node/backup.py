"""Backups of a data folder with its store and its own chain, made while its node runs, and put back.

The store is copied before the chain. All that a store says has happened on chain has happened before it is written
down, so the copied chain is never behind the copied store; what it has beyond is what a node finds after a crash.
"""

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from ledger.devchain.copying import copy_chain
from ledger.eip712 import Domain
from matching.errors import WattbookError
from node.datadir import DataFolder
from node.store import Store
from node.store.copying import copy_file

MANIFEST = "backup.json"
_FORMAT = 1
_OWNER_READS_WRITES = 0o600
_PIECE_BYTES = 2**20


class BackupError(WattbookError):
    """A folder cannot be backed up, or a backup not be put there."""

    code = "backup.refused"


class DamagedBackupError(WattbookError):
    """A backup is not as it was when it was made."""

    code = "backup.damaged"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of a backup as it was when it was made."""

    bytes: int
    sha256: str


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
    with _made_at_once(target) as draft:
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
        entries = {
            str(path.relative_to(draft)): _sealed(path) for path in sorted(draft.rglob("*")) if path.is_file()
        }
        manifest = {
            "format": _FORMAT,
            "made_at": made_at,
            "files": {name: asdict(entry) for name, entry in entries.items()},
        }
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        _sealed(draft / MANIFEST)
    return entries


def restore(source: Path, data: Path) -> dict[str, FileEntry]:
    """Put a backup into a new or empty data folder. Returns what was put there.

    Raises:
        BackupError: the source is no backup, or the data folder is not empty.
        DamagedBackupError: a file of the backup is missing, or another than it was.
    """
    entries = _manifest(source)
    with _made_at_once(data) as draft:
        for name, entry in entries.items():
            if not (source / name).is_file():
                raise DamagedBackupError(f"the backup's file {name} is missing")
            (draft / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source / name, draft / name)
            # What counts is what was put there.
            found = _sealed(draft / name)
            if found != entry:
                raise DamagedBackupError(
                    f"the backup's file {name} is damaged: it has {found.bytes} bytes and SHA-256 {found.sha256}, "
                    f"must have {entry.bytes} and {entry.sha256}"
                )
        _tell_restored(DataFolder(draft))
    return entries


def _tell_restored(folder: DataFolder) -> None:
    """Let those who follow events know that some that they have seen may never have happened."""
    deployment = folder.deployment()
    if deployment is not None:
        domain = Domain(deployment.chain_id, deployment.exchange)
        with closing(Store(folder.store_url, domain=domain, market=deployment.market)) as store:
            store.tell_restored()


def _manifest(source: Path) -> dict[str, FileEntry]:
    path = source / MANIFEST
    if not path.is_file():
        raise BackupError(f"{source} is no backup: {MANIFEST} is missing")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        files = {str(name): FileEntry(**entry) for name, entry in manifest["files"].items()}
        version = int(manifest["format"])
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise DamagedBackupError(f"the backup's file {MANIFEST} is damaged: {error}") from error
    if version != _FORMAT:
        raise BackupError(f"{source} is a backup of format {version}: must be {_FORMAT}")
    for name in files:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise DamagedBackupError(f"the backup's file {MANIFEST} is damaged: {name} is outside of it")
    return files


@contextmanager
def _made_at_once(target: Path) -> Iterator[Path]:
    """A draft of a folder, which takes its place once all is in it, and is gone if anything fails.

    Raises:
        BackupError: there is something in its place already.
    """
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise BackupError(f"{target} is not empty: choose another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    try:
        yield draft
        draft.replace(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _sealed(path: Path) -> FileEntry:
    """A file's size and hash, once it is its owner's alone and on disk."""
    path.chmod(_OWNER_READS_WRITES)
    digest, size = sha256(), 0
    with path.open("rb") as file:
        os.fsync(file.fileno())
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
            size += len(piece)
    return FileEntry(size, digest.hexdigest())
