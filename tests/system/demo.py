"""Starts the real `wattbook demo` in a process group of its own, and looks at what it left behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.audit.run import AuditReport
from ledger.devchain import DevChain
from ledger.eip712 import Domain
from node.auditing import NodeAudit, audit_node
from node.datadir import DataFolder, Deployment
from node.store import Store

WATTBOOK = str(Path(sys.executable).with_name("wattbook"))

# Around noon, when homes have surpluses and the market trades.
FIRST_SLOT = 46


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

    def run_and_kill(self, after_s: float) -> bool:
        """Kill the node, not its helper process, that long after its start; False if it had ended by then."""
        process = self.start()
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return True
        finally:
            # The homes' process must notice by itself; this only keeps a failing test from leaving it behind.
            if process.returncode is None:
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == 0, process.communicate()[0]
        return False


@dataclass(frozen=True)
class Remains:
    """A stopped demo's chain and store, opened."""

    chain: DevChain
    store: Store
    deployment: Deployment

    def audit(self) -> NodeAudit:
        return audit_node(self.chain, self.deployment.exchange, self.store)

    def report(self) -> AuditReport:
        return self.audit().chain


@contextmanager
def opened(data: Path) -> Iterator[Remains]:
    folder = DataFolder(data)
    deployment = folder.deployment()
    assert deployment is not None
    chain = DevChain.open(folder.chain, clock=lambda: 0)
    store = Store(
        folder.store_url, domain=Domain(deployment.chain_id, deployment.exchange), market=deployment.market
    )
    try:
        yield Remains(chain, store, deployment)
    finally:
        store.close()
        chain.close()
