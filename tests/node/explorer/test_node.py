"""What a node shows of its chain, and what its chain's endpoint does not offer."""

from pathlib import Path
from typing import Any

import httpx

from ledger.devchain import dev_accounts
from ledger.hexcodec import to_data
from node.composition import Node, open_node, serving
from node.config import Config
from node.parties import FIRST_MEMBER_ACCOUNT
from tests.system.demo import free_port

NEWCOMER = to_data(dev_accounts()[FIRST_MEMBER_ACCOUNT].address)


def read(node: Node, path: str) -> Any:
    return httpx.get(f"{node.url}/v1/chain/{path}").raise_for_status().json()


def register(node: Node, name: str) -> None:
    httpx.post(
        f"{node.url}/v1/members",
        json={"account": NEWCOMER, "name": name},
        headers={"X-API-Key": node.services.operator_api_key},
        timeout=30,
    ).raise_for_status()


def rpc_error(node: Node, method: str) -> int:
    answer = httpx.post(node.chain_url, json={"jsonrpc": "2.0", "id": 1, "method": method, "params": []}).json()
    code: int = answer["error"]["code"]
    return code


def test_a_node_shows_its_chain_and_keeps_its_keys_and_time_to_itself(tmp_path: Path) -> None:
    config = Config(data=tmp_path, port=free_port(), chain_port=free_port())
    with open_node(config) as node, serving(node):
        (newest,) = read(node, "blocks?limit=1")["items"]
        (line,) = newest["transactions"]
        assert (line["function"], line["sender"]["name"]) == ("open_market", "owner")
        assert read(node, f"addresses/{NEWCOMER}")["party"]["name"] is None
        register(node, "Alice")
        view = read(node, f"addresses/{NEWCOMER}")
        assert view["party"]["name"] == "Alice"
        for method in ("eth_sendTransaction", "personal_sign", "evm_mine", "evm_revert"):
            assert rpc_error(node, method) == -32601
