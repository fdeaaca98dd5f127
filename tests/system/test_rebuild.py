"""A store that is lost is made anew from the chain and an archive, table by table the same, and goes on."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.eip712 import Domain
from ledger.jsonrpc import JsonRpcChain
from matching.orders import Side
from node.archive import ARCHIVE, Archive, ArchiveError
from node.cli.main import app
from node.composition import running_server
from node.datadir import DataFolder
from node.rebuild import LOST, RebuildError, rebuild
from node.store import Store, schema
from tests.postgres import Postgres
from tests.system.demo import free_port, opened
from tests.system.mortal import END, SLOT, Mortal, live, mortal
from tests.system.served import CONSUMER, SELLER

pytestmark = pytest.mark.slow

LOST_TABLES = {
    "facts", "events", "statements", "private_texts", "sent_transactions", "proposals", "approvals",
}  # fmt: skip
LOST_COLUMNS = {("slots", "awaited_from"), ("intents", "raw_transaction"), ("intents", "is_final")}


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a node that ended after a slot's whole life, with two orders for a slot that is still open."""
    data = tmp_path_factory.mktemp("lived")
    with mortal(data) as node:
        live(node, [])
        later = SLOT + 20 * 900
        node.place(SELLER, Side.OFFER, 100_000, slot=later)
        node.cancel(CONSUMER, node.place(CONSUMER, Side.BID, 200_000, slot=later))
    return data


@pytest.fixture(scope="module")
def archived(lived: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archived") / "archive"
    written = CliRunner().invoke(app, ["archive", str(folder), "--data", str(lived)])
    assert written.exit_code == 0, written.output
    assert "7 orders" in written.stdout
    return folder


def rows(store: Store) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that is not lost, by table."""
    found = {}
    with store._read() as connection:
        for table in schema.metadata.sorted_tables:
            if table.name not in LOST_TABLES:
                columns = [each for each in table.c if (table.name, each.name) not in LOST_COLUMNS]
                query = select(*columns)
                if table is schema.intents:
                    query = query.where(table.c.step.in_(("commit", "settle", "void", "deliver", "certify")))
                found[table.name] = sorted(tuple(row) for row in connection.execute(query))
    return found


def store_in(data: Path) -> Store:
    folder = DataFolder(data)
    deployment = folder.deployment()
    assert deployment is not None
    domain = Domain(deployment.chain_id, deployment.exchange)
    return Store(folder.store_url, domain=domain, market=deployment.market)


def test_every_table_is_as_it_was_but_for_what_is_lost(lived: Path, archived: Path, tmp_path: Path) -> None:
    with opened(lived) as original:
        rebuilt = rebuild(original.chain, Archive(archived), tmp_path)
        before = rows(original.store)
        assert (rebuilt.findings, rebuilt.orders) == ((), 7)
        assert rebuilt.slots == len(before["slots"])
    shutil.copytree(lived / "chain", tmp_path / "chain")
    node = Mortal(tmp_path)
    node.start()
    # It finds that nothing is left to be done, and that nothing is to be certified where nothing was metered.
    node.advance(END)
    node.kill()
    with closing(store_in(tmp_path)) as store:
        after = rows(store)
    filled = {name for name, found in before.items() if found}
    assert filled >= {"orders", "trades", "readings", "meter_keys", "issuances", "anchored_days", "intents"}
    for name, found in before.items():
        assert after[name] == found, name


def test_an_archive_that_lacks_orders_that_were_committed_to_is_refused(
    lived: Path, archived: Path, tmp_path: Path
) -> None:
    folder = copied(archived, tmp_path)
    path = folder / "orders.jsonl"
    path.write_text("".join(path.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    with opened(lived) as original, pytest.raises(RebuildError, match=f"slot {SLOT} was committed with 2 orders"):
        rebuild(original.chain, sealed_again(folder), tmp_path / "new")
    # It is no node's folder yet.
    assert DataFolder(tmp_path / "new").deployment() is None


def test_a_line_that_cannot_be_read_is_named(lived: Path, archived: Path, tmp_path: Path) -> None:
    folder = copied(archived, tmp_path)
    path = folder / "readings.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("{", "", 1), encoding="utf-8")
    with opened(lived) as original, pytest.raises(ArchiveError, match=r"readings\.jsonl, line 1, cannot be read"):
        rebuild(original.chain, sealed_again(folder), tmp_path / "new")


def test_an_order_that_was_tampered_with_is_found(lived: Path, archived: Path, tmp_path: Path) -> None:
    folder = copied(archived, tmp_path)
    path = folder / "orders.jsonl"
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    cancelled = next(line for line in lines if line["cancellation_signature"] is not None)
    cancelled["signed"]["order"]["price"] += 1
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with opened(lived) as original:
        findings = rebuild(original.chain, sealed_again(folder), tmp_path / "new").findings
    assert {finding.rule for finding in findings} == {"store.order.hash"}


def test_a_folder_that_is_not_empty_is_left_alone(lived: Path, archived: Path) -> None:
    with opened(lived) as original, pytest.raises(RebuildError, match="is not empty"):
        rebuild(original.chain, Archive(archived), lived)


def test_the_command_says_what_is_lost(lived: Path, archived: Path, tmp_path: Path) -> None:
    with opened(lived) as original, served(original.chain) as url:
        options = ["--orders", str(archived), "--data", str(tmp_path / "new"), "--rpc", url]
        shown, again = (CliRunner().invoke(app, ["rebuild", *options]) for _ in range(2))
    assert shown.exit_code == 0, shown.output
    assert "7 orders" in shown.stdout
    assert all(each in shown.stdout for each in LOST)
    assert (again.exit_code, "is not empty" in again.stderr) == (2, True)


def test_a_store_is_rebuilt_into_an_empty_database_and_nodes_find_their_market_there(
    lived: Path, archived: Path, postgres: Postgres, tmp_path: Path
) -> None:
    store = {"WATTBOOK_STORE": postgres.new_schema()}
    data, again = tmp_path / "new", tmp_path / "again"
    with opened(lived) as original, served(original.chain) as url:
        options = ["--orders", str(archived), "--rpc", url]
        made, refused = (
            CliRunner().invoke(app, ["rebuild", *options, "--data", str(folder)], env=store)
            for folder in (data, tmp_path / "another")
        )
        assert made.exit_code == 0, made.output
        assert not DataFolder(data).store_file.exists()
        assert (refused.exit_code, "name an empty database" in refused.stderr) == (2, True)
        audited = CliRunner().invoke(app, ["audit", "--rpc", url, "--json"], env=store)
        assert (audited.exit_code, json.loads(audited.stdout)["findings"]) == (0, [])
    written = CliRunner().invoke(app, ["archive", str(again), "--data", str(data)], env=store)
    assert written.exit_code == 0, written.output
    assert contents(again) == contents(archived)


def contents(folder: Path) -> dict[str, str]:
    """All but when it was written."""
    manifest = ARCHIVE.manifest
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.name != manifest}


def copied(archived: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(archived, tmp_path / "archive"))


def sealed_again(folder: Path) -> Archive:
    """As by one who changed files and knows how archives are sealed."""
    (folder / ARCHIVE.manifest).unlink()
    ARCHIVE.seal(folder, made_at=0)
    return Archive(folder)


@contextmanager
def served(chain: DevChain | JsonRpcChain) -> Iterator[str]:
    assert isinstance(chain, DevChain)
    port = free_port()
    with running_server(create_app(chain), "127.0.0.1", port):
        yield f"http://127.0.0.1:{port}"
