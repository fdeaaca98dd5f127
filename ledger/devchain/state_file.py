"""The format of a file that holds a whole chain.

It is a gzip stream of
- one line of JSON: format, version, chain id, account addresses, how far time runs ahead, the numbers of state
  entries and blocks, the head's hash;
- the state entries, each a trie node or a contract's code, without their keys, which are their hashes;
- the blocks as `ledger.devchain.records` encodes them, from the first;
- the SHA-256 of all that, which finds damage, not forgery.

Entries and blocks have their length before them, in four bytes. Indices are not kept: an import builds them anew,
so the file does not depend on how a database is laid out. The same chain always makes the same file.
"""

import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from eth_utils.exceptions import ValidationError
from pydantic_core import from_json
from rlp.exceptions import RLPException

from ledger.chain import ChainError, Hash
from ledger.devchain.genesis import Beginning
from ledger.devchain.records import BlockRecord
from ledger.hexcodec import from_data, to_data

FORMAT = "wattbook-chain-state"
VERSION = 1

MAX_FIRST_LINE_BYTES = 2**20
MAX_ENTRY_BYTES = 2**24
"""More than a block's gas can pay for, in code or in calldata."""

_LENGTH_BYTES = 4
_COMPRESSION = 6


class StateFileError(ChainError):
    """A state file is damaged, foreign or of a version that this program does not read."""

    code = "devchain.state_file"


@dataclass(frozen=True, slots=True)
class Contents:
    """What a state file says of itself; `time_offset` is how many seconds the chain's time runs ahead."""

    beginning: Beginning
    time_offset: int
    state_entries: int
    blocks: int
    head_hash: Hash

    def encode(self) -> bytes:
        """The file's first line."""
        fields = {
            "format": FORMAT,
            "version": VERSION,
            "chain_id": self.beginning.chain_id,
            "accounts": [to_data(address) for address in self.beginning.addresses],
            "time_offset": self.time_offset,
            "state_entries": self.state_entries,
            "blocks": self.blocks,
            "head": to_data(self.head_hash),
        }
        return json.dumps(fields, separators=(",", ":")).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> "Contents":
        """Inverse of `encode`.

        Raises:
            StateFileError: it is not such a line, or one of another version.
        """
        try:
            fields: dict[str, Any] = from_json(line)  # limits nesting, unlike the standard library's parser
            if fields["format"] != FORMAT:
                raise StateFileError(f"its format is {fields['format']!r:.80}, not {FORMAT!r}")
            if fields["version"] != VERSION:
                raise StateFileError(f"its version is {fields['version']!r:.80}; this program reads {VERSION}")
            return cls(
                Beginning(int(fields["chain_id"]), tuple(from_data(each) for each in fields["accounts"])),
                time_offset=int(fields["time_offset"]),
                state_entries=int(fields["state_entries"]),
                blocks=int(fields["blocks"]),
                head_hash=from_data(fields["head"]),
            )
        except (ValueError, KeyError, TypeError) as error:
            raise StateFileError("it does not begin with the description of a chain") from error


def write_state(file: IO[bytes], contents: Contents, entries: Iterable[bytes], blocks: Iterable[bytes]) -> None:
    """Write a whole state file: state entries, then encoded blocks, as many as `contents` says."""
    digest = hashlib.sha256()
    # Without a name and a time in it, the same chain makes the same file.
    with gzip.GzipFile("", "wb", _COMPRESSION, file, mtime=0) as stream:

        def put(data: bytes) -> None:
            digest.update(data)
            stream.write(data)

        put(contents.encode())
        for items in (entries, blocks):
            for item in items:
                put(len(item).to_bytes(_LENGTH_BYTES) + item)
        stream.write(digest.digest())


class StateReader:
    """One pass through a state file: `contents`, then all of `entries()`, all of `blocks()`, then `finish()`.

    Raises:
        StateFileError: in any of them, with the file's name: the file is not what it should be.
    """

    def __init__(self, name: Path, stream: gzip.GzipFile) -> None:
        self._name = name
        self._stream = stream
        self._digest = hashlib.sha256()
        with self._naming_the_file():
            line = stream.readline(MAX_FIRST_LINE_BYTES)
            self._digest.update(line)
            self.contents = Contents.decode(line)

    def entries(self) -> Iterator[bytes]:
        """Trie nodes and contracts' codes."""
        with self._naming_the_file():
            for _ in range(self.contents.state_entries):
                yield self._item()

    def blocks(self) -> Iterator[BlockRecord]:
        """The blocks, each on top of the one before, up to the head that was announced."""
        parent_hash: Hash | None = None
        with self._naming_the_file():
            for number in range(self.contents.blocks):
                record = BlockRecord.decode(self._item())
                follows = parent_hash is None or record.header.parent_hash == parent_hash
                if record.header.block_number != number or not follows:
                    raise StateFileError(f"block {number} does not follow the one before")
                parent_hash = record.header.hash
                yield record
            if parent_hash != self.contents.head_hash:
                raise StateFileError("its last block is not the head that it announces")

    def finish(self) -> None:
        """Compare the checksum."""
        with self._naming_the_file():
            if self._stream.read(hashlib.sha256().digest_size) != self._digest.digest():
                raise StateFileError("its checksum is wrong: it is damaged")
            if self._stream.read(1):
                raise StateFileError("it goes on after its end")

    def _item(self) -> bytes:
        size = int.from_bytes(self._exactly(_LENGTH_BYTES))
        if size > MAX_ENTRY_BYTES:
            raise StateFileError(f"an entry has {size} bytes, limit {MAX_ENTRY_BYTES}: it is damaged")
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise StateFileError("it ends early")
        self._digest.update(data)
        return data

    @contextmanager
    def _naming_the_file(self) -> Iterator[None]:
        """Whatever a damaged stream makes its readers raise becomes one error."""
        try:
            yield
        except StateFileError as error:
            raise StateFileError(f"state file {self._name}: {error}") from error
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise StateFileError(f"state file {self._name}: it is foreign or damaged: {error}") from error
        except (RLPException, ValidationError, TypeError, ValueError) as error:
            raise StateFileError(f"state file {self._name}: a block is damaged: {error}") from error


@contextmanager
def reading_state(source: Path) -> Iterator[StateReader]:
    """Open a state file for one pass through it.

    Raises:
        StateFileError: it does not begin as one.
        OSError: it cannot be read.
    """
    with gzip.open(source, "rb") as stream:
        yield StateReader(source, stream)
