"""How look-ups, logs and sending on the development chain fare as it grows, at 100, 1,000 and 10,000 blocks.

Each block holds one call that stores two words and logs. Look-ups are of blocks and transactions from anywhere in
the chain; logs are searched in the whole chain, by an address and a topic that few blocks have, as many at every
length, and by an address in the last 100 blocks. Time is measured in the process and, for what a client asks,
over HTTP too.

Run it with `python -m tests.benchmarks.chain_growth`.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.devchain.store import DATABASE_FILE
from ledger.devchain.transfer import export_state
from ledger.jsonrpc import JsonRpcChain
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import CLEARED, NOTED, clear, set_note
from tests.ledger.chain.serving import served

LENGTHS = (100, 1_000, 10_000)
RARE = 10
"""How many blocks have the rare event, at every length."""

SAMPLES = 200
WARM_UP = 20
RARE_KEY = 7


@dataclass
class Growing:
    """A chain on disk, the sender of its transactions and the contract that they call."""

    chain: DevChain
    sender: Actor
    notebook: bytes
    generator: random.Random

    def grow(self, length: int) -> None:
        """Send calls until the head has this number."""
        nonce = self.chain.nonce(self.sender.address)
        for number in range(self.chain.head().number + 1, length + 1):
            data = set_note(1_000 + number, number % 999 + 1)
            self.chain.send(self.sender.sign(self.notebook, data, nonce=nonce))
            nonce += 1

    def transaction(self) -> bytes:
        """The hash of some transaction from anywhere."""
        block = self.chain.block(self.generator.randrange(1, self.chain.head().number + 1))
        assert block is not None
        return block.transaction_hashes[0]

    def number(self) -> int:
        """Some block's number."""
        return self.generator.randrange(1, self.chain.head().number + 1)


def median_ms(ask: Callable[[], object], samples: int = SAMPLES) -> float:
    """Median time of a question; what it asks about is chosen within."""
    times = []
    for sample in range(samples + WARM_UP):
        started = time.perf_counter()
        ask()
        if sample >= WARM_UP:
            times.append(time.perf_counter() - started)
    return statistics.median(times) * 1_000


def measured(growing: Growing) -> dict[str, float]:
    """Milliseconds by question, at the present length."""
    chain, notebook = growing.chain, growing.notebook
    head = chain.head().number
    numbers = iter([growing.number() for _ in range(SAMPLES + WARM_UP)])
    hashes = iter([growing.transaction() for _ in range(SAMPLES + WARM_UP)])
    figures = {
        "block by number": median_ms(lambda: chain.block(next(numbers))),
        "receipt by hash": median_ms(lambda: chain.receipt(next(hashes))),
        f"logs, {RARE} in the whole chain": median_ms(
            lambda: chain.logs(first_block=0, last_block=head, address=notebook, topics=[CLEARED])
        ),
        "logs, 100 latest blocks": median_ms(
            lambda: chain.logs(first_block=head - 99, last_block=head, address=notebook, topics=[NOTED]), 50
        ),
    }
    with served(create_app(chain)) as url, closing(JsonRpcChain(url)) as remote:
        over_http = iter([growing.transaction() for _ in range(SAMPLES + WARM_UP)])
        figures["receipt by hash, over HTTP"] = median_ms(lambda: remote.receipt(next(over_http)))
    nonce = iter(range(chain.nonce(growing.sender.address), 2**63))
    key = iter(range(10**9 + head * 1_000, 2**63))
    snapshot = chain.snapshot()
    sent = (growing.sender.sign(notebook, set_note(next(key), 1), nonce=next(nonce)) for _ in range(10**6))
    figures["send, synced to disk"] = median_ms(lambda: chain.send(next(sent)), 100)
    chain.revert(snapshot)
    return figures


def opened_ms(directory: Path) -> float:
    """Median time to open the chain."""

    def open_and_close() -> None:
        DevChain.open(directory, clock=lambda: int(time.time())).close()

    return median_ms(open_and_close, 10)


def table(rows: Sequence[str], columns: dict[int, dict[str, float]]) -> str:
    """Figures by length, and the last as a multiple of the first."""
    first, last = LENGTHS[0], LENGTHS[-1]
    lines = ["| | " + " | ".join(f"{length:,}" for length in LENGTHS) + " | ratio |"]
    lines.append("|---|" + "---:|" * (len(LENGTHS) + 1))
    for row in rows:
        figures = " | ".join(f"{columns[length][row]:,.2f}" for length in LENGTHS)
        lines.append(f"| {row} | {figures} | {columns[last][row] / columns[first][row]:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Grow one chain and measure it on the way."""
    columns: dict[int, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder, "chain")
        chain = DevChain.open(directory, clock=lambda: int(time.time()))
        sender = Actor(chain, chain.accounts[0])
        growing = Growing(chain, sender, sender.deploy(), random.Random(1))
        for _ in range(RARE):
            sender.transact(growing.notebook, set_note(RARE_KEY, 1))
            sender.transact(growing.notebook, clear(RARE_KEY))
        for length in LENGTHS:
            growing.grow(length)
            columns[length] = measured(growing)
            growing.chain.close()
            columns[length]["opening, ms"] = opened_ms(directory)
            columns[length]["database, MB"] = (directory / DATABASE_FILE).stat().st_size / 1e6
            export_state(directory, Path(folder, "state"))
            columns[length]["state file, MB"] = Path(folder, "state").stat().st_size / 1e6
            growing.chain = DevChain.open(directory, clock=lambda: int(time.time()))
            growing.sender.chain = growing.chain
        growing.chain.close()
    print("milliseconds, medians, by number of blocks\n")
    print(table(list(columns[LENGTHS[0]]), columns))


if __name__ == "__main__":
    main()
