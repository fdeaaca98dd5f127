"""What a verification found; values only."""

from dataclasses import dataclass
from enum import StrEnum

from ledger.certificates.ids import CertificateId
from ledger.statements.files import Pages
from ledger.statements.signing import SignedStatement


class Outcome(StrEnum):
    """What a statement is worth."""

    VALID = "valid"
    """The chain says the same, to the last field."""
    CORRECTED = "corrected since"
    """It was right at its block; certificates that it counts have been withdrawn since."""
    FORGED = "forged"
    """It says something that the chain does not say, or nobody entitled signed it."""
    UNCHECKABLE = "cannot be checked"
    """The chain, or what can be read of it, does not allow a verdict."""

    @property
    def exit_status(self) -> int:
        """Of the command: 0, 3, 4 or 5."""
        return {Outcome.VALID: 0, Outcome.CORRECTED: 3, Outcome.FORGED: 4, Outcome.UNCHECKABLE: 5}[self]


@dataclass(frozen=True, slots=True)
class Correction:
    """One certificate that a statement counts and that was withdrawn after the statement's block; in Wh.

    Attributes:
        certificate: the one that was withdrawn.
        reason: the issuer's.
        issued_wh: what had been issued for it.
        successor: the certificate issued in its stead; None if none was yet.
        corrected_wh: what should have been issued, as far as it is known.
        shortfall_wh: what had been retired or gone beyond that, and is taken from the device's later generation.
        block, transaction: where it was withdrawn.
    """

    certificate: CertificateId
    reason: str
    issued_wh: int
    successor: CertificateId | None
    corrected_wh: int | None
    shortfall_wh: int | None
    block: int
    transaction: bytes


@dataclass(frozen=True, slots=True)
class Verdict:
    """A statement's worth, and why.

    Attributes:
        reasons: what is wrong, or what keeps it from being checked; empty if it is valid.
        corrections: what was corrected since, in chain order.
        signed: the statement, if the file holds one whose signature holds.
        pages: what the pages around it are worth; None without a statement.
        head: the block up to which corrections were looked for; None if it did not come to that.
    """

    outcome: Outcome
    reasons: tuple[str, ...] = ()
    corrections: tuple[Correction, ...] = ()
    signed: SignedStatement | None = None
    pages: Pages | None = None
    head: int | None = None
