"""What `wattbook chain` refuses, and its state files."""

import os
import socket
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ledger.devchain import DevChain
from ledger.hexcodec import to_data
from node.cli.main import app

START = 1_750_000_000


def refusal(state_dir: Path, *options: str) -> str:
    """What is said, in one line, by the command that does not start."""
    ended = CliRunner().invoke(app, ["chain", "--state-dir", str(state_dir), "--port", "0", *options])
    assert ended.exit_code == 1, ended.output
    assert ended.stdout == ""
    (line,) = ended.stderr.splitlines()
    assert line.startswith("error: ")
    return line.removeprefix("error: ")


def begun(directory: Path) -> DevChain:
    return DevChain.open(directory, clock=lambda: START)


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refusal(tmp_path / "chain", "--port", port)
    assert said == f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert not (tmp_path / "chain").exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--port", "70000"], "port is 70000: must be 0 to 65535"),
        (["--port", "9" * 5_000], "must be 0 to 65535"),
        (["--port", "eight"], "port is 'eight': must be a number"),
        (["--port", "-1"], "port is '-1': must be a number"),
        (["--port", "²"], "must be a number"),
        (["--host", "nowhere.invalid"], "cannot listen on nowhere.invalid:0"),
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1:0"),
    ],
)
def test_an_address_that_cannot_be_listened_on_is_refused(tmp_path: Path, options: list[str], reason: str) -> None:
    assert reason in refusal(tmp_path / "chain", *options)
    assert not (tmp_path / "chain").exists()


def test_a_state_directory_that_is_in_use_is_refused(tmp_path: Path) -> None:
    state_file = tmp_path / "state"
    with closing(begun(tmp_path / "chain")):
        for options in ((), ("--export", str(state_file))):
            assert f"in use by process {os.getpid()}" in refusal(tmp_path / "chain", *options)
    assert not state_file.exists()


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--chain-id", "5"], "chain_id is 5: the chain in the directory has 31337"),
        (["--accounts", "3"], "accounts: 3 asked for"),
    ],
)
def test_an_existing_chain_is_not_another_one(tmp_path: Path, options: list[str], reason: str) -> None:
    begun(tmp_path).close()
    assert reason in refusal(tmp_path, *options)


def test_a_damaged_state_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.mdb").write_bytes(b"not a database" * 1_000)
    assert "cannot be opened" in refusal(tmp_path)


def test_the_chain_is_written_to_a_file_once_there_is_one(tmp_path: Path) -> None:
    state_dir, state_file = tmp_path / "chain", tmp_path / "state"
    options = ["chain", "--state-dir", str(state_dir), "--export", str(state_file)]
    assert "there is no chain" in refusal(state_dir, "--export", str(state_file))
    assert not state_dir.exists()
    assert not state_file.exists()
    with closing(begun(state_dir)) as chain:
        chain.mine(2)
        head = chain.head()
    ended = CliRunner().invoke(app, options)
    assert ended.exit_code == 0
    assert ended.stdout == f"Wrote 3 blocks, head {to_data(head.hash)}, to {state_file}\n"
    assert f"there is a chain in {state_dir} already" in refusal(state_dir, "--import", str(state_file))
    assert "no such file or directory" in refusal(state_dir, "--export", str(tmp_path / "nowhere" / "state"))


def test_a_file_that_holds_no_chain_is_refused_before_a_directory_is_made(tmp_path: Path) -> None:
    foreign, state_dir = tmp_path / "foreign", tmp_path / "chain"
    foreign.write_text("my favourite chain\n")
    assert "foreign or damaged" in refusal(state_dir, "--import", str(foreign))
    assert "no such file" in refusal(state_dir, "--import", str(tmp_path / "nothing"))
    assert not state_dir.exists()
