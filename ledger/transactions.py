"""Building and signing transactions, and waiting for them."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import rlp
from eth_account import Account
from eth_hash.auto import keccak

from ledger.chain import Address, Chain, ChainError, Hash, Receipt
from ledger.keys import Key

PRIORITY_FEE_WEI = 10**9
# Fees may double six times over, block after block, before a waiting transaction is priced out.
_FEE_HEADROOM = 64
# The state may change between estimate and inclusion; unused gas is not paid for.
_GAS_HEADROOM_PERCENT = 120
_TRANSFER_GAS = 21_000
POLL_S = 0.2
"""How often a chain is asked whether something has happened."""
PATIENCE_S = 120.0
"""How long to wait for a broadcast transaction to be mined, unless told otherwise."""


class FeeTooHighError(ChainError):
    """The chain asks for more than we are ready to pay for a unit of gas; it may ask for less later."""

    code = "chain.fee_too_high"


class NotMinedError(ChainError):
    """A transaction was broadcast and not mined in time; it still may be."""

    code = "chain.not_mined"


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """A transaction ready to be broadcast, any number of times: its hash and nonce make it happen once."""

    raw: bytes
    hash: Hash
    nonce: int


def build(
    chain: Chain,
    key: Key,
    *,
    to: Address | None,
    data: bytes,
    nonce: int | None = None,
    value_wei: int = 0,
    max_fee_wei: int | None = None,
) -> SignedTransaction:
    """Sign an EIP-1559 transaction; `to` None creates a contract; the nonce defaults to the key's next one.

    `max_fee_wei` is the most it may pay for a unit of gas; None for as much as it takes.

    Raises:
        CallRevertedError: it would revert on the head's state.
        FeeTooHighError: the chain asks for more.
    """
    nonce = chain.nonce(key.address) if nonce is None else nonce
    fields = unsigned(chain, key.address, to=to, data=data, nonce=nonce, value_wei=value_wei)
    return sign(key, _capped(chain, fields, max_fee_wei))


def unsigned(
    chain: Chain, sender: Address, *, to: Address | None, data: bytes, nonce: int, value_wei: int = 0
) -> dict[str, object]:
    """The fields of an EIP-1559 transaction for its sender to sign, as JSON-RPC names them.

    Raises:
        CallRevertedError: it would revert on the head's state.
    """
    gas = _TRANSFER_GAS
    if data or to is None:
        gas = chain.estimate_gas(to, data, sender=sender) * _GAS_HEADROOM_PERCENT // 100
    fields: dict[str, object] = {
        "type": 2,
        "chainId": chain.chain_id,
        "nonce": nonce,
        "gas": gas,
        "maxPriorityFeePerGas": PRIORITY_FEE_WEI,
        "maxFeePerGas": chain.head().base_fee_wei * _FEE_HEADROOM + PRIORITY_FEE_WEI,
        "value": value_wei,
        "data": data,
    }
    if to is not None:
        fields["to"] = to
    return fields


def outbid(chain: Chain, key: Key, raw: bytes, *, max_fee_wei: int | None = None) -> SignedTransaction:
    """Sign one of the key's own calls again, with the same nonce and for fees at least an eighth higher.

    An eighth is more than any pool asks for before it lets one transaction take another's place.

    Raises:
        FeeTooHighError: that, or what the chain asks for, is more than `max_fee_wei`.
    """
    # EIP-1559: a byte 2, then the list of these fields, an access list and the signature.
    _, nonce, tip, fee, gas, to, value, data, *_ = rlp.decode(raw[1:])
    tip_wei = _more(tip)
    market_fee_wei = chain.head().base_fee_wei * _FEE_HEADROOM + tip_wei
    least_wei = _more(fee)
    if max_fee_wei is not None and least_wei > max_fee_wei:
        raise FeeTooHighError(f"another {least_wei} wei a gas would be needed: may be at most {max_fee_wei}")
    fields: dict[str, object] = {
        "type": 2,
        "chainId": chain.chain_id,
        "nonce": int.from_bytes(nonce),
        "gas": int.from_bytes(gas),
        "maxPriorityFeePerGas": tip_wei,
        "maxFeePerGas": max(least_wei, market_fee_wei),
        "to": to,
        "value": int.from_bytes(value),
        "data": data,
    }
    return sign(key, _capped(chain, fields, max_fee_wei))


def _capped(chain: Chain, fields: dict[str, object], max_fee_wei: int | None) -> dict[str, object]:
    """The same transaction for at most so much a gas, if it can be mined for that now."""
    if max_fee_wei is None:
        return fields
    base_wei = chain.head().base_fee_wei
    if base_wei > max_fee_wei:
        raise FeeTooHighError(f"the chain asks for {base_wei} wei a gas: may be at most {max_fee_wei}")
    names = ("maxFeePerGas", "maxPriorityFeePerGas")
    return fields | {name: min(int(str(fields[name])), max_fee_wei) for name in names}


def _more(fee: bytes) -> int:
    """An eighth more, rounded up."""
    return -(-int.from_bytes(fee) * 9 // 8)


def sign(key: Key, fields: Mapping[str, object]) -> SignedTransaction:
    """Sign a transaction of these fields with its sender's key."""
    raw = bytes(Account.sign_transaction(dict(fields), key.secret).raw_transaction)
    return SignedTransaction(raw=raw, hash=keccak(raw), nonce=int(str(fields["nonce"])))


def wait_for(chain: Chain, transaction_hash: Hash, *, patience_s: float = PATIENCE_S) -> Receipt:
    """The receipt, as soon as there is one.

    Raises:
        NotMinedError: none within `patience_s` seconds.
    """
    give_up_at = time.monotonic() + patience_s
    while (receipt := chain.receipt(transaction_hash)) is None:
        if time.monotonic() > give_up_at:
            raise NotMinedError(f"transaction 0x{transaction_hash.hex()} was not mined within {patience_s:g} s")
        time.sleep(POLL_S)
    return receipt
