"""A data folder is copied while its node settles slots, put back elsewhere, and goes on from there."""

import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner, Result

from ledger.devchain import DevChain
from matching.orders import Side
from node.auditing import audit_folder
from node.backup import MANIFEST, BackupError, DamagedBackupError, back_up, restore
from node.cli.main import app
from tests.system.demo import WATTBOOK, free_port
from tests.system.served import CONSUMER, OPENS_AT, SELLER, Served, wait_until_ready
from tests.system.street import SLOT

GATE, END = SLOT - 300, SLOT + 900


def wattbook(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


class Process:
    """`wattbook serve` with a chain of its own."""

    def __init__(self, data: Path) -> None:
        port, chain_port = free_port(), free_port()
        self.data = data
        self.url, self.rpc_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{chain_port}"
        command = [WATTBOOK, "serve", "--data", data, "--port", port, "--chain-port", chain_port]
        command += ["--stepped-from", OPENS_AT]
        self._process = subprocess.Popen(
            [str(each) for each in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        wait_until_ready(self.url, self._process)
        self.served = Served(self.url, (data / "operator-api-key").read_text(encoding="utf-8"))

    def audit(self) -> dict[str, Any]:
        result = wattbook("audit", "--rpc", self.rpc_url, "--data", self.data, "--json")
        assert result.exit_code == 0, result.output
        found: dict[str, Any] = json.loads(result.stdout)
        return found

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    node = Process(tmp_path_factory.mktemp("node") / "data")
    try:
        node.served.onboard()
        yield node
    finally:
        node.kill()


@pytest.fixture(scope="module")
def backup(running: Process, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made while the node settles a slot."""
    target = tmp_path_factory.mktemp("backups") / "backup"
    running.served.place(SELLER, Side.OFFER, 400, 100_000)
    running.served.place(CONSUMER, Side.BID, 400, 200_000)
    settling = threading.Thread(target=running.served.advance, args=(GATE,))
    settling.start()
    made = wattbook("backup", "--data", running.data, "--to", target)
    settling.join()
    assert made.exit_code == 0, made.stderr
    return target


def test_a_backup_that_was_made_while_its_node_ran_holds(backup: Path, tmp_path: Path) -> None:
    put_back = wattbook("restore", "--from", backup, "--data", tmp_path / "data")
    assert put_back.exit_code == 0, put_back.stderr
    with closing(DevChain.open(tmp_path / "data" / "chain", clock=lambda: GATE)) as chain:
        assert audit_folder(chain, tmp_path / "data").findings == ()


@pytest.mark.slow
def test_a_node_goes_on_from_a_backup_that_was_made_while_it_ran(
    running: Process, backup: Path, tmp_path: Path
) -> None:
    put_back = wattbook("restore", "--from", backup, "--data", tmp_path / "data")
    assert put_back.exit_code == 0, put_back.stderr
    node = Process(tmp_path / "data")
    try:
        # Whatever was in the backup of the settlement, the rest is done now, once.
        node.served.advance(GATE)
        assert node.served.api_key == running.served.api_key
        members = httpx.get(f"{node.url}/v1/members").json()
        assert members == httpx.get(f"{running.url}/v1/members").json()
        node.served.advance(END)
        for device in (1, 2):
            node.served.meter(device, 400)
        node.served.advance(END)
        assert httpx.get(f"{node.url}/v1/slots/{SLOT}").json()["state"] == "certified"
        audited = node.audit()
    finally:
        node.kill()
    assert (audited["findings"], audited["filled_orders"], audited["traded_wh"]) == ([], 2, 400)


def test_a_backup_is_its_owners_alone(backup: Path) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in backup.rglob("*") if path.is_file()}
    assert set(modes.values()) == {0o600}
    assert {"store.sqlite", "data.mdb", "deployment.json", "operator-api-key", MANIFEST} <= modes.keys()
    assert "node.lock" not in modes
    assert backup.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["store.sqlite", "chain/data.mdb", "deployment.json", "operator-api-key"])
def test_a_damaged_file_is_named_and_nothing_is_put_back(backup: Path, tmp_path: Path, name: str) -> None:
    broken, data = tmp_path / "broken", tmp_path / "data"
    shutil.copytree(backup, broken)
    content = bytearray((broken / name).read_bytes())
    content[len(content) // 2] ^= 1
    (broken / name).write_bytes(content)
    with pytest.raises(DamagedBackupError, match=f"file {name} is damaged"):
        restore(broken, data)
    (broken / name).unlink()
    with pytest.raises(DamagedBackupError, match=f"file {name} is missing"):
        restore(broken, data)
    assert list(tmp_path.iterdir()) == [broken]


def test_a_damaged_manifest_is_refused(backup: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(backup, broken)
    text = (broken / MANIFEST).read_text(encoding="utf-8")
    for damaged in (
        text[:-20],
        text.replace('"files"', '"file"'),
        text.replace("store.sqlite", "../store.sqlite"),
    ):
        (broken / MANIFEST).write_text(damaged, encoding="utf-8")
        with pytest.raises(DamagedBackupError, match=MANIFEST):
            restore(broken, tmp_path / "data")
    (broken / MANIFEST).write_text(text.replace('"format": 1', '"format": 2'), encoding="utf-8")
    with pytest.raises(BackupError, match="format 2: must be 1"):
        restore(broken, tmp_path / "data")


def test_neither_overwrites_anything(backup: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine", encoding="utf-8")
    with pytest.raises(BackupError, match="not empty"):
        restore(backup, tmp_path)
    with pytest.raises(BackupError, match="not empty"):
        back_up(backup, tmp_path, made_at=0)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_is_no_market_or_no_backup_is_refused_in_one_line(tmp_path: Path) -> None:
    refused = wattbook("backup", "--data", tmp_path / "nothing", "--to", tmp_path / "backup")
    assert (refused.exit_code, refused.stderr) == (
        1,
        f"error: {tmp_path / 'nothing'} holds no market: nothing to back up\n",
    )
    refused = wattbook("restore", "--from", tmp_path, "--data", tmp_path / "data")
    assert (refused.exit_code, refused.stderr) == (1, f"error: {tmp_path} is no backup: {MANIFEST} is missing\n")
