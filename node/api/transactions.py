"""`/v1/transactions`: members' own transactions, signed by them and sent by the node."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from node.api.fields import Address, Hash, Hexadecimal
from node.api.services import Parts
from node.transactions import Followed, TransactionState

router = APIRouter(prefix="/transactions", tags=["transactions"])

MAX_RAW_BYTES = 131_072
"""Longest transaction that the pools of common nodes take."""


class UnsignedOut(BaseModel):
    """A transaction for its sender to sign (EIP-1559, type 2), named as JSON-RPC does; fees in wei."""

    type: int
    chainId: int  # noqa: N815 - as wallets name it
    nonce: int
    gas: int
    maxPriorityFeePerGas: int  # noqa: N815 - the same
    maxFeePerGas: int  # noqa: N815 - the same
    value: int
    to: Address
    data: Annotated[bytes, Hexadecimal()]


class RawTransaction(BaseModel):
    """A signed transaction's bytes."""

    model_config = ConfigDict(extra="forbid", strict=True)

    raw: Annotated[bytes, Hexadecimal(most=MAX_RAW_BYTES)]


class TransactionOut(BaseModel):
    """A transaction and what has become of it; `reason` says why it failed, or why it still waits."""

    hash: Hash
    sender: Address
    to: Address
    nonce: int
    received_at: int
    state: TransactionState
    block: int | None
    reason: str | None


@router.post("", status_code=202)
def take_transaction(fields: RawTransaction, parts: Parts, response: Response) -> TransactionOut:
    """Send a signed transaction to one of our contracts; the same one again is harmless."""
    record = parts.transactions.take(fields.raw)
    response.headers["Location"] = f"/v1/transactions/0x{record.hash.hex()}"
    return _out(parts.transactions.follow(record.hash))


@router.get("/{transaction_hash}")
def read_transaction(transaction_hash: Hash, parts: Parts) -> TransactionOut:
    """One transaction that was handed to this node."""
    return _out(parts.transactions.follow(transaction_hash))


def unsigned_out(fields: dict[str, Any]) -> UnsignedOut:
    """A prepared transaction as the API shows it."""
    return UnsignedOut(**fields)


def _out(followed: Followed) -> TransactionOut:
    record = followed.record
    return TransactionOut(
        hash=record.hash,
        sender=record.sender,
        to=record.to,
        nonce=record.nonce,
        received_at=record.received_at,
        state=followed.state,
        block=followed.block,
        reason=followed.reason,
    )
