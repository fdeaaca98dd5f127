"""The port to an EVM chain: what the ledger needs of one, and nothing more.

Two adapters implement it: `ledger.devchain` (the embedded development chain) and `ledger.jsonrpc` (any
JSON-RPC endpoint). Addresses are 20 raw bytes, hashes 32 raw bytes; hexadecimal appears only at the edges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from matching.errors import WattbookError

Address = bytes
Hash = bytes

ZERO_ADDRESS: Address = bytes(20)


class ChainError(WattbookError):
    """The chain, or the way to it, refused or failed."""

    code = "chain.error"


class ChainUnavailableError(ChainError):
    """The endpoint could not be reached, or its answer never came; the request may have taken effect."""

    code = "chain.unavailable"


class CallRevertedError(ChainError):
    """A call or a gas estimate reverted.

    Attributes:
        reason: the contract's reason string, e.g. `"exchange: paused"`; empty if it gave none.
    """

    code = "chain.reverted"

    def __init__(self, reason: str) -> None:
        super().__init__(f"reverted: {reason or 'no reason given'}")
        self.reason = reason


class TransactionRefusedError(ChainError):
    """The chain did not take the transaction: bad nonce, too little gas or funds, malformed, already known.

    Attributes:
        reason: the chain's own words.
    """

    code = "chain.refused"

    def __init__(self, reason: str) -> None:
        super().__init__(f"transaction refused: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Block:
    """A mined block's header, as far as we use it; `timestamp` in Unix seconds."""

    number: int
    hash: Hash
    parent_hash: Hash
    timestamp: int
    base_fee_wei: int
    gas_used: int
    transaction_hashes: tuple[Hash, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """An event as a contract emitted it; `log_index` counts within the block."""

    address: Address
    topics: tuple[Hash, ...]
    data: bytes
    block_number: int
    block_hash: Hash
    transaction_hash: Hash
    transaction_index: int
    log_index: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a mined transaction; `succeeded` is False if it reverted."""

    transaction_hash: Hash
    block_number: int
    block_hash: Hash
    succeeded: bool
    gas_used: int
    contract_address: Address | None
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction the chain knows; `block_number` is None while it waits to be mined."""

    hash: Hash
    sender: Address
    nonce: int
    to: Address | None
    input: bytes
    value_wei: int
    gas: int
    block_number: int | None


class Chain(Protocol):
    """An EVM chain. Every method may raise `ChainUnavailableError`."""

    @property
    def chain_id(self) -> int:
        """EIP-155 chain id."""

    def head(self) -> Block:
        """The newest mined block."""

    def block(self, number: int) -> Block | None:
        """The block with this number, or None if there is none (yet)."""

    def call(
        self, to: Address, data: bytes, *, sender: Address = ZERO_ADDRESS, block_number: int | None = None
    ) -> bytes:
        """Run a message call on the state after block `block_number` (default: the head), changing nothing.

        Raises:
            CallRevertedError: the contract refused.
        """

    def estimate_gas(self, to: Address | None, data: bytes, *, sender: Address) -> int:
        """Gas that the transaction would need on the head's state.

        Raises:
            CallRevertedError: the contract refused.
        """

    def nonce(self, address: Address, *, block_number: int | None = None) -> int:
        """How many transactions of `address` are in blocks up to `block_number` (default: the head).

        At the head that is the next one's nonce if none is pending.
        """

    def balance(self, address: Address) -> int:
        """Native balance in wei at the head."""

    def code(self, address: Address, *, block_number: int | None = None) -> bytes:
        """Contract code after block `block_number` (default: the head); empty for an ordinary account."""

    def send(self, raw: bytes) -> Hash:
        """Broadcast a signed transaction and return its hash.

        Raises:
            TransactionRefusedError: the chain did not take it.
        """

    def transaction(self, transaction_hash: Hash) -> Transaction | None:
        """The transaction, or None if the chain does not know it."""

    def receipt(self, transaction_hash: Hash) -> Receipt | None:
        """The receipt, or None while the transaction is not mined."""

    def logs(
        self,
        *,
        first_block: int,
        last_block: int,
        address: Address | Sequence[Address] | None = None,
        topics: Sequence[Hash | Sequence[Hash] | None] = (),
    ) -> list[Log]:
        """Events in blocks `first_block` to `last_block`, both included, in chain order.

        `topics[i]` restricts the i-th topic: a hash, any of several hashes, or None for anything, but it must be
        there.
        """


@runtime_checkable
class BulkReads(Protocol):
    """What a chain may offer besides, because many questions at once cost it little more than one.

    Whoever has many questions asks through `blocks`, `transactions` and `calls`, which do without.
    """

    def blocks(self, numbers: Sequence[int]) -> list[Block | None]:
        """As `Chain.block`, for each of these."""

    def transactions(self, hashes: Sequence[Hash]) -> list[Transaction | None]:
        """As `Chain.transaction`, for each of these."""

    def calls(self, calls: Sequence[tuple[Address, bytes]], *, block_number: int) -> list[bytes]:
        """As `Chain.call`, for each of these addresses and calldata, on the state after one block."""


def blocks(chain: Chain, numbers: Sequence[int]) -> list[Block | None]:
    """The blocks with these numbers, None for each that is not there."""
    if isinstance(chain, BulkReads):
        return chain.blocks(numbers)
    return [chain.block(number) for number in numbers]


def transactions(chain: Chain, hashes: Sequence[Hash]) -> list[Transaction | None]:
    """The transactions with these hashes, None for each that the chain does not know."""
    if isinstance(chain, BulkReads):
        return chain.transactions(hashes)
    return [chain.transaction(each) for each in hashes]


def calls(chain: Chain, requests: Sequence[tuple[Address, bytes]], *, block_number: int) -> list[bytes]:
    """What these calls (address, calldata) return on the state after a block.

    Raises:
        CallRevertedError: one of the contracts refused.
    """
    if isinstance(chain, BulkReads):
        return chain.calls(requests, block_number=block_number)
    return [chain.call(to, data, block_number=block_number) for to, data in requests]
