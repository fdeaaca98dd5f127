"""A chain in a directory survives whatever becomes of its process."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ledger.devchain import DevChain, dev_accounts
from ledger.devchain.errors import DirectoryInUseError, GenesisMismatchError, StorageFailedError
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import NOTED, notes, set_note, word

NOBODY = b"\x99" * 20
START = 1_750_000_000
REPOSITORY = Path(__file__).parents[3]


def open_chain(directory: Path, **options: object) -> DevChain:
    return DevChain.open(directory, **({"clock": lambda: START} | options))  # type: ignore[arg-type]


def test_a_reopened_chain_is_the_same_chain(tmp_path: Path) -> None:
    with closing(open_chain(tmp_path)) as chain:
        alice = Actor(chain, chain.accounts[0])
        notebook = alice.deploy()
        receipts = [alice.transact(notebook, set_note(1, note)) for note in (10, 11)]
        chain.advance_time(500)
        head, balance = chain.head(), chain.balance(alice.address)
    with closing(open_chain(tmp_path)) as chain:
        assert chain.head() == head
        assert chain.balance(alice.address) == balance
        assert [chain.receipt(receipt.transaction_hash) for receipt in receipts] == receipts
        assert chain.call(notebook, notes(1)) == word(11)
        assert chain.call(notebook, notes(1), block_number=receipts[0].block_number) == word(10)
        assert chain.logs(first_block=0, last_block=9, topics=[NOTED]) == [r.logs[0] for r in receipts]
        assert Actor(chain, chain.accounts[0]).transact(notebook, set_note(1, 12)).succeeded
        assert chain.head().number == head.number + 1
        assert chain.head().parent_hash == head.hash
        assert chain.head().timestamp == START + 500


def test_a_reverted_chain_stays_reverted(tmp_path: Path) -> None:
    with closing(open_chain(tmp_path)) as chain:
        snapshot = chain.snapshot()
        chain.mine(3)
        chain.revert(snapshot)
        chain.mine()
        head = chain.head()
    with closing(open_chain(tmp_path)) as chain:
        assert chain.head() == head
        assert head.number == 1


def test_a_reset_chain_stays_reset(tmp_path: Path) -> None:
    with closing(open_chain(tmp_path)) as chain:
        genesis = chain.head()
        Actor(chain, chain.accounts[0]).deploy()
        chain.advance_time(500)
        chain.reset()
        assert chain.head() == genesis
    with closing(open_chain(tmp_path)) as chain:
        assert chain.head() == genesis
        assert chain.nonce(chain.accounts[0].address) == 0
        chain.mine()
        assert chain.head().timestamp == START + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"chain_id": 5}, "chain_id is 5: the chain in the directory has 31337"),
        ({"genesis_timestamp": START + 1}, f"began at {START}"),
        ({"accounts": dev_accounts(3)}, "accounts"),
    ],
)
def test_a_directory_with_another_chain_is_refused(
    tmp_path: Path, options: dict[str, object], message: str
) -> None:
    open_chain(tmp_path).close()
    with pytest.raises(GenesisMismatchError, match=message):
        open_chain(tmp_path, **options)
    open_chain(tmp_path).close()  # the refusal let go of the directory


def test_a_reopened_chain_keeps_its_chain_id_and_accounts_unless_told_otherwise(tmp_path: Path) -> None:
    open_chain(tmp_path, chain_id=5, accounts=dev_accounts(3)).close()
    with closing(open_chain(tmp_path)) as chain:
        assert chain.chain_id == 5
        assert chain.accounts == dev_accounts(3)


def test_accounts_whose_keys_nobody_knows_must_be_given_again(tmp_path: Path) -> None:
    own = dev_accounts(5)[3:]
    open_chain(tmp_path, accounts=own).close()
    with pytest.raises(GenesisMismatchError, match="accounts: 2 asked for"):
        open_chain(tmp_path)
    with closing(open_chain(tmp_path, accounts=own)) as chain:
        assert chain.accounts == own


def test_a_directory_is_used_by_one_chain_at_a_time(tmp_path: Path) -> None:
    refused = pytest.raises(DirectoryInUseError, match=rf"{tmp_path} is in use by process {os.getpid()}")
    with closing(open_chain(tmp_path)), refused:
        open_chain(tmp_path)
    open_chain(tmp_path).close()


def test_another_process_cannot_use_the_directory_either(tmp_path: Path) -> None:
    script = f"""
import sys
from pathlib import Path
from ledger.devchain import DevChain
from ledger.devchain.errors import DirectoryInUseError
try:
    DevChain.open(Path({str(tmp_path)!r}), clock=lambda: {START})
except DirectoryInUseError as error:
    print(error)
"""
    with closing(open_chain(tmp_path)):
        result = subprocess.run(
            [sys.executable, "-c", script], cwd=REPOSITORY, capture_output=True, text=True, check=True
        )
    assert f"in use by process {os.getpid()}" in result.stdout


def test_chains_in_memory_are_independent_and_leave_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with (
        closing(DevChain.open(None, clock=lambda: START)) as one,
        closing(DevChain.open(None, clock=lambda: START)) as other,
    ):
        one.mine(2)
        assert (one.head().number, other.head().number) == (2, 0)
        assert list(tmp_path.iterdir()) == []


def test_a_full_database_refuses_the_block_and_keeps_all_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.devchain.store.MAP_SIZE_BYTES", 2**19)
    with closing(open_chain(tmp_path)) as chain:
        alice = Actor(chain, chain.accounts[0])
        fits = 0
        with suppress(StorageFailedError):
            while fits < 1_000:
                alice.send(NOBODY, b"\x01" * 1_000)
                fits += 1
        assert fits < 1_000
        head = chain.head()
        assert head.number == chain.nonce(alice.address) == fits > 0
    monkeypatch.undo()
    with closing(open_chain(tmp_path)) as chain:
        assert chain.head() == head
        assert Actor(chain, chain.accounts[0]).transact(NOBODY).block_number == head.number + 1


SENDING_SCRIPT = f"""
import sys
from pathlib import Path
from ledger.devchain import DevChain
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import set_note
chain = DevChain.open(Path(sys.argv[1]), clock=lambda: {START})
alice = Actor(chain, chain.accounts[0])
notebook = alice.deploy()
print(notebook.hex(), flush=True)
for note in range(1_000_000):
    print(alice.send(notebook, set_note(note, note % 1_000)).hex(), flush=True)
"""


@pytest.mark.parametrize("times", [1, pytest.param(8, marks=pytest.mark.slow)])
def test_a_process_killed_time_and_again_loses_nothing_it_has_confirmed(tmp_path: Path, times: int) -> None:
    generator = random.Random(20250601)
    confirmed: list[bytes] = []
    for _ in range(times):
        confirmed += _confirmed_until_killed(tmp_path, generator.uniform(0.02, 0.4))
        with closing(open_chain(tmp_path)) as chain:
            head = chain.head()
            assert head.number == chain.nonce(chain.accounts[0].address)
            for number in range(1, head.number + 1):
                block, parent = chain.block(number), chain.block(number - 1)
                assert block is not None
                assert parent is not None
                assert block.parent_hash == parent.hash
            for transaction_hash in confirmed:
                receipt = chain.receipt(transaction_hash)
                assert receipt is not None
                assert receipt.succeeded
                assert list(receipt.logs) == chain.logs(
                    first_block=receipt.block_number, last_block=receipt.block_number
                )
    assert len(confirmed) >= times


def _confirmed_until_killed(directory: Path, seconds: float) -> list[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", SENDING_SCRIPT, str(directory)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        _notebook, first = process.stdout.readline(), process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        lines = [first, *process.stdout.read().splitlines()]
    return [bytes.fromhex(line) for line in lines]
