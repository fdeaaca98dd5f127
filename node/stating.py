"""Stating: makes and signs statements from the chain, and keeps them."""

from collections.abc import Sequence
from functools import cached_property

from ledger.deployment import Contracts
from ledger.keys import Key
from ledger.statements.building import Words
from ledger.statements.making import make
from ledger.statements.model import Kind, Scope
from ledger.statements.signing import SignedStatement, StatementKey, endorse, opened, public_key_of, sign
from ledger.statements.verdict import Verdict
from ledger.statements.verification import verify
from matching.errors import WattbookError
from node.clock import Clock
from node.store import Store


class UnknownStatementError(WattbookError):
    """No statement with this digest was made here."""

    code = "statement.unknown"


class Stating:
    """Makes statements for everybody who asks: they say nothing that the chain does not say. Thread-safe.

    Args:
        secret: the Ed25519 key that signs, 32 bytes; the issuer endorses it.
        confirmations: how many blocks back a statement is made, so that no re-organisation takes its block away.
    """

    def __init__(
        self,
        *,
        contracts: Contracts,
        store: Store,
        clock: Clock,
        issuer: Key,
        secret: bytes,
        confirmations: int,
    ) -> None:
        self._contracts = contracts
        self._store = store
        self._clock = clock
        self._issuer = issuer
        self._secret = secret
        self._confirmations = confirmations

    def make(self, kind: Kind, scope: Scope, revealed: Sequence[Words] = ()) -> SignedStatement:
        """Make, sign and keep a statement.

        Raises:
            InvalidStatementError: scope and kind do not go together.
            CannotStateError: there is nothing to state or too much, or the chain does not say what is needed.
            ChainUnavailableError: the chain is out of reach.
        """
        head = self._contracts.devices.chain.head().number
        block = max(head - self._confirmations, 0)
        signed = sign(make(self._contracts, kind, scope, block=block, revealed=revealed), self._key)
        self._store.add_statement(signed.digest, signed.token, self._clock.now())
        return signed

    def statement(self, digest: bytes) -> SignedStatement:
        """A statement that was made here.

        Raises:
            UnknownStatementError: none of this digest was.
        """
        record = self._store.statement(digest)
        if record is None:
            raise UnknownStatementError(f"no statement 0x{digest.hex()} was made here")
        return opened(record.jws.encode())

    def verify(self, digest: bytes) -> Verdict:
        """What a statement that was made here is worth now, by the chain alone.

        Raises:
            UnknownStatementError: none of this digest was made here.
        """
        token = self.statement(digest).token.encode()
        return verify(token, self._contracts.devices.chain, exchange=self._contracts.exchange.address)

    @cached_property
    def _key(self) -> StatementKey:
        devices = self._contracts.devices
        endorsement = endorse(
            self._issuer,
            public_key_of(self._secret),
            chain_id=devices.chain.chain_id,
            devices=devices.address,
        )
        return StatementKey(self._secret, endorsement)
