"""How the JSON-RPC adapter bears with endpoints: slow, broken, limited, or with words of their own."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from eth_abi.abi import encode
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledger.chain import CallRevertedError, ChainUnavailableError, TransactionRefusedError
from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.hexcodec import from_quantity, to_data
from ledger.jsonrpc import JsonRpcChain, RpcError
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import set_note
from tests.ledger.chain.serving import served

SOMEONE = b"\x99" * 20
RAW = b"\x02\xc0"
REASON_DATA = to_data(bytes.fromhex("08c379a0") + encode(["string"], ["notes: too large"]))
PANIC_DATA = "0x4e487b71" + (17).to_bytes(32).hex()

Answer = dict[str, Any]


@contextmanager
def endpoint(answer: Callable[[str, list[Any]], Answer | bytes], timeout_s: float = 10) -> Iterator[JsonRpcChain]:
    """An endpoint on chain 1 that answers every other method as told: raw bytes, or an answer's members."""

    async def reply(request: Request) -> Response:
        message = await request.json()
        answered: Answer | bytes = {"result": "0x1"}
        if message["method"] != "eth_chainId":
            answered = await run_in_threadpool(answer, message["method"], message["params"])
        body = (
            answered
            if isinstance(answered, bytes)
            else json.dumps({"jsonrpc": "2.0", "id": message["id"]} | answered)
        )
        return Response(body, media_type="application/json")

    with (
        served(Starlette(routes=[Route("/", reply, methods=["POST"])])) as url,
        closing(JsonRpcChain(url, timeout_s=timeout_s)) as chain,
    ):
        yield chain


def error(code: int, message: str, data: Any = None) -> Answer:
    return {"error": {"code": code, "message": message, "data": data}}


def test_an_endpoint_that_is_not_there_is_unavailable() -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(ChainUnavailableError, match=f"eth_chainId at http://127.0.0.1:{port}"):
        JsonRpcChain(f"http://127.0.0.1:{port}")


def test_what_an_endpoints_url_keeps_secret_is_in_no_error() -> None:
    with closing(socket.socket()) as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
    with pytest.raises(ChainUnavailableError, match=f"eth_chainId at http://{host}") as refused:
        JsonRpcChain(f"http://name:secret@{host}/v3/secret?key=secret")
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["nonsense", "http://[", "", "ftp://127.0.0.1"])
def test_what_is_no_url_is_unavailable(url: str) -> None:
    with pytest.raises(ChainUnavailableError):
        JsonRpcChain(url)


def test_an_answer_that_does_not_come_in_time_is_unavailable() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(ChainUnavailableError, match="no answer in time"):
            JsonRpcChain(f"http://127.0.0.1:{port}", timeout_s=0.1)


@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b"[]", b"{}", b"null", b'{"error": "no"}'])
def test_an_answer_that_is_no_json_rpc_is_unavailable(body: bytes) -> None:
    with endpoint(lambda *_: body) as chain, pytest.raises(ChainUnavailableError, match="eth_getBalance"):
        chain.balance(SOMEONE)


@pytest.mark.parametrize("answer", [{"result": "0x2", "id": 10**9}, {"result": "0x2", "id": None}])
def test_the_answer_to_another_request_is_none(answer: Answer) -> None:
    with endpoint(lambda *_: answer) as chain, pytest.raises(ChainUnavailableError, match="to the request"):
        chain.balance(SOMEONE)


def test_an_answer_nested_too_deeply_is_unavailable_and_does_not_end_the_process() -> None:
    # In a process of its own, where a package of py-evm's has raised the limit of recursion, as in a node.
    script = """
import py_ecc, sys
assert sys.getrecursionlimit() == 100_000
from ledger.chain import ChainUnavailableError
from tests.ledger.chain.test_chain_jsonrpc import endpoint
try:
    with endpoint(lambda *_: b"[" * 1_000_000) as chain:
        chain.head()
except ChainUnavailableError as error:
    print(error.code)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (0, "chain.unavailable\n"), ended.stderr


def test_questions_are_asked_again_and_transactions_are_not_sent_again() -> None:
    asked: list[str] = []

    def answer(method: str, _: list[Any]) -> Answer | bytes:
        asked.append(method)
        return {"result": "0x7"} if len(asked) == 3 else b""

    with endpoint(answer) as chain:
        assert chain.balance(SOMEONE) == 7
        assert asked == ["eth_getBalance"] * 3
        with pytest.raises(ChainUnavailableError):
            chain.send(RAW)
        assert asked[3:] == ["eth_sendRawTransaction"]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (error(3, "execution reverted: notes: too large", REASON_DATA), "notes: too large"),
        (error(3, "execution reverted", REASON_DATA), "notes: too large"),
        (error(3, "execution reverted", "0x"), ""),
        (error(3, "execution reverted", PANIC_DATA), "panic 0x11"),
        (error(-32000, "execution reverted: notes: too large"), "notes: too large"),
        (error(-32603, "VM Exception: reverted with reason", {"data": REASON_DATA}), "notes: too large"),
        (error(-32015, "VM execution error: Revert", "Reverted 0x"), ""),
        (error(-32000, "out of gas"), "out of gas"),
        (error(-32003, "EVM error: InvalidFEOpcode"), "EVM error: InvalidFEOpcode"),
        (error(-32000, "gas required exceeds allowance (30000000)"), "gas required exceeds allowance (30000000)"),
    ],
)
def test_reverts_are_recognised_in_every_endpoints_words(answer: Answer, reason: str) -> None:
    with endpoint(lambda *_: answer) as chain:
        for run in (lambda: chain.call(SOMEONE, b""), lambda: chain.estimate_gas(SOMEONE, b"", sender=SOMEONE)):
            with pytest.raises(CallRevertedError) as caught:
                run()
            assert caught.value.reason == reason


def test_other_errors_of_a_call_are_the_endpoints_not_the_contracts() -> None:
    with endpoint(lambda *_: error(-32000, "header not found")) as chain, pytest.raises(RpcError) as caught:
        chain.call(SOMEONE, b"", block_number=5)
    assert (caught.value.rpc_code, caught.value.message) == (-32000, "header not found")


def test_a_refusal_keeps_the_chains_words() -> None:
    with (
        endpoint(lambda *_: error(-32000, "replacement transaction underpriced")) as chain,
        pytest.raises(TransactionRefusedError) as caught,
    ):
        chain.send(RAW)
    assert caught.value.reason == "replacement transaction underpriced"


@pytest.mark.parametrize("code", [-32603, -32005])
def test_an_endpoint_in_trouble_leaves_open_whether_the_transaction_was_taken(code: int) -> None:
    with endpoint(lambda *_: error(code, "internal error")) as chain, pytest.raises(ChainUnavailableError):
        chain.send(RAW)


@pytest.mark.parametrize("max_blocks", [1, 7, 1_000])
def test_logs_are_complete_whatever_range_the_endpoint_allows(devchain: DevChain, max_blocks: int) -> None:
    alice = Actor(devchain, devchain.accounts[0])
    notebook = alice.deploy()
    for note in range(10):
        alice.transact(notebook, set_note(note, note))
        devchain.mine(note)
    expected = devchain.logs(first_block=3, last_block=10_000)
    asked: list[int] = []

    with served(create_app(devchain)) as url, closing(JsonRpcChain(url)) as behind:

        def limited(method: str, params: list[Any]) -> Answer:
            if method == "eth_getLogs":
                first, last = (from_quantity(params[0][key]) for key in ("fromBlock", "toBlock"))
                if last - first >= max_blocks:
                    return error(-32005, f"block range exceeds {max_blocks}")
                asked.extend(range(first, last + 1))
            return {"result": behind._request(method, *params)}

        with endpoint(limited) as chain:
            assert chain.logs(first_block=3, last_block=10_000) == expected
    assert asked == list(range(3, devchain.head().number + 1))


def test_logs_that_even_one_block_has_too_many_of_are_an_error() -> None:
    def answer(method: str, _: list[Any]) -> Answer:
        return {"result": "0x64"} if method == "eth_blockNumber" else error(-32005, "too many results")

    with endpoint(answer) as chain, pytest.raises(RpcError, match="too many results"):
        chain.logs(first_block=0, last_block=100)
