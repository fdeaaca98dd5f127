"""Archives of stores in files and in PostgreSQL, by the command that writes them."""

from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from node.archive import Archive
from node.cli.main import app
from node.datadir import DataFolder, Deployment
from node.store import Store
from node.store.beginning import beginning, holds_store
from node.store.records import MemberRecord
from tests.node.parts import ALICE, DOMAIN, MARKET, SOLAR, device
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

    def archive(self, folder: Path) -> Result:
        return archive(folder, self.data, {} if self.store_url is None else {"WATTBOOK_STORE": self.store_url})


def archive(folder: Path, data: Path, environment: dict[str, str]) -> Result:
    return CliRunner().invoke(app, ["archive", str(folder), "--data", str(data)], env=environment)


def fill(url: str) -> None:
    with closing(Store(url, domain=DOMAIN, market=MARKET)) as store:
        for member in MEMBERS:
            store.add_member(member)
        store.add_device(device(SOLAR, ALICE))


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
