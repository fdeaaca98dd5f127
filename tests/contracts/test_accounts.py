"""The packed words by themselves: no field runs into another, no slot into its neighbours."""

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.abi import Contract
from ledger.deployment import transact
from tests.contracts.sources import deployed
from tests.world import World, refused

SOURCE = """
# pragma version ==0.4.3
# pragma evm-version london
from contracts import accounts
initializes: accounts

@external
@view
def load(account: address) -> accounts.Account:
    return accounts.load(account)

@external
def store(account: address, state: accounts.Account):
    accounts.store(account, state)

@external
@view
def position(account: address, slot_index: uint256) -> int256:
    return accounts.position(account, slot_index)

@external
def add(account: address, slot_index: uint256, change: int256):
    accounts.add_to_position(account, slot_index, change)

@external
def add_all(account: address, slot_indices: DynArray[uint256, 32], changes: DynArray[int256, 32]):
    for i: uint256 in range(len(changes), bound=32):
        accounts.add_to_position(account, slot_indices[i], changes[i])
"""

ANNA, BERT = b"\xff" * 20, b"\x00" * 19 + b"\x01"
MOST = 2**31 - 1
LIMITS = {
    "balance": 2**88 - 1,
    "debt": 2**56 - 1,
    "epoch": 2**24 - 1,
    "epoch_from_slot": 2**40 - 1,
    "market_number": 2**24 - 1,
    "member_number": 2**24 - 1,
}
EMPTY = dict.fromkeys(LIMITS, 0)


@pytest.fixture
def accounts(world: World) -> Contract:
    return deployed(world.chain, world.strangers[0], SOURCE)


def change(world: World, accounts: Contract, function: str, *arguments: object) -> None:
    transact(accounts, world.strangers[0], accounts.interface.call(function, *arguments))


@pytest.mark.parametrize("full", LIMITS)
def test_a_full_field_leaves_the_others_empty(world: World, accounts: Contract, full: str) -> None:
    state = {**EMPTY, full: LIMITS[full]}
    change(world, accounts, "store", ANNA, state)
    assert accounts.read("load", ANNA) == state
    assert accounts.read("load", BERT) == EMPTY


@pytest.mark.parametrize("field", ["balance", "debt", "epoch"])
def test_a_field_does_not_overflow_into_its_neighbour(world: World, accounts: Contract, field: str) -> None:
    with refused(f"account: {field}"):
        change(world, accounts, "store", ANNA, {**EMPTY, field: LIMITS[field] + 1})


def test_all_fields_are_kept_side_by_side(world: World, accounts: Contract) -> None:
    change(world, accounts, "store", ANNA, LIMITS)
    assert accounts.read("load", ANNA) == LIMITS


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("lane", range(8))
def test_a_full_lane_leaves_its_neighbours_alone(world: World, accounts: Contract, lane: int, sign: int) -> None:
    for other in range(24, 32):
        change(world, accounts, "add", ANNA, other, -7 * sign)
    change(world, accounts, "add", ANNA, 24 + lane, sign * MOST)
    expected = [0, *[-7 * sign] * 8, 0]
    expected[1 + lane] += sign * MOST
    assert [accounts.read("position", ANNA, index) for index in range(23, 33)] == expected
    assert accounts.read("position", BERT, 24 + lane) == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_a_lane_does_not_overflow(world: World, accounts: Contract, sign: int) -> None:
    change(world, accounts, "add", ANNA, 5, sign * MOST)
    with refused("account: position"):
        change(world, accounts, "add", ANNA, 5, sign)
    with refused("account: position"):
        change(world, accounts, "add", ANNA, 6, sign * (MOST + 1))
    change(world, accounts, "add", ANNA, 5, -sign * MOST)
    assert accounts.read("position", ANNA, 5) == 0


changes = st.lists(
    st.tuples(st.integers(1_888_888, 1_888_908), st.integers(-(2**26), 2**26) | st.integers(-3, 3)),
    min_size=1,
    max_size=32,
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changes)
def test_positions_add_up_slot_by_slot(world: World, accounts: Contract, changes: list[tuple[int, int]]) -> None:
    snapshot = world.chain.snapshot()
    change(world, accounts, "add_all", ANNA, [index for index, _ in changes], [wh for _, wh in changes])
    expected: defaultdict[int, int] = defaultdict(int)
    for index, wh in changes:
        expected[index] += wh
    for index in {*expected, *(index + 1 for index in expected), *(index - 1 for index in expected)}:
        assert accounts.read("position", ANNA, index) == expected[index]
    world.chain.revert(snapshot)
