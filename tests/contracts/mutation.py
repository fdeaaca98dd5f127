"""Removes every check of the contracts in turn, and looks for a test that notices.

A mutant is a contract with one check less: an `assert`, a `raise`, a call of a function that does nothing but
check, or one operand of an `and` or `or` in an `assert`. Which test failed on it last time stands in
`mutation_kills.json` and is tried first; only if that one passes, all others are, those that name the check's
reason before the rest.

    python -m tests.contracts.mutation [--record] [TEXT]

tries all mutants whose name contains the text, says which survive, and with `--record` writes down what failed.
"""

import argparse
import ast
import gc
import json
import multiprocessing
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TypeAlias

import hypothesis
import pytest

TESTS = Path(__file__).parent
ROOT = TESTS.parents[1]
SOURCES = ROOT / "contracts"
KILLS = TESTS / "mutation_kills.json"
WORKERS = os.cpu_count() or 1
# These fail on any other code, whatever it does, or are about the compilation itself.
NO_WITNESSES = {"test_artifacts.py", "test_gas.py", "test_mutations.py"}

# Imported before processes fork, so that not each of them needs the seconds that takes.
SLOW_TO_IMPORT = ("eth", "eth_tester", "snekmate", "vyper.compiler", "web3")

_GUARD_CALL = re.compile(r"(?:self|ownable)\.(_(?:check|require)\w*)\(.*\)")
_OWNER_REASON = "ownable: caller is not the owner"


@dataclass(frozen=True, slots=True)
class Mutant:
    """A source file with one check less.

    Attributes:
        name: file, function and the check, with the operand that is gone if it is only one.
        line: which line of the file it changes, counted from 0.
        text: what stands there instead.
        reasons: what the check says when it refuses.
    """

    name: str
    source: str
    line: int
    text: str
    reasons: tuple[str, ...]


Task: TypeAlias = tuple[Mutant, Sequence[str]]


# ------------------------------------------------------------------------------------------------ mutants


def mutants() -> list[Mutant]:
    """All of them, by file and line.

    Raises:
        ValueError: a check spans lines, or two have the same name.
    """
    found = [mutant for source in sorted(SOURCES.glob("*.vy")) for mutant in _mutants_of(source)]
    names = [mutant.name for mutant in found]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"two checks of one name: {sorted(twice)}")
    return found


def _mutants_of(source: Path) -> Iterator[Mutant]:
    lines = source.read_text(encoding="utf-8").splitlines()
    function, returned = "", ""
    for number, line in enumerate(lines):
        if line.startswith("def "):
            function = line.removeprefix("def ").partition("(")[0]
            returned = _returned(lines[number:])
        statement = line.strip()
        for what, changed, reasons in _changes(statement, lines, returned):
            name = f"{source.name} {function}: {what}"
            yield Mutant(name, source.name, number, line.replace(statement, changed), reasons)


def _returned(lines: Sequence[str]) -> str:
    """The type that the function whose definition starts here returns, or nothing."""
    head = lines[: 1 + next(place for place, line in enumerate(lines) if line.rstrip().endswith(":"))]
    found = re.search(r"-> (.+):$", head[-1])
    return found[1] if found else ""


def _changes(statement: str, lines: list[str], returned: str) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """What is removed from a statement, what is left, and with which reasons it refuses."""
    if statement.startswith("assert "):
        reasons = (statement.rpartition(", ")[2].strip('"'),)
        test = statement.removeprefix("assert ").rpartition(", ")[0]
        # A call that changes something is made, whatever it answers.
        yield statement, test if test.startswith("extcall ") else "pass", reasons
        for operand, changed in _without_an_operand(statement):
            yield f"{statement} without {operand}", changed, reasons
    elif statement.startswith("raise "):
        changed = f"return empty({returned})" if returned else "pass"
        yield statement, changed, (statement.removeprefix("raise ").strip('"'),)
    elif call := _GUARD_CALL.fullmatch(statement):
        yield statement, "pass", tuple(_reasons_in(call[1], lines)) or (_OWNER_REASON,)


def _without_an_operand(statement: str) -> Iterator[tuple[str, str]]:
    # Python reads an assertion of Vyper's once the words it does not know are blanked out.
    python = re.sub(r"\b(extcall|staticcall) ", lambda word: " " * len(word[0]), statement)
    for node in ast.walk(ast.parse(python)):
        if isinstance(node, ast.BoolOp):
            for gone in node.values:
                rest = [_text(statement, each) for each in node.values if each is not gone]
                joined = f" {'and' if isinstance(node.op, ast.And) else 'or'} ".join(rest)
                end = node.end_col_offset
                yield _text(statement, gone), f"{statement[: node.col_offset]}({joined}){statement[end:]}"


def _text(statement: str, node: ast.expr) -> str:
    return statement[node.col_offset : node.end_col_offset]


def _reasons_in(function: str, lines: Sequence[str]) -> Iterator[str]:
    inside = False
    for line in lines:
        if line.startswith(("def ", "@")):
            inside = line.startswith(f"def {function}(")
        if inside and line.strip().startswith("assert "):
            yield line.rpartition(', "')[2].rstrip('"')


# ------------------------------------------------------------------------------------------------ witnesses


def witnesses(reasons: Sequence[str]) -> list[str]:
    """All tests, as pytest takes them: the functions that name a reason, then their files, then the others."""
    functions: list[str] = []
    near: list[str] = []
    far: list[str] = []
    for path in sorted(TESTS.glob("test_*.py")):
        if path.name in NO_WITNESSES:
            continue
        file, statements = str(path.relative_to(ROOT)), _statements(path)
        named = [name for name, text in statements.items() if any(reason in text for reason in reasons)]
        (near if named else far).append(file)
        # A reason may stand in a table that the functions name.
        words = [*reasons, *(name for name in named if not name.startswith("test_"))]
        for name, text in statements.items():
            if name.startswith("test_") and "@given(" not in text and any(word in text for word in words):
                functions.append(f"{file}::{name}")
    return [*functions, *near, *far]


@cache
def _statements(path: Path) -> dict[str, str]:
    """The text of a file's functions, with their decorators, and of its constants, by their names."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    found = {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
            found[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Name):
                found[target.id] = "\n".join(lines[node.lineno - 1 : node.end_lineno])
    return found


class _FirstFailure:
    """A pytest plugin that remembers which test failed first."""

    test: str | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and self.test is None:
            self.test = report.nodeid


def first_failure(task: Task) -> tuple[Mutant, str | None]:
    """Which of the tests fails first on the mutant. For a process of its own, as it changes what is imported."""
    mutant, tests = task
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        copies = Path(shutil.copytree(SOURCES, Path(folder) / "contracts"))
        changed = copies / mutant.source
        lines = changed.read_text(encoding="utf-8").splitlines()
        lines[mutant.line] = mutant.text
        changed.write_text("\n".join(lines) + "\n", encoding="utf-8")
        # Read when our modules are imported, which nobody did before.
        os.environ["WATTBOOK_CONTRACTS"] = str(copies)
        from contracts.artifacts import artifacts

        gc.disable()  # The compiler makes much and throws little away: a fifth faster.
        artifacts()  # A mutant that does not compile is no mutant, and must not look like one that was noticed.
        gc.enable()
        # A failure is enough; nobody wants it small.
        hypothesis.settings.register_profile(
            "mutation", database=None, derandomize=True, phases=[hypothesis.Phase.generate]
        )
        hypothesis.settings.load_profile("mutation")
        failure = _FirstFailure()
        options = ["-x", "-q", "--chain", "embedded", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
        pytest.main([*options, *(str(ROOT / test) for test in tests)], plugins=[failure])
    return mutant, failure.test


# ------------------------------------------------------------------------------------------------ the whole


def recorded_kills() -> dict[str, str]:
    """The test that failed last time, by the mutant's name."""
    kills: dict[str, str] = json.loads(KILLS.read_text(encoding="utf-8")) if KILLS.exists() else {}
    return kills


def outcomes(wanted: Sequence[Mutant], kills: dict[str, str]) -> Iterator[tuple[Mutant, str | None]]:
    """Each mutant with a test that fails on it, if there is one; `kills` says which to try first."""
    unnoticed = [mutant for mutant in wanted if mutant.name not in kills]
    known = [(mutant, [kills[mutant.name]]) for mutant in wanted if mutant.name in kills]
    for mutant, failed in _tried(known):
        if failed:
            yield mutant, failed
        else:
            unnoticed.append(mutant)
    yield from _tried((mutant, witnesses(mutant.reasons)) for mutant in unnoticed)


def _tried(tasks: Iterable[Task]) -> Iterator[tuple[Mutant, str | None]]:
    """Each mutant with the test that failed on it, as they come."""
    fork = multiprocessing.get_context("fork")
    with fork.Pool(WORKERS, maxtasksperchild=1) as pool:
        yield from pool.imap_unordered(first_failure, tasks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Try mutants; the exit code says whether one survived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", action="store_true", help="write down which test noticed which mutant")
    parser.add_argument("text", nargs="?", default="", help="try only mutants with this in their name")
    options = parser.parse_args(arguments)
    for library in SLOW_TO_IMPORT:
        import_module(library)
    everything, kills = mutants(), recorded_kills()
    names = {mutant.name for mutant in everything}
    wanted = [mutant for mutant in everything if options.text in mutant.name]
    alive = 0
    for mutant, test in outcomes(wanted, dict(kills)):
        if test:
            kills[mutant.name] = test
        else:
            alive += 1
            kills.pop(mutant.name, None)
            print("survives:", mutant.name, flush=True)
        if options.record:
            _record({name: kills[name] for name in sorted(kills) if name in names})
    print(f"{alive} of {len(wanted)} mutants survive")
    return 1 if alive else 0


def _record(kills: dict[str, str]) -> None:
    KILLS.write_text(json.dumps(kills, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
