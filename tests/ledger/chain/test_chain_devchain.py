"""What the development chain does beyond the port: time, snapshots, admission, threads."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
import rlp
from eth_account import Account
from eth_utils.address import to_checksum_address

from ledger.chain import TransactionRefusedError
from ledger.devchain import DevChain, dev_accounts
from ledger.devchain.errors import InvalidTimeError, UnknownBlockError, UnknownSnapshotError
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import NOTED, calldata, notes, set_note, word

NOBODY = b"\x99" * 20
START = 1_750_000_000
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def chain(clock: Clock) -> Iterator[DevChain]:
    with closing(DevChain.open(None, clock=clock, genesis_timestamp=START - 100)) as opened:
        yield opened


def test_the_accounts_are_the_well_known_ones(chain: DevChain) -> None:
    assert len(chain.accounts) == 40
    assert to_checksum_address(chain.accounts[0].address) == "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
    assert to_checksum_address(chain.accounts[9].address) == "0xa0Ee7A142d267C1f36714E4a8F75612F20a79720"
    for account in chain.accounts:
        assert Account.from_key(account.private_key).address == to_checksum_address(account.address)
        assert chain.balance(account.address) == 10**24


def test_blocks_take_the_clocks_time_but_always_a_later_one(chain: DevChain, clock: Clock, alice: Actor) -> None:
    assert chain.head().timestamp == START - 100
    times = []
    for now in (START, START, START - 50, START + 10):
        clock.now = now
        alice.send(NOBODY)
        times.append(chain.head().timestamp)
    assert times == [START, START + 1, START + 2, START + 10]


def test_a_call_sees_the_clocks_time_and_one_at_a_block_sees_the_blocks(
    chain: DevChain, clock: Clock, notebook: bytes
) -> None:
    clock.now = START + 900
    assert chain.call(notebook, calldata("timestamp()")) == word(START + 900)
    mined = chain.head()
    assert chain.call(notebook, calldata("timestamp()"), block_number=mined.number) == word(mined.timestamp)


def test_time_can_be_advanced_and_runs_on(chain: DevChain, clock: Clock) -> None:
    assert chain.advance_time(3_600) == 3_600
    assert chain.advance_time(400) == 4_000
    chain.mine()
    assert chain.head().timestamp == START + 4_000
    clock.now += 7
    chain.mine()
    assert chain.head().timestamp == START + 4_007


def test_the_next_blocks_time_can_be_set_exactly(chain: DevChain, clock: Clock) -> None:
    chain.set_next_timestamp(START + 5_000)
    clock.now += 3
    chain.mine()
    assert chain.head().timestamp == START + 5_000
    clock.now += 3
    chain.mine()
    assert chain.head().timestamp == START + 5_006


def test_time_goes_neither_back_nor_beyond_the_limit(chain: DevChain) -> None:
    for move in (
        lambda: chain.advance_time(-1),
        lambda: chain.advance_time(2**40),
        lambda: chain.set_next_timestamp(chain.head().timestamp),
        lambda: chain.set_next_timestamp(2**40),
    ):
        with pytest.raises(InvalidTimeError):
            move()


def test_mine_appends_empty_blocks(chain: DevChain) -> None:
    chain.mine(3)
    head = chain.head()
    assert (head.number, head.transaction_hashes, head.gas_used) == (3, (), 0)


def test_revert_forgets_everything_since_the_snapshot(chain: DevChain, alice: Actor, notebook: bytes) -> None:
    kept = alice.transact(notebook, set_note(1, 10))
    head, nonce = chain.head(), chain.nonce(alice.address)
    snapshot = chain.snapshot()
    chain.advance_time(1_000)
    lost = [alice.transact(notebook, set_note(1, note)) for note in (11, 12, 13)]
    chain.revert(snapshot)
    assert chain.head() == head
    assert chain.nonce(alice.address) == nonce
    assert chain.call(notebook, notes(1)) == word(10)
    assert chain.logs(first_block=0, last_block=100, topics=[NOTED]) == list(kept.logs)
    for receipt in lost:
        assert chain.receipt(receipt.transaction_hash) is None
        assert chain.block(receipt.block_number) is None
        assert chain.record_with_hash(receipt.block_hash) is None
    again = alice.transact(notebook, set_note(1, 11))
    assert again.transaction_hash == lost[0].transaction_hash
    assert chain.head().timestamp < head.timestamp + 1_000


def test_a_reset_uses_up_all_snapshots_and_leaves_a_chain_that_works(chain: DevChain, alice: Actor) -> None:
    snapshot = chain.snapshot()
    sent = alice.send(NOBODY, value=5)
    chain.reset()
    assert (chain.head().number, chain.balance(NOBODY), chain.receipt(sent)) == (0, 0, None)
    with pytest.raises(UnknownSnapshotError):
        chain.revert(snapshot)
    assert alice.transact(NOBODY, value=5).block_number == 1


def test_mining_tells_the_hashes_of_the_new_blocks(chain: DevChain) -> None:
    hashes = chain.mine(3)
    assert hashes == [block.hash for number in (1, 2, 3) if (block := chain.block(number))]


def test_a_revert_uses_up_its_snapshot_and_all_later_ones(chain: DevChain) -> None:
    first, second, third = chain.snapshot(), chain.snapshot(), chain.snapshot()
    chain.mine()
    chain.revert(second)
    for used in (second, third):
        with pytest.raises(UnknownSnapshotError):
            chain.revert(used)
    chain.revert(first)
    assert chain.head().number == 0


def test_a_call_at_a_block_beyond_the_head_is_an_error(chain: DevChain) -> None:
    with pytest.raises(UnknownBlockError):
        chain.call(NOBODY, b"", block_number=1)


def test_refusals_are_in_geths_words(chain: DevChain, alice: Actor) -> None:
    known = alice.sign(NOBODY)
    chain.send(known)
    refused = {
        "already known": known,
        "nonce too low: next nonce 1, tx nonce 0": alice.sign(NOBODY, nonce=0, value=1),
        "nonce too high: next nonce 1, tx nonce 2": alice.sign(NOBODY, nonce=2),
        "insufficient funds for gas * price + value": alice.sign(NOBODY, value=10**24),
        "intrinsic gas too low: have 21000, want 21016": alice.sign(NOBODY, b"\x01", gas=21_000),
        "exceeds block gas limit": alice.sign(NOBODY, gas=100_000_001),
        "max fee per gas less than block base fee": alice.sign(NOBODY, maxFeePerGas=1, maxPriorityFeePerGas=0),
        "max priority fee per gas higher than max fee per gas": alice.sign(NOBODY, maxPriorityFeePerGas=10**11),
        "invalid chain id for signer: have 1 want 31337": alice.sign(NOBODY, chainId=1),
        "invalid chain id for signer: have 2 want 31337": alice.sign(NOBODY, chainId=2, gasPrice=10**10),
        "transaction type not supported": b"\x03" + alice.sign(NOBODY)[1:],
        "only replay-protected (EIP-155) transactions allowed over RPC": _without_replay_protection(alice),
        "invalid transaction v, r, s values": _with_mirrored_signature(alice.sign(NOBODY)),
    }
    for reason, raw in refused.items():
        with pytest.raises(TransactionRefusedError) as error:
            chain.send(raw)
        assert error.value.reason.startswith(reason)
    assert chain.head().number == 1


def _without_replay_protection(actor: Actor) -> bytes:
    fields = rlp.decode(actor.sign(NOBODY, gasPrice=10**10))
    return bytes(rlp.encode([*fields[:6], b"\x1b", *fields[7:]]))


def _with_mirrored_signature(raw: bytes) -> bytes:
    """The same transaction with the other signature that verifies: parity flipped, s' = n - s."""
    *fields, parity, r, s = rlp.decode(raw[1:])
    mirrored = (CURVE_ORDER - int.from_bytes(s)).to_bytes(32)
    return raw[:1] + bytes(rlp.encode([*fields, b"" if parity else b"\x01", r, mirrored]))


def test_fees_go_down_as_blocks_stay_empty_and_the_sender_pays_base_fee_and_tip(
    chain: DevChain, alice: Actor
) -> None:
    before = chain.balance(alice.address)
    receipt = alice.transact(NOBODY, maxFeePerGas=10**10, maxPriorityFeePerGas=5)
    block = chain.block(receipt.block_number)
    assert block is not None
    assert before - chain.balance(alice.address) == 21_000 * (block.base_fee_wei + 5)
    assert chain.next_base_fee_wei() < block.base_fee_wei


def test_threads_that_send_and_read_at_once_do_not_disturb_one_another(chain: DevChain, notebook: bytes) -> None:
    per_thread = 15

    def send(index: int) -> None:
        actor = Actor(chain, dev_accounts()[index])
        for note in range(per_thread):
            receipt = actor.transact(notebook, set_note(index, note))
            assert receipt.succeeded
            assert chain.call(notebook, notes(index)) == word(note)
            assert receipt.logs[0] in chain.logs(
                first_block=0, last_block=10_000, topics=[None, None, word(index)]
            )

    start = chain.head().number
    with ThreadPoolExecutor() as threads:
        for finished in [threads.submit(send, index) for index in range(1, 5)]:
            finished.result()
    assert chain.head().number == start + 4 * per_thread
    numbers = range(start + 1, start + 4 * per_thread + 1)
    for number in numbers:
        block, parent = chain.block(number), chain.block(number - 1)
        assert block is not None
        assert parent is not None
        assert block.parent_hash == parent.hash


def test_opening_a_chain_leaves_no_recursion_limit_that_the_stack_cannot_bear(chain: DevChain) -> None:
    assert chain.chain_id == 31337
    with pytest.raises(RecursionError):
        json.loads("[" * 200_000)
