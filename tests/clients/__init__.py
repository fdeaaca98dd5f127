"""viem, a client that other people write for wallets and web pages, and programs that use it on our chain.

`make clients` installs it with npm, at the versions and with the hashes that package-lock.json names.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.anvil import required

_INSTALLED = Path(__file__).parents[2] / ".tools/clients/node_modules"
_PATIENCE_S = 60

MISSING = "viem is not installed: 'make clients', for which node and npm are needed"


def run_with_viem(script: Path, **told: Any) -> Any:
    """What a script prints, which is JSON; it finds what it is told, as JSON too, in its first argument.

    Without node or viem the running test is skipped, or fails where they are required.
    """
    node = shutil.which("node")
    if node is None or not (_INSTALLED / "viem").is_dir():
        if required():
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    ended = subprocess.run(
        [node, str(script), json.dumps(told)],
        env=os.environ | {"NODE_PATH": str(_INSTALLED)},
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE_S,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout)
