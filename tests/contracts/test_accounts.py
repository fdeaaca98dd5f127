"""The packed words by themselves: no field, no slot and no epoch runs into its neighbours."""

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, example, given, settings
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
def account_of(account: address) -> accounts.Account:
    return accounts.unpacked(accounts.words[account])

@external
@view
def word_of(account: address) -> uint256:
    return accounts.words[account]

@external
def set_word(account: address, word: uint256):
    accounts.words[account] = word

@external
@pure
def opened(market_number: uint256, member_number: uint256) -> uint256:
    return accounts.opened(market_number, member_number)

@external
@pure
def credited(word: uint256, amount: uint256) -> uint256:
    return accounts.credited(word, amount)

@external
@pure
def debited(word: uint256, amount: uint256) -> uint256:
    return accounts.debited(word, amount)

@external
@pure
def with_money(word: uint256, balance: uint256, debt: uint256) -> uint256:
    return accounts.with_money(word, balance, debt)

@external
def raise_epoch(account: address, from_slot: uint256) -> uint256:
    return accounts.raise_epoch(account, from_slot)

@external
def raise_epochs(account: address, from_slots: DynArray[uint256, 8]):
    for from_slot: uint256 in from_slots:
        accounts.raise_epoch(account, from_slot)

@external
@view
def holding_epochs(account: address, slot: uint256, highest: uint256) -> DynArray[uint256, 16]:
    holding: DynArray[uint256, 16] = []
    for epoch: uint256 in range(highest + 1, bound=16):
        if accounts.is_current(account, accounts.words[account], slot, epoch):
            holding.append(epoch)
    return holding

@external
@view
def is_current(account: address, slot: uint256, epoch: uint256) -> bool:
    return accounts.is_current(account, accounts.words[account], slot, epoch)

@external
@view
def position(account: address, slot_index: uint256) -> int256:
    return accounts.position(account, accounts.words[account], slot_index)

@external
def move(account: address, slot_indices: DynArray[uint256, 32], changes: DynArray[int256, 32]):
    for i: uint256 in range(len(changes), bound=32):
        accounts.words[account] = accounts.moved(account, accounts.words[account], slot_indices[i], changes[i])
"""

ANNA, BERT = b"\xff" * 20, b"\x00" * 19 + b"\x01"
MOST = 2**23 - 1
NOW = 1_888_888  # a slot's number, as of today, in slots of a quarter hour
SLOT_UNIT_S = 300

# Where each field lies, and how wide it is; positions are above these.
FIELDS = {
    "balance": (0, 60),
    "debt": (60, 52),
    "epoch": (112, 16),
    "epoch_from_slot": (128, 24),
    "market_number": (152, 16),
    "member_number": (168, 16),
    "latest_slot_index": (184, 24),
}
UNITS = {"epoch_from_slot": SLOT_UNIT_S}
FULL = {name: (2**bits - 1) * UNITS.get(name, 1) for name, (_, bits) in FIELDS.items()}
EMPTY = dict.fromkeys(FIELDS, 0)
BOTH_POSITIONS = (2**48 - 1) << 208


def packed(**fields: int) -> int:
    return sum(value // UNITS.get(name, 1) << FIELDS[name][0] for name, value in fields.items())


@pytest.fixture
def accounts(world: World) -> Contract:
    return deployed(world.chain, world.strangers[0], SOURCE)


def change(world: World, accounts: Contract, function: str, *arguments: object) -> None:
    transact(accounts, world.strangers[0], accounts.interface.call(function, *arguments))


def unpacked(world: World, accounts: Contract, word: int) -> dict[str, int]:
    change(world, accounts, "set_word", ANNA, word)
    state: dict[str, int] = accounts.read("account_of", ANNA)
    return state


# ------------------------------------------------------------------------------------------- the layout


def test_the_fields_fill_the_word_without_a_gap() -> None:
    edges = [0]
    for start, bits in FIELDS.values():
        assert start == edges[-1]
        edges.append(start + bits)
    assert edges[-1] + 48 == 256


@pytest.mark.parametrize("full", FIELDS)
def test_a_full_field_leaves_the_others_empty(world: World, accounts: Contract, full: str) -> None:
    state = {**EMPTY, full: FULL[full]}
    assert unpacked(world, accounts, packed(**state)) == state


def test_all_fields_are_kept_side_by_side(world: World, accounts: Contract) -> None:
    assert unpacked(world, accounts, packed(**FULL) | BOTH_POSITIONS) == FULL


def test_full_positions_leave_the_fields_empty(world: World, accounts: Contract) -> None:
    assert unpacked(world, accounts, BOTH_POSITIONS) == EMPTY


def test_one_account_is_no_other(world: World, accounts: Contract) -> None:
    change(world, accounts, "set_word", ANNA, packed(**FULL))
    assert accounts.read("account_of", BERT) == EMPTY


def test_an_account_is_opened_with_its_market_and_its_number(accounts: Contract) -> None:
    standing = {"market_number": 2**16 - 1, "member_number": 2**15 + 1}
    assert accounts.read("opened", *standing.values()) == packed(**standing)


# ------------------------------------------------------------------------------------------------ money

ALL_ELSE = (
    packed(**{name: value for name, value in FULL.items() if name not in {"balance", "debt"}}) | BOTH_POSITIONS
)


def test_a_balance_grows_up_to_its_field_and_touches_nothing_else(accounts: Contract) -> None:
    most, rest = FULL["balance"], ALL_ELSE | packed(debt=5)
    assert accounts.read("credited", rest | 7, most - 7) == rest | most
    with refused("account: balance"):
        accounts.read("credited", rest | 7, most - 6)
    with refused("account: balance"):
        accounts.read("credited", rest, 2**60)


def test_a_balance_shrinks_down_to_nothing_and_touches_nothing_else(accounts: Contract) -> None:
    rest = ALL_ELSE | packed(debt=5)
    assert accounts.read("debited", rest | 7, 7) == rest
    with refused("account: escrow"):
        accounts.read("debited", rest | 7, 8)


def test_balance_and_debt_are_replaced_together_and_nothing_else_is(accounts: Contract) -> None:
    before = ALL_ELSE | packed(balance=123, debt=456)
    most = {"balance": FULL["balance"], "debt": FULL["debt"]}
    assert accounts.read("with_money", before, *most.values()) == ALL_ELSE | packed(**most)
    assert accounts.read("with_money", ALL_ELSE | packed(**most), 0, 0) == ALL_ELSE


@pytest.mark.parametrize("field", ["balance", "debt"])
def test_a_field_does_not_overflow_into_its_neighbour(accounts: Contract, field: str) -> None:
    money = {"balance": 0, "debt": 0, field: FULL[field] + 1}
    with refused(f"account: {field}"):
        accounts.read("with_money", 0, *money.values())


# ----------------------------------------------------------------------------------------------- epochs


def test_raising_an_epoch_touches_nothing_else(world: World, accounts: Contract) -> None:
    fields = {**FULL, "epoch": 2**16 - 2, "epoch_from_slot": 0}
    change(world, accounts, "set_word", ANNA, packed(**fields) | BOTH_POSITIONS)
    change(world, accounts, "raise_epoch", ANNA, FULL["epoch_from_slot"])
    assert accounts.read("word_of", ANNA) == packed(**FULL) | BOTH_POSITIONS


def test_epochs_end_where_their_field_does(world: World, accounts: Contract) -> None:
    change(world, accounts, "set_word", ANNA, packed(epoch=2**16 - 1))
    with refused("account: epoch"):
        change(world, accounts, "raise_epoch", ANNA, 900)


def test_an_epoch_begins_after_the_one_before_it(world: World, accounts: Contract) -> None:
    change(world, accounts, "raise_epoch", ANNA, 900)
    for from_slot in (600, 900):
        with refused("account: cancelled in this slot"):
            change(world, accounts, "raise_epoch", ANNA, from_slot)
    change(world, accounts, "raise_epoch", ANNA, 1_200)
    assert accounts.read("account_of", ANNA) == EMPTY | {"epoch": 2, "epoch_from_slot": 1_200}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(1, 12), max_size=8))
def test_in_each_slot_the_one_epoch_holds_that_had_begun(
    world: World, accounts: Contract, begins: set[int]
) -> None:
    starts = [SLOT_UNIT_S * (NOW + number) for number in sorted(begins)]
    snapshot = world.chain.snapshot()
    change(world, accounts, "raise_epochs", ANNA, starts)
    for slot in range(SLOT_UNIT_S * NOW, SLOT_UNIT_S * (NOW + 14), SLOT_UNIT_S):
        begun = sum(start <= slot for start in starts)
        assert list(accounts.read("holding_epochs", ANNA, slot, len(starts) + 2)) == [begun]
    assert not accounts.read("is_current", ANNA, SLOT_UNIT_S * NOW, 2**32 - 1)
    world.chain.revert(snapshot)


# -------------------------------------------------------------------------------------------- positions


def positions(accounts: Contract, first: int, count: int, account: bytes = ANNA) -> list[int]:
    return [accounts.read("position", account, first + place) for place in range(count)]


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("latest", [NOW, NOW + 1])
def test_the_two_near_positions_lie_side_by_side(world: World, accounts: Contract, latest: int, sign: int) -> None:
    """Whichever of the two slots is the even one, and whichever is full."""
    rest = {**FULL, "latest_slot_index": 0}
    for full in (latest - 1, latest):
        snapshot = world.chain.snapshot()
        change(world, accounts, "set_word", ANNA, packed(**rest))
        moves = {latest - 1: -7 * sign, latest: -7 * sign}
        change(world, accounts, "move", ANNA, list(moves), list(moves.values()))
        change(world, accounts, "move", ANNA, [full], [sign * (MOST + 7)])
        expected = [0, -7 * sign, -7 * sign, 0]
        expected[full - latest + 2] = sign * MOST
        assert positions(accounts, latest - 2, 4) == expected
        assert positions(accounts, latest - 2, 4, BERT) == [0] * 4
        assert accounts.read("account_of", ANNA) == rest | {"latest_slot_index": latest}
        world.chain.revert(snapshot)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_position_does_not_overflow(world: World, accounts: Contract, sign: int) -> None:
    change(world, accounts, "move", ANNA, [NOW], [sign * MOST])
    for index, wh in ((NOW, 1), (NOW - 1, MOST + 1), (NOW + 1, MOST + 1), (NOW - 8, MOST + 1)):
        with refused("account: position"):
            change(world, accounts, "move", ANNA, [index], [sign * wh])
    change(world, accounts, "move", ANNA, [NOW], [-sign * MOST])
    assert accounts.read("position", ANNA, NOW) == 0


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("step", [1, 2, 3, 8, 9, 1_000])
def test_an_undelivered_position_makes_room_for_a_later_slot(
    world: World, accounts: Contract, step: int, sign: int
) -> None:
    for latest in (NOW, NOW + 1):
        snapshot = world.chain.snapshot()
        moves = {latest - 1: sign * MOST, latest: -sign * MOST, latest + step: sign * MOST}
        change(world, accounts, "move", ANNA, list(moves), list(moves.values()))
        assert {index: accounts.read("position", ANNA, index) for index in moves} == moves
        assert accounts.read("position", ANNA, latest + step - 1) == moves.get(latest + step - 1, 0)
        assert accounts.read("account_of", ANNA)["latest_slot_index"] == latest + step
        # Where it is now it does not overflow either, and it is delivered from there.
        with refused("account: position"):
            change(world, accounts, "move", ANNA, [latest - 1], [sign])
        change(world, accounts, "move", ANNA, list(moves), [-wh for wh in moves.values()])
        assert [accounts.read("position", ANNA, index) for index in moves] == [0, 0, 0]
        world.chain.revert(snapshot)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("lane", range(8))
def test_a_full_lane_leaves_its_neighbours_alone(world: World, accounts: Contract, lane: int, sign: int) -> None:
    """Of the eight older slots that share a word."""
    first = NOW // 8 * 8
    change(world, accounts, "move", ANNA, [first + 20], [1])  # makes these slots old ones
    change(world, accounts, "move", ANNA, list(range(first, first + 8)), [-7 * sign] * 8)
    change(world, accounts, "move", ANNA, [first + lane], [sign * (MOST + 7)])
    expected = [0, *[-7 * sign] * 8, 0]
    expected[1 + lane] = sign * MOST
    assert positions(accounts, first - 1, 10) == expected
    assert accounts.read("position", BERT, first + lane) == 0


def test_a_position_that_is_delivered_in_time_costs_no_word_of_its_own(world: World, accounts: Contract) -> None:
    def cost(changes: dict[int, int]) -> int:
        data = accounts.interface.call("move", ANNA, list(changes), list(changes.values()))
        return transact(accounts, world.strangers[0], data).gas_used

    cost({NOW: 5})
    in_time = [cost({index: 5, index - 1: -5}) for index in range(NOW + 1, NOW + 10)]
    cost({NOW + 10: 5})
    late = cost({NOW + 11: 5})  # the position of NOW + 9 has to go elsewhere
    assert late > max(in_time) + 15_000
    assert max(in_time) - min(in_time) < 1_000


slot_indices = st.integers(NOW, NOW + 20) | st.integers(NOW - 300, NOW + 300)
moves = st.lists(
    st.tuples(slot_indices, st.integers(-(2**17), 2**17) | st.integers(-3, 3)), min_size=1, max_size=32
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves)
@example([(NOW, 1), (NOW + 2, 1), (NOW + 1, 1), (NOW, 1)])
@example([(NOW, 1), (NOW + 1, 1), (NOW + 2, 1), (NOW, -1), (NOW + 3, 1)])
def test_positions_add_up_slot_by_slot_in_whatever_order(
    world: World, accounts: Contract, moves: list[tuple[int, int]]
) -> None:
    snapshot = world.chain.snapshot()
    rest = {**FULL, "latest_slot_index": 0}
    change(world, accounts, "set_word", ANNA, packed(**rest))
    change(world, accounts, "move", ANNA, [index for index, _ in moves], [wh for _, wh in moves])
    expected: defaultdict[int, int] = defaultdict(int)
    for index, wh in moves:
        expected[index] += wh
    for index in {*expected, *(index + 1 for index in expected), *(index - 1 for index in expected)}:
        assert accounts.read("position", ANNA, index) == expected[index]
    latest = max(index for index, _ in moves)
    assert accounts.read("account_of", ANNA) == rest | {"latest_slot_index": latest}
    world.chain.revert(snapshot)
