"""Whether the chain takes a transaction; refusals are in geth's words, which clients look for."""

from eth.abc import BlockHeaderAPI, SignedTransactionAPI, StateAPI
from eth.constants import SECPK1_N
from eth.exceptions import UnrecognizedTransactionType
from eth.vm.forks.paris.transactions import ParisTransactionBuilder
from eth_keys.exceptions import BadSignature
from eth_utils.exceptions import ValidationError
from rlp.exceptions import RLPException

from ledger.chain import TransactionRefusedError

MAX_GAS = 2**64 - 1
MAX_NONCE = 2**64 - 2
"""EIP-2681: the nonce after it would not fit."""

MAX_WORD = 2**256 - 1


def decode_transaction(raw: bytes, chain_id: int) -> SignedTransactionAPI:
    """Decode a raw transaction and recover its signer (`.sender`).

    Raises:
        TransactionRefusedError: it is malformed, of an unknown type, badly signed or for another chain.
    """
    try:
        transaction = ParisTransactionBuilder.decode(raw)
    except UnrecognizedTransactionType as error:
        raise TransactionRefusedError("transaction type not supported") from error
    except (RLPException, ValidationError) as error:
        raise TransactionRefusedError(f"malformed transaction: {error}") from error
    if transaction.chain_id is None:
        raise TransactionRefusedError("only replay-protected (EIP-155) transactions allowed over RPC")
    if transaction.chain_id != chain_id:
        raise TransactionRefusedError(f"invalid chain id for signer: have {transaction.chain_id} want {chain_id}")
    # A signature and its mirror image with s' = n - s both verify; EIP-2 allows only the lower s.
    if transaction.s > SECPK1_N // 2:
        raise TransactionRefusedError("invalid transaction v, r, s values")
    try:
        _ = transaction.sender  # recovered here once; py-evm keeps it
    except (BadSignature, ValidationError) as error:
        raise TransactionRefusedError("invalid transaction v, r, s values") from error
    return transaction


def check_transaction(transaction: SignedTransactionAPI, header: BlockHeaderAPI, state: StateAPI) -> None:
    """Check a decoded transaction against the block it is for and the state before it.

    Raises:
        TransactionRefusedError: nonce, gas, fees or funds do not fit.
    """
    _check_nonce(transaction, state.get_nonce(transaction.sender))
    _check_gas(transaction, header)
    _check_fees(transaction, header)
    balance_wei = state.get_balance(transaction.sender)
    cost_wei = transaction.gas * transaction.max_fee_per_gas + transaction.value
    if cost_wei > balance_wei:
        raise TransactionRefusedError(
            f"insufficient funds for gas * price + value: balance {balance_wei}, tx cost {cost_wei}, "
            f"overshot {cost_wei - balance_wei}"
        )


def _check_nonce(transaction: SignedTransactionAPI, next_nonce: int) -> None:
    if transaction.nonce > MAX_NONCE:
        raise TransactionRefusedError("nonce has max value")
    if transaction.nonce < next_nonce:
        raise TransactionRefusedError(f"nonce too low: next nonce {next_nonce}, tx nonce {transaction.nonce}")
    if transaction.nonce > next_nonce:
        raise TransactionRefusedError(f"nonce too high: next nonce {next_nonce}, tx nonce {transaction.nonce}")


def _check_gas(transaction: SignedTransactionAPI, header: BlockHeaderAPI) -> None:
    if transaction.gas > MAX_GAS:
        raise TransactionRefusedError("gas uint64 overflow")
    if transaction.gas > header.gas_limit:
        raise TransactionRefusedError(f"exceeds block gas limit: have {transaction.gas}, limit {header.gas_limit}")
    if transaction.gas < transaction.intrinsic_gas:
        raise TransactionRefusedError(
            f"intrinsic gas too low: have {transaction.gas}, want {transaction.intrinsic_gas}"
        )


def _check_fees(transaction: SignedTransactionAPI, header: BlockHeaderAPI) -> None:
    base_fee_wei = header.base_fee_per_gas or 0
    max_fee_wei, tip_wei = transaction.max_fee_per_gas, transaction.max_priority_fee_per_gas
    if max(max_fee_wei, tip_wei) > MAX_WORD:
        raise TransactionRefusedError("max fee per gas higher than 2^256-1")
    if tip_wei > max_fee_wei:
        raise TransactionRefusedError(
            f"max priority fee per gas higher than max fee per gas: "
            f"maxPriorityFeePerGas: {tip_wei}, maxFeePerGas: {max_fee_wei}"
        )
    if max_fee_wei < base_fee_wei:
        raise TransactionRefusedError(
            f"max fee per gas less than block base fee: maxFeePerGas: {max_fee_wei}, baseFee: {base_fee_wei}"
        )
