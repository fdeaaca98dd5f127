"""`wattbook simulate` and `wattbook sweep`, as a user types them."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from node.cli.main import app
from simulation.sweep import ROWS, TABLE
from tests.simulation.small_scenario import COMMUNITY


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def community(tmp_path: Path) -> Path:
    file = tmp_path / "street.toml"
    file.write_text(COMMUNITY)
    return file


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_community_file_is_run_reported_and_summed_up(community: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("simulate", community, "--out", out)
    assert result.exit_code == 0, result.output
    assert "self-sufficiency" in result.output
    assert "33.3 %" in result.output
    assert "What the households save, compared with conventional" in result.output
    assert (out / "report.html").stat().st_size > 10**6
    assert (out / "plots" / "bills.png").exists()
    assert pq.read_table(out / "market" / "members.parquet").num_rows == 2 * 48


def test_for_programs_it_prints_the_indicators(community: Path, tmp_path: Path) -> None:
    arguments = ("--variant", "market", "--set", "utility.grid_fee=20000", "--json", "--out", tmp_path)
    rows = json.loads(run("simulate", community, *arguments).stdout)
    assert rows["market"]["traded_wh"] == 2 * 8 * 9
    assert rows["market"]["mean_price"] <= 200_000


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("simulate", "atlantis"), "scenario is 'atlantis': must be one of fontana, groene-mient"),
        (("simulate", "fontana", "--variant", "barter"), "variant is 'barter'"),
        (
            ("simulate", "fontana", "--from", "2025-01-01", "--days", "1"),
            "must be within 2016-08-01 to 2017-07-31",
        ),
        (("simulate", "nowhere.yaml"), "cannot be read"),
        (("sweep", "fontana", "--variant", "barter"), "variant is 'barter'"),
        (("sweep", "--plan", "nowhere.yaml"), "nowhere.yaml"),
        (("sweep", "fontana", "--dask", "tcp://127.0.0.1:1"), "no Dask scheduler answers"),
    ],
)
def test_a_refusal_is_one_line_on_standard_error_and_status_1(
    arguments: tuple[str, ...], reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("simulation.sweep.PATIENCE_S", 0.2)
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert reason in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_missing_package_is_named_with_what_to_install(community: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("simulation.report.plots"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = run("simulate", community)
    assert result.exit_code == 1
    assert "matplotlib.figure: pip install 'wattbook[simulation]'" in result.stderr


def test_a_setting_without_a_value_is_a_usage_error(community: Path) -> None:
    result = run("simulate", community, "--set", "utility.grid_fee")
    assert result.exit_code == 2
    assert "path=value" in result.stderr


@pytest.mark.slow
def test_a_killed_sweep_goes_on_and_ends_in_the_same_bytes(community: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    plan.write_text(
        f"scenarios: [{community}]\nvariants: [market]\nseeds: [0, 1, 2, 3]\n"
        "settings:\n  strategy: [ramps, zero-intelligence, truthful]\n  utility.grid_fee: [0, 10000]\n"
    )
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run("sweep", "--plan", plan, "--out", whole, "--workers", "2").exit_code == 0
    wattbook = Path(sys.executable).with_name("wattbook")
    command = [wattbook, "sweep", "--plan", plan, "--out", killed, "--workers", "1"]
    process = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 120
    while len(list((killed / ROWS).glob("*.json"))) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    result = run("sweep", "--plan", plan, "--out", killed, "--workers", "2")
    assert "24 of 24 tasks are done" in result.output
    assert (killed / TABLE).read_bytes() == (whole / TABLE).read_bytes()


@pytest.mark.slow
def test_a_settled_run_says_what_the_audit_found(tmp_path: Path) -> None:
    arguments = ("--variant", "market", "--from", "2017-06-16", "--days", "1", "--settle", "--out", tmp_path)
    result = run("simulate", "fontana", *arguments)
    assert result.exit_code == 0, result.output
    assert "settled market: 96 slots on chain, 96 certified" in result.output
    assert "found nothing wrong" in result.output
