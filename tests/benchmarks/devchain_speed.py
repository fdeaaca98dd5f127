"""Milliseconds per transaction of the development chain, bare and behind eth-tester, beside eth-tester's own.

Run it with `python -m tests.benchmarks.devchain_speed`.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from eth_tester import EthereumTester, PyEVMBackend

from ledger.devchain import DevChain, LastingBackend
from ledger.hexcodec import to_data
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import bytecode, set_note

TRANSACTIONS = 200
ETH_TESTER_CHAIN_ID = 131277322940537
SOMEONE = b"\x99" * 20


def measure(name: str, send: Callable[[bytes], object], sender: Actor, notebook: bytes, chain_id: int) -> None:
    """Print the cost of plain transfers and of calls that store a word and log; nonce 0 made the notebook."""
    transfers = [
        sender.sign(SOMEONE, value=1, gas=21_000, nonce=1 + index, chainId=chain_id)
        for index in range(TRANSACTIONS)
    ]
    calls = [
        sender.sign(notebook, set_note(index, index), nonce=1 + TRANSACTIONS + index, chainId=chain_id)
        for index in range(TRANSACTIONS)
    ]
    figures = []
    for transactions in (transfers, calls):
        started = time.perf_counter()
        for raw in transactions:
            send(raw)
        figures.append((time.perf_counter() - started) / TRANSACTIONS * 1_000)
    print(f"{name:24} transfer {figures[0]:6.2f} ms   contract call {figures[1]:6.2f} ms")


def sending_by(tester: EthereumTester) -> Callable[[bytes], object]:
    """Send through eth-tester's interface."""
    return lambda raw: tester.send_raw_transaction(to_data(raw))


def main() -> None:
    """Measure the chain in memory, on disk and behind eth-tester, and eth-tester's own; all in one run."""
    with tempfile.TemporaryDirectory() as directory:
        for name, where in (("in memory", None), ("on disk, each synced", Path(directory))):
            chain = DevChain.open(where, clock=lambda: int(time.time()))
            sender = Actor(chain, chain.accounts[0])
            measure(name, chain.send, sender, sender.deploy(), chain.chain_id)
            chain.close()

    chain = DevChain.open(None, clock=lambda: int(time.time()))
    sender = Actor(chain, chain.accounts[0])
    lasting = EthereumTester(LastingBackend(chain))
    measure("in memory, by eth-tester", sending_by(lasting), sender, sender.deploy(), chain.chain_id)
    chain.close()

    tester = EthereumTester(PyEVMBackend())
    send = sending_by(tester)
    chain = DevChain.open(None, clock=lambda: int(time.time()))
    sender = Actor(chain, chain.accounts[0])
    notebook = sender.deploy()  # its address depends on sender and nonce only, so it is the same over there
    chain.close()
    funds = {"from": tester.get_accounts()[0], "to": to_data(sender.address), "value": 10**21, "gas": 21_000}
    tester.send_transaction(funds)
    send(sender.sign(None, bytecode(), nonce=0, chainId=ETH_TESTER_CHAIN_ID))
    measure("eth-tester, in memory", send, sender, notebook, ETH_TESTER_CHAIN_ID)


if __name__ == "__main__":
    main()
