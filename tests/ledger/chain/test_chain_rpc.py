"""The development chain's JSON-RPC server, spoken to as wallets and scripts speak to it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from eth_account import Account
from vyper import compile_code
from web3 import HTTPProvider, Web3
from web3.exceptions import ContractLogicError, Web3RPCError

from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.hexcodec import from_data, from_quantity, to_data, to_quantity
from tests.ledger.chain import contract
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.asgi import Caller, Client
from tests.ledger.chain.contract import NOTED, notes, set_note, word
from tests.ledger.chain.serving import served

NOBODY = "0x" + "99" * 20
A_HASH = "0x" + "77" * 32


@pytest.fixture
def chain(devchain: DevChain) -> DevChain:
    return devchain


# web3.py


@pytest.fixture
def web3(devchain: DevChain) -> Iterator[Web3]:
    with served(create_app(devchain)) as url:
        yield Web3(HTTPProvider(url))


def test_web3_attaches_deploys_calls_and_reads_logs(web3: Web3) -> None:
    assert web3.is_connected()
    assert web3.eth.chain_id == 31337
    sender = web3.eth.accounts[0]
    compiled = compile_code(contract.SOURCE, output_formats=["abi"])
    factory = web3.eth.contract(abi=compiled["abi"], bytecode=contract.bytecode())

    created = web3.eth.wait_for_transaction_receipt(factory.constructor().transact({"from": sender}))
    notebook = factory(created["contractAddress"])
    sent = notebook.functions.set_note(3, 30).transact({"from": sender})
    receipt = web3.eth.wait_for_transaction_receipt(sent)

    assert receipt["status"] == 1
    assert notebook.functions.notes(3).call() == 30
    (event,) = notebook.events.Noted().get_logs(from_block=0)
    assert (event["args"]["author"], event["args"]["key"], event["args"]["note"]) == (sender, 3, 30)
    assert notebook.events.Noted().process_receipt(receipt)[0]["args"] == event["args"]
    with pytest.raises(ContractLogicError, match="notes: too large"):
        notebook.functions.set_note(3, 1_000).call()
    with pytest.raises(ContractLogicError, match="notes: too large"):
        notebook.functions.set_note(3, 1_000).transact({"from": sender})


@pytest.mark.parametrize("fees", [{"gasPrice": 10**10}, {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 7}])
def test_web3_sends_a_transfer_it_signed_itself(web3: Web3, devchain: DevChain, fees: dict[str, int]) -> None:
    account = Account.from_key(devchain.accounts[0].private_key)
    nonce = web3.eth.get_transaction_count(account.address)
    fields = {"to": Web3.to_checksum_address(NOBODY), "value": 5, "gas": 21_000, "nonce": nonce, "chainId": 31337}
    signed = account.sign_transaction(fields | fees)
    sent = web3.eth.send_raw_transaction(signed.raw_transaction)

    found = web3.eth.get_transaction(sent)
    block = web3.eth.get_block("latest", full_transactions=True)
    assert sent == signed.hash
    assert block["transactions"] == [found]
    assert (found["from"], found["value"], found["nonce"]) == (account.address, 5, nonce)
    assert (from_quantity(found["r"].to_0x_hex()), found["v"]) == (signed.r, signed.v)
    assert web3.eth.get_balance(found["to"]) == 5
    with pytest.raises(Web3RPCError, match="already known"):
        web3.eth.send_raw_transaction(signed.raw_transaction)


def test_web3_filters_report_each_thing_once(web3: Web3, devchain: DevChain) -> None:
    alice = Actor(devchain, devchain.accounts[0])
    notebook = alice.deploy()
    logs = web3.eth.filter({"address": Web3.to_checksum_address(notebook)})
    blocks: Any = web3.eth.filter("latest")  # whose entries are hashes, of which web3's types know nothing
    assert logs.get_new_entries() == []
    receipts = [alice.transact(notebook, set_note(1, note)) for note in (1, 2)]
    assert [entry["transactionHash"] for entry in logs.get_new_entries()] == [r.transaction_hash for r in receipts]
    assert blocks.get_new_entries() == [receipt.block_hash for receipt in receipts]
    assert logs.get_new_entries() == []
    assert blocks.get_new_entries() == []
    assert len(logs.get_all_entries()) == 2
    assert logs.filter_id is not None
    assert web3.eth.uninstall_filter(logs.filter_id)
    assert not web3.eth.uninstall_filter(logs.filter_id)
    with pytest.raises(Web3RPCError, match="filter not found"):
        logs.get_new_entries()


def test_web3_reads_the_fee_history(web3: Web3, devchain: DevChain) -> None:
    Actor(devchain, devchain.accounts[0]).transact(from_data(NOBODY), maxPriorityFeePerGas=9)
    devchain.mine()
    history = web3.eth.fee_history(10, "latest", [25, 75])
    fees = [block.base_fee_wei for number in range(3) if (block := devchain.block(number))]
    assert history["oldestBlock"] == 0
    assert history["baseFeePerGas"] == [*fees, devchain.next_base_fee_wei()]
    assert history["gasUsedRatio"] == [0, 21_000 / 100_000_000, 0]
    assert history["reward"] == [[0, 0], [9, 9], [0, 0]]


# Methods


def test_small_answers_have_the_documented_form(rpc: Caller, devchain: DevChain) -> None:
    assert rpc("eth_chainId") == "0x7a69"
    assert rpc("net_version") == "31337"
    assert rpc("net_peerCount") == "0x0"
    assert rpc("web3_sha3", "0x") == "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
    assert rpc("eth_blockNumber") == "0x0"
    assert rpc("eth_syncing") is False
    assert rpc("web3_clientVersion").startswith("wattbook-devchain/")
    assert rpc("eth_accounts")[0] == "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    assert rpc("eth_maxPriorityFeePerGas") == to_quantity(10**9)
    assert rpc("eth_gasPrice") == to_quantity(devchain.next_base_fee_wei() + 10**9)


def test_state_is_read_at_any_block(rpc: Caller, devchain: DevChain) -> None:
    alice = Actor(devchain, devchain.accounts[0])
    notebook = alice.deploy()
    alice.transact(notebook, set_note(1, 10), value=0)
    sender, at = to_data(alice.address), to_data(notebook)
    head = devchain.head()
    assert rpc("eth_getTransactionCount", sender, "latest") == "0x2"
    assert rpc("eth_getTransactionCount", sender, "pending") == "0x2"
    assert rpc("eth_getTransactionCount", sender, "0x1") == "0x1"
    assert rpc("eth_getTransactionCount", sender, "earliest") == "0x0"
    assert rpc("eth_getTransactionCount", sender) == "0x2"
    assert rpc("eth_getBalance", sender, "earliest") == to_quantity(10**24)
    assert rpc("eth_getCode", at, "earliest") == "0x"
    assert rpc("eth_getCode", at, {"blockHash": to_data(head.hash)}) == to_data(devchain.code(notebook))
    call = {"to": at, "data": to_data(notes(1))}
    assert rpc("eth_call", call, "latest") == to_data(word(10))
    assert rpc("eth_call", call, {"blockNumber": "0x1"}) == to_data(word(0))
    # At block 0 there is no code to run yet.
    assert rpc("eth_estimateGas", call, "earliest") < rpc("eth_estimateGas", call, "latest")
    assert rpc("eth_call", {"to": at, "input": to_data(notes(1))}) == to_data(word(10))
    assert rpc("eth_call", {"data": to_data(contract.bytecode())}) == to_data(devchain.code(notebook))
    assert rpc("eth_getStorageAt", at, "0x0", "latest") == to_data(word(0))
    assert rpc.error("eth_getBalance", sender, "0x63")["code"] == -32000
    assert "unknown block" in rpc.error("eth_call", call, {"blockHash": A_HASH})["message"]


def test_missing_things_are_null(rpc: Caller) -> None:
    for method in ("eth_getTransactionByHash", "eth_getTransactionReceipt"):
        assert rpc(method, A_HASH) is None
    assert rpc("eth_getBlockByHash", A_HASH, False) is None
    assert rpc("eth_getBlockByNumber", "0x63", True) is None
    assert rpc("eth_getBlockTransactionCountByNumber", "0x63") is None


def test_blocks_are_shown_with_transactions_or_with_hashes(rpc: Caller, devchain: DevChain) -> None:
    receipt = Actor(devchain, devchain.accounts[0]).transact(None, contract.bytecode())
    sent, mined = to_data(receipt.transaction_hash), to_data(receipt.block_hash)
    assert rpc("eth_getBlockByNumber", "latest", False)["transactions"] == [sent]
    assert rpc("eth_getBlockByHash", mined, True)["transactions"] == [rpc("eth_getTransactionByHash", sent)]
    assert rpc("eth_getBlockByHash", mined, False) == rpc("eth_getBlockByNumber", "0x1", False)
    assert rpc("eth_getBlockTransactionCountByNumber", "latest") == "0x1"
    assert rpc("eth_getBlockTransactionCountByNumber", "earliest") == "0x0"
    shown = rpc("eth_getTransactionReceipt", sent)
    assert receipt.contract_address is not None
    assert (shown["contractAddress"], shown["to"]) == (to_data(receipt.contract_address), None)


def test_logs_are_found_by_range_or_by_block_hash(rpc: Caller, devchain: DevChain) -> None:
    alice = Actor(devchain, devchain.accounts[0])
    notebook = alice.deploy()
    first, second = (alice.transact(notebook, set_note(1, note)) for note in (1, 2))
    shown = [
        entry
        for sent in (first, second)
        for entry in rpc("eth_getTransactionReceipt", to_data(sent.transaction_hash))["logs"]
    ]
    assert rpc("eth_getLogs", {"fromBlock": "earliest", "toBlock": "latest", "topics": [to_data(NOTED)]}) == shown
    assert rpc("eth_getLogs", {"fromBlock": "0x0", "topics": [[]]}) == shown
    assert rpc("eth_getLogs", {}) == shown[1:]
    assert (
        rpc("eth_getLogs", {"blockHash": to_data(first.block_hash), "address": [to_data(notebook)]}) == shown[:1]
    )
    both = {"blockHash": to_data(first.block_hash), "fromBlock": "0x0"}
    assert rpc.error("eth_getLogs", both)["code"] == -32602


def test_snapshots_time_and_mining_are_controlled_by_evm_methods(rpc: Caller, devchain: DevChain) -> None:
    snapshot = rpc("evm_snapshot")
    start = devchain.head().timestamp
    assert rpc("evm_increaseTime", 1_000) == 1_000
    rpc("evm_mine")
    assert devchain.head().timestamp >= start + 1_000
    rpc("evm_setNextBlockTimestamp", to_quantity(start + 5_000))
    rpc("evm_mine", {"blocks": "0x2"})
    assert from_quantity(rpc("eth_getBlockByNumber", "0x2", False)["timestamp"]) == start + 5_000
    assert devchain.head().number == 3
    rpc("evm_mine", start + 9_000)
    assert devchain.head().timestamp == start + 9_000
    assert rpc("evm_revert", snapshot) is True
    assert rpc("evm_revert", snapshot) is False
    assert devchain.head().number == 0
    assert rpc.error("evm_setNextBlockTimestamp", 5)["code"] == -32000


def test_a_filter_tells_of_transactions_as_they_come(rpc: Caller, devchain: DevChain) -> None:
    installed = rpc("eth_newPendingTransactionFilter")
    devchain.mine()
    sent = [Actor(devchain, devchain.accounts[0]).send(from_data(NOBODY)) for _ in range(2)]
    assert rpc("eth_getFilterChanges", installed) == [to_data(each) for each in sent]
    assert rpc("eth_getFilterChanges", installed) == []
    assert "filter not found" in rpc.error("eth_getFilterLogs", installed)["message"]


def test_state_overrides_are_refused_rather_than_passed_over(rpc: Caller) -> None:
    error = rpc.error("eth_call", {"to": NOBODY}, "latest", {NOBODY: {"balance": "0x1"}})
    assert error["code"] == -32602


def test_a_block_is_asked_for_parts_of_it(rpc: Caller, devchain: DevChain) -> None:
    receipt = Actor(devchain, devchain.accounts[0]).transact(None, contract.bytecode())
    sent, mined = to_data(receipt.transaction_hash), to_data(receipt.block_hash)
    shown = rpc("eth_getTransactionByHash", sent)
    assert rpc("eth_getTransactionByBlockNumberAndIndex", "0x1", "0x0") == shown
    assert rpc("eth_getTransactionByBlockHashAndIndex", mined, "0x0") == shown
    assert rpc("eth_getBlockTransactionCountByHash", mined) == "0x1"
    assert rpc("eth_getBlockReceipts", "0x1") == [rpc("eth_getTransactionReceipt", sent)]
    assert rpc("eth_getBlockReceipts", "earliest") == []
    nothing: list[tuple[str, list[Any]]] = [
        ("eth_getTransactionByBlockNumberAndIndex", ["0x1", "0x1"]),
        ("eth_getTransactionByBlockNumberAndIndex", ["0x0", "0x0"]),
        ("eth_getTransactionByBlockNumberAndIndex", ["0x63", "0x0"]),
        ("eth_getTransactionByBlockHashAndIndex", [A_HASH, "0x0"]),
        ("eth_getBlockTransactionCountByHash", [A_HASH]),
        ("eth_getBlockReceipts", ["0x63"]),
    ]
    for method, params in nothing:
        assert rpc(method, *params) is None


def test_a_reverted_call_answers_with_code_3_and_the_revert_data(rpc: Caller, devchain: DevChain) -> None:
    notebook = Actor(devchain, devchain.accounts[0]).deploy()
    for method in ("eth_call", "eth_estimateGas"):
        error = rpc.error(method, {"to": to_data(notebook), "data": to_data(set_note(1, 1_000))})
        assert error["code"] == 3
        assert error["message"] == "execution reverted: notes: too large"
        assert error["data"].startswith("0x08c379a0")


# The protocol


def test_a_batch_is_answered_in_one_list_without_its_notifications(rpc: Caller) -> None:
    answers = rpc.post(
        [
            {"jsonrpc": "2.0", "id": "a", "method": "eth_chainId"},
            {"jsonrpc": "2.0", "method": "evm_mine"},
            {"jsonrpc": "2.0", "id": 2, "method": "eth_blockNumber", "params": []},
            {"jsonrpc": "2.0", "id": 3, "method": "eth_nonsense"},
            7,
        ]
    )
    assert [answer["id"] for answer in answers] == ["a", 2, 3, None]
    assert answers[1]["result"] == "0x1"
    assert [answer["error"]["code"] for answer in answers[2:]] == [-32601, -32600]


def test_notifications_are_not_answered(client: Client, devchain: DevChain) -> None:
    for body in ({"jsonrpc": "2.0", "method": "evm_mine"}, [{"jsonrpc": "2.0", "method": "evm_mine"}]):
        answer = client.post(json=body)
        assert (answer.status_code, answer.content) == (204, b"")
    assert devchain.head().number == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32700),
        (b"{", -32700),
        (b"\xff\xfe", -32700),
        (b"[" * 100_000, -32700),
        (b'{"jsonrpc": "2.0", "id": NaN, "method": "eth_chainId"}', -32700),
        (b'{"jsonrpc": "2.0", "id": 1e999, "method": "eth_chainId"}', -32600),
        (b"[]", -32600),
        (b"null", -32600),
        (b'"eth_chainId"', -32600),
        (b'{"id": 1, "method": "eth_chainId"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 5}', -32600),
        (b'{"jsonrpc": "2.0", "id": {}, "method": "eth_chainId"}', -32600),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": 5}', -32602),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": {}}', -32602),
    ],
)
def test_malformed_requests_get_the_standard_error_codes(client: Client, body: bytes, code: int) -> None:
    answer = client.post(content=body, headers={"content-type": "application/json"}).json()
    assert answer["error"]["code"] == code


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("eth_getBalance", []),
        ("eth_getBalance", [None]),
        ("eth_getBalance", [5]),
        ("eth_getBalance", ["0x12"]),
        ("eth_getBalance", ["0x" + "zz" * 20]),
        ("eth_getBalance", ["99" * 20]),
        ("eth_getBalance", [NOBODY, "newest"]),
        ("eth_getBalance", [NOBODY, []]),
        ("eth_getBalance", [NOBODY, -1]),
        ("eth_getBalance", [NOBODY, {"blockHash": "0x1"}]),
        ("eth_getStorageAt", [NOBODY, to_quantity(2**256)]),
        ("eth_getTransactionByHash", ["0x77"]),
        ("eth_sendRawTransaction", ["0x0"]),
        ("eth_sendRawTransaction", ["0x0 0"]),
        ("eth_call", ["0x"]),
        ("eth_call", [{"to": NOBODY, "data": 7}]),
        ("eth_getLogs", [{"topics": "0x"}]),
        ("eth_getLogs", [{"topics": [["0x12"]]}]),
        ("eth_getLogs", [{"address": [None]}]),
        ("eth_feeHistory", [0, "latest"]),
        ("eth_feeHistory", ["0x401", "latest"]),
        ("eth_feeHistory", ["0x1", "latest", 5]),
        ("evm_increaseTime", [True]),
        ("evm_increaseTime", [-5]),
        ("evm_mine", [{"blocks": 0}]),
    ],
)
def test_wrong_parameters_are_named(rpc: Caller, method: str, params: list[Any]) -> None:
    error = rpc.error(method, *params)
    assert error["code"] == -32602
    assert error["message"].startswith("invalid params: ")


@pytest.mark.parametrize("number", [2**96, 2**256 - 1])
def test_absurdly_large_numbers_do_no_harm(rpc: Caller, devchain: DevChain, number: int) -> None:
    large, sender = to_quantity(number), to_data(devchain.accounts[0].address)
    assert rpc("eth_getBlockByNumber", large, False) is None
    assert rpc("eth_getLogs", {"fromBlock": large}) == []
    assert rpc("eth_getLogs", {"fromBlock": "0x0", "toBlock": large}) == []
    assert rpc("eth_getStorageAt", NOBODY, large) == to_data(bytes(32))
    requests: list[tuple[str, list[Any]]] = [
        ("eth_getBalance", [NOBODY, large]),
        ("eth_call", [{"to": NOBODY, "value": large}]),
        ("evm_increaseTime", [large]),
        ("evm_setNextBlockTimestamp", [large]),
        ("evm_mine", [large]),
        ("eth_getFilterChanges", [large]),
        ("eth_sendTransaction", [{"from": sender, "to": NOBODY, "gas": large}]),
        ("eth_sendTransaction", [{"from": sender, "to": NOBODY, "nonce": large}]),
        ("eth_sendTransaction", [{"from": sender, "to": NOBODY, "value": large}]),
        ("eth_sendTransaction", [{"from": sender, "to": NOBODY, "gasPrice": large}]),
        ("eth_sendTransaction", [{"from": sender, "to": NOBODY, "maxFeePerGas": large}]),
    ]
    for method, params in requests:
        assert rpc.error(method, *params)["code"] in (-32000, -32602)
    assert devchain.head().number == 0


def test_web_pages_of_other_origins_are_kept_out_unless_invited(devchain: DevChain) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId"}
    origin = {"origin": "https://example.org"}
    preflight = origin | {
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type",
    }
    closed = Client(create_app(devchain))
    assert "access-control-allow-origin" not in closed.post(json=body, headers=origin).headers
    assert closed.request("OPTIONS", headers=preflight).status_code == 405
    assert closed.post(content=b"{}", headers={"content-type": "text/plain"}).status_code == 415
    invited = Client(create_app(devchain, cors_origins=["https://example.org"]))
    assert (
        invited.request("OPTIONS", headers=preflight).headers["access-control-allow-origin"]
        == "https://example.org"
    )
    stranger = preflight | {"origin": "https://example.com"}
    assert invited.request("OPTIONS", headers=stranger).status_code == 400


def test_only_posts_are_answered(client: Client) -> None:
    assert client.request("GET").status_code == httpx.codes.METHOD_NOT_ALLOWED
