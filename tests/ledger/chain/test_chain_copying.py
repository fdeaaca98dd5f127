"""A chain's folder is copied as it is at one moment, whatever its process writes meanwhile."""

import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import lmdb
import pytest

from ledger.devchain.copying import copy_chain
from ledger.devchain.store import Store, Table

REPOSITORY = Path(__file__).parents[3]
MIB_AT_ONCE = 16
WRITER = f"""
import sys
from pathlib import Path
from ledger.devchain.store import Store, Table

store = Store(Path(sys.argv[1]))
for number, _ in enumerate(sys.stdin):
    with store.writing():
        store.put(Table.STATE, b"%d" % number, bytes({MIB_AT_ONCE} * 2**20))
    print("written", flush=True)
"""


def test_a_chain_that_grows_while_it_is_copied_is_copied_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "chain", tmp_path / "copy"
    target.mkdir()
    command = [sys.executable, "-c", WRITER, str(source)]
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as writer:

        def grow() -> None:
            assert writer.stdin
            assert writer.stdout
            writer.stdin.write("\n")
            assert writer.stdout.readline() == "written\n"

        opened = lmdb.open

        def open_and_grow(*arguments: Any, **options: Any) -> lmdb.Environment:
            environment = opened(*arguments, **options)
            grow()
            return environment

        grow()
        with monkeypatch.context() as patched:
            patched.setattr(lmdb, "open", open_and_grow)
            copy_chain(source, target)
        grow()
    with closing(Store(target)) as copy:
        assert [len(value) // 2**20 for _, value in copy.items(Table.STATE)] == [MIB_AT_ONCE] * 2
