"""No check of the contracts can go missing unnoticed: see `mutation.py`."""

import subprocess
import sys

import pytest

from tests.contracts.mutation import ROOT, Mutant, mutants, recorded_kills, witnesses

RECORD = "new checks need a test: python -m tests.contracts.mutation --record"


@pytest.fixture(scope="module")
def every_mutant() -> list[Mutant]:
    return mutants()


def test_each_check_has_a_test_that_noticed_when_it_was_gone(every_mutant: list[Mutant]) -> None:
    assert sorted(recorded_kills()) == sorted(mutant.name for mutant in every_mutant), RECORD


def test_no_check_is_overlooked(every_mutant: list[Mutant]) -> None:
    """Every line of the sources that can refuse is changed by a mutant."""
    changed = {(mutant.source, mutant.line) for mutant in every_mutant}
    for source in sorted((ROOT / "contracts").glob("*.vy")):
        for number, line in enumerate(source.read_text(encoding="utf-8").splitlines()):
            if line.strip().startswith(("assert ", "raise ", "ownable._check")):
                assert (source.name, number) in changed, f"{source.name}:{number + 1}"


def test_a_mutant_lacks_its_check_and_nothing_else(every_mutant: list[Mutant]) -> None:
    by_name = {mutant.name: mutant.text.strip() for mutant in every_mutant}
    closed = 'exchange.vy settle: assert state == 0 or state == PARTIAL, "exchange: slot closed"'
    assert by_name[closed] == "pass"
    assert by_name[f"{closed} without state == 0"] == 'assert (state == PARTIAL), "exchange: slot closed"'
    paid = 'escrow.vy withdraw: assert extcall CREDIT.transfer(msg.sender, amount), "escrow: transfer"'
    assert by_name[paid] == "extcall CREDIT.transfer(msg.sender, amount)"
    assert by_name['escrow.vy fill_posted: raise "escrow: not posted"'] == "return empty(uint256)"


def test_the_tests_that_name_a_reason_come_first() -> None:
    found = witnesses(["energy: exchange"])
    assert found[0].startswith("tests/contracts/test_energy.py::")
    assert len([test for test in found if "::" not in test]) > 20


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_no_check_can_be_removed_unnoticed() -> None:
    tried = subprocess.run(
        [sys.executable, "-m", "tests.contracts.mutation"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
