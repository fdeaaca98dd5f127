"""How far an audit came, in a file: so that the next one goes on from there.

The file is JSON: where the audit stood (chain, exchange, block number and hash), the model, the findings so far,
and a checksum over all that. Beside it lies an older one, for the case that a re-organisation takes the newer
one's block away.
"""

import json
import os
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from ledger.audit.codec import decoded, encoded
from ledger.audit.findings import Finding, Findings
from ledger.audit.model import Model
from ledger.chain import Chain
from ledger.steps import MAX_CONFIRMATIONS
from matching.errors import WattbookError

FORMAT = "wattbook audit checkpoint"
VERSION = 3


class CheckpointError(WattbookError):
    """A checkpoint cannot be used: damaged, of another version, or of another exchange or chain."""

    code = "audit.checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """An audit after one block.

    Attributes:
        first_block: where it began.
    """

    chain_id: int
    exchange: bytes
    first_block: int
    block: int
    block_hash: bytes
    model: Model
    found: list[Finding]
    checks: int

    @property
    def findings(self) -> Findings:
        """The findings so far."""
        return Findings(list(self.found), self.checks)


class CheckpointFile:
    """A checkpoint's file, and its older companion, which lies at least a re-organisation's depth further back."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.older = path.with_name(path.name + ".older")

    def write(self, checkpoint: Checkpoint) -> None:
        """Replace the newest checkpoint; keep it as the older one if it lies deep enough."""
        content = encoded(checkpoint)
        stamped = {"format": FORMAT, "version": VERSION, "sha256": _checksum(content), "checkpoint": content}
        # Aside, synced, renamed: a crash leaves the old file or the new one.
        handle, draft = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(stamped, file, indent=1)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        newest = _block_of(self.path)
        if newest is not None and newest + MAX_CONFIRMATIONS <= checkpoint.block:
            self.path.replace(self.older)
        Path(draft).replace(self.path)

    def read(self, chain: Chain, exchange: bytes, notes: list[str]) -> Checkpoint | None:
        """The newest checkpoint that the chain still bears out, or None; `notes` gets the reasons.

        Raises:
            CheckpointError: the file is damaged, or of another version, exchange or chain.
        """
        for path in (self.path, self.older):
            if not path.exists():
                continue
            checkpoint = _read(path)
            for name, ours, asked in (
                ("chain", checkpoint.chain_id, chain.chain_id),
                ("exchange", "0x" + checkpoint.exchange.hex(), "0x" + exchange.hex()),
            ):
                if ours != asked:
                    raise CheckpointError(f"{path} is of {name} {ours}: cannot go on with {name} {asked}")
            block = chain.block(checkpoint.block)
            if block is not None and block.hash == checkpoint.block_hash:
                return checkpoint
            notes.append(f"the chain was re-organised: block {checkpoint.block} of {path.name} is no longer there")
        if notes:
            notes.append("started over from the beginning")
        return None


def _read(path: Path) -> Checkpoint:
    try:
        stamped = json.loads(path.read_text(encoding="utf-8"))
        if (stamped["format"], stamped["version"]) != (FORMAT, VERSION):
            raise CheckpointError(
                f"{path} is {stamped['format']!r} version {stamped['version']}: must be version {VERSION}"
            )
        if stamped["sha256"] != _checksum(stamped["checkpoint"]):
            raise CheckpointError(f"{path} is damaged: its checksum does not fit")
        return decoded(Checkpoint, stamped["checkpoint"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error!r}") from error


def _block_of(path: Path) -> int | None:
    return _read(path).block if path.exists() else None


def _checksum(content: Any) -> str:
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
