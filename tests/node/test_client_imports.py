"""What a program loads that only talks to a node."""

import subprocess
import sys


def test_a_client_loads_nothing_of_the_nodes_store() -> None:
    command = [sys.executable, "-c", "import sys, node.client; print(*sys.modules)"]
    loaded = set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
    assert {"node.client", "node.answers"} <= loaded
    assert {"sqlalchemy", "alembic", "node.store"}.isdisjoint(loaded)
