"""Archives of stores in files and in PostgreSQL, by the command that writes them."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from node.archive import Archive, ArchiveError, DamagedArchiveError, OpenCorrection
from node.cli.main import app
from node.datadir import DataFolder, Deployment
from node.store import Store
from node.store.beginning import beginning, holds_store
from node.store.engines import open_engine
from node.store.records import MemberRecord, OrderRecord
from node.store.versions import revision_of
from tests.node.parts import ALICE, BOB, DOMAIN, LOAD, MARKET, SLOT, SOLAR, device, evidence
from tests.node.store.older import make_baseline
from tests.postgres import Postgres

DEPLOYMENT = Deployment(
    chain_id=DOMAIN.chain_id, exchange=DOMAIN.exchange, market=MARKET, first_slot=0, design="uniform", stepped=True
)
MEMBERS = [MemberRecord(ALICE.address, "Alice")]


@dataclass(frozen=True)
class Kept:
    """A node's data folder, and its store's URL if that is elsewhere."""

    data: Path
    store_url: str | None

    @property
    def url(self) -> str:
        return self.store_url or DataFolder(self.data).store_url

    def archive(self, folder: Path) -> Result:
        return archive(folder, self.data, {} if self.store_url is None else {"WATTBOOK_STORE": self.store_url})


def archive(folder: Path, data: Path, environment: dict[str, str]) -> Result:
    return CliRunner().invoke(app, ["archive", str(folder), "--data", str(data)], env=environment)


@contextmanager
def opened(url: str) -> Iterator[Store]:
    with closing(Store(url, domain=DOMAIN, market=MARKET)) as store:
        yield store


def fill(url: str) -> None:
    with opened(url) as store:
        for member in MEMBERS:
            store.add_member(member)
        store.add_device(device(SOLAR, ALICE))
        store.ensure_slot(SLOT)
        store.add_reading(evidence(SOLAR), 1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    DataFolder(tmp_path / "data").write_deployment(DEPLOYMENT)
    return tmp_path / "data"


@pytest.fixture
def shared(postgres: Postgres) -> str:
    """A PostgreSQL store as the first node that used it left it."""
    url = postgres.new_schema()
    with beginning(url) as first:
        first.write_whereabouts(DEPLOYMENT.encoded())
    fill(url)
    return url


@pytest.fixture
def in_file(data: Path) -> Kept:
    fill(DataFolder(data).store_url)
    return Kept(data, None)


@pytest.fixture
def in_postgresql(data: Path, shared: str) -> Kept:
    return Kept(data, shared)


@pytest.fixture(params=["in_file", "in_postgresql"])
def kept(request: pytest.FixtureRequest) -> Kept:
    found: Kept = request.getfixturevalue(request.param)
    return found


def files_in(folder: Path) -> dict[str, bytes]:
    """All but what SQLite puts beside a database for as long as it is open."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm"))}


def test_an_archive_has_what_the_store_has_and_leaves_the_data_folder_as_it_was(
    kept: Kept, tmp_path: Path
) -> None:
    before = files_in(kept.data)
    written = kept.archive(tmp_path / "archive")
    assert written.exit_code == 0, written.output
    found = Archive(tmp_path / "archive")
    assert found.deployment == DEPLOYMENT
    assert list(found.members()) == MEMBERS
    assert [each.details.device for each in found.devices()] == [SOLAR]
    assert files_in(kept.data) == before


def test_a_shared_store_is_archived_without_a_data_folder(shared: str, tmp_path: Path) -> None:
    written = archive(tmp_path / "archive", tmp_path / "none", {"WATTBOOK_STORE": shared})
    assert written.exit_code == 0, written.output
    assert list(Archive(tmp_path / "archive").members()) == MEMBERS
    assert not (tmp_path / "none").exists()


def refused(result: Result, folder: Path, reason: str) -> bool:
    return (result.exit_code, folder.exists(), reason in result.output) == (1, False, True)


def test_a_folder_without_a_store_is_refused_and_gets_none(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    assert refused(archive(folder, data, {}), folder, "name it with --store")
    assert list(files_in(data)) == ["deployment.json"]
    # So that nobody takes an empty store for the node's.
    backup = CliRunner().invoke(app, ["backup", "--data", str(data), "--to", str(tmp_path / "backup")])
    assert (backup.exit_code, (tmp_path / "backup").exists()) == (1, False)


def test_a_folder_without_a_market_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    folder = tmp_path / "archive"
    assert refused(archive(folder, tmp_path / "data", {}), folder, "holds no market")


def test_a_store_that_is_damaged_is_refused(in_file: Kept, tmp_path: Path) -> None:
    DataFolder(in_file.data).store_file.write_bytes(b"no database" * 1_000)
    folder = tmp_path / "archive"
    assert refused(in_file.archive(folder), folder, "cannot be copied")


def test_a_database_without_a_store_is_refused_and_gets_none(
    data: Path, postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_schema()
    folder = tmp_path / "archive"
    assert refused(archive(folder, data, {"WATTBOOK_STORE": url}), folder, "the database holds no store")
    assert not holds_store(url)


def test_a_database_in_which_no_market_was_opened_is_refused(
    data: Path, postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_schema()
    fill(url)
    folder = tmp_path / "archive"
    assert refused(archive(folder, data, {"WATTBOOK_STORE": url}), folder, "holds no market")


def test_a_store_of_another_market_than_the_data_folders_is_refused(
    data: Path, shared: str, tmp_path: Path
) -> None:
    DataFolder(data).write_deployment(replace(DEPLOYMENT, market=bytes(32)))
    folder = tmp_path / "archive"
    assert refused(archive(folder, data, {"WATTBOOK_STORE": shared}), folder, "another market")


def test_a_database_holds_a_store_once_one_was_made_in_it(postgres: Postgres) -> None:
    url = postgres.new_schema()
    assert not holds_store(url)
    fill(url)
    assert holds_store(url)


def new_device(node: Store) -> None:
    node.add_member(MemberRecord(BOB.address, "Bob"))
    node.add_device(device(LOAD, BOB))
    node.add_reading(evidence(LOAD), 2)


def correction(node: Store) -> None:
    node.add_correction(evidence(SOLAR, energy_wh=300), 2)


def let_the_node_write(
    write: Callable[[Store], None], kept: Kept, monkeypatch: pytest.MonkeyPatch, *, before: str
) -> None:
    """Let it happen when the archive first asks this of a store."""
    ask: Callable[[Store], object] = getattr(Store, before)

    def interrupted(store: Store) -> object:
        monkeypatch.setattr(Store, before, ask)
        with opened(kept.url) as node:
            write(node)
        return ask(store)

    monkeypatch.setattr(Store, before, interrupted)


def test_an_archive_is_of_one_moment_whatever_the_node_writes_meanwhile(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_the_node_write(new_device, kept, monkeypatch, before="members")
    let_the_node_write(correction, kept, monkeypatch, before="latest_readings")
    assert kept.archive(tmp_path / "archive").exit_code == 0
    found = Archive(tmp_path / "archive")
    readings = list(found.readings())
    devices = {each.details.device: each for each in found.devices()}
    assert {each.evidence.device for each in readings} <= devices.keys()
    assert {each.details.owner for each in devices.values()} <= {each.account for each in found.members()}
    corrected = {(each.evidence.device, each.evidence.slot) for each in readings if each.revision}
    assert {(each.device, each.slot) for each in found.open_corrections()} == corrected
    with opened(kept.url) as store:
        assert (len(store.open_corrections()), len(store.devices())) == (1, 2), "the node did write"


def test_a_correction_that_certificates_did_not_follow_is_archived_as_such(kept: Kept, tmp_path: Path) -> None:
    with opened(kept.url) as store:
        correction(store)
    assert kept.archive(tmp_path / "archive").exit_code == 0
    found = Archive(tmp_path / "archive")
    assert [(each.revision, each.evidence.energy_wh) for each in found.readings()] == [(0, 250), (1, 300)]
    assert list(found.open_corrections()) == [OpenCorrection(SOLAR, SLOT, None)]


def test_a_file_of_an_older_version_is_archived_and_stays_of_that_version(data: Path, tmp_path: Path) -> None:
    engine = open_engine(DataFolder(data).store_url)
    try:
        make_baseline(engine)
        assert archive(tmp_path / "archive", data, {}).exit_code == 0
        assert list(Archive(tmp_path / "archive").members()) == []
        with engine.connect() as connection:
            assert revision_of(connection) is None
    finally:
        engine.dispose()


def test_a_database_of_an_older_version_is_refused_and_stays_of_that_version(
    data: Path, postgres: Postgres, tmp_path: Path
) -> None:
    url, folder = postgres.new_schema(), tmp_path / "archive"
    engine = open_engine(url)
    try:
        make_baseline(engine)
        assert refused(archive(folder, data, {"WATTBOOK_STORE": url}), folder, "must be one of")
        with engine.connect() as connection:
            assert revision_of(connection) is None
    finally:
        engine.dispose()


@pytest.fixture
def written(in_file: Kept, tmp_path: Path) -> Path:
    """An archive, made where new files are everybody's to read."""
    before = os.umask(0o022)
    try:
        assert in_file.archive(tmp_path / "archive").exit_code == 0
    finally:
        os.umask(before)
    return tmp_path / "archive"


def test_an_archive_is_its_owners_alone(written: Path) -> None:
    assert written.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in written.iterdir()} == {0o600}


def test_an_archive_that_was_interrupted_is_not_there(
    in_file: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> list[OrderRecord]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Store, "orders", interrupted)
    before = sorted(tmp_path.iterdir())
    assert in_file.archive(tmp_path / "archive").exit_code != 0
    assert sorted(tmp_path.iterdir()) == before


def test_an_archive_that_was_killed_half_way_is_refused(written: Path) -> None:
    """What says that it is whole is written last."""
    newest = max(written.iterdir(), key=lambda path: path.stat().st_mtime_ns)
    newest.unlink()
    with pytest.raises(ArchiveError, match=rf"is no archive: {newest.name} is missing"):
        Archive(written)


@pytest.mark.parametrize("name", ["market.json", "members.jsonl", "devices.jsonl", "readings.jsonl"])
def test_an_archive_in_which_a_file_is_another_is_refused_and_the_file_named(written: Path, name: str) -> None:
    path = written / name
    whole = path.read_bytes()
    for damaged in (whole[:-1], b"", whole + b"\n", bytes([whole[0] ^ 1]) + whole[1:]):
        path.write_bytes(damaged)
        with pytest.raises(DamagedArchiveError, match=f"the archive's file {name} is damaged"):
            Archive(written)
    path.unlink()
    with pytest.raises(DamagedArchiveError, match=f"the archive's file {name} is missing"):
        Archive(written)


def test_nothing_is_rebuilt_from_a_damaged_archive(written: Path, tmp_path: Path) -> None:
    (written / "members.jsonl").write_bytes(b"")
    options = ["--orders", str(written), "--data", str(tmp_path / "new"), "--rpc", "http://127.0.0.1:1"]
    rebuilt = CliRunner().invoke(app, ["rebuild", *options])
    assert (rebuilt.exit_code, "members.jsonl is damaged" in rebuilt.output) == (2, True)
    assert not (tmp_path / "new").exists()


def test_an_archive_overwrites_nothing(in_file: Kept, written: Path) -> None:
    before = files_in(written)
    again = in_file.archive(written)
    assert (again.exit_code, "is not empty" in again.output) == (1, True)
    assert files_in(written) == before
