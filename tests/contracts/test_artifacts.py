"""Compiled contracts: all there, small enough, and compiled once per version of the sources."""

import json
from pathlib import Path

import pytest

from contracts import artifacts as module
from contracts.artifacts import CONTRACTS, artifacts

MAX_CODE_BYTES = 24_576  # EIP-170


@pytest.mark.parametrize("name", CONTRACTS)
def test_each_contract_fits_on_chain(name: str) -> None:
    artifact = artifacts()[name]
    assert artifact.name == name
    assert 0 < len(artifact.runtime_code) <= MAX_CODE_BYTES
    assert artifact.runtime_code in artifact.creation_code
    assert any(entry["type"] == "function" for entry in artifact.abi)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, and nothing remembered in this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    artifacts.cache_clear()
    return tmp_path / "wattbook"


@pytest.fixture(autouse=True)
def _forget_what_a_test_compiled() -> object:
    yield
    artifacts.cache_clear()


@pytest.mark.slow
def test_a_cold_cache_is_filled_with_what_the_compiler_makes(cache: Path) -> None:
    fresh = artifacts()
    written_at = {file: file.stat().st_mtime_ns for file in cache.iterdir()}
    assert sorted(file.name.partition("-")[0] for file in written_at) == sorted(CONTRACTS)
    artifacts.cache_clear()
    assert artifacts() == fresh
    assert {file: file.stat().st_mtime_ns for file in cache.iterdir()} == written_at


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"abi": []}'])
def test_half_a_cache_file_is_not_believed(tmp_path: Path, content: str) -> None:
    path = tmp_path / "contracts.json"
    path.write_text(content, encoding="utf-8")
    assert module._read_cache(path) is None


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path) -> None:
    obstacle = tmp_path / "file"
    obstacle.write_text("", encoding="utf-8")
    module._write_cache(obstacle / "contracts.json", {})
    assert obstacle.read_text(encoding="utf-8") == ""


def test_the_cache_is_written_whole_and_leaves_no_draft(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "contracts.json"
    compiled = {"abi": [], "bytecode": "0x00", "bytecode_runtime": "0x00"}
    module._write_cache(path, compiled)
    assert json.loads(path.read_text(encoding="utf-8")) == compiled == module._read_cache(path)
    assert list(path.parent.iterdir()) == [path]


def test_a_changed_source_has_those_compiled_again_that_are_made_of_it_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {name: module._sources_hash(name) for name in CONTRACTS}
    for source in module.SOURCES.glob("*.vy"):
        (tmp_path / source.name).write_bytes(source.read_bytes())
    monkeypatch.setattr(module, "SOURCES", tmp_path)
    assert {name: module._sources_hash(name) for name in CONTRACTS} == before
    with (tmp_path / "orders.vy").open("a", encoding="utf-8") as changed_source:
        changed_source.write("\n")
    changed = {name for name in CONTRACTS if module._sources_hash(name) != before[name]}
    assert changed == {"exchange", "escrow", "challenges"}
