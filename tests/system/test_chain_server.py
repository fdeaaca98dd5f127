"""`wattbook chain`: one process, one chain, whatever becomes of the process."""

import json
import random
import signal
import subprocess
import threading
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from eth_utils.address import to_checksum_address

from ledger.chain import ChainError, Receipt
from ledger.devchain import MNEMONIC, DevChain, dev_accounts
from ledger.devchain.transfer import export_state
from ledger.hexcodec import to_data
from ledger.jsonrpc import JsonRpcChain
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import NOTED, notes, set_note, word
from tests.system.chain_server import ChainServer, chain_command, running_chain, wait_for

START = 1_750_000_000
TIMES_KILLED = 50
CLIENTS = 4


def test_the_banner_tells_what_one_needs_to_attach(tmp_path: Path) -> None:
    with running_chain(tmp_path / "chain", "--accounts", "3", "--chain-id", "4242") as server:
        lines = server.banner.splitlines()
        with closing(JsonRpcChain(server.url)) as chain:
            assert chain.chain_id == 4_242
    for number, account in enumerate(dev_accounts(3)):
        assert f"({number}) {to_checksum_address(account.address)} (1000000.000000000000000000 ETH)" in lines
        assert f"({number}) {to_data(account.private_key)}" in lines
    assert not any(line.startswith("(3)") for line in lines)
    assert "4242" in lines
    for text in (MNEMONIC, "Everybody knows these accounts and their keys", str(tmp_path / "chain"), server.url):
        assert text in server.banner


def test_programs_are_told_in_json(tmp_path: Path) -> None:
    page = "https://example.org"
    command = chain_command(tmp_path, "--json", "--accounts", "1", "--cors-origin", page)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("\n}\n"):
            text += process.stdout.readline()
        told = json.loads(text)
        try:
            request = {"jsonrpc": "2.0", "id": 1, "method": "eth_accounts"}
            answer = httpx.post(told["url"], json=request, headers={"origin": page})
        finally:
            process.kill()
    (account,) = dev_accounts(1)
    assert told["chain_id"] == 31_337
    assert told["head"]["number"] == 0
    assert told["accounts"] == [
        {"address": to_checksum_address(account.address), "private_key": to_data(account.private_key)}
    ]
    assert answer.json()["result"] == [to_data(account.address)]
    assert answer.headers["access-control-allow-origin"] == page


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_asked_to_end_it_ends_cleanly_and_goes_on_from_there_the_next_time(tmp_path: Path, number: int) -> None:
    with running_chain(tmp_path, "--accounts", "2", "--chain-id", "5") as server:
        with closing(JsonRpcChain(server.url)) as chain:
            alice = Actor(chain, dev_accounts()[0])
            notebook = alice.deploy()
            receipt = alice.transact(notebook, set_note(1, 7))
            head = chain.head()
        server.process.send_signal(number)
        assert server.process.wait(timeout=30) == 0
        assert server.process.stdout is not None
        assert server.process.stdout.read() == ""
    with running_chain(tmp_path) as server, closing(JsonRpcChain(server.url)) as chain:
        assert chain.chain_id == 5
        assert chain.head() == head
        assert chain.receipt(receipt.transaction_hash) == receipt
        assert chain.call(notebook, notes(1)) == word(7)


def test_blocks_come_by_themselves_if_asked_for(tmp_path: Path) -> None:
    with running_chain(tmp_path, "--block-time", "0.1") as server, closing(JsonRpcChain(server.url)) as chain:
        Actor(chain, dev_accounts()[0]).transact(bytes(20), value=1)
        mined = chain.head().number
        wait_for(lambda: chain.head().number >= mined + 3)
        server.process.terminate()
        assert server.process.wait(timeout=30) == 0


def test_a_chain_begins_with_a_state_file_and_goes_on_from_there(tmp_path: Path) -> None:
    old, new, file = tmp_path / "old", tmp_path / "new", tmp_path / "state"
    with closing(DevChain.open(old, clock=lambda: START, accounts=dev_accounts(3))) as original:
        alice = Actor(original, dev_accounts()[0])
        notebook = alice.deploy()
        for note in range(5):
            alice.transact(notebook, set_note(note, note))
        head, logs = original.head(), original.logs(first_block=0, last_block=99, topics=[NOTED])
    export_state(old, file)
    assert len(logs) == 5
    with running_chain(new, "--import", str(file)) as server, closing(JsonRpcChain(server.url)) as chain:
        assert chain.head() == head
        assert chain.logs(first_block=0, last_block=99, address=notebook) == logs
        assert Actor(chain, dev_accounts()[2]).transact(notebook, set_note(9, 9)).succeeded


class Sender(threading.Thread):
    """A client that sends and remembers what it has seen mined, until the server is gone."""

    def __init__(self, url: str, number: int, notebook: bytes) -> None:
        super().__init__()
        self._url = url
        self._number = number
        self._notebook = notebook
        self.seen: list[Receipt] = []

    def run(self) -> None:
        try:
            with closing(JsonRpcChain(self._url, timeout_s=5)) as chain:
                actor = Actor(chain, dev_accounts()[self._number])
                while True:
                    self.seen.append(
                        actor.transact(self._notebook, set_note(self._number, len(self.seen) % 1_000))
                    )
        except ChainError:
            return


@pytest.mark.slow
def test_killed_time_and_again_under_load_it_keeps_every_transaction_whose_receipt_was_seen(
    tmp_path: Path,
) -> None:
    generator = random.Random(20261122)
    seen: list[Receipt] = []
    latest: list[Receipt] = []
    notebook = b""
    for _ in range(TIMES_KILLED):
        with running_chain(tmp_path) as server:
            with closing(JsonRpcChain(server.url)) as chain:
                _check_all_there(chain, latest)
                notebook = notebook or Actor(chain, dev_accounts()[0]).deploy()
            latest = _seen_until_killed(server, notebook, generator)
            seen += latest
    assert len(seen) >= TIMES_KILLED
    with running_chain(tmp_path) as server, closing(JsonRpcChain(server.url)) as chain:
        _check_all_there(chain, seen)
        _check_linked(chain)


def _seen_until_killed(server: ChainServer, notebook: bytes, generator: random.Random) -> list[Receipt]:
    """What several clients saw mined before the process died in the middle of their requests."""
    senders = [Sender(server.url, number, notebook) for number in range(1, CLIENTS + 1)]
    for sender in senders:
        sender.start()
    enough = generator.randrange(1, 60)
    wait_for(lambda: sum(len(sender.seen) for sender in senders) >= enough, patience_s=120)
    time.sleep(generator.uniform(0, 0.02))  # to be anywhere in the next ones
    server.process.kill()
    for sender in senders:
        sender.join(timeout=60)
        assert not sender.is_alive()
    return [receipt for sender in senders for receipt in sender.seen]


def _check_all_there(chain: JsonRpcChain, seen: list[Receipt]) -> None:
    for receipt in seen:
        assert chain.receipt(receipt.transaction_hash) == receipt
        block = chain.block(receipt.block_number)
        assert block is not None
        assert block.hash == receipt.block_hash
        found = chain.logs(first_block=receipt.block_number, last_block=receipt.block_number)
        assert tuple(found) == receipt.logs


def _check_linked(chain: JsonRpcChain) -> None:
    blocks = chain.blocks(range(chain.head().number + 1))
    for parent, block in pairwise(blocks):
        assert parent is not None
        assert block is not None
        assert block.parent_hash == parent.hash
