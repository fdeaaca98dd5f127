"""Guarantees of origin on chain: their names, the steps and calls that move them, and their history."""

from ledger.certificates.certification import (
    MAX_ISSUANCES,
    MAX_MOVES,
    Certification,
    TooManyCertificatesError,
    token_id,
)

__all__ = ["MAX_ISSUANCES", "MAX_MOVES", "Certification", "TooManyCertificatesError", "token_id"]
