"""A step, the faults that can befall it, and what it comes to. For tests only."""

from collections.abc import Callable
from typing import Any

import rlp
from eth_hash.auto import keccak

from ledger.chain import (
    Chain,
    ChainUnavailableError,
    TransactionRefusedError,
)
from ledger.intents import Intent
from ledger.steps import Step, Stepper
from tests.ledger.journal import MemoryJournal
from tests.world import MARKET, SLOT, World


def committing(world: World, slot: int) -> Step:
    """The operator's step that commits an empty book."""
    exchange = world.exchange
    return Step(
        market=MARKET,
        slot=slot,
        name="commit",
        key=world.keys["operator"],
        to=exchange.address,
        event=exchange.interface.topic("BookCommitted"),
        is_done=lambda: exchange.read("books", MARKET, slot) != bytes(32),
        calldata=lambda: exchange.interface.call("commit_book", MARKET, slot, bytes(32), 0),
    )


class CrashError(Exception):
    """The process is killed here."""


Fault = Callable[[Chain, bytes], bytes]


class FaultyChain:
    """A real chain on which the next broadcasts go wrong in given ways, and then go right again."""

    def __init__(self, chain: Chain, *faults: Fault) -> None:
        self._chain = chain
        self._faults = list(faults)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    def send(self, raw: bytes) -> bytes:
        fault = self._faults.pop(0) if self._faults else send
        return fault(self._chain, raw)


def send(chain: Chain, raw: bytes) -> bytes:
    return chain.send(raw)


def crash_before_sending(_chain: Chain, _raw: bytes) -> bytes:
    raise CrashError


def crash_after_sending(chain: Chain, raw: bytes) -> bytes:
    chain.send(raw)
    raise CrashError


def lose_the_request(_chain: Chain, _raw: bytes) -> bytes:
    raise ChainUnavailableError("no answer")


def lose_the_reply(chain: Chain, raw: bytes) -> bytes:
    chain.send(raw)
    raise ChainUnavailableError("no answer")


def say_already_known(chain: Chain, raw: bytes) -> bytes:
    chain.send(raw)
    raise TransactionRefusedError("already known")


def refuse(_chain: Chain, _raw: bytes) -> bytes:
    raise TransactionRefusedError("txpool is full")


def say_underpriced(_chain: Chain, _raw: bytes) -> bytes:
    raise TransactionRefusedError("replacement transaction underpriced")


def leave_it_in_the_pool(_chain: Chain, raw: bytes) -> bytes:
    return keccak(raw)


FAULTS = (
    crash_before_sending,
    crash_after_sending,
    lose_the_request,
    lose_the_reply,
    say_already_known,
    refuse,
    say_underpriced,
    leave_it_in_the_pool,
)


class Case:
    """One step, an intent journal that survives, and a new stepper for each life of the process."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.journal = MemoryJournal()
        self.key = world.keys["operator"]
        self.before = world.chain.snapshot()
        self.first_nonce = world.chain.nonce(self.key.address)
        world.close_gate(SLOT + 1_800)

    def step(self, slot: int = SLOT) -> Step:
        return committing(self.world, slot)

    def run(self, *faults: Fault, slot: int = SLOT, patience_s: float = 0.0) -> None:
        chain: Chain = FaultyChain(self.world.chain, *faults)
        Stepper(chain, self.journal, patience_s=patience_s).run(self.step(slot))

    def effects(self) -> list[int]:
        """The slots whose book was committed, once for each time."""
        head = self.world.chain.head().number
        events = self.world.exchange.events(["BookCommitted"], first_block=0, last_block=head)
        return [event.arguments["slot"] for event in events]

    def nonces_used(self) -> int:
        return self.world.chain.nonce(self.key.address) - self.first_nonce

    def spend_the_nonce(self) -> None:
        self.world.act(self.key, "void", MARKET, SLOT // 900 * 900 - 900 * (1_000 + self.nonces_used()))


def fees(intent: Intent) -> tuple[int, int]:
    """The priority fee and the most it pays, both per gas."""
    assert intent.raw_transaction is not None
    _, _, tip, fee, *_ = rlp.decode(intent.raw_transaction[1:])
    return int.from_bytes(tip), int.from_bytes(fee)


def assert_done_once(case: Case, *, transactions: int = 1) -> None:
    assert case.effects() == [SLOT]
    assert case.nonces_used() == transactions
    (done,) = case.journal.confirmed
    assert done.is_final
    assert case.journal.unfinished() == []
