"""Backups of a store that an older version of the program made."""

from pathlib import Path

import pytest

from node.backup import back_up, restore
from node.datadir import DataFolder, Deployment
from node.store import schema
from node.store.engines import open_engine
from node.store.versions import revision_of
from tests.node.parts import DOMAIN, MARKET
from tests.node.store.older import make_baseline


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The data folder of a node of before changes were kept."""
    folder = DataFolder(tmp_path / "older")
    folder.write_deployment(Deployment(DOMAIN.chain_id, DOMAIN.exchange, MARKET, 0, "uniform", stepped=True))
    engine = open_engine(folder.store_url)
    make_baseline(engine)
    engine.dispose()
    return folder.path


def revision_in(data: Path) -> str | None:
    engine = open_engine(DataFolder(data).store_url)
    try:
        with engine.connect() as connection:
            return revision_of(connection)
    finally:
        engine.dispose()


def test_only_what_is_put_back_is_brought_up_to_date(older: Path, tmp_path: Path) -> None:
    backup, data = tmp_path / "backup", tmp_path / "data"
    back_up(older, backup, made_at=0)
    restore(backup, data)
    assert [revision_in(each) for each in (older, backup, data)] == [None, None, schema.REVISION]
    assert {path.name for path in data.iterdir()} == {"deployment.json", "store.sqlite"}


def test_what_is_put_back_is_its_owners_alone(older: Path, tmp_path: Path) -> None:
    back_up(older, tmp_path / "backup", made_at=0)
    restore(tmp_path / "backup", tmp_path / "data")
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "data").iterdir()} == {0o600}
