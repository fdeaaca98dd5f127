"""web3 inside the process, on a chain that lasts."""

from collections.abc import Iterator
from contextlib import closing
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_tester import EthereumTester
from eth_tester.exceptions import TransactionFailed
from web3 import EthereumTesterProvider, Web3
from web3.contract import Contract
from web3.exceptions import ContractPanicError

from contracts.artifacts import artifacts
from ledger.devchain import DevChain, LastingBackend, connect, dev_accounts
from ledger.hexcodec import to_data
from tests.ledger.chain import contract
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import NOTED, set_note

START = 1_750_000_000
NOBODY = "0x9999999999999999999999999999999999999999"


@pytest.fixture
def chain() -> Iterator[DevChain]:
    with closing(DevChain.open(None, clock=lambda: START)) as opened:
        yield opened


def credit_contract(web3: Web3) -> Contract:
    """One of the project's own contracts, deployed by the first account, which is its treasurer."""
    artifact = artifacts()["credit"]
    factory = web3.eth.contract(abi=artifact.abi, bytecode=artifact.creation_code)
    sent = factory.constructor(web3.eth.accounts[0]).transact({"from": web3.eth.accounts[0]})
    deployed = web3.eth.wait_for_transaction_receipt(sent)
    assert deployed["contractAddress"] is not None
    return factory(deployed["contractAddress"])


def everything_about(web3: Web3, address: Any) -> dict[str, Any]:
    """What web3 shows of a chain with the credit contract on it."""
    credit = web3.eth.contract(address, abi=artifacts()["credit"].abi)
    blocks = [web3.eth.get_block(number, True) for number in range(web3.eth.block_number + 1)]
    sent = [block["transactions"][0]["hash"] for block in blocks[1:]]  # type: ignore[call-overload]  # in full
    return {
        "chain": (web3.eth.chain_id, web3.net.version, web3.eth.gas_price),
        "accounts": [
            (one, web3.eth.get_balance(one), web3.eth.get_transaction_count(one)) for one in web3.eth.accounts
        ],
        "blocks": blocks,
        "receipts": [web3.eth.get_transaction_receipt(one) for one in sent],
        "code": web3.eth.get_code(address),
        "supply": [
            credit.functions.totalSupply().call(block_identifier=number) for number in range(1, len(blocks))
        ],
        "balances": [credit.functions.balanceOf(one).call() for one in web3.eth.accounts[:2]],
        "events": credit.events.Transfer().get_logs(from_block=0),
    }


def test_web3_finds_a_reopened_chain_as_it_left_it(tmp_path: Path) -> None:
    with closing(DevChain.open(tmp_path, clock=lambda: START, accounts=dev_accounts(3))) as chain:
        web3 = connect(chain)
        treasurer, member = list(web3.eth.accounts)[:2]
        credit = credit_contract(web3)
        credit.functions.mint(member, 1_000).transact({"from": treasurer})
        credit.functions.transfer(treasurer, 300).transact({"from": member})
        assert credit.functions.balanceOf(member).call() == 700
        with pytest.raises(TransactionFailed, match="execution reverted: erc20: transfer amount exceeds balance"):
            credit.functions.transfer(treasurer, 701).transact({"from": member})
        before = everything_about(web3, credit.address)
    assert before["supply"] == [0, 1_000, 1_000]
    assert [event["args"]["value"] for event in before["events"]] == [1_000, 300]
    with closing(DevChain.open(tmp_path, clock=lambda: START, accounts=dev_accounts(3))) as chain:
        web3 = connect(chain)
        assert everything_about(web3, credit.address) == before
        again = web3.eth.contract(credit.address, abi=credit.abi)
        sent = again.functions.transfer(treasurer, 700).transact({"from": member})
        assert web3.eth.wait_for_transaction_receipt(sent)["blockNumber"] == len(before["blocks"])
        assert again.functions.balanceOf(member).call() == 0


def test_web3_is_told_the_chains_own_id_and_price(chain: DevChain) -> None:
    web3 = connect(chain)
    assert (web3.eth.chain_id, web3.net.version) == (31337, "31337")
    assert web3.eth.gas_price == chain.next_base_fee_wei() + 10**9
    # Filled in by web3 alone, the chain id included, and signed outside.
    account = Account.from_key(chain.accounts[0].private_key)
    notebook = web3.eth.contract(abi=[], bytecode=contract.bytecode())
    fields = notebook.constructor().build_transaction(
        {"from": account.address, "nonce": web3.eth.get_transaction_count(account.address)}
    )
    assert fields["chainId"] == 31337
    sent = web3.eth.send_raw_transaction(account.sign_transaction(fields).raw_transaction)
    assert web3.eth.wait_for_transaction_receipt(sent)["status"] == 1


def test_web3s_own_provider_works_on_an_eth_tester_with_this_backend(chain: DevChain) -> None:
    web3 = Web3(EthereumTesterProvider(EthereumTester(backend=LastingBackend(chain))))
    credit = credit_contract(web3)
    credit.functions.mint(NOBODY, 7).transact()
    assert credit.functions.totalSupply().call() == 7
    assert web3.eth.block_number == chain.head().number == 2


def test_logs_found_by_index_are_those_found_by_reading_every_block(chain: DevChain) -> None:
    web3 = connect(chain)
    tester = web3.provider.ethereum_tester  # type: ignore[attr-defined]  # this provider's
    alice, bob = (Actor(chain, account) for account in chain.accounts[:2])
    notebooks = [alice.deploy(), bob.deploy()]
    for author, notebook in product((alice, bob), notebooks):
        author.send(notebook, set_note(1, 10))
        author.send(notebook, set_note(2, 20))
    chain.mine(2)
    one, other = map(Web3.to_checksum_address, notebooks)
    blocks: list[dict[str, Any]] = [{}, {"from": 0}, {"from": 5, "to": "latest"}, {"from": 4, "to": 8}]
    addresses = [None, one, [one, other], [other]]
    topics = [None, [], [to_data(NOTED)], [None, word(bob.address)], [None, [word(bob.address)], word(2)]]
    found = 0
    for within, address, topic in product(blocks, addresses, topics):
        scanned = tester.get_logs(within.get("from"), within.get("to"), address, topic)
        wanted = {
            "fromBlock": within.get("from"),
            "toBlock": within.get("to"),
            "address": address,
            "topics": topic,
        }
        given = {key: value for key, value in wanted.items() if value is not None}
        indexed = web3.eth.get_logs(given)  # type: ignore[arg-type]  # a plain dict
        assert [(log["transactionHash"].to_0x_hex(), log["blockNumber"], log["logIndex"]) for log in indexed] == [
            (log["transaction_hash"], log["block_number"], log["log_index"]) for log in scanned
        ]
        found += len(indexed)
    assert found > 100
    assert len(web3.eth.get_logs({"fromBlock": "earliest"})) == 8


def word(value: bytes | int) -> str:
    return to_data(value.to_bytes(32) if isinstance(value, int) else value.rjust(32, b"\0"))


def test_web3_recognises_solidity_panics(chain: DevChain) -> None:
    # Reverts with Panic(0x11): the selector at 0, 0x11 in the word after it.
    panicking = bytes.fromhex("634e487b7160e01b600052601160045260246000fd")
    with pytest.raises(ContractPanicError):
        connect(chain).eth.call({"data": to_data(panicking)})  # type: ignore[typeddict-item]  # hexadecimal
