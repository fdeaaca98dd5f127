"""Blocks, transactions, receipts and logs as JSON-RPC shows them (EIP-1474 and its successors)."""

from typing import Any

from ledger.chain import Log
from ledger.devchain.records import BlockRecord, Mined, signature_v
from ledger.hexcodec import to_data, to_quantity

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
        transactions = [to_data(record.mined.hash)]
    return {
        "number": to_quantity(header.block_number),
        "hash": to_data(header.hash),
        "parentHash": to_data(header.parent_hash),
        "nonce": to_data(header.nonce),
        "mixHash": to_data(header.mix_hash),
        "sha3Uncles": to_data(header.uncles_hash),
        "logsBloom": to_data(header.bloom.to_bytes(256)),
        "transactionsRoot": to_data(header.transaction_root),
        "stateRoot": to_data(header.state_root),
        "receiptsRoot": to_data(header.receipt_root),
        "miner": to_data(header.coinbase),
        "difficulty": to_quantity(header.difficulty),
        "totalDifficulty": "0x0",
        "extraData": to_data(header.extra_data),
        "size": to_quantity(record.size_bytes),
        "gasLimit": to_quantity(header.gas_limit),
        "gasUsed": to_quantity(header.gas_used),
        "timestamp": to_quantity(header.timestamp),
        "baseFeePerGas": to_quantity(record.base_fee_wei),
        "transactions": transactions,
        "uncles": [],
    }


def transaction_view(record: BlockRecord, mined: Mined) -> View:
    """A mined transaction."""
    transaction = mined.decode()
    view: View = {
        "type": to_quantity(mined.type_id),
        "hash": to_data(mined.hash),
        "blockHash": to_data(record.header.hash),
        "blockNumber": to_quantity(record.header.block_number),
        "transactionIndex": "0x0",
        "chainId": to_quantity(transaction.chain_id or 0),
        "nonce": to_quantity(transaction.nonce),
        "from": to_data(mined.sender),
        "to": to_data(transaction.to) if transaction.to else None,
        "value": to_quantity(transaction.value),
        "input": to_data(transaction.data),
        "gas": to_quantity(transaction.gas),
        "gasPrice": to_quantity(record.effective_gas_price_wei(transaction)),
        "r": to_quantity(transaction.r),
        "s": to_quantity(transaction.s),
    }
    if mined.type_id == LEGACY:
        return view | {"v": to_quantity(signature_v(transaction))}
    view |= {
        "v": to_quantity(transaction.y_parity),
        "yParity": to_quantity(transaction.y_parity),
        "accessList": [
            {"address": to_data(address), "storageKeys": [to_data(key.to_bytes(32)) for key in keys]}
            for address, keys in transaction.access_list
        ],
    }
    if mined.type_id == ACCESS_LIST:
        return view
    return view | {
        "maxFeePerGas": to_quantity(transaction.max_fee_per_gas),
        "maxPriorityFeePerGas": to_quantity(transaction.max_priority_fee_per_gas),
    }


def receipt_view(record: BlockRecord, mined: Mined) -> View:
    """A mined transaction's receipt."""
    transaction = mined.decode()
    receipt = record.receipt_of(mined)
    return {
        "type": to_quantity(mined.type_id),
        "transactionHash": to_data(mined.hash),
        "transactionIndex": "0x0",
        "blockHash": to_data(record.header.hash),
        "blockNumber": to_quantity(record.header.block_number),
        "from": to_data(mined.sender),
        "to": to_data(transaction.to) if transaction.to else None,
        "contractAddress": to_data(receipt.contract_address) if receipt.contract_address else None,
        "status": to_quantity(receipt.succeeded),
        "gasUsed": to_quantity(receipt.gas_used),
        "cumulativeGasUsed": to_quantity(receipt.gas_used),
        "effectiveGasPrice": to_quantity(record.effective_gas_price_wei(transaction)),
        "logs": [log_view(log) for log in receipt.logs],
        "logsBloom": to_data(record.header.bloom.to_bytes(256)),
    }


def log_view(log: Log) -> View:
    """An event."""
    return {
        "address": to_data(log.address),
        "topics": [to_data(topic) for topic in log.topics],
        "data": to_data(log.data),
        "blockNumber": to_quantity(log.block_number),
        "blockHash": to_data(log.block_hash),
        "transactionHash": to_data(log.transaction_hash),
        "transactionIndex": to_quantity(log.transaction_index),
        "logIndex": to_quantity(log.log_index),
        "removed": False,
    }
