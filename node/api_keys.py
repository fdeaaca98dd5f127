"""API keys: what lets a program act for a party through the API, within a scope.

A key is shown once, when it is made; what is kept is its SHA-256. The token is 256 random bits, so nothing slower
is needed to keep it from being guessed.
"""

import fcntl
import json
import os
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from matching.errors import WattbookError
from node.private_files import read_private, write_private

MAX_KEYS = 1_000
MAX_NAME = 100
_TOKEN_BYTES = 32
_PREFIX = "wb_"


class Scope(StrEnum):
    """What a key is good for."""

    OPERATOR = "operator"
    """Members, devices, deposits and the clock, and following any member's events."""
    ISSUER = "issuer"
    """Certificates and requests for them."""
    METER = "meter"
    """Files of readings, and corrections."""
    READ = "read"
    """Reading, where that needs a key, which every other scope includes; and following any member's events."""


ALL_SCOPES = frozenset(Scope)


class ApiKeyError(WattbookError):
    """An API key cannot be made or found, or the file of them is damaged."""

    code = "node.api_keys"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, without the token; `created_at` in Unix seconds."""

    name: str
    scopes: frozenset[Scope]
    digest: bytes
    created_at: int


class ApiKeys(Protocol):
    """Where API keys are looked up."""

    def scopes(self, token: str) -> frozenset[Scope]:
        """What a token is good for; nothing, if nobody gave it out."""


class NoApiKeys:
    """No keys at all."""

    def scopes(self, token: str) -> frozenset[Scope]:  # noqa: ARG002, RUF100 -- whatever it is
        """Nothing."""
        return frozenset()


class ApiKeyFile:
    """Keys in a JSON file, which may change while it is in use. Names are unique. Thread-safe."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[tuple[int, int] | None, Sequence[ApiKey]] = (None, ())

    @classmethod
    def of(cls, data: Path) -> "ApiKeyFile":
        """The keys of a node with this data folder."""
        return cls(data / "api-keys.json")

    def scopes(self, token: str) -> frozenset[Scope]:
        """What a token is good for; nothing, if nobody gave it out, or it was revoked.

        Raises:
            ApiKeyError: the file is damaged.
            ExposedFileError: others can read or change it.
        """
        digest, found = _digest(token), frozenset[Scope]()
        for key in self.listed():
            # All of them, each in the same time, so that the time taken tells nothing.
            if secrets.compare_digest(key.digest, digest):
                found = key.scopes
        return found

    def listed(self) -> Sequence[ApiKey]:
        """All keys, in the order in which they were made. Raises as `scopes` does."""
        try:
            state = self._path.stat()
        except FileNotFoundError:
            return ()
        version = (state.st_ino, state.st_mtime_ns)
        seen, keys = self._seen
        if seen != version:
            keys = self._read()
            self._seen = version, keys
        return keys

    def new(self, name: str, scopes: frozenset[Scope], now: int) -> str:
        """Make a key and return its token, which is nowhere to be seen again.

        Raises:
            ApiKeyError: the name is taken or no name, there is no scope, or there are too many keys.
        """
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable():
            raise ApiKeyError(f"name is {name!r:.120}: must have 1 to {MAX_NAME} printable characters")
        if not scopes:
            raise ApiKeyError(f"key '{name}' has no scope: must have at least one")
        with self._changing() as keys:
            if any(key.name == name for key in keys):
                raise ApiKeyError(f"there is a key '{name}': revoke it first, or take another name")
            if len(keys) >= MAX_KEYS:
                raise ApiKeyError(f"there are {len(keys)} keys: at most {MAX_KEYS}")
            token = _PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
            self._write([*keys, ApiKey(name, scopes, _digest(token), now)])
        return token

    def revoke(self, name: str) -> None:
        """Forget a key; from then on it is good for nothing.

        Raises:
            ApiKeyError: there is none of this name.
        """
        with self._changing() as keys:
            left = [key for key in keys if key.name != name]
            if len(left) == len(keys):
                raise ApiKeyError(f"there is no key '{name}'")
            self._write(left)

    @contextmanager
    def _changing(self) -> Iterator[Sequence[ApiKey]]:
        """The keys, while nobody else changes them."""
        handle = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield self.listed()
        finally:
            os.close(handle)

    def _read(self) -> Sequence[ApiKey]:
        try:
            return tuple(
                ApiKey(
                    name=str(entry["name"]),
                    scopes=frozenset(Scope(scope) for scope in entry["scopes"]),
                    digest=bytes.fromhex(entry["sha256"]),
                    created_at=int(entry["created_at"]),
                )
                for entry in json.loads(read_private(self._path))
            )
        except (ValueError, KeyError, TypeError) as error:
            raise ApiKeyError(f"{self._path} is damaged: restore it, or remove it and make new keys") from error

    def _write(self, keys: Sequence[ApiKey]) -> None:
        entries = [
            {
                "name": key.name,
                "scopes": sorted(key.scopes),
                "sha256": key.digest.hex(),
                "created_at": key.created_at,
            }
            for key in keys
        ]
        write_private(self._path, json.dumps(entries, indent=2) + "\n")


def _digest(token: str) -> bytes:
    return sha256(token.encode()).digest()
