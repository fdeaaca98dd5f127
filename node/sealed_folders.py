"""Folders that are whole or not there: backups and archives.

One is made aside and takes its place once all is in it. Its last file, the manifest, has the size and the SHA-256
of every other: a folder without one is not whole, and one in which a file differs is not used. They hold secrets
and names: they are their owner's alone.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp

from matching.errors import WattbookError

_FORMAT = 1
_OWNER_READS_WRITES = 0o600


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file as it was when it was sealed."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class FolderKind:
    """One kind of such folders.

    Attributes:
        name: what people call one.
        manifest: the name of its manifest; what is without it is none.
        refused: raised of what is none, and where none can be made.
        damaged: raised of one that is not as it was when it was sealed.
    """

    name: str
    manifest: str
    refused: type[WattbookError]
    damaged: type[WattbookError]

    @contextmanager
    def made_at_once(self, target: Path) -> Iterator[Path]:
        """A draft of a folder, which takes its place once all is in it, and is gone if anything fails.

        Raises:
            WattbookError: as `refused`: there is something in its place already.
        """
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise self.refused(f"{target} is not empty: choose another folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        # mkdtemp makes it private.
        draft = Path(mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
        try:
            yield draft
            for folder in (draft, *(path for path in draft.rglob("*") if path.is_dir())):
                _sync(folder)
            draft.replace(target)
            _sync(target.parent)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def seal(self, draft: Path, *, made_at: int) -> dict[str, FileEntry]:
        """Seal each file of a draft, and write the manifest; `made_at` in Unix seconds. Returns what is in it."""
        paths = [path for path in sorted(draft.rglob("*")) if path.is_file()]
        entries = {str(path.relative_to(draft)): _sealed(path) for path in paths}
        manifest = {
            "format": _FORMAT,
            "made_at": made_at,
            "files": {name: asdict(entry) for name, entry in entries.items()},
        }
        (draft / self.manifest).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        _sealed(draft / self.manifest)
        return entries

    def entries(self, folder: Path) -> dict[str, FileEntry]:
        """What was in a folder when it was sealed, by the file's path in it.

        Raises:
            WattbookError: as `refused`: there is no manifest, or one of another format; as `damaged`: it cannot be
                understood.
        """
        path = folder / self.manifest
        if not path.is_file():
            raise self.refused(f"{folder} is no {self.name}: {self.manifest} is missing")
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
            files = {str(name): FileEntry(**entry) for name, entry in manifest["files"].items()}
            version = int(manifest["format"])
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise self._damaged(self.manifest, error) from error
        if version != _FORMAT:
            raise self.refused(f"{folder} is of format {version}: must be {_FORMAT}")
        for name in files:
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise self._damaged(self.manifest, f"{name} is outside of it")
        return files

    def put_back(self, folder: Path, draft: Path) -> dict[str, FileEntry]:
        """Copy all that was sealed into a draft of another folder. Returns what was copied.

        Raises:
            WattbookError: as of `entries`; as `damaged`: a file is missing, or another than it was.
        """
        entries = self.entries(folder)
        for name, entry in entries.items():
            self._require_there(folder, name)
            (draft / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(folder / name, draft / name)
            # What counts is what was put there.
            self._require_same(name, _sealed(draft / name), entry)
        return entries

    def check(self, folder: Path) -> None:
        """Hold each file of a folder against the manifest.

        Raises:
            WattbookError: as of `put_back`.
        """
        for name, entry in self.entries(folder).items():
            self._require_there(folder, name)
            self._require_same(name, _entry(folder / name), entry)

    def _require_there(self, folder: Path, name: str) -> None:
        if not (folder / name).is_file():
            raise self.damaged(f"the {self.name}'s file {name} is missing")

    def _require_same(self, name: str, found: FileEntry, entry: FileEntry) -> None:
        if found != entry:
            raise self._damaged(
                name,
                f"it has {found.bytes} bytes and SHA-256 {found.sha256}, "
                f"must have {entry.bytes} and {entry.sha256}",
            )

    def _damaged(self, name: str, reason: object) -> WattbookError:
        return self.damaged(f"the {self.name}'s file {name} is damaged: {reason}")


def _sealed(path: Path) -> FileEntry:
    """A file's size and hash, once it is its owner's alone and on disk."""
    path.chmod(_OWNER_READS_WRITES)
    _sync(path)
    return _entry(path)


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        digest = file_digest(file, "sha256").hexdigest()
        return FileEntry(file.tell(), digest)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
