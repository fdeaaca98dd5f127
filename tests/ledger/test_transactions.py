"""Transactions: built on the head's state, sent once whatever is repeated, waited for with patience."""

import pytest
import rlp
from eth_hash.auto import keccak

from ledger.chain import CallRevertedError, TransactionRefusedError
from ledger.deployment import DeploymentError, confirmed, transact
from ledger.transactions import FeeTooHighError, NotMinedError, build, outbid, wait_for
from tests.world import World


def ask(world: World) -> bytes:
    """A call that a member may make any number of times."""
    return world.contracts.escrow.interface.call("request_withdrawal", 1)


def cancel(world: World) -> bytes:
    return world.contracts.escrow.interface.call("cancel_all")


def test_a_transaction_has_the_keys_next_nonce_and_its_own_hash(world: World) -> None:
    member = world.members[0]
    for _ in range(2):
        expected = world.chain.nonce(member.address)
        transaction = build(world.chain, member, to=world.contracts.escrow.address, data=ask(world))
        assert (transaction.nonce, transaction.hash) == (expected, keccak(transaction.raw))
        assert world.chain.send(transaction.raw) == transaction.hash
        sent = world.chain.transaction(transaction.hash)
        assert sent is not None
        assert (sent.sender, sent.nonce, sent.to) == (member.address, expected, world.contracts.escrow.address)


def test_a_nonce_may_be_given(world: World) -> None:
    member = world.members[0]
    nonce = world.chain.nonce(member.address) + 1
    later = build(world.chain, member, to=world.contracts.escrow.address, data=ask(world), nonce=nonce)
    with pytest.raises(TransactionRefusedError, match="nonce too high"):
        world.chain.send(later.raw)
    world.act(member, "request_withdrawal", 1)
    assert confirmed(world.chain, later.raw).succeeded


def test_the_same_transaction_happens_once(world: World) -> None:
    transaction = build(world.chain, world.members[0], to=world.contracts.escrow.address, data=cancel(world))
    world.chain.send(transaction.raw)
    with pytest.raises(TransactionRefusedError, match="already known"):
        world.chain.send(transaction.raw)
    assert world.read("account_of", world.members[0].address)["epoch"] == 1


def test_what_would_revert_is_not_built(world: World) -> None:
    with pytest.raises(CallRevertedError, match="escrow: not a member"):
        build(world.chain, world.strangers[0], to=world.contracts.escrow.address, data=cancel(world))


def test_gas_and_fees_leave_room_for_change(world: World) -> None:
    member = world.members[0]
    world.act(member, "request_withdrawal", 1)  # the first one, in a fresh word, costs more
    used = world.act(member, "request_withdrawal", 1).gas_used
    transaction = build(world.chain, member, to=world.contracts.escrow.address, data=ask(world))
    world.chain.send(transaction.raw)
    sent = world.chain.transaction(transaction.hash)
    assert sent is not None
    assert used < sent.gas <= used * 2
    cost_wei = sent.gas * 64 * world.chain.head().base_fee_wei
    assert world.chain.balance(member.address) > cost_wei


def test_a_mined_failure_is_an_error(world: World) -> None:
    member = world.members[0]
    world.act(member, "request_withdrawal", 1)
    world.time.now += 7_200
    data = world.contracts.escrow.interface.call("withdraw")
    once = build(world.chain, member, to=world.contracts.escrow.address, data=data)
    twice = build(world.chain, member, to=world.contracts.escrow.address, data=data, nonce=once.nonce + 1)
    confirmed(world.chain, once.raw)
    with pytest.raises(DeploymentError, match="reverted"):
        confirmed(world.chain, twice.raw)


def test_patience_ends(world: World) -> None:
    with pytest.raises(NotMinedError, match="was not mined within 0 s"):
        wait_for(world.chain, b"\x01" * 32, patience_s=0)


def test_a_call_is_sent_and_waited_for(world: World) -> None:
    receipt = transact(world.contracts.escrow, world.members[0], cancel(world))
    assert receipt == world.chain.receipt(receipt.transaction_hash)


def test_no_more_is_paid_for_gas_than_is_allowed(world: World) -> None:
    member, to = world.members[0], world.contracts.escrow.address
    base_wei = world.chain.head().base_fee_wei
    capped = build(world.chain, member, to=to, data=ask(world), max_fee_wei=2 * base_wei)
    _, _, tip, fee, *_ = rlp.decode(capped.raw[1:])
    assert int.from_bytes(fee) == 2 * base_wei
    assert int.from_bytes(tip) <= 2 * base_wei
    assert confirmed(world.chain, capped.raw).succeeded


def test_nothing_is_sent_while_the_chain_asks_for_more(world: World) -> None:
    member, to = world.members[0], world.contracts.escrow.address
    base_wei = world.chain.head().base_fee_wei
    with pytest.raises(FeeTooHighError, match=f"asks for {base_wei} wei a gas: may be at most {base_wei - 1}"):
        build(world.chain, member, to=to, data=ask(world), max_fee_wei=base_wei - 1)


def test_a_fee_is_not_raised_above_what_is_allowed(world: World) -> None:
    member, to = world.members[0], world.contracts.escrow.address
    limit_wei = 100 * world.chain.head().base_fee_wei
    transaction = build(world.chain, member, to=to, data=ask(world), max_fee_wei=limit_wei // 8)
    raised = outbid(world.chain, member, transaction.raw, max_fee_wei=limit_wei)
    _, _, tip, fee, *_ = rlp.decode(raised.raw[1:])
    assert limit_wei // 8 * 9 // 8 <= int.from_bytes(fee) <= limit_wei
    assert int.from_bytes(tip) <= int.from_bytes(fee)
    with pytest.raises(FeeTooHighError):
        outbid(world.chain, member, raised.raw, max_fee_wei=int.from_bytes(fee))
