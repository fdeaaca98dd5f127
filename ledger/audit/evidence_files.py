"""Evidence as an auditor gets it: in memory, or as a folder of files.

A folder has any number of files `*.jsonl`, of one piece of evidence a line, written as `ledger.audit.codec` does,
and a file `public-keys.json` with the public keys that the chain only has hashes of, and those of the meter
authority, who signs substitute values.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ledger.audit.codec import decoded, encoded
from ledger.evidence.evidence import Evidence
from ledger.evidence.keys import MeterKey, MeterKeys
from matching.errors import WattbookError

KEYS_FILE = "public-keys.json"


class EvidenceFilesError(WattbookError):
    """A folder of evidence cannot be read."""

    code = "audit.evidence"


@dataclass(frozen=True)
class PublicKeys:
    """Keys that statements are verified with.

    Attributes:
        meters: in any order; Ed25519 keys need not be among them, as the chain has them whole.
        authority: of the meter authority.
    """

    meters: tuple[MeterKey, ...] = ()
    authority: MeterKeys = field(default_factory=lambda: MeterKeys(()))


@dataclass(frozen=True)
class EvidenceFiles:
    """Evidence of any devices and slots, in any order, and the keys for it; read once."""

    evidence: Iterable[Evidence]
    keys: PublicKeys = field(default_factory=PublicKeys)


def read_evidence(folder: Path) -> EvidenceFiles:
    """The evidence in a folder, read line by line as it is asked for.

    Raises:
        EvidenceFilesError: the folder has no keys, or they cannot be read; later, a line cannot be.
    """
    path = folder / KEYS_FILE
    try:
        keys = decoded(PublicKeys, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, WattbookError) as error:
        raise EvidenceFilesError(f"{path} cannot be read: {error!r}") from error
    return EvidenceFiles(_lines(folder), keys)


def write_evidence(folder: Path, files: EvidenceFiles) -> None:
    """Write a folder that `read_evidence` reads: a file for each device."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / KEYS_FILE).write_text(json.dumps(encoded(files.keys)) + "\n", encoding="utf-8")
    for piece in files.evidence:
        with (folder / f"device-{piece.device}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(encoded(piece)) + "\n")


def _lines(folder: Path) -> Iterator[Evidence]:
    for path in sorted(folder.glob("*.jsonl")):
        with path.open(encoding="utf-8") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield decoded(Evidence, json.loads(line))
                except (ValueError, KeyError, TypeError, AttributeError, WattbookError) as error:
                    raise EvidenceFilesError(f"{path}, line {number}, cannot be read: {error!r}") from error
