"""Blocks, transactions, receipts and logs as eth-tester's backends hand them over."""

from typing import Any

from ledger.chain import Log
from ledger.devchain.records import SUCCEEDED, BlockRecord, Mined, signature_v

LEGACY, ACCESS_LIST = 0, 1

View = dict[str, Any]


def block_view(record: BlockRecord, *, with_transactions: bool) -> View:
    """A block, with its transaction in full or only its hash."""
    header = record.header
    if record.mined is None:
        transactions: list[Any] = []
    elif with_transactions:
        transactions = [transaction_view(record, record.mined)]
    else:
        transactions = [record.mined.hash]
    return {
        "number": header.block_number,
        "hash": header.hash,
        "parent_hash": header.parent_hash,
        "nonce": header.nonce,
        "mix_hash": header.mix_hash,
        "sha3_uncles": header.uncles_hash,
        "logs_bloom": header.bloom,
        "transactions_root": header.transaction_root,
        "state_root": header.state_root,
        "receipts_root": header.receipt_root,
        "coinbase": header.coinbase,
        "difficulty": header.difficulty,
        "total_difficulty": 0,
        "extra_data": header.extra_data.rjust(32, b"\0"),
        "size": record.size_bytes,
        "gas_limit": header.gas_limit,
        "gas_used": header.gas_used,
        "timestamp": header.timestamp,
        "base_fee_per_gas": record.base_fee_wei,
        "transactions": transactions,
        "uncles": [],
    }


def transaction_view(record: BlockRecord, mined: Mined) -> View:
    """A mined transaction."""
    transaction = mined.decode()
    view: View = {
        "type": mined.type_id,
        "hash": mined.hash,
        "block_hash": record.header.hash,
        "block_number": record.header.block_number,
        "transaction_index": 0,
        "nonce": transaction.nonce,
        "from": mined.sender,
        "to": transaction.to,
        "value": transaction.value,
        "data": transaction.data,
        "gas": transaction.gas,
        "gas_price": record.effective_gas_price_wei(transaction),
        "r": transaction.r,
        "s": transaction.s,
    }
    if mined.type_id == LEGACY:
        return view | {"v": signature_v(transaction)}
    view |= {
        "chain_id": transaction.chain_id,
        "v": transaction.y_parity,
        "y_parity": transaction.y_parity,
        "access_list": transaction.access_list or (),
    }
    if mined.type_id == ACCESS_LIST:
        return view
    return view | {
        "max_fee_per_gas": transaction.max_fee_per_gas,
        "max_priority_fee_per_gas": transaction.max_priority_fee_per_gas,
    }


def receipt_view(record: BlockRecord, mined: Mined, *, is_pending: bool) -> View:
    """A receipt; `is_pending` as for `log_view`."""
    transaction = mined.decode()
    receipt = record.receipt_of(mined)
    return {
        "type": mined.type_id,
        "transaction_hash": mined.hash,
        "transaction_index": 0,
        "block_hash": record.header.hash,
        "block_number": record.header.block_number,
        "from": mined.sender,
        "to": transaction.to,
        "contract_address": receipt.contract_address,
        "status": int(receipt.succeeded),
        "state_root": SUCCEEDED if receipt.succeeded else b"",
        "gas_used": receipt.gas_used,
        "cumulative_gas_used": receipt.gas_used,
        "effective_gas_price": record.effective_gas_price_wei(transaction),
        "logs": [log_view(log, is_pending=is_pending) for log in receipt.logs],
    }


def log_view(log: Log, *, is_pending: bool = False) -> View:
    """An event; filters pass over it while it `is_pending`, and get to see it again once it is not."""
    return {
        "type": "pending" if is_pending else "mined",
        "address": log.address,
        "topics": list(log.topics),
        "data": log.data,
        "transaction_hash": log.transaction_hash,
        "transaction_index": log.transaction_index,
        "block_hash": log.block_hash,
        "block_number": log.block_number,
        "log_index": log.log_index,
    }
