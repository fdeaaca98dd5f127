"""A mined block as it is stored, and as the ledger sees it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import rlp
from eth.abc import BlockHeaderAPI, SignedTransactionAPI
from eth.vm.forks.paris.blocks import ParisBlockHeader
from eth.vm.forks.paris.transactions import ParisTransactionBuilder
from eth_hash.auto import keccak

from ledger.chain import Address, Block, Hash, Log, Receipt, Transaction

FIRST_RLP_LIST_BYTE = 0xC0
"""EIP-2718: an envelope that begins below it is typed, and its first byte is the type."""

SUCCEEDED = b"\x01"
"""EIP-658 status of a receipt."""


@dataclass(frozen=True, slots=True)
class Mined:
    """The one transaction of a block, its signer, and its receipt as the receipt trie holds it."""

    raw: bytes
    sender: Address
    receipt: bytes

    @property
    def hash(self) -> Hash:
        """Transaction hash."""
        return keccak(self.raw)

    @property
    def type_id(self) -> int:
        """EIP-2718 transaction type; 0 is a legacy transaction."""
        return 0 if self.raw[0] >= FIRST_RLP_LIST_BYTE else self.raw[0]

    def decode(self) -> SignedTransactionAPI:
        """The transaction's fields; its `.sender` would be recovered anew, so use ours."""
        return ParisTransactionBuilder.decode(self.raw)


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """A block: its header and its transaction, if it has one."""

    header: BlockHeaderAPI
    mined: Mined | None

    @property
    def base_fee_wei(self) -> int:
        """Base fee per gas."""
        return self.header.base_fee_per_gas or 0

    @property
    def size_bytes(self) -> int:
        """Length of the header and the transaction as encoded."""
        return len(rlp.encode(self.header)) + (0 if self.mined is None else len(self.mined.raw))

    def effective_gas_price_wei(self, transaction: SignedTransactionAPI) -> int:
        """What this block's transaction paid per gas: the base fee and the tip, capped (EIP-1559)."""
        return min(transaction.max_fee_per_gas, self.base_fee_wei + transaction.max_priority_fee_per_gas)

    def encode(self) -> bytes:
        """As stored."""
        mined = [] if self.mined is None else [self.mined.raw, self.mined.sender, self.mined.receipt]
        return bytes(rlp.encode([rlp.encode(self.header), *mined]))

    @classmethod
    def decode(cls, stored: bytes) -> "BlockRecord":
        """Inverse of `encode`."""
        header, *mined = rlp.decode(stored)
        return cls(rlp.decode(header, ParisBlockHeader), Mined(*mined) if mined else None)

    def block(self) -> Block:
        """The ledger's view of the header."""
        return Block(
            number=self.header.block_number,
            hash=self.header.hash,
            parent_hash=self.header.parent_hash,
            timestamp=self.header.timestamp,
            base_fee_wei=self.base_fee_wei,
            gas_used=self.header.gas_used,
            transaction_hashes=() if self.mined is None else (self.mined.hash,),
        )

    def transaction(self) -> Transaction | None:
        """The ledger's view of the transaction."""
        if self.mined is None:
            return None
        transaction = self.mined.decode()
        return Transaction(
            hash=self.mined.hash,
            sender=self.mined.sender,
            nonce=transaction.nonce,
            to=transaction.to or None,
            input=transaction.data,
            value_wei=transaction.value,
            gas=transaction.gas,
            block_number=self.header.block_number,
        )

    def receipt(self) -> Receipt | None:
        """The ledger's view of the receipt."""
        return None if self.mined is None else self.receipt_of(self.mined)

    def receipt_of(self, mined: Mined) -> Receipt:
        """The ledger's view of the receipt of this block's transaction."""
        transaction = mined.decode()
        created = None if transaction.to else created_address(mined.sender, transaction.nonce)
        return Receipt(
            transaction_hash=mined.hash,
            block_number=self.header.block_number,
            block_hash=self.header.hash,
            succeeded=_decode_receipt(mined.receipt)[0] == SUCCEEDED,
            gas_used=self.header.gas_used,
            contract_address=created,
            logs=tuple(self.logs()),
        )

    def logs(self) -> Iterator[Log]:
        """The block's events, in order."""
        if self.mined is None:
            return
        transaction_hash = self.mined.hash
        entries = cast(list[tuple[bytes, list[bytes], bytes]], _decode_receipt(self.mined.receipt)[3])
        for index, (address, topics, data) in enumerate(entries):
            yield Log(
                address=address,
                topics=tuple(topics),
                data=data,
                block_number=self.header.block_number,
                block_hash=self.header.hash,
                transaction_hash=transaction_hash,
                transaction_index=0,
                log_index=index,
            )


def signature_v(transaction: SignedTransactionAPI) -> int:
    """A legacy transaction's `v`: signature parity and chain id in one (EIP-155)."""
    return 35 + 2 * (transaction.chain_id or 0) + transaction.y_parity


def created_address(sender: Address, nonce: int) -> Address:
    """Address of the contract that `sender` creates with its transaction `nonce`."""
    return keccak(rlp.encode([sender, nonce]))[12:]


def _decode_receipt(receipt: bytes) -> list[object]:
    """Status, gas used, bloom filter and log entries of a receipt (EIP-2718, EIP-658)."""
    body = receipt if receipt[0] >= FIRST_RLP_LIST_BYTE else receipt[1:]
    return cast(list[object], rlp.decode(body))
