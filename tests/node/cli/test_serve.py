"""What `wattbook serve` is told."""

import subprocess
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from ledger.deployment import attach
from ledger.jsonrpc import JsonRpcChain
from ledger.validators import Validators, read_validators
from node.cli.main import app
from tests.system.demo import WATTBOOK, free_port
from tests.system.served import wait_until_ready

ONE, TWO = "0x" + "11" * 20, "0x" + "22" * 20


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--validators", f"{ONE},{TWO}", "--approvals", "3"], "must be 1 to 2"),
        (["--validators", f"{ONE},{TWO}"], "must be 1 to 2"),
        (["--approvals", "1"], "must be 0"),
        (["--validators", f"{ONE},{ONE}", "--approvals", "1"], "the same address twice"),
        (["--validators", "0x11", "--approvals", "1"], "40 hexadecimal digits"),
        (["--validators", ",".join(f"0x{n:040x}" for n in range(1, 18)), "--approvals", "1"], "at most 16"),
        (["--market", "é" * 17], "must be at most 32 bytes"),
        (["--rpc", "example"], "must be an http:// or https:// URL"),
        (["--proxy-headers", "foo"], "foo is not an IP address"),
        (["--keystore", "nowhere"], "nowhere is not a folder of keys"),
    ],
)
def test_what_a_market_cannot_have_is_refused_before_anything_is_made_or_asked(
    options: list[str], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    data = tmp_path / "data"
    result = CliRunner().invoke(app, ["serve", "--data", str(data), *options])
    assert result.exit_code == 2
    assert reason in result.stderr
    assert not data.exists()


def test_a_new_market_has_the_validators_that_it_was_given(tmp_path: Path) -> None:
    port, chain_port = free_port(), free_port()
    options = {"--data": tmp_path, "--port": port, "--chain-port": chain_port, "--approvals": 1}
    parts = [str(part) for option in options.items() for part in option]
    command = [WATTBOOK, "serve", *parts, "--validators", f"{TWO}, {ONE}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            wait_until_ready(f"http://127.0.0.1:{port}", process)
            market = httpx.get(f"http://127.0.0.1:{port}/v1/market").json()
            with closing(JsonRpcChain(f"http://127.0.0.1:{chain_port}")) as chain:
                contracts = attach(chain, bytes.fromhex(market["exchange"][2:]))
                found = read_validators(contracts, bytes.fromhex(market["id"][2:]))
        finally:
            process.kill()
    assert found == Validators((bytes.fromhex(ONE[2:]), bytes.fromhex(TWO[2:])), 1)
    again = subprocess.run([*command[:-1], ONE], capture_output=True, text=True, check=False, timeout=60)
    assert again.returncode == 1
    assert "holds a market with 2 validators, 1 of them needed" in again.stderr
