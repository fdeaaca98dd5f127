"""The JSON-RPC methods that any chain offers to everyone: reading it, and sending what was signed elsewhere."""

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version

from eth_hash.auto import keccak

from ledger.devchain.chain import DevChain
from ledger.devchain.evm import Outcome
from ledger.devchain.fees import fee_history
from ledger.devchain.records import BlockRecord
from ledger.devchain.rpc.errors import EXECUTION_REVERTED, SERVER_ERROR, InvalidParamsError, RequestFailedError
from ledger.devchain.rpc.filters import Arrivals, Filters, LogCriteria
from ledger.devchain.rpc.params import (
    Json,
    optional,
    positional,
    read_address,
    read_addresses,
    read_call,
    read_data,
    read_field,
    read_hash,
    read_object,
    read_quantity,
    read_topics,
)
from ledger.devchain.rpc.views import block_view, log_view, receipt_view, transaction_view
from ledger.hexcodec import to_data, to_quantity
from ledger.reverts import revert_reason

PRIORITY_FEE_WEI = 1_000_000_000
"""Suggested tip. Nothing is gained by it here, but clients expect one."""

MAX_FEE_HISTORY_BLOCKS = 1_024
MAX_PERCENTILES = 100

HEAD_TAGS = ("latest", "pending", "safe", "finalized")
"""All the same block: each is final as soon as it is mined, and none ever waits."""

Fields = Mapping[str, Json]
Params = Sequence[Json]
Method = Callable[[Params], Json]


class ChainMethods:
    """Methods of the `eth_`, `net_` and `web3_` families, by name in `table`."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain
        self._filters = Filters(chain)
        self.table: Mapping[str, Method] = {
            "web3_clientVersion": lambda _: f"wattbook-devchain/py-evm-{version('py-evm')}",
            "net_version": lambda _: str(chain.chain_id),
            "net_listening": lambda _: True,
            "net_peerCount": lambda _: "0x0",
            "web3_sha3": lambda params: to_data(keccak(read_data(positional(params, 0, "data"), "data"))),
            "eth_chainId": lambda _: to_quantity(chain.chain_id),
            "eth_syncing": lambda _: False,
            "eth_accounts": lambda _: [],
            "eth_blockNumber": lambda _: to_quantity(chain.head().number),
            "eth_getBlockByNumber": self._block_by_number,
            "eth_getBlockByHash": self._block_by_hash,
            "eth_getBlockTransactionCountByNumber": self._transaction_count_of_block,
            "eth_getBlockTransactionCountByHash": self._transaction_count_of_block_with_hash,
            "eth_getBlockReceipts": self._receipts_of_block,
            "eth_getTransactionByHash": self._transaction,
            "eth_getTransactionByBlockNumberAndIndex": self._transaction_of_block,
            "eth_getTransactionByBlockHashAndIndex": self._transaction_of_block_with_hash,
            "eth_getTransactionReceipt": self._receipt,
            "eth_getTransactionCount": self._nonce,
            "eth_getBalance": self._balance,
            "eth_getCode": self._code,
            "eth_getStorageAt": self._storage,
            "eth_call": self._call,
            "eth_estimateGas": self._estimate_gas,
            "eth_gasPrice": lambda _: to_quantity(chain.next_base_fee_wei() + PRIORITY_FEE_WEI),
            "eth_maxPriorityFeePerGas": lambda _: to_quantity(PRIORITY_FEE_WEI),
            "eth_feeHistory": self._fee_history,
            "eth_sendRawTransaction": self._send_raw_transaction,
            "eth_getLogs": self._logs,
            "eth_newFilter": self._new_filter,
            "eth_newBlockFilter": lambda _: to_quantity(self._filters.install(Arrivals.BLOCKS)),
            "eth_newPendingTransactionFilter": lambda _: to_quantity(self._filters.install(Arrivals.TRANSACTIONS)),
            "eth_getFilterChanges": self._filter_changes,
            "eth_getFilterLogs": self._filter_logs,
            "eth_uninstallFilter": self._uninstall_filter,
        }

    # Blocks and transactions

    def _block_by_number(self, params: Params) -> Json:
        record = self._record(positional(params, 0, "block"))
        return None if record is None else block_view(record, with_transactions=_is_full(params))

    def _block_by_hash(self, params: Params) -> Json:
        record = self._record_with_hash(params)
        return None if record is None else block_view(record, with_transactions=_is_full(params))

    def _transaction_count_of_block(self, params: Params) -> Json:
        return _transaction_count(self._record(positional(params, 0, "block")))

    def _transaction_count_of_block_with_hash(self, params: Params) -> Json:
        return _transaction_count(self._record_with_hash(params))

    def _receipts_of_block(self, params: Params) -> Json:
        record = self._record(positional(params, 0, "block"))
        if record is None:
            return None
        return [] if record.mined is None else [receipt_view(record, record.mined)]

    def _transaction_of_block(self, params: Params) -> Json:
        return _transaction_at(self._record(positional(params, 0, "block")), params)

    def _transaction_of_block_with_hash(self, params: Params) -> Json:
        return _transaction_at(self._record_with_hash(params), params)

    def _transaction(self, params: Params) -> Json:
        record = self._record_with_transaction(params)
        return None if record is None or record.mined is None else transaction_view(record, record.mined)

    def _receipt(self, params: Params) -> Json:
        record = self._record_with_transaction(params)
        return None if record is None or record.mined is None else receipt_view(record, record.mined)

    def _record_with_hash(self, params: Params) -> BlockRecord | None:
        return self._chain.record_with_hash(read_hash(positional(params, 0, "block hash"), "block hash"))

    def _record_with_transaction(self, params: Params) -> BlockRecord | None:
        wanted = read_hash(positional(params, 0, "transaction hash"), "transaction hash")
        return self._chain.record_with_transaction(wanted)

    # State

    def _nonce(self, params: Params) -> Json:
        address = read_address(positional(params, 0, "address"), "address")
        return to_quantity(self._chain.nonce(address, block_number=self._block_number(params, 1)))

    def _balance(self, params: Params) -> Json:
        address = read_address(positional(params, 0, "address"), "address")
        return to_quantity(self._chain.balance(address, block_number=self._block_number(params, 1)))

    def _code(self, params: Params) -> Json:
        address = read_address(positional(params, 0, "address"), "address")
        return to_data(self._chain.code(address, block_number=self._block_number(params, 1)))

    def _storage(self, params: Params) -> Json:
        address = read_address(positional(params, 0, "address"), "address")
        key = read_quantity(positional(params, 1, "storage key"), "storage key")
        word = self._chain.storage(address, key, block_number=self._block_number(params, 2))
        return to_data(word.to_bytes(32))

    def _call(self, params: Params) -> Json:
        message = read_call(positional(params, 0, "call"), "call")
        if optional(params, 2):
            raise InvalidParamsError("state override", "not supported")
        outcome = self._chain.run_call(message, block_number=self._block_number(params, 1))
        raise_if_failed(outcome)
        return to_data(outcome.output)

    def _estimate_gas(self, params: Params) -> Json:
        message = read_call(positional(params, 0, "transaction"), "transaction")
        outcome = self._chain.run_estimate(message, block_number=self._block_number(params, 1))
        raise_if_failed(outcome)
        return to_quantity(outcome.gas_needed)

    def _fee_history(self, params: Params) -> Json:
        count = read_quantity(positional(params, 0, "block count"), "block count")
        if not 1 <= count <= MAX_FEE_HISTORY_BLOCKS:
            raise InvalidParamsError("block count", f"{count} is not between 1 and {MAX_FEE_HISTORY_BLOCKS}")
        newest_number = self._number(positional(params, 1, "newest block"))
        newest = self._chain.head().number if newest_number is None else newest_number
        oldest = max(0, newest - count + 1)
        found = fee_history(self._chain, oldest, newest)
        history = {
            "oldestBlock": to_quantity(oldest),
            "baseFeePerGas": [to_quantity(fee_wei) for fee_wei in found.base_fees_wei],
            "gasUsedRatio": found.gas_used_ratios,
        }
        percentiles = optional(params, 2, [])
        if not isinstance(percentiles, list) or len(percentiles) > MAX_PERCENTILES:
            raise InvalidParamsError("reward percentiles", f"not a list of at most {MAX_PERCENTILES}")
        if percentiles:
            # One transaction a block: its tip is every percentile.
            history["reward"] = [[to_quantity(tip_wei)] * len(percentiles) for tip_wei in found.tips_wei]
        return history

    # Sending

    def _send_raw_transaction(self, params: Params) -> Json:
        return to_data(self._chain.send(read_data(positional(params, 0, "transaction"), "transaction")))

    # Logs

    def _logs(self, params: Params) -> Json:
        fields = read_object(positional(params, 0, "filter"), "filter")
        criteria = self._log_criteria(fields)
        found = criteria.find(self._chain, 0, self._chain.head().number)
        return [log_view(log) for log in found]

    def _new_filter(self, params: Params) -> Json:
        fields = read_object(positional(params, 0, "filter"), "filter")
        return to_quantity(self._filters.install(self._log_criteria(fields)))

    def _filter_changes(self, params: Params) -> Json:
        found = self._filters.changes(_filter_number(params))
        return [to_data(item) if isinstance(item, bytes) else log_view(item) for item in found]

    def _filter_logs(self, params: Params) -> Json:
        return [log_view(log) for log in self._filters.all_logs(_filter_number(params))]

    def _uninstall_filter(self, params: Params) -> Json:
        return self._filters.uninstall(_filter_number(params))

    def _log_criteria(self, fields: Fields) -> LogCriteria:
        if fields.get("blockHash") is None:
            first = self._number(fields.get("fromBlock"))
            last = self._number(fields.get("toBlock"))
        elif fields.keys() & {"fromBlock", "toBlock"}:
            raise InvalidParamsError("blockHash", "excludes fromBlock and toBlock")
        else:
            first = last = self._number({"blockHash": fields["blockHash"]})
        return LogCriteria(
            first_block=self._chain.head().number if first is None else first,
            last_block=last,
            addresses=read_field(fields, "address", read_addresses, None),
            topics=read_field(fields, "topics", read_topics, []),
        )

    # Which block is meant

    def _block_number(self, params: Params, index: int) -> int | None:
        return self._number(optional(params, index))

    def _number(self, value: Json) -> int | None:
        """The number of the block that a number, tag or object (EIP-1898) means; None is the head."""
        if value is None or value in HEAD_TAGS:
            return None
        if value == "earliest":
            return 0
        if not isinstance(value, dict):
            return read_quantity(value, "block")
        block_hash = read_field(value, "blockHash", read_hash, None)
        if block_hash is None:
            return self._number(value.get("blockNumber"))
        record = self._chain.record_with_hash(block_hash)
        if record is None:
            raise RequestFailedError(SERVER_ERROR, f"unknown block {to_data(block_hash)}")
        return record.header.block_number

    def _record(self, value: Json) -> BlockRecord | None:
        number = self._number(value)
        return self._chain.record(self._chain.head().number if number is None else number)


def _transaction_count(record: BlockRecord | None) -> Json:
    return None if record is None else to_quantity(record.mined is not None)


def _transaction_at(record: BlockRecord | None, params: Params) -> Json:
    index = read_quantity(positional(params, 1, "index"), "index")
    return None if record is None or record.mined is None or index > 0 else transaction_view(record, record.mined)


def raise_if_failed(outcome: Outcome) -> None:
    """Answer with the error, if a call or an estimate did not succeed.

    Raises:
        RequestFailedError: as geth answers: a revert with code 3, the reason and the revert data.
    """
    if outcome.reverted:
        reason = revert_reason(outcome.output)
        message = f"execution reverted: {reason}" if reason else "execution reverted"
        raise RequestFailedError(EXECUTION_REVERTED, message, to_data(outcome.output))
    if outcome.error is not None:
        raise RequestFailedError(SERVER_ERROR, outcome.error)


def _is_full(params: Params) -> bool:
    return optional(params, 1, False) is True


def _filter_number(params: Params) -> int:
    return read_quantity(positional(params, 0, "filter"), "filter")
