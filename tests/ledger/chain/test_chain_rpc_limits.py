"""How much the development chain's server takes in and gives out at once."""

from typing import Any

import pytest

from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.asgi import Caller, Client
from tests.ledger.chain.contract import set_note

NOBODY = "0x" + "99" * 20


def test_large_requests_and_batches_are_refused(devchain: DevChain) -> None:
    client = Client(create_app(devchain, max_request_bytes=1_000))
    rpc = Caller(client)
    assert client.post(json=["x" * 1_000]).status_code == 413
    assert rpc("eth_chainId") == "0x7a69"
    assert Caller(Client(create_app(devchain))).post([1] * 1_001)["error"]["code"] == -32600


def test_too_many_logs_are_refused_and_the_filter_does_not_miss_them(
    rpc: Caller, devchain: DevChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.devchain.rpc.filters.MAX_LOGS", 2)
    alice = Actor(devchain, devchain.accounts[0])
    notebook = alice.deploy()
    installed = rpc("eth_newFilter", {})
    for note in range(3):
        alice.transact(notebook, set_note(1, note))
    for method, params in [("eth_getLogs", [{"fromBlock": "0x0"}]), ("eth_getFilterChanges", [installed])]:
        assert rpc.error(method, *params) == {"code": -32005, "message": "query returned more than 2 results"}
    assert len(rpc("eth_getLogs", {"fromBlock": "0x3"})) == 2
    monkeypatch.undo()
    assert len(rpc("eth_getFilterChanges", installed)) == 3


def test_a_batch_ends_where_its_answers_become_too_large(
    rpc: Caller, devchain: DevChain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.devchain.rpc.app.MAX_BATCH_RESPONSE_BYTES", 1_000)
    requests = [
        {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        for number, (method, params) in enumerate(
            [
                ("eth_chainId", []),
                ("eth_getBlockByNumber", ["latest", False]),
                ("evm_mine", []),
                ("eth_chainId", []),
            ]
        )
    ]
    answers = rpc.post(requests)
    assert [answer["id"] for answer in answers] == [0, 1, 2, 3]
    assert [("result" in answer, answer.get("error", {}).get("code")) for answer in answers] == [
        (True, None),
        (True, None),
        (False, -32003),
        (False, -32003),
    ]
    assert devchain.head().number == 0


def test_a_filter_has_so_many_alternatives_and_no_more(rpc: Caller) -> None:
    address, topic = "0x" + "99" * 20, "0x" + "77" * 32
    most = {"address": [address] * 1_000, "topics": [None, [topic] * 1_000, None, topic]}
    assert rpc("eth_getLogs", most) == []
    unsound: list[dict[str, Any]] = [
        {"address": [address] * 1_001},
        {"topics": [[topic] * 1_001]},
        {"topics": [None] * 5},
    ]
    for method in ("eth_getLogs", "eth_newFilter"):
        for criteria in unsound:
            assert rpc.error(method, criteria)["code"] == -32602


@pytest.mark.parametrize(
    ("gas", "most"), [({}, 50_000_000), ({"gas": "0x186a0"}, 100_000), ({"gas": hex(10**12)}, 50_000_000)]
)
def test_a_call_gets_the_gas_that_it_names_up_to_a_limit(rpc: Caller, gas: dict[str, str], most: int) -> None:
    tells_gas_left = "0x5a60005260206000f3"  # GAS, stored at 0 and returned
    left = int(rpc("eth_call", {"data": tells_gas_left, **gas}), 16)
    assert most - 60_000 < left < most


def test_a_call_without_enough_gas_is_refused(rpc: Caller) -> None:
    endless = "0x5b600056"  # JUMPDEST, and back to it
    for method in ("eth_call", "eth_estimateGas"):
        assert rpc.error(method, {"data": endless, "gas": "0x186a0"}) == {"code": -32000, "message": "out of gas"}
