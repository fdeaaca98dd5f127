"""Claims: which of several nodes moves a market's slots on, so that it is never two.

All nodes of a market take its orders and show its slots. One has claimed it and acts on chain; when it ends, or
loses its connection to the database, the next one that asks has the claim. Were two to act all the same, for the
moment that a claim takes to be found lost, nothing would happen twice: steps are keyed by slot, on chain and in
the store.
"""

import fcntl
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Protocol, cast

from ledger.chain import Chain, Hash
from matching.errors import WattbookError
from node.store import Store
from node.store.session_lock import SessionLock

_PURPOSE = "moving slots on"


class NotClaimedError(WattbookError):
    """Another node has claimed the market, or this one has lost its claim: it does not act on chain.

    Attributes:
        retry_after_s: when to come back.
    """

    code = "node.not_claimed"
    retry_after_s = 5


class NodeInUseError(WattbookError):
    """Another process runs the node of this data folder."""

    code = "node.in_use"


class Claim(Protocol):
    """A market's claim, as one node sees it. Thread-safe."""

    def take(self) -> bool:
        """Whether it is this node's, taking it if it is nobody's.

        Raises:
            StoreUnavailableError: the store's database does not answer.
        """

    def is_held(self) -> bool:
        """Whether it is this node's still."""

    def holder(self) -> str | None:
        """The name of the node that has it, or None.

        Raises:
            StoreUnavailableError: the store's database does not answer.
        """

    def release(self) -> None:
        """Let it go."""


class SoleClaim:
    """The claim of the only node that there can be, as its store is a file."""

    def __init__(self, name: str) -> None:
        self._name = name

    def take(self) -> bool:
        """It is this node's."""
        return True

    def is_held(self) -> bool:
        """It is."""
        return True

    def holder(self) -> str | None:
        """This node."""
        return self._name

    def release(self) -> None:
        """Nothing to let go."""


class FolderLock:
    """Keeps every other process out of a data folder, until it is released or the process ends.

    Raises:
        NodeInUseError: another process has it.
    """

    def __init__(self, path: Path) -> None:
        self._file: IO[str] = path.open("a+", encoding="ascii")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._file.seek(0)
            holder = self._file.read().strip() or "unknown"
            self._file.close()
            raise NodeInUseError(
                f"{path.parent} is in use by process {holder}: two nodes need a store in PostgreSQL"
            ) from error
        self._file.truncate(0)
        self._file.write(str(os.getpid()))
        self._file.flush()

    def release(self) -> None:
        """Let the next one in."""
        self._file.close()


class Turn:
    """Whose turn it is to act on chain: one thread's at a time, and only while its node has claimed the market.

    Used as a context manager, which raises `NotClaimedError` if another node has.
    """

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._acting = threading.Lock()

    def __enter__(self) -> None:
        self._acting.acquire()
        is_ours = False
        try:
            is_ours = self._claim.take()
        finally:
            if not is_ours:
                self._acting.release()
        if not is_ours:
            raise NotClaimedError(f"the market is claimed by {self._claim.holder()}: only that node acts on chain")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._acting.release()


def claim_of(store: Store, name: str) -> Claim:
    """The claim of the store's market, not taken yet; `name` is the node's for the others to read."""
    return SessionLock(store, _PURPOSE, name) if store.is_shared else SoleClaim(name)


def claimed(chain: Chain, claim: Claim) -> Chain:
    """The chain, taking transactions only while the market is this node's."""
    return chain if isinstance(claim, SoleClaim) else cast("Chain", _ClaimedChain(chain, claim))


class _ClaimedChain:
    def __init__(self, chain: Chain, claim: Claim) -> None:
        self._chain = chain
        self._claim = claim

    def __getattr__(self, name: str) -> Any:
        return getattr(self._chain, name)  # all but sending is the chain's own

    def send(self, raw: bytes) -> Hash:
        """As `Chain.send`.

        Raises:
            NotClaimedError: the claim is lost.
        """
        if not self._claim.is_held():
            raise NotClaimedError("this node has lost its claim of the market: nothing was sent")
        return self._chain.send(raw)
