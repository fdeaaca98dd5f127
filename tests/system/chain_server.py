"""`wattbook chain` in a process of its own."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

WATTBOOK = str(Path(sys.executable).with_name("wattbook"))
LISTENING = "Listening on "


@dataclass(frozen=True)
class ChainServer:
    """A running one: where it is, what it said at its start, and its process."""

    url: str
    banner: str
    process: subprocess.Popen[str]


def chain_command(state_dir: Path, *options: str) -> list[str]:
    return [WATTBOOK, "chain", "--state-dir", str(state_dir), "--port", "0", *options]


@contextmanager
def running_chain(state_dir: Path, *options: str) -> Iterator[ChainServer]:
    """On a free port; killed in the end, unless it has ended by then."""
    with subprocess.Popen(
        chain_command(state_dir, *options), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield _started(process)
        finally:
            process.kill()


def wait_for(condition: Callable[[], bool], patience_s: float = 30) -> None:
    """Wait until it is true."""
    give_up_at = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def _started(process: subprocess.Popen[str]) -> ChainServer:
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(LISTENING):
            address = line.removeprefix(LISTENING).strip()
            return ChainServer(f"http://{address}", "".join(lines), process)
    raise AssertionError("".join(lines))
