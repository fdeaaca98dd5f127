"""Certificates as ERC-1155 tokens: approvals, batches, receivers that accept, refuse or call back."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.abi import Contract
from tests.contracts.devices import (
    DEVICE,
    LOAD,
    TOKEN,
    certificates,
    certify,
    claim,
    claimed,
    consumption_id,
    held,
    register,
    retire,
    send,
    token_id,
)
from tests.contracts.sources import deployed
from tests.world import SLOT, World, refused

SECOND = token_id(DEVICE + 1, SLOT)

RECEIVER = """
# pragma version ==0.4.3
# pragma evm-version london

struct Claim:
    beneficiary: address
    purpose: uint256
    country: String[2]
    first_slot: uint256
    last_slot: uint256
    text_hash: bytes32

interface Certificates:
    def retire(ids: DynArray[uint256, 128], amounts: DynArray[uint256, 128], claim: Claim): nonpayable
    def balanceOf(account: address, id: uint256) -> uint256: view
    def safeTransferFrom(owner: address, to: address, id: uint256, amount: uint256, data: Bytes[1_024]): nonpayable

single: bytes4
batch: bytes4
reenter: uint256
calls: public(uint256)
seen: public(uint256)
last_operator: public(address)
last_data: public(Bytes[1_024])

@deploy
def __init__(single: bytes4, batch: bytes4, reenter: uint256):
    self.single = single
    self.batch = batch
    self.reenter = reenter

@external
def onERC1155Received(
    operator: address, owner: address, id: uint256, amount: uint256, data: Bytes[1_024]
) -> bytes4:
    self._take(operator, owner, id, amount, data)
    return self.single

@external
def onERC1155BatchReceived(
    operator: address,
    owner: address,
    ids: DynArray[uint256, 128],
    amounts: DynArray[uint256, 128],
    data: Bytes[1_024],
) -> bytes4:
    self._take(operator, owner, ids[0], amounts[0], data)
    return self.batch

@internal
def _take(operator: address, owner: address, id: uint256, amount: uint256, data: Bytes[1_024]):
    token: Certificates = Certificates(msg.sender)
    self.calls += 1
    self.seen = staticcall token.balanceOf(self, id)
    self.last_operator = operator
    self.last_data = data
    if self.reenter == 1:
        claim: Claim = empty(Claim)
        claim.purpose = 1
        extcall token.retire([id], [amount], claim)
    if self.reenter == 2:
        extcall token.safeTransferFrom(self, owner, id, amount, b"")
    if self.reenter == 3:
        extcall token.safeTransferFrom(owner, self, id, amount, b"")
"""
SINGLE, BATCH = bytes.fromhex("f23a6e61"), bytes.fromhex("bc197c81")


@pytest.fixture
def issued(world: World) -> World:
    """Member 0 holds 500 Wh of one device and 300 Wh of another."""
    for device in (DEVICE, DEVICE + 1):
        register(world, device, world.members[0].address)
    certify(world, [(DEVICE, 500), (DEVICE + 1, 300)])
    return world


def receiver(world: World, single: bytes = SINGLE, batch: bytes = BATCH, reenter: int = 0) -> Contract:
    return deployed(world.chain, world.strangers[0], RECEIVER, single, batch, reenter)


def transfer(world: World, to: bytes, wh: int, *, sender: int = 0, owner: int = 0, data: bytes = b"") -> None:
    owner_address = world.members[owner].address
    send(world, world.members[sender], "safeTransferFrom", owner_address, to, TOKEN, wh, data)


def transfer_batch(world: World, to: bytes, tokens: list[int], amounts: list[int], *, sender: int = 0) -> None:
    owner = world.members[0].address
    send(world, world.members[sender], "safeBatchTransferFrom", owner, to, tokens, amounts, b"\x01")


# ------------------------------------------------------------------------------------- between accounts


def test_a_holder_transfers(issued: World) -> None:
    anna, bert = (key.address for key in issued.members[:2])
    transfer(issued, bert, 200)
    assert (held(issued, anna), held(issued, bert)) == (300, 200)


def test_nobody_transfers_more_than_it_holds(issued: World) -> None:
    with refused("certificates: balance"):
        transfer(issued, issued.members[1].address, 501)
    transfer(issued, issued.members[1].address, 500)


def test_a_transfer_to_oneself_changes_nothing(issued: World) -> None:
    anna = issued.members[0].address
    transfer(issued, anna, 500)
    assert held(issued, anna) == 500
    with refused("certificates: balance"):
        transfer(issued, anna, 501)


@pytest.mark.parametrize("batch", [False, True])
def test_consumption_stays_with_who_consumed(issued: World, batch: bool) -> None:
    register(issued, 20, issued.members[0].address, kind=LOAD)
    certify(issued, [], [(20, 5)])
    anna, bert = issued.members[:2]
    with refused("certificates: consumption does not move"):
        if batch:
            transfer_batch(issued, bert.address, [TOKEN, consumption_id(20)], [1, 1])
        else:
            send(issued, anna, "safeTransferFrom", anna.address, bert.address, consumption_id(20), 1, b"")


def test_whom_a_transfer_goes_to_transfers_on_and_back(issued: World) -> None:
    anna, bert, cora = (key.address for key in issued.members[:3])
    transfer(issued, bert, 200)
    transfer(issued, cora, 150, sender=1, owner=1)
    transfer(issued, anna, 120, sender=2, owner=2)
    assert [held(issued, account) for account in (anna, bert, cora)] == [420, 50, 30]
    with refused("certificates: balance"):
        transfer(issued, anna, 51, sender=1, owner=1)


def test_a_transfer_of_nothing_is_one(issued: World) -> None:
    transfer(issued, issued.members[1].address, 0)
    assert held(issued, issued.members[1].address) == 0


def test_nothing_is_transferred_to_nobody(issued: World) -> None:
    with refused("certificates: no receiver"):
        transfer(issued, bytes(20), 1)
    with refused("certificates: no receiver"):
        transfer_batch(issued, bytes(20), [TOKEN], [1])


def test_a_transfer_leaves_what_was_retired_where_it_is(issued: World) -> None:
    anna, bert = issued.members[:2]
    retire(issued, anna, TOKEN, 100)
    transfer(issued, bert.address, 400)
    retire(issued, bert, TOKEN, 50)
    assert [claimed(issued, key.address) for key in (anna, bert)] == [100, 50]
    assert [held(issued, key.address) for key in (anna, bert)] == [0, 350]


def test_a_batch_moves_each_token(issued: World) -> None:
    anna, bert = (key.address for key in issued.members[:2])
    transfer_batch(issued, bert, [TOKEN, SECOND, TOKEN], [100, 300, 50])
    owners, tokens = [anna, anna, bert, bert], [TOKEN, SECOND, TOKEN, SECOND]
    assert list(certificates(issued).read("balanceOfBatch", owners, tokens)) == [350, 0, 150, 300]


def test_a_batch_that_fails_in_part_fails_as_a_whole(issued: World) -> None:
    with refused("certificates: balance"):
        transfer_batch(issued, issued.members[1].address, [TOKEN, SECOND], [100, 301])
    with refused("certificates: balance"):
        transfer_batch(issued, issued.members[1].address, [TOKEN, TOKEN], [300, 201])
    assert held(issued, issued.members[0].address) == 500


def test_batches_name_as_many_amounts_or_owners_as_tokens(issued: World) -> None:
    with refused("certificates: lengths"):
        transfer_batch(issued, issued.members[1].address, [TOKEN, SECOND], [1])
    for view in ("balanceOfBatch", "claimedBalanceOfBatch"):
        with refused("certificates: lengths"):
            certificates(issued).read(view, [bytes(20)], [TOKEN, SECOND])


# -------------------------------------------------------------------------------------------- approvals


@pytest.mark.parametrize("batch", [False, True])
def test_nobody_transfers_for_another_without_approval(issued: World, batch: bool) -> None:
    bert = issued.members[1]

    def take() -> None:
        if batch:
            transfer_batch(issued, bert.address, [TOKEN], [1], sender=1)
        else:
            transfer(issued, bert.address, 1, sender=1)

    with refused("certificates: not approved"):
        take()
    send(issued, issued.members[0], "setApprovalForAll", bert.address, True)
    take()
    assert held(issued, bert.address) == 1
    send(issued, issued.members[0], "setApprovalForAll", bert.address, False)
    with refused("certificates: not approved"):
        take()


def test_an_approval_is_for_one_owner_and_one_operator(issued: World) -> None:
    anna, bert, cora = issued.members[:3]
    send(issued, anna, "setApprovalForAll", bert.address, True)
    read = certificates(issued).read
    assert read("isApprovedForAll", anna.address, bert.address)
    assert not read("isApprovedForAll", bert.address, anna.address)
    with refused("certificates: not approved"):
        transfer(issued, cora.address, 1, sender=2)


def test_an_approved_operator_does_not_retire_for_the_owner(issued: World) -> None:
    anna, bert = issued.members[:2]
    send(issued, anna, "setApprovalForAll", bert.address, True)
    with refused("certificates: balance"):
        retire(issued, bert, TOKEN, 1)


def test_nobody_is_its_own_operator(issued: World) -> None:
    anna = issued.members[0]
    with refused("certificates: own operator"):
        send(issued, anna, "setApprovalForAll", anna.address, True)


# -------------------------------------------------------------------------------------------- receivers


def test_a_contract_that_accepts_receives(issued: World) -> None:
    to = receiver(issued)
    transfer(issued, to.address, 200, data=b"hello")
    assert held(issued, to.address) == 200
    assert (to.read("calls"), to.read("seen"), to.read("last_data")) == (1, 200, b"hello")
    assert to.read("last_operator") == issued.members[0].address
    transfer_batch(issued, to.address, [TOKEN, SECOND], [10, 20])
    assert (held(issued, to.address), held(issued, to.address, SECOND)) == (210, 20)


def test_a_contract_that_answers_something_else_does_not_receive(issued: World) -> None:
    to = receiver(issued, single=BATCH, batch=SINGLE)
    with refused("certificates: receiver"):
        transfer(issued, to.address, 1)
    with refused("certificates: receiver"):
        transfer_batch(issued, to.address, [TOKEN], [1])
    assert held(issued, issued.members[0].address) == 500


def test_a_contract_that_knows_nothing_of_certificates_does_not_receive(issued: World) -> None:
    with refused(""):
        transfer(issued, issued.exchange.address, 1)
    with refused(""):
        transfer_batch(issued, issued.exchange.address, [TOKEN], [1])


def test_a_receiver_may_retire_what_it_receives(issued: World) -> None:
    to = receiver(issued, reenter=1)
    transfer(issued, to.address, 200)
    assert held(issued, to.address) == 0
    assert claimed(issued, to.address) == 200
    assert certificates(issued).read("retired_of", TOKEN) == 200


def test_a_receiver_may_send_back_what_it_receives(issued: World) -> None:
    to = receiver(issued, reenter=2)
    transfer(issued, to.address, 200)
    assert (held(issued, to.address), held(issued, issued.members[0].address)) == (0, 500)


def test_a_receiver_that_calls_back_takes_no_more_than_it_was_sent(issued: World) -> None:
    to = receiver(issued, reenter=3)
    with refused("certificates: not approved"):
        transfer(issued, to.address, 200)
    with refused("certificates: not approved"):
        transfer_batch(issued, to.address, [TOKEN], [200])
    assert held(issued, issued.members[0].address) == 500


# ----------------------------------------------------------------------------------------- conservation

actions = st.lists(
    st.tuples(
        st.sampled_from(["transfer", "retire", "batch"]),
        st.integers(0, 3),
        st.integers(0, 3),
        st.sampled_from([TOKEN, SECOND]),
        st.integers(0, 400),
    ),
    max_size=8,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(actions)
def test_what_was_issued_is_held_or_retired(issued: World, actions: list[tuple[str, int, int, int, int]]) -> None:
    snapshot = issued.chain.snapshot()
    accounts = [key.address for key in issued.members]
    holds = {TOKEN: [500, 0, 0, 0], SECOND: [300, 0, 0, 0]}
    retired = {TOKEN: [0] * 4, SECOND: [0] * 4}
    for action, who, to, token, wh in actions:
        reason = "certificates: balance" if wh > holds[token][who] else ""
        if action == "retire" and wh == 0:
            reason = "certificates: empty"
        calls: dict[str, tuple[str, tuple[object, ...]]] = {
            "retire": ("retire", ([token], [wh], claim())),
            "transfer": ("safeTransferFrom", (accounts[who], accounts[to], token, wh, b"")),
            "batch": ("safeBatchTransferFrom", (accounts[who], accounts[to], [token], [wh], b"")),
        }
        function, arguments = calls[action]
        if reason:
            with refused(reason):
                send(issued, issued.members[who], function, *arguments)
            continue
        send(issued, issued.members[who], function, *arguments)
        holds[token][who] -= wh
        (retired if action == "retire" else holds)[token][who if action == "retire" else to] += wh
    read = certificates(issued).read
    for token, wh in ((TOKEN, 500), (SECOND, 300)):
        assert [held(issued, account, token) for account in accounts] == holds[token]
        assert [claimed(issued, account, token) for account in accounts] == retired[token]
        assert read("retired_of", token) == sum(retired[token])
        assert read("issued_of", token) == wh == sum(holds[token]) + sum(retired[token])
    issued.chain.revert(snapshot)
