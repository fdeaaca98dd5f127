"""Compiles the Vyper sources, once per version of them.

The first call after a change compiles the contracts it reaches (about fifteen seconds for all of them); later ones
read a cache keyed by everything that determines a contract: its source and those it imports, the compiler's and
snekmate's versions, this file's format.
"""

import contextlib
import functools
import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

# Elsewhere only for tests that compile changed sources; the folder's name has to be `contracts` there too.
SOURCES = Path(os.environ.get("WATTBOOK_CONTRACTS") or Path(__file__).parent)
CONTRACTS = (
    "credit",
    "exchange",
    "escrow",
    "energy",
    "devices",
    "issuance",
    "certificates",
    "markets",
    "challenges",
)
_CACHE_FORMAT = "2"
_OUTPUTS = ("abi", "bytecode", "bytecode_runtime")


@dataclass(frozen=True, slots=True)
class Artifact:
    """One compiled contract.

    Attributes:
        name: the source's file name without `.vy`.
        abi: the JSON ABI, as a list of entries.
        creation_code: constructor bytecode, to which ABI-encoded arguments are appended.
        runtime_code: what lies on chain after deployment, immutables left out.
    """

    name: str
    abi: list[dict[str, Any]]
    creation_code: bytes
    runtime_code: bytes


@functools.cache
def artifacts() -> dict[str, Artifact]:
    """All contracts by name, compiled for EVM version london.

    Raises:
        vyper.exceptions.VyperException: a source does not compile.
    """
    return {name: _artifact(name) for name in CONTRACTS}


def _artifact(name: str) -> Artifact:
    path = _cache_folder() / f"{name}-{_sources_hash(name)}.json"
    compiled = _read_cache(path)
    if compiled is None:
        compiled = _compile(name)
        _write_cache(path, compiled)
    return Artifact(
        name=name,
        abi=compiled["abi"],
        creation_code=bytes.fromhex(compiled["bytecode"].removeprefix("0x")),
        runtime_code=bytes.fromhex(compiled["bytecode_runtime"].removeprefix("0x")),
    )


def _sources_hash(name: str) -> str:
    digest = hashlib.sha256(_CACHE_FORMAT.encode())
    for package in ("vyper", "snekmate"):
        digest.update(metadata.version(package).encode() + b"\0")
    for source, text in sorted(_sources_of(name).items()):
        digest.update(source.encode() + b"\0" + text.encode() + b"\0")
    return digest.hexdigest()[:32]


def _sources_of(name: str) -> dict[str, str]:
    """A contract's source and those of ours that it imports, directly or not."""
    found: dict[str, str] = {}
    missing = {name}
    while missing:
        each = missing.pop()
        found[each] = (SOURCES / f"{each}.vy").read_text(encoding="utf-8")
        missing |= set(re.findall(r"^from contracts import (\w+)$", found[each], re.MULTILINE)) - found.keys()
    return found


def _compile(name: str) -> dict[str, Any]:
    # Imported here: the compiler takes a second to load, and is not needed when the cache is warm.
    import snekmate
    from vyper.compiler import compile_from_file_input
    from vyper.compiler.input_bundle import FilesystemInputBundle

    search_paths = [Path(snekmate.__path__[0]).parent, SOURCES.parent]
    bundle = FilesystemInputBundle(search_paths)
    source = bundle.load_file(SOURCES / f"{name}.vy")
    return dict(compile_from_file_input(source, input_bundle=bundle, output_formats=list(_OUTPUTS)))


def _cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "wattbook"


def _read_cache(path: Path) -> dict[str, Any] | None:
    try:
        compiled = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return compiled if isinstance(compiled, dict) and set(compiled) == set(_OUTPUTS) else None


def _write_cache(path: Path, compiled: dict[str, Any]) -> None:
    # A cache that cannot be written costs time at the next start and nothing else. Written aside and renamed,
    # so that a crash or a second process never leaves half a file.
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as draft:
            json.dump(compiled, draft)
        Path(draft.name).replace(path)
