"""Starts the real `wattbook demo` in a process group of its own, and looks at what it left behind."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.audit.run import AuditReport
from ledger.devchain import DevChain
from ledger.eip712 import Domain
from ledger.jsonrpc import JsonRpcChain
from node.auditing import NodeAudit, audit_node
from node.datadir import DataFolder, Deployment
from node.store import Store

WATTBOOK = str(Path(sys.executable).with_name("wattbook"))

# Around noon, when homes have surpluses and the market trades.
FIRST_SLOT = 46

_PATIENCE_S = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(frozen=True)
class Demo:
    """One data folder and how its demo is started."""

    data: Path
    slots: int
    first_slot: int = FIRST_SLOT

    @property
    def command(self) -> list[str]:
        options = {
            "--data": self.data,
            "--port": free_port(),
            "--chain-port": free_port(),
            "--first-slot": self.first_slot,
            "--slots": self.slots,
        }
        return [WATTBOOK, "demo", "--exit", *(str(part) for option in options.items() for part in option)]

    def start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    def finish(self, timeout_s: float = 280) -> str:
        """Run to the end of the day and return what was printed."""
        process = self.start()
        output, _ = process.communicate(timeout=timeout_s)
        assert process.returncode == 0, output
        return output

    def states(self) -> dict[int, str]:
        """How far each slot is, read beside the running node; nothing before there is a store."""
        try:
            with closing(sqlite3.connect(f"file:{self.data / 'store.sqlite'}?mode=ro", uri=True)) as database:
                return dict(database.execute("SELECT slot, state FROM slots"))
        except sqlite3.OperationalError:
            return {}

    def run_and_kill(self, done: int, after_s: float) -> dict[int, str]:
        """Kill the node so long after `done` slots are certified; returns all slots' states then.

        The homes' process must notice by itself.
        """
        process = self.start()
        give_up_at = time.monotonic() + _PATIENCE_S
        try:
            while list(self.states().values()).count("certified") < done:
                assert process.poll() is None, process.communicate()[0]
                assert time.monotonic() < give_up_at
                time.sleep(0.02)
            time.sleep(after_s)
            assert process.poll() is None, "the day ended before the kill"
            states = self.states()
        except AssertionError:
            os.killpg(process.pid, signal.SIGKILL)
            raise
        process.kill()
        process.communicate()
        return states


@dataclass(frozen=True)
class Remains:
    """A stopped demo's chain and store, opened."""

    chain: DevChain | JsonRpcChain
    store: Store
    deployment: Deployment

    def audit(self) -> NodeAudit:
        return audit_node(self.chain, self.deployment.exchange, self.store, design=self.deployment.design)

    def report(self) -> AuditReport:
        return self.audit().chain


@contextmanager
def opened(data: Path, rpc_url: str | None = None) -> Iterator[Remains]:
    """What is in a data folder, and the chain there or at this URL."""
    folder = DataFolder(data)
    deployment = folder.deployment()
    assert deployment is not None
    chain = DevChain.open(folder.chain, clock=lambda: 0) if rpc_url is None else JsonRpcChain(rpc_url)
    store = Store(
        folder.store_url, domain=Domain(deployment.chain_id, deployment.exchange), market=deployment.market
    )
    try:
        yield Remains(chain, store, deployment)
    finally:
        store.close()
        chain.close()
