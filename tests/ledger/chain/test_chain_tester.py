"""The development chain behind eth-tester: eth-tester's own test suite, and what that leaves open."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from eth_account import Account
from eth_tester import EthereumTester
from eth_tester.exceptions import (
    BlockNotFound,
    SnapshotNotFound,
    TransactionFailed,
    TransactionNotFound,
    ValidationError,
)
from eth_tester.utils.backend_testing import BaseTestBackendDirect
from eth_utils.address import to_checksum_address

from ledger.chain import TransactionRefusedError
from ledger.devchain import DevChain, LastingBackend, dev_accounts
from ledger.devchain.errors import AutoMiningRequiredError
from ledger.hexcodec import to_data
from tests.ledger.chain import contract
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import set_note

START = 1_750_000_000
ETH_TESTER_CHAIN_ID = 131277322940537
"""eth-tester's suite signs for it."""

NOBODY = "0x9999999999999999999999999999999999999999"


class FreshBackend(LastingBackend):
    """Without arguments, as eth-tester's suite creates it, and with as few accounts as eth-tester's own."""

    def __init__(self) -> None:
        self.chain = DevChain.open(
            None, clock=lambda: START, chain_id=ETH_TESTER_CHAIN_ID, accounts=dev_accounts(10)
        )
        super().__init__(self.chain)


_WAITS = "sends transactions that are to wait, which this chain refuses: tested below"
LEFT_OUT = {
    "test_auto_mine_transactions_disabled_block_number": _WAITS,
    "test_auto_mine_transactions_disabled_replace_transaction": _WAITS,
    "test_auto_mine_transactions_disabled_multiple_accounts": _WAITS,
    "test_auto_mine_transactions_disabled_returns_hashes_when_enabled": _WAITS,
    "test_manual_mine_pending_transactions": _WAITS,
    "test_get_transaction_by_hash_for_unmined_transaction": _WAITS,
    "test_get_transaction_receipt_for_unmined_transaction_raises": _WAITS,
    "test_receipt_gas_used_computation": _WAITS,
    "test_send_raw_transaction_valid_raw_transaction": (
        "its transaction is signed for no chain in particular, which is refused: tested below"
    ),
    "test_get_fee_history": (
        "expects the parents' fees, newest first, where JSON-RPC has the blocks', oldest first: tested below"
    ),
}


class TestEthTestersOwnSuite(BaseTestBackendDirect):  # type: ignore[misc]  # eth-tester ships no types
    @pytest.fixture(autouse=True)
    def _leave_out(self, request: pytest.FixtureRequest) -> None:
        if request.node.originalname in LEFT_OUT:
            pytest.skip(LEFT_OUT[request.node.originalname])

    @pytest.fixture
    def eth_tester(self) -> Iterator[EthereumTester]:
        backend = FreshBackend()
        with closing(backend.chain):
            yield EthereumTester(backend=backend)

    # The same transactions as in eth-tester's suite, refused in our words instead of py-evm's.

    def test_send_raw_transaction_invalid_rlp_transaction(self, eth_tester: EthereumTester) -> None:
        with pytest.raises(TransactionRefusedError, match="transaction type not supported"):
            eth_tester.send_raw_transaction("0x1234")

    def test_send_raw_transaction_invalid_raw_transaction(self, eth_tester: EthereumTester) -> None:
        with pytest.raises(TransactionRefusedError, match="malformed transaction"):
            eth_tester.send_raw_transaction("0xffff")


@pytest.fixture
def chain() -> Iterator[DevChain]:
    with closing(DevChain.open(None, clock=lambda: START)) as opened:
        yield opened


@pytest.fixture
def tester(chain: DevChain) -> EthereumTester:
    return EthereumTester(backend=LastingBackend(chain))


@pytest.fixture
def transfer(tester: EthereumTester) -> dict[str, Any]:
    return {"from": tester.get_accounts()[0], "to": NOBODY, "value": 5, "gas": 21_000}


# Sending


def test_a_transaction_that_is_to_wait_is_refused_and_leaves_no_trace(
    chain: DevChain, tester: EthereumTester, transfer: dict[str, Any]
) -> None:
    tester.send_transaction(transfer)
    head = chain.head()
    seen = tester.create_pending_transaction_filter()
    raw = Actor(chain, chain.accounts[1]).sign(bytes.fromhex(NOBODY[2:]))
    tester.disable_auto_mine_transactions()
    for _ in range(2):
        with pytest.raises(AutoMiningRequiredError, match="mines each transaction at once"):
            tester.send_transaction(transfer)
        with pytest.raises(AutoMiningRequiredError):
            tester.send_raw_transaction(to_data(raw))
    assert chain.head() == head
    assert tester.get_only_filter_changes(seen) == ()
    assert tester.enable_auto_mine_transactions() == []
    assert tester.get_block_by_number("latest")["number"] == head.number + 1
    tester.send_transaction(transfer)
    assert tester.get_balance(NOBODY) == 10


def test_a_signed_transaction_is_mined_if_it_is_for_this_chain(chain: DevChain, tester: EthereumTester) -> None:
    alice = Actor(chain, chain.accounts[0])
    sent = tester.send_raw_transaction(to_data(alice.sign(bytes.fromhex(NOBODY[2:]), value=5)))
    assert tester.get_transaction_receipt(sent)["status"] == 1
    assert tester.get_balance(NOBODY) == 5
    for chain_id, reason in [(None, "replay-protected"), (1, "invalid chain id")]:
        unprotected = {"to": NOBODY, "nonce": 1, "gas": 21_000, "value": 5, "gasPrice": 10**10}
        fields = unprotected if chain_id is None else unprotected | {"chainId": chain_id}
        signed = Account.sign_transaction(fields, chain.accounts[0].private_key)
        with pytest.raises(TransactionRefusedError, match=reason):
            tester.send_raw_transaction(signed.raw_transaction.to_0x_hex())
    assert chain.head().number == 1


@pytest.mark.parametrize(
    ("fees_wei", "expected_wei"),
    [
        ({}, (10**9, 10**9)),
        ({"max_fee_per_gas": 3 * 10**9}, (3 * 10**9, 10**9)),
        ({"max_fee_per_gas": 9 * 10**8}, (9 * 10**8, 9 * 10**8)),
        ({"max_priority_fee_per_gas": 7}, (2 * 875_000_000 + 7, 7)),
        ({"max_priority_fee_per_gas": 7, "max_fee_per_gas": 10**9}, (10**9, 7)),
    ],
)
def test_missing_fees_are_filled_in(
    tester: EthereumTester, transfer: dict[str, Any], fees_wei: dict[str, int], expected_wei: tuple[int, int]
) -> None:
    sent = tester.get_transaction_by_hash(tester.send_transaction(transfer | fees_wei))
    assert (sent["max_fee_per_gas"], sent["max_priority_fee_per_gas"]) == expected_wei


def test_transactions_the_chain_does_not_take_are_refused_in_its_words(
    chain: DevChain, tester: EthereumTester, transfer: dict[str, Any]
) -> None:
    delegation = {"address": NOBODY, "nonce": 0, "chain_id": 1, "y_parity": 0, "r": 1, "s": 1}
    changes: list[tuple[dict[str, Any], str]] = [
        ({"nonce": 7}, "nonce too high"),
        ({"chain_id": 1}, "invalid chain id"),
        ({"chain_id": 1, "gas_price": 10**10}, "invalid chain id"),
        ({"max_fee_per_gas": 1}, "less than block base fee"),
        ({"authorization_list": [delegation]}, "type not supported"),
    ]
    for change, reason in changes:
        with pytest.raises(TransactionRefusedError, match=reason):
            tester.send_transaction(transfer | change)
    with pytest.raises(ValidationError, match="no such account"):
        tester.send_transaction(transfer | {"from": NOBODY})
    assert chain.head().number == 0


# Reading


def test_what_there_is_not_is_not_found(tester: EthereumTester) -> None:
    for reading in (tester.get_transaction_by_hash, tester.get_transaction_receipt):
        with pytest.raises(TransactionNotFound):
            reading("0x" + "77" * 32)
    for block in (1, 2**70):
        with pytest.raises(BlockNotFound):
            tester.get_block_by_number(block)
        with pytest.raises(BlockNotFound):
            tester.get_balance(NOBODY, block)


def test_state_is_read_at_any_block(chain: DevChain, tester: EthereumTester) -> None:
    alice = Actor(chain, chain.accounts[0])
    notebook, sender = alice.deploy(), tester.get_accounts()[0]
    address = to_checksum_address(notebook)
    assert [tester.get_nonce(sender, block) for block in ("earliest", 1, "latest", "pending")] == [0, 1, 1, 1]
    assert tester.get_code(address, "earliest") == "0x"
    assert tester.get_code(address) == to_data(chain.code(notebook))
    assert tester.get_balance(sender, 0) == 10**24 > tester.get_balance(sender, "safe")
    # A contract that stores 42 in word 7 when it is created.
    created = tester.get_transaction_receipt(to_data(alice.send(None, bytes.fromhex("602a60075500"))))
    assert tester.get_storage_at(created["contract_address"], "0x7") == "0x" + "00" * 31 + "2a"
    assert tester.get_storage_at(created["contract_address"], "0x7", 1) == "0x" + "00" * 32


def test_the_fee_history_is_the_blocks(chain: DevChain, tester: EthereumTester, transfer: dict[str, Any]) -> None:
    tester.send_transaction(transfer | {"max_priority_fee_per_gas": 9})
    tester.mine_blocks(3)
    fees_wei = [tester.get_block_by_number(number)["base_fee_per_gas"] for number in range(4)]
    assert tester.get_fee_history(3, 2, [25, 75]) == {
        "oldest_block": 0,
        "base_fee_per_gas": fees_wei,
        "gas_used_ratio": [0, 21_000 / 100_000_000, 0],
        "reward": [[0, 0], [9, 9], [0, 0]],
    }
    latest = tester.get_fee_history(1, "latest")
    assert (latest["oldest_block"], latest["base_fee_per_gas"][1]) == (4, chain.next_base_fee_wei())
    assert latest["reward"] == []


def test_failed_calls_say_why(chain: DevChain, tester: EthereumTester) -> None:
    sender = tester.get_accounts()[0]
    notebook = to_checksum_address(Actor(chain, chain.accounts[0]).deploy())
    for data, reason in [
        (set_note(1, 1_000), "notes: too large"),
        (contract.calldata("impossible()"), "invalid opcode"),
        (b"", "execution reverted"),
    ]:
        for trying in (tester.call, tester.estimate_gas):
            with pytest.raises(TransactionFailed, match=reason):
                trying({"from": sender, "to": notebook, "data": to_data(data)})


# Snapshots, time, mining


def test_a_snapshot_can_be_returned_to_again_and_again(
    chain: DevChain, tester: EthereumTester, transfer: dict[str, Any]
) -> None:
    tester.send_transaction(transfer)
    first = tester.take_snapshot()
    tester.send_transaction(transfer)
    second = tester.take_snapshot()
    for _ in range(3):
        tester.mine_blocks(2)
        tester.revert_to_snapshot(second)
        assert (chain.head().number, tester.get_balance(NOBODY)) == (2, 10)
    tester.revert_to_snapshot(first)
    assert (chain.head().number, tester.get_balance(NOBODY)) == (1, 5)
    with pytest.raises(SnapshotNotFound):
        tester.revert_to_snapshot(second)
    with pytest.raises(SnapshotNotFound):
        tester.revert_to_snapshot(99)


def test_resetting_forgets_all_but_the_first_block(
    chain: DevChain, tester: EthereumTester, transfer: dict[str, Any]
) -> None:
    genesis, accounts = chain.head(), tester.get_accounts()
    tester.add_account("0x" + "11" * 32)
    tester.send_transaction(transfer)
    tester.time_travel(START + 10_000)
    tester.reset_to_genesis()
    assert (chain.head(), tester.get_accounts()) == (genesis, accounts)
    assert tester.get_balance(NOBODY) == 0
    tester.mine_block()
    assert tester.get_block_by_number("latest")["timestamp"] == START + 1


def test_blocks_have_no_beneficiary(tester: EthereumTester) -> None:
    with pytest.raises(ValidationError, match="no beneficiary"):
        tester.mine_blocks(1, NOBODY)
