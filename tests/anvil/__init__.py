"""anvil, the second chain that tests run on: where its program is, and running it.

`make anvil` installs it with npm, at the version and with the hash that package-lock.json names: the program for
64-bit Linux on x86. On other machines, install the same version and name its program in `WATTBOOK_ANVIL`.
"""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAM = "WATTBOOK_ANVIL"
"""Environment variable: a program to use instead of the installed one."""

REQUIRED = "WATTBOOK_REQUIRE_ANVIL"
"""Environment variable: if set, tests fail for want of anvil that are otherwise skipped."""

_INSTALLED = Path(".tools/anvil/node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil")
_LISTENING = "Listening on "
_PATIENCE_S = 30


MISSING = f"anvil is not installed: 'make anvil', or name its program in {PROGRAM}"


def installed() -> bool:
    """Whether there is an anvil to run."""
    return _program().is_file()


def required() -> bool:
    """Whether tests may not do without."""
    return bool(os.environ.get(REQUIRED))


def _program() -> Path:
    return Path(os.environ.get(PROGRAM) or Path(__file__).parents[2] / _INSTALLED)


def _required_program() -> Path:
    """Without anvil, the running test is skipped, or fails where anvil is required."""
    if installed():
        return _program()
    if required():
        pytest.fail(MISSING)
    pytest.skip(MISSING)


@contextmanager
def running_anvil(
    *, accounts: int = 40, timestamp: int | None = None, options: tuple[str, ...] = ()
) -> Iterator[str]:
    """The URL of an anvil of one's own on a free port, of the age of the EVM that the contracts are compiled for.

    It mines each transaction soon and alone in a block, unless told otherwise.

    Args:
        accounts: how many of the development mnemonic's accounts own money.
        timestamp: time of the first block; default: now.
        options: further ones of the command line.
    """
    command = [
        str(_required_program()),
        *("--port", "0", "--hardfork", "london", "--chain-id", "31337"),
        *("--gas-limit", "100000000", "--accounts", str(accounts), "--balance", "1000000"),
        *(() if timestamp is None else ("--timestamp", str(timestamp))),
        *options,
    ]
    with tempfile.TemporaryDirectory() as directory:
        log = Path(directory, "log")
        with (
            log.open("w") as output,
            subprocess.Popen([*command, "--cache-path", directory], stdout=output, stderr=output) as process,
        ):
            try:
                yield f"http://{_address(process, log)}"
            finally:
                process.terminate()


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    """Host and port, as soon as it tells them."""
    give_up_at = time.monotonic() + _PATIENCE_S
    while True:
        _, told, rest = log.read_text().partition(_LISTENING)
        address, ended, _ = rest.partition("\n")
        if told and ended:
            return address
        assert process.poll() is None, f"anvil did not start: {log.read_text()}"
        assert time.monotonic() < give_up_at, f"anvil does not listen: {log.read_text()}"
        time.sleep(0.005)
