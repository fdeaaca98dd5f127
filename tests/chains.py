"""The chains that a test's world can live on: the embedded one in memory, and anvil; one clock moves either."""

import gzip
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Protocol

import pytest
from eth_typing import Address as EvmAddress

from ledger.chain import ZERO_ADDRESS, Address, Chain, Hash, Receipt
from ledger.devchain import DevChain, dev_accounts
from ledger.hexcodec import from_data, from_quantity, to_data, to_quantity
from ledger.jsonrpc import JsonRpcChain
from tests.anvil import installed, required, running_anvil

EMBEDDED, ANVIL = "embedded", "anvil"

_PATIENCE_S = 60


class WorldChain(Chain, Protocol):
    """A chain that gives back what a test did to it, and lets one reach what no honest number of calls would.

    The next block's time, which calls see too, is the clock's, or a second after the head's if that is later.
    """

    def snapshot(self) -> int:
        """Remember the present state; the number returned is for `revert`."""

    def revert(self, snapshot: int) -> None:
        """Forget every block and every snapshot since this one, and this one too."""

    def storage(self, address: Address, key: int) -> int:
        """A word of a contract's storage."""

    def set_storage(self, address: Address, key: int, value: int) -> None:
        """Overwrite it."""


class EmbeddedChain(DevChain):
    """The embedded chain, whose storage can be overwritten."""

    def set_storage(self, address: Address, key: int, value: int) -> None:
        state = self._evm.state_at(self._head)
        state.set_storage(EvmAddress(address), key, value)
        state.persist()
        self._adopt(self._head.copy(state_root=state.state_root))


class AnvilChain(JsonRpcChain):
    """anvil over JSON-RPC, told before each request what time it is."""

    def __init__(self, url: str, clock: Callable[[], int]) -> None:
        super().__init__(url)
        self._clock = clock

    def call(
        self, to: Address, data: bytes, *, sender: Address = ZERO_ADDRESS, block_number: int | None = None
    ) -> bytes:
        if block_number is not None:
            return super().call(to, data, sender=sender, block_number=block_number)
        self._tell_time()
        message = {"from": to_data(sender), "to": to_data(to), "data": to_data(data)}
        return from_data(self._execute("eth_call", message, "pending"))

    def estimate_gas(self, to: Address | None, data: bytes, *, sender: Address) -> int:
        self._tell_time()
        return super().estimate_gas(to, data, sender=sender)

    def send(self, raw: bytes) -> Hash:
        """Broadcast, and return when it is mined, as the embedded chain does, or waits for an earlier nonce."""
        self._tell_time()
        sent = super().send(raw)
        found = self.transaction(sent)
        if found is not None and found.nonce <= self.nonce(found.sender):
            mined(self, sent)
        return sent

    def snapshot(self) -> int:
        return from_quantity(self._request("evm_snapshot"))

    def revert(self, snapshot: int) -> None:
        assert self._request("evm_revert", to_quantity(snapshot))

    def storage(self, address: Address, key: int) -> int:
        return int.from_bytes(
            from_data(self._request("eth_getStorageAt", to_data(address), to_quantity(key), "latest"))
        )

    def set_storage(self, address: Address, key: int, value: int) -> None:
        word = to_data(value.to_bytes(32))
        assert self._request("anvil_setStorageAt", to_data(address), to_quantity(key), word)

    def mine(self, blocks: int) -> None:
        """Add empty blocks, the first of them now."""
        self._tell_time()
        self._request("anvil_mine", to_quantity(blocks))

    def replace_head(self, raws: Sequence[bytes]) -> None:
        """Let the last block be another one, with these transactions."""
        self._request("anvil_reorg", 1, [[to_data(raw), 0] for raw in raws])

    def stored_words(self) -> int:
        """How many words there are in the storage of all contracts."""
        dump = json.loads(gzip.decompress(from_data(self._request("anvil_dumpState"))))
        return sum(len(account["storage"]) for account in dump["accounts"].values())

    def _tell_time(self) -> None:
        self._request("evm_setNextBlockTimestamp", max(self._clock(), self.head().timestamp + 1))


def run_on_each_chain(metafunc: pytest.Metafunc) -> None:
    """A directory's `pytest_generate_tests`: whatever needs a world runs on each kind of chain that is asked for.

    The default suite runs them on the embedded chain, the slow one on anvil. Where anvil is neither installed nor
    required, a line at the top says so, instead of hundreds of skipped tests.
    """
    if "chain_kind" in metafunc.fixturenames:
        wanted = metafunc.config.getoption("chain")
        on_anvil = (pytest.param(ANVIL, marks=pytest.mark.slow),) if installed() or required() else ()
        kinds = (EMBEDDED, *on_anvil) if wanted == "both" else (wanted,)
        metafunc.parametrize("chain_kind", kinds, indirect=True, scope="session")


def mined(chain: Chain, transaction_hash: Hash) -> Receipt:
    """The receipt of a transaction that will be mined soon; anvil takes a few milliseconds."""
    give_up_at = time.monotonic() + _PATIENCE_S
    while (receipt := chain.receipt(transaction_hash)) is None:
        assert time.monotonic() < give_up_at, f"0x{transaction_hash.hex()} is not mined"
        time.sleep(0.001)
    return receipt


@contextmanager
def opened_chain(kind: str, clock: Callable[[], int], accounts: int) -> Iterator[WorldChain]:
    """A new chain of this kind, on which the first `accounts` development accounts own money."""
    if kind == ANVIL:
        with (
            running_anvil(accounts=accounts, timestamp=clock()) as url,
            closing(AnvilChain(url, clock)) as anvil,
        ):
            yield anvil
    else:
        with closing(EmbeddedChain.open(None, clock=clock, accounts=dev_accounts(accounts))) as embedded:
            assert isinstance(embedded, EmbeddedChain)
            yield embedded
