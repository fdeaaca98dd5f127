"""Many questions at once have the answers that each has alone, whether the endpoint takes batches or not."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ledger import chain as ports
from ledger.chain import CallRevertedError, Chain
from ledger.jsonrpc import JsonRpcChain, RpcError
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import set_note
from tests.ledger.chain.serving import served

Message = dict[str, Any]


def test_bulk_answers_are_those_to_single_questions(chain: Chain, alice: Actor) -> None:
    notes = alice.deploy()
    hashes = [alice.transact(notes, set_note(number, 7)).transaction_hash for number in range(3)]
    head = chain.head().number
    numbers = [head + 5, *range(head, -1, -1)]
    assert ports.blocks(chain, numbers) == [chain.block(number) for number in numbers]
    wanted = [*hashes, bytes(32), hashes[0]]
    assert ports.transactions(chain, wanted) == [chain.transaction(each) for each in wanted]
    assert ports.blocks(chain, []) == ports.transactions(chain, []) == []


def test_code_is_that_of_a_block(chain: Chain, alice: Actor) -> None:
    notes = alice.deploy()
    head = chain.head().number
    assert chain.code(notes, block_number=head) == chain.code(notes) != b""
    assert chain.code(notes, block_number=0) == b""


class Endpoint:
    """Blocks whose number is what was asked for; and whatever trouble a test wants."""

    def __init__(self, most: int = 1_000, *, lossy: bool = False, reverse: bool = False) -> None:
        self.most, self.lossy, self.reverse = most, lossy, reverse
        self.sizes: list[int] = []

    async def reply(self, request: Request) -> Response:
        message = await request.json()
        if not isinstance(message, list):
            return self._response(self._one(message))
        self.sizes.append(len(message))
        if len(message) > self.most:
            return self._response({"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "too many"}})
        answers = [self._one(each) for each in message]
        if self.lossy:
            answers.pop()
        return self._response(answers[::-1] if self.reverse else answers)

    def _one(self, message: Message) -> Message:
        answer = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] == "eth_chainId":
            return answer | {"result": "0x1"}
        if message["method"] == "eth_call":
            refused = message["params"][0]["data"] == "0xff"
            problem = {"code": 3, "message": "execution reverted: no", "data": "0x"}
            return answer | ({"error": problem} if refused else {"result": message["params"][0]["data"]})
        if int(message["params"][0], 16) == 13:
            return answer | {"error": {"code": -32000, "message": "unlucky"}}
        block = {"number": message["params"][0], "hash": "0x" + "11" * 32, "parentHash": "0x" + "22" * 32}
        return answer | {"result": block | {"timestamp": "0x1", "gasUsed": "0x0", "transactions": []}}

    def _response(self, body: object) -> Response:
        return Response(json.dumps(body), media_type="application/json")


@contextmanager
def connected(endpoint: Endpoint) -> Iterator[JsonRpcChain]:
    app = Starlette(routes=[Route("/", endpoint.reply, methods=["POST"])])
    with served(app) as url, closing(JsonRpcChain(url)) as chain:
        yield chain


@pytest.mark.parametrize(
    "endpoint", [Endpoint(), Endpoint(reverse=True), Endpoint(most=5), Endpoint(most=1), Endpoint(lossy=True)]
)
def test_every_block_is_got_in_order_whatever_the_endpoint_makes_of_batches(endpoint: Endpoint) -> None:
    numbers = [*range(100, 13, -1), 5]
    with connected(endpoint) as chain:
        found = chain.blocks(numbers)
        asked = len(endpoint.sizes)
        chain.blocks(numbers)
    assert [block and block.number for block in found] == numbers
    # What was too many once is not tried again.
    assert all(size <= endpoint.most for size in endpoint.sizes[asked:])


def test_an_error_is_that_of_the_question_it_answers() -> None:
    with connected(Endpoint()) as chain:
        with pytest.raises(RpcError, match="unlucky"):
            chain.blocks([11, 12, 13, 14])
        calls = [(bytes(20), b"\x01"), (bytes(20), b"\x02")]
        assert chain.calls(calls, block_number=1) == [b"\x01", b"\x02"]
        with pytest.raises(CallRevertedError):
            chain.calls([*calls, (bytes(20), b"\xff")], block_number=1)
