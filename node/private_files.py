"""Files that hold secrets: nobody but their owner may read them, and a crash leaves the old one or the new one."""

import os
import stat
import tempfile
from pathlib import Path

from matching.errors import WattbookError

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class ExposedFileError(WattbookError):
    """Others than its owner can read a secret, or put another in its place."""

    code = "node.exposed_file"


def write_private(path: Path, text: str) -> None:
    """Put a text in a file's place, for its owner alone.

    Raises:
        OSError: it cannot be written.
    """
    # Aside, synced, renamed. mkstemp makes it private.
    try:
        handle, draft = tempfile.mkstemp(dir=path.parent)
    except OSError as error:
        # Nobody knows the draft's name.
        raise OSError(error.errno, error.strerror, str(path)) from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(draft).replace(path)


def read_private(path: Path) -> str:
    """The text of a file that only its owner can read.

    Raises:
        ExposedFileError: others can read or write it.
        OSError: it cannot be read.
        UnicodeDecodeError: it is no text.
    """
    with path.open(encoding="utf-8") as file:
        mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
        if mode & _OTHERS:
            raise ExposedFileError(f"{path} has mode {mode:03o}: only its owner may use it; chmod 600 {path}")
        return file.read()


def require_own_folder(path: Path) -> None:
    """Refuse a folder in which others could put files in the place of its owner's.

    Raises:
        ExposedFileError: they can.
        OSError: there is no such folder.
    """
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & _OTHERS_WRITE:
        raise ExposedFileError(f"{path} has mode {mode:03o}: only its owner may change it; chmod 700 {path}")
