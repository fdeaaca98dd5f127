"""Failpoints: the moments at which a node can be made to die, to show that nothing is lost whenever it does.

Between two writes to the store or sends to the chain a node changes nothing that lasts. So a node that was killed
at each of `POINTS` was killed at every moment that differs. `WATTBOOK_FAILPOINT=store.record_settled` makes a
process kill itself (SIGKILL) when it is about to commit that write for the first time; with `:3` behind the name,
for the third time. At `send.…` a transaction is signed and written down, but not sent; at `sent.…` it is sent, and
nothing knows of it. Unless the variable is set, the store and the chain are used as they are.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from typing import Any, cast

from eth_hash.auto import keccak
from sqlalchemy import Connection

from ledger.chain import Chain, Hash
from ledger.eip712 import Domain
from ledger.intents import Intent, IntentRecord
from matching.errors import WattbookError
from node.store import Store
from node.store.database import Section

VARIABLE = "WATTBOOK_FAILPOINT"

_OF_STEPS = ("store.record_intent", "send", "sent", "store.note_intent")
"""What happens to the transaction of a step, in this order."""


def _of(step: str) -> tuple[str, ...]:
    return tuple(f"{point}.{step}" for point in _OF_STEPS)


POINTS = (
    "store.add_orders",
    "store.cancel_orders",
    "store.ensure_slot",
    "store.close_slot",
    *_of("commit"),
    "store.record_committed",
    "store.note_posted",
    "store.record_clearing",
    *_of("settle"),
    "store.record_settled",
    *_of("void"),
    "store.record_voided",
    "store.awaited_from",
    "store.add_reading",
    *_of("deliver"),
    "store.record_delivered",
    *_of("certify"),
    "store.record_certified",
    *_of("anchor"),
    "store.note_anchored",
    "store.tell_certificates",
    "store.add_correction",
    "store.note_correction_of",
    *_of("withdraw"),
    *_of("reissue"),
    "store.close_correction",
    *_of("decide"),
    *_of("issue"),
)
"""Every write and send of a slot's life, from its first order to what is requested afterwards, in their order."""

_WRITES = tuple(point.split(".")[1] for point in POINTS if point.startswith("store."))


class UnknownFailpointError(WattbookError):
    """`WATTBOOK_FAILPOINT` names no failpoint, or no number of times."""

    code = "node.failpoint"


class Failpoint:
    """Counts the points that are reached, and kills this process at one of them. Thread-safe.

    Args:
        name: one of `POINTS`.
        number: how often it must be reached, from 1.
    """

    def __init__(self, name: str, number: int) -> None:
        self.reached: Counter[str] = Counter()
        self._name = name
        self._number = number
        self._counting = threading.Lock()

    def reach(self, point: str) -> None:
        """Note that a point is reached; does not return if it is the one."""
        with self._counting:
            self.reached[point] += 1
            if (point, self.reached[point]) == (self._name, self._number):
                os.kill(os.getpid(), signal.SIGKILL)


def failpoint_of(text: str | None) -> Failpoint | None:
    """The failpoint that the variable names, as `name` or `name:number`; None if it is not set.

    Raises:
        UnknownFailpointError: there is no such failpoint.
    """
    if not text:
        return None
    name, _, number = text.partition(":")
    if name not in POINTS or not (number or "1").isdecimal() or number == "0":
        raise UnknownFailpointError(
            f"{VARIABLE} is {text}: must be one of {', '.join(POINTS)}, with :2 for the second time and so on"
        )
    return Failpoint(name, int(number or "1"))


NO_POINT = "another write"
"""What a failpoint counts writes as that are none."""

_write_under_way: ContextVar[str] = ContextVar("the write under way", default=NO_POINT)


class FailingStore(Store):
    """A store that reaches its failpoints, each when all of its write is done but the commit."""

    def __init__(self, url: str, *, domain: Domain, market: bytes, failpoint: Failpoint) -> None:
        self.failpoint = failpoint
        super().__init__(url, domain=domain, market=market)

    @contextmanager
    def _write(self, within: Section | None = None) -> Iterator[Connection]:
        with super()._write(within) as connection:
            yield connection
            self.failpoint.reach(_write_under_way.get())


def _named(name: str) -> Callable[..., Any]:
    write = getattr(Store, name)

    @wraps(write)
    def named(self: FailingStore, *arguments: Any, **more: Any) -> Any:
        before = _write_under_way.set(_point(name, arguments))
        try:
            return write(self, *arguments, **more)
        finally:
            _write_under_way.reset(before)

    return named


def _point(name: str, arguments: tuple[object, ...]) -> str:
    match arguments:
        case (Intent() as intent,) | (IntentRecord(intent=intent),):
            return f"store.{name}.{_kind(intent)}"
    return f"store.{name}"


def _kind(intent: Intent) -> str:
    """The intent's step, whichever chunk, certificate or day it is about."""
    return intent.step.partition("-")[0]


for _name in dict.fromkeys(_WRITES):
    setattr(FailingStore, _name, _named(_name))


class _FailingChain:
    """A chain that reaches failpoints before and after it takes a transaction of a step."""

    def __init__(self, chain: Chain, store: FailingStore) -> None:
        self._chain = chain
        self._store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)

    def send(self, raw: bytes) -> Hash:
        """As `Chain.send`."""
        sent = keccak(raw)
        intents = (record.intent for record in self._store.unfinished())
        kind = next(_kind(intent) for intent in intents if intent.transaction_hash == sent)
        self._store.failpoint.reach(f"send.{kind}")
        transaction_hash = self._chain.send(raw)
        self._store.failpoint.reach(f"sent.{kind}")
        return transaction_hash


def opened_store(url: str, *, domain: Domain, market: bytes) -> Store:
    """The store, with its failpoints if the environment names one.

    Raises:
        UnknownFailpointError: there is no such failpoint.
        ForeignStoreError: see `Store`.
    """
    failpoint = failpoint_of(os.environ.get(VARIABLE))
    if failpoint is None:
        return Store(url, domain=domain, market=market)
    return FailingStore(url, domain=domain, market=market, failpoint=failpoint)


def for_steps(chain: Chain, store: Store) -> Chain:
    """The chain as steps use it, with its failpoints if the store has some."""
    if not isinstance(store, FailingStore):
        return chain
    return cast("Chain", _FailingChain(chain, store))  # all else is the chain's own
