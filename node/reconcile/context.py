"""What every comparison needs: both sides, and where to note what differs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy.exc import SQLAlchemyError

from ledger.audit.findings import Findings
from ledger.audit.model import Model
from ledger.certificates.history import CertificateHistory
from ledger.chain import Chain, ChainUnavailableError
from ledger.deployment import Contracts
from ledger.eip712 import Domain
from ledger.keys import InvalidSignatureError, recover
from ledger.market import Market
from matching.errors import WattbookError
from node.design import Design
from node.store import Store

# What reading a damaged store may raise: the database's own errors; and, as its columns hold whatever is written
# into them, values that no enumeration, order or reading has, or of another type.
_UNREADABLE = (
    WattbookError,
    SQLAlchemyError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
)

T = TypeVar("T")


@dataclass(frozen=True)
class OnChain:
    """What the chain says of a market."""

    model: Model
    chain: Chain
    contracts: Contracts


@dataclass(frozen=True)
class Context(OnChain):
    """One store and one audited history of the same market.

    Attributes:
        last_block: the block that the audit of the chain ended with.
        history: of certificates and devices, up to that block.
    """

    store: Store
    last_block: int
    history: CertificateHistory
    domain: Domain
    market: Market
    design: Design
    findings: Findings

    def read(self, where: str, part: Callable[[], T]) -> T | None:
        """What a part of the store says, or None and a finding if it cannot be read.

        Raises:
            ChainUnavailableError: the chain is out of reach, which is not the store's fault.
        """
        try:
            return part()
        except ChainUnavailableError:
            raise
        except _UNREADABLE as error:
            self.findings.require("store.unreadable", where, False, expected="readable records", found=error)
            return None

    def check_signer(self, rule: str, where: str, expected: bytes, digest: bytes, signature: bytes) -> None:
        """Whether the signature of the digest is by the expected account."""
        try:
            found: object = recover(digest, signature)
        except InvalidSignatureError as error:
            found = error
        self.findings.check(rule, where, expected=expected, found=found)


def hexed(value: bytes) -> str:
    """Bytes as people read them."""
    return "0x" + value.hex()
