"""What a transaction's earlier events say of certificates that its later ones, or its end, have to bear out."""

from abc import ABC, abstractmethod
from collections import Counter
from dataclasses import dataclass, field

from ledger.audit.calls import Calls
from ledger.audit.findings import Findings
from ledger.audit.guarantees import Guarantees, kind_of
from ledger.audit.history import Occurrence
from ledger.audit.model import Model
from ledger.audit.rulebook import Handler, Rulebook, Terms
from ledger.certificates.ids import CertificateKind


@dataclass
class TransactionNotes:
    """Shared by all rules for certificates; empty at the end of every honest transaction. Energy in Wh.

    Attributes:
        paid: debts paid for an issuance that is still to come, by device and slot.
        discharged: by id, what a storage was metered with, and what of it is to be issued.
        lots: by id, how many lots a storage's discharge took from.
        issued: by id, what it was issued for, until an event or the call says why.
        beyond: by id, what of it is more than its owner was delivered with, until a call says that it came late.
        handed: what was moved without its holder, by id, holder and receiver, until a certification says why.
        burnt: by id, what left circulation without a claim so far.
        matched: claims against consumption, by certificate and consumption.
        stored: lots without a claim so far, by storage and certificate.
        exported: by id, what was claimed for an export that is still to come.
    """

    transaction: bytes = b""
    paid: Counter[tuple[int, int]] = field(default_factory=Counter)
    discharged: dict[int, tuple[int, int]] = field(default_factory=dict)
    lots: dict[int, int] = field(default_factory=dict)
    issued: dict[int, int] = field(default_factory=dict)
    beyond: dict[int, int] = field(default_factory=dict)
    handed: Counter[tuple[int, bytes, bytes]] = field(default_factory=Counter)
    burnt: Counter[int] = field(default_factory=Counter)
    matched: Counter[tuple[int, int]] = field(default_factory=Counter)
    stored: Counter[tuple[int, int]] = field(default_factory=Counter)
    exported: Counter[int] = field(default_factory=Counter)

    def begin(self, transaction: bytes, findings: Findings) -> None:
        """Go on with a transaction, or begin the next one once the last is closed."""
        if transaction != self.transaction:
            self.close(findings)
            self.transaction = transaction

    def close(self, findings: Findings) -> None:
        """A transaction is over: nothing of it may be left open."""
        where = f"transaction 0x{self.transaction.hex()}"
        for id_ in self.issued:
            findings.require(
                "certificate.ground", f"certificate {id_:#x}, {where}", False, expected="a reason to issue it",
                found="none",
            )  # fmt: skip
        for id_, beyond_wh in self.beyond.items():
            is_consumption = kind_of(id_) == CertificateKind.CONSUMPTION
            findings.require(
                "certify.consumption" if is_consumption else "certify.generation", f"certificate {id_:#x}", False,
                expected="no more than its owner was metered with", found=f"{beyond_wh} Wh more",
            )  # fmt: skip
        for rule, left, what in (
            ("debt.paid", self.paid, "debts paid by an issuance"),
            ("lots.certified", self.discharged, "certificates of what was discharged"),
            ("certificate.mover", self.handed, "moves that a certification says"),
            ("claim.burnt", self.burnt, "a claim of whatever is retired"),
            ("lots.charge", self.stored, "a claim of whatever is stored"),
            ("export.claims", self.exported, "exports of what was claimed for one"),
        ):
            open_ = {key: each for key, each in left.items() if each}
            if open_:
                findings.require(rule, where, False, expected=what, found=open_)
        for notes in (
            self.paid, self.discharged, self.lots, self.issued, self.beyond, self.handed, self.burnt,
            self.matched, self.stored, self.exported,
        ):  # fmt: skip
            notes.clear()


class CertificateBook(Rulebook, ABC):
    """Rules for some events of the Certificates contract; all books of one audit share the notes."""

    def __init__(
        self, calls: Calls, terms: Terms, model: Model, findings: Findings, notes: TransactionNotes
    ) -> None:
        super().__init__(calls, terms, model, findings)
        self.notes = notes
        self.handlers = self.certificate_handlers()

    @abstractmethod
    def certificate_handlers(self) -> dict[str, Handler]:
        """The handlers by event name."""

    @property
    def guarantees(self) -> Guarantees:
        """Devices and certificates as they are so far."""
        return self.model.guarantees

    def apply(self, occurrence: Occurrence) -> None:
        """Check one event and let it take its effect on the model."""
        self.notes.begin(occurrence.transaction, self.findings)
        super().apply(occurrence)

    def check_lifetime(self, certificate: int, slot: int, occurrence: Occurrence) -> None:
        """Nothing happens to a certificate that is expired."""
        expires_at = slot + self.terms.certificate_lifetime_s
        self.findings.require(
            "certificate.expired", f"certificate {certificate:#x}", occurrence.timestamp < expires_at,
            expected=f"before {expires_at}", found=occurrence.timestamp,
        )  # fmt: skip
