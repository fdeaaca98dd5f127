"""The utility's account goes wherever its role goes."""

import pytest

from ledger.batches import FilledOrder, MemberReading
from ledger.chain import Receipt
from ledger.keys import Key
from tests.contracts.debts import ESCROW, LEAST_DEBT, NOTICE_S, run_into_debt, tokens
from tests.world import MARKET, TARIFF, World, refused

UTILITY = 3  # the role's number


def hand_over(world: World, to: Key) -> Receipt:
    world.act("utility", "offer_role", MARKET, UTILITY, to.address)
    return world.act(to, "accept_role", MARKET, UTILITY)


@pytest.fixture
def moved(world: World) -> World:
    """The utility's role went to the first stranger."""
    hand_over(world, world.strangers[0])
    return world


def test_a_utilitys_account_moves_with_its_role(world: World) -> None:
    former, utility = world.keys["utility"].address, world.strangers[0]
    before = world.read("account_of", former)
    receipt = hand_over(world, utility)
    assert world.read("account_of", utility.address) == before
    assert set(world.read("account_of", former).values()) == {0}
    events = [world.contracts.escrow.interface.decode_event(log) for log in receipt.logs]
    assert [(event.name, event.arguments) for event in events if event] == [
        ("UtilityMoved", {"market": MARKET, "former": former, "utility": utility.address})
    ]


def test_a_former_utility_withdraws_nothing_and_its_successor_everything(world: World) -> None:
    former, utility = world.keys["utility"], world.strangers[0]
    world.act(former, "request_withdrawal", ESCROW)
    world.time.now += NOTICE_S + 60
    hand_over(world, utility)
    with refused("escrow: nothing requested"):
        world.act(former, "withdraw")
    with refused("escrow: more than the balance"):
        world.act(former, "request_withdrawal", 1)
    with refused("escrow: nothing requested"):
        world.act(utility, "withdraw")
    world.act(utility, "request_withdrawal", ESCROW)
    world.time.now += NOTICE_S + 60
    world.act(utility, "withdraw")
    assert (tokens(world, former.address), tokens(world, utility.address)) == (0, ESCROW)


def test_a_successor_is_paid_and_pays_what_the_utility_would(moved: World) -> None:
    moved.commit()
    moved.settle([])
    metered = [(10, 0), (0, 4), (0, 0), (0, 0)]
    moved.deliver([MemberReading(key.address, *wh) for key, wh in zip(moved.members, metered, strict=True)])
    earned = 10 * TARIFF.retail_price - 4 * TARIFF.feed_in_price
    assert moved.balance(moved.strangers[0].address) == ESCROW + earned


def test_debts_are_paid_to_the_successor(world: World) -> None:
    member, successor = world.members[0], world.strangers[0]
    run_into_debt(world, 0, LEAST_DEBT)
    hand_over(world, successor)
    debt = world.debt(member.address)
    world.fund(member.address, debt)
    world.act(member, "request_withdrawal", 1)
    world.time.now += 2 * NOTICE_S
    world.act(member, "withdraw")
    assert world.balance(successor.address) == 2 * ESCROW + debt


def test_a_former_utility_has_no_account_and_may_become_a_member(moved: World) -> None:
    former = moved.keys["utility"].address
    with refused("escrow: not a member"):
        moved.fund(former, 1)
    moved.act("registrar", "register", MARKET, [former])
    assert moved.read("account_of", former)["member_number"] == len(moved.members) + 1


def test_a_member_does_not_become_the_utility(world: World) -> None:
    with refused("escrow: already a member"):
        hand_over(world, world.members[0])
    assert world.read("holder_of", MARKET, UTILITY) == world.keys["utility"].address


def test_a_utility_does_not_take_over_from_itself(world: World) -> None:
    with refused("escrow: already a member"):
        hand_over(world, world.keys["utility"])
    assert world.balance(world.keys["utility"].address) == ESCROW


def test_an_account_does_not_move_while_a_slot_is_unfinished(world: World) -> None:
    world.commit()
    bid, offer = sorted(
        (FilledOrder(world.bid(0, 5, 150_000), 5), FilledOrder(world.offer(1, 5, 150_000), 5)),
        key=lambda fill: fill.signed.hash,
    )
    world.settle([bid], more=True)
    with refused("escrow: a slot is unfinished"):
        hand_over(world, world.strangers[0])
    world.settle([offer])
    world.act(world.strangers[0], "accept_role", MARKET, UTILITY)
    assert world.balance(world.strangers[0].address) == ESCROW


@pytest.mark.parametrize("who", ["owner", "operator", "registrar", "utility", "deployer"])
def test_only_the_markets_open_and_move_utilities_accounts(world: World, who: str) -> None:
    own, other = world.keys["utility"].address, world.strangers[0].address
    with refused("escrow: not the markets"):
        world.act(who, "open_utility_account", MARKET, other)
    with refused("escrow: not the markets"):
        world.act(who, "move_utility_account", MARKET, own, other)
