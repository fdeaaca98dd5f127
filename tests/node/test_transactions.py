"""Members' own transactions on a real chain: prepared, signed elsewhere, taken, sent and followed."""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest
import rlp
from eth_account import Account

from ledger.chain import CallRevertedError
from ledger.keys import Key
from ledger.transactions import sign
from node.clock import SteppedClock
from node.store import Store
from node.transactions import (
    NONCE_TAKEN,
    ForeignTransactionError,
    MalformedTransactionError,
    RefusedTransactionError,
    Transactions,
    TransactionState,
    UnknownTransactionError,
)
from tests.world import SLOT, World, new_world, one_world_for_a_test


@pytest.fixture(scope="module")
def built() -> Iterator[World]:
    with new_world(members=2) as world:
        yield world


@pytest.fixture
def world(built: World) -> Iterator[World]:
    with one_world_for_a_test(built) as world:
        yield world


@pytest.fixture
def store(world: World, tmp_path: Path) -> Iterator[Store]:
    store = Store(f"sqlite:///{tmp_path / 'node.sqlite'}", domain=world.domain, market=world.market)
    yield store
    store.close()


@pytest.fixture
def transactions(world: World, store: Store) -> Transactions:
    contracts = {each.name: getattr(world.contracts, each.name) for each in fields(world.contracts)}
    return Transactions(world.chain, contracts, store, SteppedClock(SLOT, lambda _: None))


def call(world: World, amount: int) -> bytes:
    return world.contracts.escrow.interface.call("request_withdrawal", amount)


def signed(transactions: Transactions, world: World, key: Key, calldata: bytes, **changes: object) -> bytes:
    prepared = transactions.prepare(key.address, world.contracts.escrow.address, calldata)
    return sign(key, prepared | changes).raw


def test_what_was_prepared_does_its_work_once_signed(transactions: Transactions, world: World) -> None:
    key = world.members[0]
    raw = signed(transactions, world, key, call(world, 5))
    record = transactions.take(raw)
    found = transactions.follow(record.hash)
    assert (found.state, found.block) == (TransactionState.CONFIRMED, world.chain.head().number)
    assert record.sender == key.address
    assert world.read("withdrawals", key.address)["amount"] == 5


def test_handed_in_again_it_is_sent_once(transactions: Transactions, world: World) -> None:
    raw = signed(transactions, world, world.members[0], call(world, 5))
    assert transactions.take(raw) == transactions.take(raw)
    assert world.chain.nonce(world.members[0].address) == 1


def test_a_transaction_lives_on_with_the_store(transactions: Transactions, world: World, store: Store) -> None:
    record = transactions.take(signed(transactions, world, world.members[0], call(world, 5)))
    later = Transactions(world.chain, {}, store, SteppedClock(SLOT, lambda _: None))
    assert later.follow(record.hash).state is TransactionState.CONFIRMED


def test_nothing_is_prepared_that_the_contract_would_refuse(transactions: Transactions, world: World) -> None:
    with pytest.raises(CallRevertedError) as caught:
        signed(transactions, world, world.members[0], call(world, 2**50))
    assert caught.value.reason == "escrow: more than the balance"


def test_a_failure_is_told_in_words(transactions: Transactions, world: World) -> None:
    too_much = call(world, 2**50)
    raw = signed(transactions, world, world.members[0], call(world, 5), data=too_much, gas=200_000)
    found = transactions.follow(transactions.take(raw).hash)
    assert (found.state, found.reason) == (TransactionState.FAILED, "the account has fewer credits in escrow")
    assert found.block == world.chain.head().number


def test_what_the_chain_forgot_is_sent_again(transactions: Transactions, world: World) -> None:
    key, before = world.members[0], world.chain.snapshot()
    records = [transactions.take(signed(transactions, world, key, call(world, n))) for n in (1, 2)]
    world.chain.revert(before)  # as a re-organisation does
    assert transactions.prepare(key.address, world.contracts.escrow.address, call(world, 3))["nonce"] == 2
    waiting = transactions.follow(records[1].hash)
    assert waiting.state is TransactionState.PENDING
    assert waiting.reason is not None
    for record in records:
        transactions.follow(record.hash)
        assert transactions.follow(record.hash).state is TransactionState.CONFIRMED
    assert world.read("withdrawals", key.address)["amount"] == 2


def test_a_nonce_that_another_took_is_a_failure(transactions: Transactions, world: World) -> None:
    key, before = world.members[0], world.chain.snapshot()
    lost = transactions.take(signed(transactions, world, key, call(world, 1)))
    world.chain.revert(before)
    world.act(key, "request_withdrawal", 2)
    found = transactions.follow(lost.hash)
    assert (found.state, found.reason) == (TransactionState.FAILED, NONCE_TAKEN)


def test_what_the_chain_refuses_is_not_kept(transactions: Transactions, world: World) -> None:
    key = world.members[0]
    stale = signed(transactions, world, key, call(world, 1))
    world.act(key, "request_withdrawal", 2)
    with pytest.raises(RefusedTransactionError):
        transactions.take(stale)
    with pytest.raises(UnknownTransactionError):
        transactions.follow(bytes(32))


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"to": b"\x77" * 20}, "'to'"),
        ({"chainId": 1}, "'chain_id'"),
        ({"value": 1}, "'value'"),
        ({"data": b"\x01\x02\x03\x04"}, "'data'"),
    ],
)
def test_what_is_not_for_our_contracts_is_not_sent(
    transactions: Transactions, world: World, change: dict[str, object], field: str
) -> None:
    raw = signed(transactions, world, world.members[0], call(world, 5), **change)
    with pytest.raises(ForeignTransactionError, match=field):
        transactions.take(raw)
    assert world.chain.nonce(world.members[0].address) == 0


def test_other_bytes_are_no_transaction(transactions: Transactions, world: World) -> None:
    raw = signed(transactions, world, world.members[0], call(world, 5))
    legacy = {"nonce": 0, "gas": 100_000, "gasPrice": 10**10, "to": b"\x77" * 20, "value": 0, "data": b""}
    fields_of = rlp.decode(raw[1:])
    broken = [
        b"",
        b"\x02",
        raw[:-1],
        bytes(Account.sign_transaction(legacy, world.members[0].secret).raw_transaction),
        b"\x02" + rlp.encode(fields_of[:-1]),
        b"\x02" + rlp.encode([*fields_of[:-1], bytes(33)]),
        b"\x02" + rlp.encode([[], *fields_of[1:]]),
    ]
    for each in broken:
        with pytest.raises(MalformedTransactionError):
            transactions.take(each)
