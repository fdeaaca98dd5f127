"""Certificates as the chain has them, kept up to date block by block."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ledger.certificates.history import CertificateHistory
from ledger.certificates.ids import CertificateKind
from ledger.certificates.occurrences import ChangedChainError
from ledger.certificates.selection import Part
from ledger.deployment import Contracts


class CertificateView:
    """The history of the chain's certificates at its head. Thread-safe.

    Nothing of it is stored: after a start, it is read anew; after a re-organisation, too.
    """

    def __init__(self, contracts: Contracts) -> None:
        self.contracts = contracts
        self._history = CertificateHistory()
        self._reading = threading.Lock()
        self._lifetime_s: int | None = None

    @contextmanager
    def history(self) -> Iterator[CertificateHistory]:
        """Everything up to the chain's head, which does not change until the block is left.

        Raises:
            ChainUnavailableError: the chain is out of reach.
        """
        with self._reading:
            try:
                self._history.read_on(self.contracts)
            except ChangedChainError:
                self._history = CertificateHistory()
                self._history.read_on(self.contracts)
            yield self._history

    @property
    def lifetime_s(self) -> int:
        """How long after its slot a certificate can be transferred and retired, seconds."""
        if self._lifetime_s is None:
            self._lifetime_s = self.contracts.certificates.read("lifetime_s")
        return self._lifetime_s

    def now(self) -> int:
        """The time that certificates expire by: the chain's head's, Unix seconds."""
        return self.contracts.certificates.chain.head().timestamp

    def is_expired(self, slot: int) -> bool:
        """Whether nothing can be issued, passed on or corrected of a slot any more."""
        return self.now() >= slot + self.lifetime_s

    def totals(self, account: bytes) -> tuple[int, int]:
        """Wh of certificates that an account may transfer or retire now, and that were retired in its name."""
        with self.history() as history:
            retired_wh = sum(
                record.claimed[account]
                for record in history.records.values()
                if record.id.kind is not CertificateKind.CONSUMPTION
            )
            usable = history.usable(account, now=self.now(), lifetime_s=self.lifetime_s)
            return sum(part.amount_wh for part in usable), retired_wh

    def usable(self, account: bytes) -> list[Part]:
        """What an account holds, and may transfer or retire now."""
        with self.history() as history:
            return self.usable_in(history, account)

    def usable_in(self, history: CertificateHistory, account: bytes) -> list[Part]:
        """The same, of a history that the caller looks at."""
        return history.usable(account, now=self.now(), lifetime_s=self.lifetime_s)
