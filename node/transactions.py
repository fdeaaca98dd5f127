"""Members' own transactions: prepared for their keys to sign, taken signed, sent, and followed.

The node never signs for a member. It says what to sign; what comes back signed it sends if it calls one of our
contracts, and tells what became of it. A transaction can be handed in any number of times: its hash is its name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import rlp
from eth_account import Account
from eth_hash.auto import keccak
from eth_keys.exceptions import BadSignature
from rlp.exceptions import RLPException

from ledger.abi import Contract
from ledger.chain import CallRevertedError, Chain, Receipt, TransactionRefusedError
from ledger.hexcodec import from_data
from ledger.transactions import unsigned
from matching.errors import WattbookError
from node.clock import Clock
from node.reasons import in_words
from node.store import Store
from node.store.records import SentRecord

_DYNAMIC_FEE = 2
_FIELDS = 12
NONCE_TAKEN = "another transaction of its sender took its nonce"


class MalformedTransactionError(WattbookError):
    """The bytes are not a signed EIP-1559 transaction."""

    code = "transaction.malformed"


class ForeignTransactionError(WattbookError):
    """The transaction is for another chain, or does not call one of our contracts."""

    code = "transaction.foreign"


class UnknownTransactionError(WattbookError):
    """No such transaction was handed to this node."""

    code = "transaction.unknown"


class RefusedTransactionError(WattbookError):
    """The chain does not take the transaction."""

    code = "transaction.refused"


class TransactionState(StrEnum):
    """What has become of a transaction."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Followed:
    """A transaction and what has become of it.

    Attributes:
        block: the number of its block, once it is mined.
        reason: why it failed, in words; None unless it did.
    """

    record: SentRecord
    state: TransactionState
    block: int | None = None
    reason: str | None = None


class Transactions:
    """Prepares, takes and follows transactions to our contracts. Thread-safe."""

    def __init__(self, chain: Chain, contracts: Mapping[str, Contract], store: Store, clock: Clock) -> None:
        """Set up.

        Args:
            chain: where they are sent.
            contracts: those that may be called, by name.
            store: keeps what was taken.
            clock: tells when that was.
        """
        self._chain = chain
        self._contracts = {contract.address: (name, contract) for name, contract in contracts.items()}
        self._store = store
        self._clock = clock

    def prepare(self, sender: bytes, to: bytes, data: bytes) -> dict[str, object]:
        """A call for its sender to sign: the transaction's fields, its nonce after those that are on their way.

        Raises:
            CallRevertedError: the contract would refuse it as things are.
            ChainUnavailableError: the chain is out of reach.
        """
        nonce = self._chain.nonce(sender)
        taken = self._store.sent_nonces(sender, nonce)
        while nonce in taken:
            nonce += 1
        return unsigned(self._chain, sender, to=to, data=data, nonce=nonce)

    def take(self, raw: bytes) -> SentRecord:
        """Write a signed transaction down and send it.

        Raises:
            MalformedTransactionError: it is none.
            ForeignTransactionError: it is not for our contracts on this chain.
            RefusedTransactionError: the chain does not take it; nothing is kept of it.
            ChainUnavailableError: the chain is out of reach; it may have been sent, and may be handed in again.
        """
        record = self._decoded(raw)
        if self._store.sent(record.hash) is None:
            self._send(record)
        return self._store.add_sent(record)

    def follow(self, transaction_hash: bytes) -> Followed:
        """What has become of a transaction; one that the chain has forgotten is sent again.

        Raises:
            UnknownTransactionError: it was not handed to this node.
            ChainUnavailableError: the chain is out of reach.
        """
        record = self._store.sent(transaction_hash)
        if record is None:
            raise UnknownTransactionError(f"transaction 0x{transaction_hash.hex()} was not handed to this node")
        # The nonce before the receipt: what is mined in between is then not missed.
        is_nonce_used = self._chain.nonce(record.sender) > record.nonce
        receipt = self._chain.receipt(record.hash)
        if receipt is None and is_nonce_used:
            return Followed(record, TransactionState.FAILED, reason=NONCE_TAKEN)
        if receipt is None:
            return self._waiting(record)
        if receipt.succeeded:
            return Followed(record, TransactionState.CONFIRMED, receipt.block_number)
        reason = self._reason(record, receipt)
        return Followed(record, TransactionState.FAILED, receipt.block_number, reason)

    def _waiting(self, record: SentRecord) -> Followed:
        if self._chain.transaction(record.hash) is None:
            try:
                self._send(record)
            except RefusedTransactionError as error:
                return Followed(record, TransactionState.PENDING, reason=str(error))
        return Followed(record, TransactionState.PENDING)

    def _send(self, record: SentRecord) -> None:
        try:
            self._chain.send(record.raw)
        except TransactionRefusedError as error:
            if self._chain.transaction(record.hash) is None:
                raise RefusedTransactionError(
                    f"the chain does not take transaction 0x{record.hash.hex()}: {error.reason}"
                ) from error

    def _reason(self, record: SentRecord, receipt: Receipt) -> str:
        """Why a mined transaction failed: what its call answers on the state before its block."""
        transaction = self._chain.transaction(record.hash)
        if transaction is not None:
            try:
                self._chain.call(
                    record.to, transaction.input, sender=record.sender, block_number=receipt.block_number - 1
                )
            except CallRevertedError as error:
                return in_words(error.reason)
        return "it failed for what came before it in its block, or for too little gas"

    def _decoded(self, raw: bytes) -> SentRecord:
        fields = _fields(raw)
        chain_id, nonce = int.from_bytes(fields[0]), int.from_bytes(fields[1])
        to, value, data = fields[5], int.from_bytes(fields[6]), fields[7]
        if chain_id != self._chain.chain_id:
            raise ForeignTransactionError(
                f"transaction field 'chain_id' is {chain_id}: must be {self._chain.chain_id}"
            )
        if to not in self._contracts:
            names = ", ".join(f"{name} 0x{address.hex()}" for address, (name, _) in self._contracts.items())
            raise ForeignTransactionError(f"transaction field 'to' is 0x{to.hex()}: must be one of {names}")
        name, contract = self._contracts[to]
        try:
            contract.interface.decode_call(data)
        except KeyError as error:
            raise ForeignTransactionError(
                f"transaction field 'data' begins with 0x{data[:4].hex()}: {name} has no such function"
            ) from error
        if value:
            raise ForeignTransactionError(f"transaction field 'value' is {value}: our contracts take no ether")
        try:
            sender = from_data(Account.recover_transaction(raw))
        except (ValueError, TypeError, RLPException, BadSignature) as error:
            raise MalformedTransactionError(f"the transaction's signature does not hold: {error}") from error
        return SentRecord(keccak(raw), sender, nonce, to, raw, self._clock.now())


def _fields(raw: bytes) -> list[bytes]:
    """EIP-1559: a byte 2, then a list: chain id, nonce, two fees, gas, to, value, data, accesses and signature."""
    if not raw or raw[0] != _DYNAMIC_FEE:
        raise MalformedTransactionError("a transaction must be an EIP-1559 one, which begins with 0x02")
    try:
        fields: list[bytes] = rlp.decode(raw[1:])
    except RLPException as error:
        raise MalformedTransactionError(f"a transaction must be RLP: {error}") from error
    if len(fields) != _FIELDS or not all(isinstance(field, bytes) for field in fields[:8]):
        raise MalformedTransactionError(f"a transaction must have {_FIELDS} fields in their places")
    return fields
