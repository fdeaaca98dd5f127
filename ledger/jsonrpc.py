"""The chain behind any EVM JSON-RPC endpoint: geth, anvil, a provider, or our own development chain."""

import re
import time
from collections.abc import Sequence
from itertools import count
from typing import Any

import httpx

from ledger.chain import (
    ZERO_ADDRESS,
    Address,
    Block,
    CallRevertedError,
    ChainError,
    ChainUnavailableError,
    Hash,
    Log,
    Receipt,
    Transaction,
    TransactionRefusedError,
)
from ledger.endpoint import shown_url
from ledger.hexcodec import from_data, from_quantity, to_data, to_quantity
from ledger.recursion import bound_recursion
from ledger.reverts import revert_reason

DEFAULT_TIMEOUT_S = 60.0
"""Long enough for a development chain to mine the largest settlement before it answers."""

_SEND = "eth_sendRawTransaction"
# For what passes quickly, as a broken connection; whoever can wait longer comes back by himself.
_RETRIES = 2
_RETRY_PAUSE_S = 0.1
# Beyond any chain's length.
_MOST_BLOCKS = 2**62
# What endpoints take in one request; a settlement's transaction alone may be 256 KiB of JSON.
_BATCH_SIZE = 64

_SYSTEMS_NUMBER = re.compile(r"\[Errno -?\d+\] ")

REVERTED = 3
"""Error code of a reverted call, with what it reverted with as data; geth set the custom."""

UNCERTAIN_CODES = frozenset({-32603, -32005})
"""Internal error and limit exceeded: the endpoint's own trouble, which says nothing about the request."""

EXECUTION_FAILURES = (
    "revert",
    "out of gas",
    "gas required exceeds",
    "invalid opcode",
    "invalid jump",
    "stack",
    "write protection",
    "insufficient",
    "evm error",
)
"""What endpoints say, in any case of letters, when a call failed in the virtual machine."""


class RpcError(ChainError):
    """The endpoint answered with an error object.

    Attributes:
        rpc_code: the JSON-RPC error code.
        message: the endpoint's words.
        data: what came with them.
    """

    code = "chain.rpc"

    def __init__(self, method: str, rpc_code: int, message: str, data: object) -> None:
        super().__init__(f"{method} failed: {message} ({rpc_code})")
        self.rpc_code = rpc_code
        self.message = message
        self.data = data


class JsonRpcChain:
    """A `ledger.chain.Chain` over HTTP. Safe to use from several threads; close it when done.

    Args:
        url: the endpoint.
        timeout_s: how long to wait for a connection, and for an answer. Questions are asked up to three times.

    Raises:
        ChainUnavailableError: the endpoint did not tell its chain id.
    """

    def __init__(self, url: str, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        bound_recursion()  # before anything is read from an endpoint that need not mean well
        self._url = url
        self._shown_url = shown_url(url)
        self._client = httpx.Client(timeout=timeout_s)
        self._request_ids = count(1)
        self._log_span = _MOST_BLOCKS
        self._batch_size = _BATCH_SIZE
        self._chain_id = from_quantity(self._request("eth_chainId"))

    def close(self) -> None:
        """Drop the connections."""
        self._client.close()

    @property
    def chain_id(self) -> int:
        """EIP-155 chain id, asked for once."""
        return self._chain_id

    def head(self) -> Block:
        """The newest mined block."""
        return _block(self._request("eth_getBlockByNumber", "latest", False))

    def block(self, number: int) -> Block | None:
        """The block with this number, or None if there is none (yet)."""
        found = self._request("eth_getBlockByNumber", to_quantity(number), False)
        return None if found is None else _block(found)

    def block_with_hash(self, block_hash: Hash) -> Block | None:
        """The block with this hash, or None."""
        found = self._request("eth_getBlockByHash", to_data(block_hash), False)
        return None if found is None else _block(found)

    def call(
        self, to: Address, data: bytes, *, sender: Address = ZERO_ADDRESS, block_number: int | None = None
    ) -> bytes:
        """Run a message call, changing nothing.

        Raises:
            CallRevertedError: the contract refused, or failed.
            RpcError: the endpoint refused; it may, for instance, no longer have an old block's state.
        """
        message = {"from": to_data(sender), "to": to_data(to), "data": to_data(data)}
        at = "latest" if block_number is None else to_quantity(block_number)
        return from_data(self._execute("eth_call", message, at))

    def estimate_gas(self, to: Address | None, data: bytes, *, sender: Address) -> int:
        """Gas that the transaction would need on the head's state.

        Raises:
            CallRevertedError: the contract refused, or failed.
        """
        message = {"from": to_data(sender), "data": to_data(data)}
        if to is not None:
            message["to"] = to_data(to)
        return from_quantity(self._execute("eth_estimateGas", message))

    def nonce(self, address: Address, *, block_number: int | None = None) -> int:
        """How many transactions of `address` are in blocks up to `block_number` (default: the head)."""
        at = "latest" if block_number is None else to_quantity(block_number)
        return from_quantity(self._request("eth_getTransactionCount", to_data(address), at))

    def balance(self, address: Address) -> int:
        """Native balance in wei at the head."""
        return from_quantity(self._request("eth_getBalance", to_data(address), "latest"))

    def code(self, address: Address, *, block_number: int | None = None) -> bytes:
        """Contract code after block `block_number` (default: the head); empty for an ordinary account.

        Raises:
            RpcError: the endpoint refused; it may, for instance, no longer have an old block's state.
        """
        at = "latest" if block_number is None else to_quantity(block_number)
        return from_data(self._request("eth_getCode", to_data(address), at))

    def send(self, raw: bytes) -> Hash:
        """Broadcast a signed transaction and return its hash.

        Raises:
            TransactionRefusedError: the chain did not take it.
        """
        try:
            return from_data(self._request(_SEND, to_data(raw)))
        except RpcError as error:
            if error.rpc_code in UNCERTAIN_CODES:
                raise ChainUnavailableError(str(error)) from error
            raise TransactionRefusedError(error.message) from error

    def transaction(self, transaction_hash: Hash) -> Transaction | None:
        """The transaction, or None if the chain does not know it."""
        found = self._request("eth_getTransactionByHash", to_data(transaction_hash))
        return None if found is None else _transaction(found)

    def receipt(self, transaction_hash: Hash) -> Receipt | None:
        """The receipt, or None while the transaction is not mined."""
        found = self._request("eth_getTransactionReceipt", to_data(transaction_hash))
        return None if found is None else _receipt(found)

    def logs(
        self,
        *,
        first_block: int,
        last_block: int,
        address: Address | Sequence[Address] | None = None,
        topics: Sequence[Hash | Sequence[Hash] | None] = (),
    ) -> list[Log]:
        """Events in blocks `first_block` to `last_block`, both included, in chain order.

        Endpoints limit the blocks or the events of one answer, each in its own way and words. So when one
        refuses, less is asked for, down to a single block.

        Raises:
            RpcError: even a single block's events were refused.
        """
        criteria: dict[str, Any] = {"topics": [_one_or_many(topic) for topic in topics]}
        if address is not None:
            criteria["address"] = _one_or_many(address)
        # Beyond the head, some answer with what there is and others with an error.
        last_block = min(last_block, from_quantity(self._request("eth_blockNumber")))
        found: list[Log] = []
        span = min(last_block - first_block + 1, self._log_span)
        while first_block <= last_block:
            until = min(first_block + span - 1, last_block)
            criteria |= {"fromBlock": to_quantity(first_block), "toBlock": to_quantity(until)}
            try:
                logs = [_log(entry) for entry in self._request("eth_getLogs", criteria)]
            except RpcError:
                if span == 1:
                    raise
                # The next question is not to run into the same limit.
                span = self._log_span = span // 2
            else:
                # Endpoints differ on whether a topic that may be anything must be there. geth: it must.
                found += [log for log in logs if len(log.topics) >= len(topics)]
                first_block = until + 1
        return found

    def blocks(self, numbers: Sequence[int]) -> list[Block | None]:
        """As `block`, for each of these, many in one request."""
        found = self._batch("eth_getBlockByNumber", [(to_quantity(number), False) for number in numbers])
        return [None if each is None else _block(each) for each in found]

    def transactions(self, hashes: Sequence[Hash]) -> list[Transaction | None]:
        """As `transaction`, for each of these, many in one request."""
        found = self._batch("eth_getTransactionByHash", [(to_data(each),) for each in hashes])
        return [None if each is None else _transaction(each) for each in found]

    def calls(self, calls: Sequence[tuple[Address, bytes]], *, block_number: int) -> list[bytes]:
        """As `call`, for each of these addresses and calldata, many in one request.

        Raises:
            CallRevertedError: a contract refused, or failed.
            RpcError: the endpoint refused.
        """
        messages = [
            {"from": to_data(ZERO_ADDRESS), "to": to_data(to), "data": to_data(data)} for to, data in calls
        ]
        found = self._batch("eth_call", [(message, to_quantity(block_number)) for message in messages])
        return [from_data(each) for each in found]

    def _batch(self, method: str, params: Sequence[tuple[object, ...]]) -> list[Any]:
        """The results of many questions, in their order.

        An endpoint that takes no batches, or refuses or fails one, is asked less at once, down to one by one; so
        every error is that of a single question.
        """
        found: list[Any] = []
        while len(found) < len(params):
            part = params[len(found) : len(found) + self._batch_size]
            if len(part) == 1:
                found.append(self._execute(method, *part[0]))
                continue
            results = self._ask_all(method, part)
            if results is None:
                self._batch_size = max(self._batch_size // 2, 1)
            else:
                found += results
        return found

    def _ask_all(self, method: str, params: Sequence[tuple[object, ...]]) -> list[Any] | None:
        """The results of one batch, or None unless there is one for each question."""
        requests = [
            {"jsonrpc": "2.0", "id": next(self._request_ids), "method": method, "params": each} for each in params
        ]
        try:
            answers = self._client.post(self._url, json=requests).json()
        except (httpx.TransportError, ValueError, RecursionError):
            return None
        if not isinstance(answers, list):
            return None
        # They may come in any order.
        by_id = {
            answer.get("id"): answer["result"]
            for answer in answers
            if isinstance(answer, dict) and "result" in answer and isinstance(answer.get("id"), int)
        }
        if any(request["id"] not in by_id for request in requests):
            return None
        return [by_id[request["id"]] for request in requests]

    def _execute(self, method: str, *params: object) -> Any:
        try:
            return self._request(method, *params)
        except RpcError as error:
            message = error.message.lower()
            if error.rpc_code == REVERTED or any(words in message for words in EXECUTION_FAILURES):
                raise CallRevertedError(_reason(error)) from error
            raise

    def _request(self, method: str, *params: object) -> Any:
        """Ask, and if it is a mere question that changes nothing, ask again while no answer comes."""
        for _ in range(_RETRIES if method.startswith("eth_") and method != _SEND else 0):
            try:
                return self._ask(method, *params)
            except ChainUnavailableError:
                time.sleep(_RETRY_PAUSE_S)
        return self._ask(method, *params)

    def _ask(self, method: str, *params: object) -> Any:
        request = {"jsonrpc": "2.0", "id": next(self._request_ids), "method": method, "params": params}
        try:
            response = self._client.post(self._url, json=request)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise ChainUnavailableError(f"{method} at {self._shown_url}: {_in_words(error)}") from error
        what = f"{method} at {self._shown_url}: HTTP status {response.status_code}"
        try:
            answer = response.json()
        except (ValueError, RecursionError) as error:
            raise ChainUnavailableError(f"{what} and no JSON") from error
        if isinstance(answer, dict):
            # A proxy may mix answers up. An error, though, may come from one that could not read the request's id.
            problem, answered = answer.get("error"), answer.get("id")
            if isinstance(problem, dict) and answered in (request["id"], None):
                raise RpcError(method, problem.get("code", 0), problem.get("message", ""), problem.get("data"))
            if "result" in answer and answered == request["id"]:
                return answer["result"]
        raise ChainUnavailableError(f"{what} and no JSON-RPC answer to the request")


def _reason(error: RpcError) -> str:
    """The contract's reason, from the data if there is any, else from the endpoint's words."""
    data = error.data.get("data") if isinstance(error.data, dict) else error.data
    if isinstance(data, str) and data.startswith("0x") and len(data) > 2:
        return revert_reason(from_data(data))
    if "revert" not in error.message.lower():
        return error.message
    return error.message.partition("reverted: ")[2]


def _one_or_many(value: bytes | Sequence[bytes] | None) -> str | list[str] | None:
    if value is None:
        return None
    return to_data(value) if isinstance(value, bytes) else [to_data(item) for item in value]


def _block(found: dict[str, Any]) -> Block:
    return Block(
        number=from_quantity(found["number"]),
        hash=from_data(found["hash"]),
        parent_hash=from_data(found["parentHash"]),
        timestamp=from_quantity(found["timestamp"]),
        base_fee_wei=from_quantity(found.get("baseFeePerGas") or "0x0"),
        gas_used=from_quantity(found["gasUsed"]),
        transaction_hashes=tuple(from_data(item) for item in found["transactions"]),
    )


def _transaction(found: dict[str, Any]) -> Transaction:
    number = found.get("blockNumber")
    return Transaction(
        hash=from_data(found["hash"]),
        sender=from_data(found["from"]),
        nonce=from_quantity(found["nonce"]),
        to=from_data(found["to"]) if found.get("to") else None,
        input=from_data(found["input"]),
        value_wei=from_quantity(found["value"]),
        gas=from_quantity(found["gas"]),
        block_number=None if number is None else from_quantity(number),
    )


def _receipt(found: dict[str, Any]) -> Receipt:
    created = found.get("contractAddress")
    return Receipt(
        transaction_hash=from_data(found["transactionHash"]),
        block_number=from_quantity(found["blockNumber"]),
        block_hash=from_data(found["blockHash"]),
        succeeded=from_quantity(found["status"]) == 1,
        gas_used=from_quantity(found["gasUsed"]),
        contract_address=from_data(created) if created else None,
        logs=tuple(_log(entry) for entry in found["logs"]),
    )


def _log(found: dict[str, Any]) -> Log:
    return Log(
        address=from_data(found["address"]),
        topics=tuple(from_data(topic) for topic in found["topics"]),
        data=from_data(found["data"]),
        block_number=from_quantity(found["blockNumber"]),
        block_hash=from_data(found["blockHash"]),
        transaction_hash=from_data(found["transactionHash"]),
        transaction_index=from_quantity(found["transactionIndex"]),
        log_index=from_quantity(found["logIndex"]),
    )


def _in_words(error: httpx.TransportError | httpx.InvalidURL) -> str:
    """Why there was no answer, without the system's numbers and the library's names."""
    if isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return "must be an http:// or https:// URL"
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    what = "no connection" if isinstance(error, httpx.ConnectError) else "the connection broke"
    reason = _SYSTEMS_NUMBER.sub("", str(error))
    return f"{what}: {reason}" if reason else what
