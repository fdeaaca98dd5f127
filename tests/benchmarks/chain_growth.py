"""How look-ups, logs and sending on the development chain fare as it grows, at 100, 1,000 and 10,000 blocks.

Each block holds one call that stores a word and logs. Look-ups are of blocks and transactions from anywhere in the
chain. Logs are searched in the whole chain, by the contract's address and a topic that few blocks have, as many at
every length; and in the 100 blocks that came last. The three chains are asked in turns, so that whatever else the
machine does slows all of them alike.

Run it with `python -m tests.benchmarks.chain_growth`; it takes a few minutes, most of them for the blocks.
"""

import random
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path

from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.devchain.store import DATABASE_FILE
from ledger.devchain.transfer import export_state, import_state
from ledger.jsonrpc import JsonRpcChain
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import CLEARED, NOTED, clear, set_note
from tests.ledger.chain.serving import served

LENGTHS = (100, 1_000, 10_000)
RARE = 10
"""How many blocks have the rare event, at every length."""

RARE_KEY = 7
SAMPLES = 200
WARM_UP = 20

Question = Callable[[], Callable[[], object]]
"""Chooses what to ask about, which is not timed, and returns what asks."""

Figures = dict[str, dict[int, float]]
"""By row and by length."""


def now() -> int:
    return int(time.time())


def grown_chains(folder: Path) -> Iterator[tuple[int, Path]]:
    """One chain as it grows: each length, and a copy of its directory."""
    directory = folder / "growing"
    for length in LENGTHS:
        with closing(DevChain.open(directory, clock=now)) as chain:
            sender = Actor(chain, chain.accounts[0])
            if chain.head().number == 0:
                notebook = sender.deploy()
                for _ in range(RARE):
                    sender.send(notebook, set_note(RARE_KEY, 1))
                    sender.send(notebook, clear(RARE_KEY))
            for number in range(chain.head().number + 1, length + 1):
                chain.send(sender.sign(notebook, set_note(1_000 + number, 1), nonce=number - 1))
        shutil.copytree(directory, folder / str(length))
        yield length, folder / str(length)


def questions(chain: DevChain, remote: JsonRpcChain) -> Mapping[str, Question]:
    """What is asked of each chain."""
    generator, sender = random.Random(1), Actor(chain, chain.accounts[0])
    length = chain.head().number
    (rare,) = {log.address for log in chain.logs(first_block=0, last_block=length, topics=[CLEARED])}

    def some_number() -> int:
        return generator.randrange(1, length + 1)

    def some_transaction() -> bytes:
        block = chain.block(some_number())
        assert block is not None
        return block.transaction_hashes[0]

    def signed() -> bytes:
        return sender.sign(rare, set_note(10**9 + generator.randrange(10**9), 1))

    search = partial(chain.logs, address=rare)
    return {
        "block by number": lambda: partial(chain.block, some_number()),
        "transaction by hash": lambda: partial(chain.transaction, some_transaction()),
        "receipt by hash": lambda: partial(chain.receipt, some_transaction()),
        "receipt by hash, over HTTP": lambda: partial(remote.receipt, some_transaction()),
        f"{RARE} logs in the whole chain": lambda: partial(
            search, first_block=0, last_block=length, topics=[CLEARED]
        ),
        "logs of 1 block": lambda: partial(
            search, first_block=(block := some_number()), last_block=block, topics=[NOTED]
        ),
        "logs of the last 100 blocks": lambda: partial(
            search, first_block=length - 99, last_block=length, topics=[NOTED]
        ),
        "send, synced to disk": lambda: partial(chain.send, signed()),
    }


def in_turns(asked: Mapping[int, Question]) -> dict[int, float]:
    """Median milliseconds by length."""
    times: dict[int, list[float]] = {length: [] for length in asked}
    for _ in range(SAMPLES + WARM_UP):
        for length, question in asked.items():
            ask = question()
            started = time.perf_counter()
            ask()
            times[length].append(time.perf_counter() - started)
    return {length: statistics.median(each[WARM_UP:]) * 1_000 for length, each in times.items()}


def opening(directories: Mapping[int, Path]) -> dict[int, float]:
    """Median milliseconds to open each chain and close it again."""

    def open_and_close(directory: Path) -> None:
        DevChain.open(directory, clock=now).close()

    return in_turns(
        {length: partial(partial, open_and_close, directory) for length, directory in directories.items()}
    )


def on_disk(folder: Path, directories: Mapping[int, Path]) -> Figures:
    """Sizes in MB of databases and state files, and seconds to write and to read such a file."""
    rows: Figures = {name: {} for name in ("database, MB", "state file, MB", "export, s", "import, s")}
    for length, directory in directories.items():
        state = folder / f"state-{length}"
        started = time.perf_counter()
        export_state(directory, state)
        exported = time.perf_counter()
        import_state(state, folder / f"imported-{length}")
        rows["import, s"][length] = time.perf_counter() - exported
        rows["export, s"][length] = exported - started
        rows["state file, MB"][length] = state.stat().st_size / 1e6
        rows["database, MB"][length] = (directory / DATABASE_FILE).stat().st_size / 1e6
    return rows


def measured(directories: Mapping[int, Path]) -> Figures:
    """Milliseconds by question."""
    with ExitStack() as stack:
        asked: dict[int, Mapping[str, Question]] = {}
        for length, directory in directories.items():
            chain = stack.enter_context(closing(DevChain.open(directory, clock=now)))
            url = stack.enter_context(served(create_app(chain)))
            asked[length] = questions(chain, stack.enter_context(closing(JsonRpcChain(url))))
        return {
            name: in_turns({length: found[name] for length, found in asked.items()}) for name in asked[LENGTHS[0]]
        }


def table(rows: Figures) -> str:
    """Figures by length, and the last as a multiple of the first."""
    lines = ["| | " + " | ".join(f"{length:,}" for length in LENGTHS) + " | ratio |"]
    lines.append("|---|" + "---:|" * (len(LENGTHS) + 1))
    for name, figures in rows.items():
        shown = " | ".join(f"{figures[length]:,.2f}" for length in LENGTHS)
        lines.append(f"| {name} | {shown} | {figures[LENGTHS[-1]] / figures[LENGTHS[0]]:.2f} |")
    return "\n".join(lines)


def main() -> None:
    """Grow a chain and ask it at each of its lengths."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        directories = dict(grown_chains(folder))
        rows = on_disk(folder, directories)
        rows = {"opening": opening(directories)} | measured(directories) | rows
    print("milliseconds, medians, by number of blocks\n")
    print(table(rows))


if __name__ == "__main__":
    main()
