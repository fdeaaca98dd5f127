"""What a validator signed, on disk before anybody else sees it: it never signs two settlements of one slot.

A file of JSON lines: first whose it is, then a line for each signature. A line is synced before its signature is
sent, so one that a crash cut short was never sent, and is cut off at the next start.
"""

import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ledger.eip712 import Domain
from ledger.keys import Key
from node.validating.errors import RefusalError, ValidatorError


class SignedSlots:
    """The signatures of one validator in one market; held by one process at a time. Use it in a `with` block.

    Raises:
        ValidatorError: the file is another validator's or market's, is damaged, or is in use.
    """

    def __init__(self, path: Path, *, domain: Domain, market: bytes, key: Key) -> None:
        self._key = key
        self._digests: dict[int, bytes] = {}
        owner = {
            "chain_id": domain.chain_id,
            "exchange": domain.exchange.hex(),
            "market": market.hex(),
            "validator": key.address.hex(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("a+b")
        try:
            self._lock(path)
            self._read(path, owner)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """The signatures themselves."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        """Let go of the file."""
        self._file.close()

    def sign(self, slot: int, digest: bytes) -> bytes:
        """Sign a slot's settlement; on disk when it returns. The same one again gets the same signature.

        Raises:
            RefusalError: another settlement of the slot was signed before.
        """
        signed = self._digests.get(slot)
        if signed is None:
            self._append({"slot": slot, "digest": digest.hex()})
            self._digests[slot] = digest
        elif signed != digest:
            raise RefusalError(
                "signed_other", f"0x{signed.hex()} of slot {slot} is signed: no other settlement of it will be"
            )
        return self._key.sign(digest)

    def _lock(self, path: Path) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ValidatorError(f"{path} is in use by another process") from error

    def _read(self, path: Path, owner: dict[str, Any]) -> None:
        self._file.seek(0)
        content = self._file.read()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            self._file.truncate(len(whole))
        if not whole:
            self._append(owner)
            _sync_folder(path.parent)
            return
        try:
            found, *entries = (json.loads(line) for line in whole.splitlines())
            digests = {int(entry["slot"]): bytes.fromhex(entry["digest"]) for entry in entries}
        except (ValueError, KeyError, TypeError) as error:
            raise ValidatorError(f"{path} is damaged ({error!r}): what was signed is not known") from error
        if found != owner:
            raise ValidatorError(f"{path} belongs to {found}: must be to {owner}")
        self._digests = digests

    def _append(self, entry: dict[str, Any]) -> None:
        self._file.write(json.dumps(entry).encode() + b"\n")
        self._file.flush()
        os.fsync(self._file.fileno())


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
