"""A chain goes through a file whole, or not at all."""

import gzip
import hashlib
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.devchain import DevChain, dev_accounts
from ledger.devchain.errors import ChainExistsError, DirectoryInUseError, NoChainError, StorageFailedError
from ledger.devchain.state_file import StateFileError
from ledger.devchain.store import DATABASE_FILE, Store, Table
from ledger.devchain.transfer import export_state, import_state
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import NOTED, notes, set_note, word

START = 1_750_000_000
ACCOUNTS = 3
CHAIN_ID = 4_242


def open_chain(directory: Path) -> DevChain:
    return DevChain.open(directory, clock=lambda: START)


@pytest.fixture
def original(tmp_path: Path) -> Path:
    """A directory with a chain: a contract, notes, a refused call, empty blocks, time that runs ahead."""
    directory = tmp_path / "original"
    options = {"chain_id": CHAIN_ID, "accounts": dev_accounts(ACCOUNTS)}
    with closing(DevChain.open(directory, clock=lambda: START, **options)) as chain:  # type: ignore[arg-type]
        alice = Actor(chain, chain.accounts[0])
        notebook = alice.deploy()
        for note in (10, 11, 1_000):
            alice.transact(notebook, set_note(1, note))
        chain.advance_time(500)
        chain.mine(2)
    return directory


@pytest.fixture
def state_file(tmp_path: Path, original: Path) -> Path:
    path = tmp_path / "state"
    export_state(original, path)
    return path


def test_an_imported_chain_is_the_same_chain(tmp_path: Path, original: Path, state_file: Path) -> None:
    copy = tmp_path / "copy"
    import_state(state_file, copy)
    with closing(open_chain(original)) as old, closing(open_chain(copy)) as new:
        assert new.chain_id == CHAIN_ID
        assert new.accounts == old.accounts == dev_accounts(ACCOUNTS)
        assert new.head() == old.head()
        assert [new.record(number) for number in range(7)] == [old.record(number) for number in range(7)]
        logs = old.logs(first_block=0, last_block=99)
        assert len(logs) == 2
        assert new.logs(first_block=0, last_block=99) == logs
        assert new.logs(first_block=0, last_block=99, topics=[NOTED]) == logs
        for log in logs:
            assert new.receipt(log.transaction_hash) == old.receipt(log.transaction_hash)
            assert new.block_with_hash(log.block_hash) == old.block(log.block_number)
        notebook = logs[0].address
        assert [new.call(notebook, notes(1), block_number=number) for number in (1, 2, 3)] == [
            word(note) for note in (0, 10, 11)
        ]
        sent = [Actor(chain, chain.accounts[0]).transact(notebook, set_note(2, 5)) for chain in (old, new)]
        assert sent[0] == sent[1]
        assert new.head().timestamp >= START + 500


def test_an_imported_chain_holds_the_same_bytes(tmp_path: Path, original: Path, state_file: Path) -> None:
    copy = tmp_path / "copy"
    import_state(state_file, copy)
    with closing(Store(original)) as old, closing(Store(copy)) as new:
        for table in Table:
            assert list(new.items(table)) == list(old.items(table))


def test_the_same_chain_makes_the_same_file(tmp_path: Path, original: Path, state_file: Path) -> None:
    copy, again = tmp_path / "copy", tmp_path / "again"
    import_state(state_file, copy)
    export_state(copy, again)
    assert again.read_bytes() == state_file.read_bytes()


def damaged(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """A state file whose content inside is changed, compressed soundly."""
    return gzip.compress(change(gzip.decompress(content)))


def resealed(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """The same with a checksum that fits."""

    def seal(inside: bytes) -> bytes:
        changed = change(inside[:-32])
        return changed + hashlib.sha256(changed).digest()

    return damaged(content, seal)


REFUSED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "an empty file": (lambda _: b"", "does not begin with the description of a chain"),
    "text": (lambda _: b"my favourite chain\n", "foreign or damaged"),
    "another gzip file": (lambda _: gzip.compress(b"my favourite chain\n"), "does not begin with the description"),
    "deep nesting": (lambda _: gzip.compress(b"[" * 100_000), "does not begin with the description"),
    "another format": (
        lambda file: damaged(file, lambda inside: inside.replace(b"wattbook-chain-state", b"other", 1)),
        "format is 'other', not 'wattbook-chain-state'",
    ),
    "another version": (
        lambda file: damaged(file, lambda inside: inside.replace(b'"version":1', b'"version":2', 1)),
        "its version is 2; this program reads 1",
    ),
    "cut off": (lambda file: file[: len(file) // 2], "foreign or damaged"),
    "cut off inside": (lambda file: damaged(file, lambda inside: inside[: len(inside) // 2]), "ends early"),
    "without a checksum": (lambda file: damaged(file, lambda inside: inside[:-32]), "checksum is wrong"),
    "a changed code": (lambda file: damaged(file, lambda inside: inside.replace(b"large", b"small")), "checksum"),
    "something after its end": (lambda file: damaged(file, lambda inside: inside + b"x"), "goes on after its end"),
    "an endless entry": (
        lambda file: damaged(file, lambda inside: inside.replace(b"\n", b"\n\xff\xff\xff\xff", 1)),
        "an entry has 4294967295 bytes",
    ),
    "too few blocks": (
        lambda file: resealed(file, lambda inside: inside.replace(b'"blocks":7', b'"blocks":6', 1)),
        "not the head that it announces",
    ),
    "no blocks": (
        lambda file: resealed(file, lambda inside: inside.replace(b'"blocks":7', b'"blocks":0', 1)),
        "not the head that it announces",
    ),
    "blocks for state": (
        lambda file: resealed(file, lambda inside: inside.replace(b'"state_entries":', b'"state_entries":1', 1)),
        "it is damaged",
    ),
}


@pytest.mark.parametrize(("change", "message"), REFUSED.values(), ids=REFUSED)
def test_a_damaged_or_foreign_file_is_refused_before_anything_is_written(
    tmp_path: Path, state_file: Path, change: Callable[[bytes], bytes], message: str
) -> None:
    state_file.write_bytes(change(state_file.read_bytes()))
    target = tmp_path / "target"
    with pytest.raises(StateFileError, match=message) as refusal:
        import_state(state_file, target)
    assert str(state_file) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not target.exists()


@given(place=st.floats(0, 1, exclude_max=True), flipped=st.integers(1, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=50)
def test_no_changed_byte_goes_unnoticed(tmp_path: Path, state_file: Path, place: float, flipped: int) -> None:
    inside = bytearray(gzip.decompress(state_file.read_bytes()))
    inside[int(place * len(inside))] ^= flipped
    changed, target = tmp_path / "changed", tmp_path / "target"
    changed.write_bytes(gzip.compress(bytes(inside), 1))
    with pytest.raises(StateFileError):
        import_state(changed, target)
    assert not target.exists()


def test_a_file_that_changes_while_it_is_read_leaves_no_chain(
    tmp_path: Path, original: Path, state_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "target"
    sound = state_file.read_bytes()
    inside = gzip.decompress(sound)
    broken = gzip.compress(inside[:-1] + bytes([inside[-1] ^ 1]))

    def open_and_change(directory: Path) -> Store:
        state_file.write_bytes(broken)
        return Store(directory)

    monkeypatch.setattr("ledger.devchain.transfer.Store", open_and_change)
    with pytest.raises(StateFileError, match="checksum"):
        import_state(state_file, target)
    monkeypatch.undo()
    with closing(Store(target)) as store:
        assert all(store.count(table) == 0 for table in Table)
    state_file.write_bytes(sound)
    import_state(state_file, target)
    with closing(open_chain(target)) as chain, closing(open_chain(original)) as old:
        assert chain.head() == old.head()


def test_an_import_does_not_touch_a_chain_that_is_there(tmp_path: Path, original: Path, state_file: Path) -> None:
    other = tmp_path / "other"
    with closing(open_chain(other)) as chain:
        head = chain.head()
        with pytest.raises(DirectoryInUseError):
            import_state(state_file, other)
    with pytest.raises(ChainExistsError, match="import into a new directory"):
        import_state(state_file, other)
    with closing(open_chain(other)) as chain:
        assert chain.head() == head


def test_an_export_replaces_its_file_only_once_all_is_written(
    tmp_path: Path, original: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "here" / "state"
    target.parent.mkdir()
    target.write_bytes(b"the last one")

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        export_state(original, target)
    assert target.read_bytes() == b"the last one"
    assert list(target.parent.iterdir()) == [target]


def test_what_cannot_be_exported_is_said(tmp_path: Path, original: Path) -> None:
    with pytest.raises(NoChainError):
        export_state(tmp_path / "nowhere", tmp_path / "state")
    assert not (tmp_path / "nowhere").exists()
    Store(tmp_path / "empty").close()
    with pytest.raises(NoChainError):
        export_state(tmp_path / "empty", tmp_path / "state")
    with closing(open_chain(original)), pytest.raises(DirectoryInUseError):
        export_state(original, tmp_path / "state")
    assert not (tmp_path / "state").exists()


def test_a_directory_whose_database_is_damaged_is_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / DATABASE_FILE).write_bytes(b"not a database" * 1_000)
    with pytest.raises(StorageFailedError, match="cannot be opened") as refusal:
        open_chain(tmp_path)
    assert "\n" not in str(refusal.value)
    with pytest.raises(StorageFailedError, match="cannot be opened"):
        export_state(tmp_path, tmp_path / "state")
