"""Claims of nodes whose store is a file; `tests.node.store.test_shared` has those of nodes that share one."""

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from node.claiming import FolderLock, NodeInUseError, SoleClaim, Turn

HOLD = """
import sys, time
from pathlib import Path
from node.claiming import FolderLock
lock = FolderLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_node_of_a_folder_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    lock = FolderLock(tmp_path / "node.lock")
    said = re.escape(f"{tmp_path} is in use by process {os.getpid()}: two nodes need a store in PostgreSQL")
    with pytest.raises(NodeInUseError, match=said):
        FolderLock(tmp_path / "node.lock")
    lock.release()
    FolderLock(tmp_path / "node.lock").release()


def test_a_node_that_was_killed_keeps_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "node.lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(NodeInUseError, match=str(holder.pid)):
            FolderLock(path)
        holder.kill()
    FolderLock(path).release()


def test_the_only_nodes_claim_is_its_own() -> None:
    claim = SoleClaim("here:8000")
    assert claim.take()
    assert claim.is_held()
    assert claim.holder() == "here:8000"
    claim.release()
    assert claim.take()


def test_it_is_one_threads_turn_at_a_time() -> None:
    turn, entered = Turn(SoleClaim("here")), threading.Event()

    def enter() -> None:
        with turn:
            entered.set()

    other = threading.Thread(target=enter)
    with turn:
        other.start()
        assert not entered.wait(0.2)
    other.join(30)
    assert entered.is_set()
