"""Blocks that come by themselves."""

import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest

from ledger.devchain import DevChain
from ledger.devchain.errors import StorageFailedError
from ledger.devchain.heartbeat import mining_every
from tests.ledger.chain.actor import Actor

START = 1_750_000_000


def wait_until(condition: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(0.005)


def test_blocks_come_until_the_end(devchain: DevChain) -> None:
    with mining_every(devchain, 0.01):
        wait_until(lambda: devchain.head().number >= 3)
    ended_at = devchain.head()
    assert ended_at.transaction_hashes == ()
    time.sleep(0.05)
    assert devchain.head() == ended_at


def test_transactions_do_not_wait_for_them(devchain: DevChain) -> None:
    with mining_every(devchain, 3_600):
        Actor(devchain, devchain.accounts[0]).transact(bytes(20), value=1)
        assert devchain.head().number == 1


def test_a_full_disk_is_logged_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ledger.devchain.store.MAP_SIZE_BYTES", 2**19)
    with closing(DevChain.open(tmp_path, clock=lambda: START)) as chain:
        alice = Actor(chain, chain.accounts[0])
        with suppress(StorageFailedError):
            while True:
                alice.send(bytes(20), b"\x01" * 10_000)
        full_at = chain.head().number
        with mining_every(chain, 0.005):
            # An empty block or two may fit where a transaction did not.
            wait_until(lambda: caplog.text.count("no block could be mined") >= 2)
        assert chain.head().number >= full_at
