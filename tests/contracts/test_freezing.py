"""A frozen market takes no books and no settlements; everything that lets members out goes on."""

from collections.abc import Callable

import pytest

from ledger.batches import MemberReading, posted_words
from tests.contracts.chunks import settle_chunk, settle_chunks, split, state, unwind, void_late
from tests.contracts.fills import ESCROW, PRICE, pair, position
from tests.contracts.second_market import SECOND_MARKET, second_market
from tests.world import MARKET, ONE_CREDIT, SLOT, TERMS, World, refused

NEXT = SLOT + 900


def freeze(world: World) -> None:
    world.act("owner", "freeze", MARKET)


def event_names(world: World, receipt: object) -> list[str]:
    decoded = [world.contracts.markets.interface.decode_event(log) for log in receipt.logs]  # type: ignore[attr-defined]
    return [event.name for event in decoded if event]


# --------------------------------------------------------------------------------------------------- who


@pytest.mark.parametrize("who", ["operator", "treasurer", "meter_authority", "registrar", "utility", "deployer"])
def test_only_the_owner_freezes_and_unfreezes(world: World, who: str) -> None:
    with refused("markets: not the owner"):
        world.act(who, "freeze", MARKET)
    freeze(world)
    with refused("ownable: caller is not the owner"):
        world.act(who, "unfreeze", MARKET)


def test_the_challenges_contract_freezes_and_cannot_unfreeze(world: World) -> None:
    contracts = world.contracts
    markets, challenges = contracts.markets, contracts.challenges.address
    world.chain.call(markets.address, markets.interface.call("freeze", MARKET), sender=challenges)
    freeze(world)
    with refused("ownable: caller is not the owner"):
        world.chain.call(markets.address, markets.interface.call("unfreeze", MARKET), sender=challenges)
    for other in (contracts.exchange, contracts.escrow, contracts.credit):
        with refused("markets: not the owner"):
            world.chain.call(markets.address, markets.interface.call("freeze", MARKET), sender=other.address)


def test_freezing_and_unfreezing_are_told(world: World) -> None:
    assert event_names(world, world.act("owner", "freeze", MARKET)) == ["Frozen"]
    assert world.read("is_frozen", MARKET)
    assert event_names(world, world.act("owner", "unfreeze", MARKET)) == ["Unfrozen"]
    assert not world.read("is_frozen", MARKET)


def test_a_market_that_runs_or_is_not_there_is_not_unfrozen(world: World) -> None:
    with refused("markets: not frozen"):
        world.act("owner", "unfreeze", MARKET)
    with refused("markets: not frozen"):
        world.act("owner", "unfreeze", b"x" * 32)
    with refused("markets: no such market"):
        world.act("owner", "freeze", b"x" * 32)


def test_a_market_frozen_twice_is_unfrozen_once(world: World) -> None:
    freeze(world)
    freeze(world)
    world.act("owner", "unfreeze", MARKET)
    world.commit()
    world.settle(pair(world))


# ------------------------------------------------------------------------------------------- what stops


def test_books_and_settlements_stop(world: World) -> None:
    world.commit()
    freeze(world)
    with refused("exchange: frozen"):
        world.commit(NEXT)
    for fills in ([], pair(world)):
        with refused("exchange: frozen"):
            world.settle(fills)
    with refused("exchange: frozen"):
        settle_chunk(world, split(pair(world))[0])


def test_a_half_done_slot_stops_where_it_is_and_goes_on_when_the_market_does(closed: World) -> None:
    chunks = split(pair(closed), 1)
    settle_chunk(closed, chunks[0])
    freeze(closed)
    with refused("exchange: frozen"):
        settle_chunk(closed, chunks[1], more=False)
    closed.act("owner", "unfreeze", MARKET)
    settle_chunk(closed, chunks[1], more=False)
    assert position(closed, 0) == 100


def test_freezing_changes_nothing_else_that_settling_needs(world: World) -> None:
    control = world.read("controls", MARKET)
    freeze(world)
    assert world.read("controls", MARKET) ^ control == 1 << 242
    world.act("owner", "unfreeze", MARKET)
    assert world.read("controls", MARKET) == control


def test_another_market_does_not_notice(world: World) -> None:
    second = second_market(world)
    freeze(world)
    second.commit()
    settle_chunk(second, [], more=False)
    assert (state(second)["state"], world.read("is_frozen", SECOND_MARKET)) == (1, False)


# ------------------------------------------------------------------------------------------- what goes on


def deliver(world: World) -> None:
    world.deliver([MemberReading(key.address, 1, 0) for key in world.members])


def test_a_settled_slot_is_delivered(closed: World) -> None:
    closed.settle(pair(closed))
    freeze(closed)
    deliver(closed)
    assert state(closed)["state"] == 2


def test_a_slot_is_voided_when_its_time_is_over_and_delivered(closed: World) -> None:
    freeze(closed)
    closed.at(SLOT + TERMS.settle_within_s)
    with refused("exchange: not yet"):
        closed.act(closed.strangers[0], "void", MARKET, SLOT)
    void_late(closed)
    deliver(closed)
    assert state(closed)["state"] == 2


def test_a_half_done_slot_is_taken_back_and_members_leave(closed: World) -> None:
    chunks = split(pair(closed), 1)
    settle_chunks(closed, chunks)
    freeze(closed)
    void_late(closed)
    for chunk in reversed(chunks):
        unwind(closed, chunk)
    leave(closed)


def leave(world: World) -> None:
    member = world.members[0]
    world.act(member, "request_withdrawal", ESCROW)
    world.time.now += 3_660
    world.act(member, "withdraw")
    assert world.contracts.credit.read("balanceOf", member.address) == ESCROW


def post(world: World) -> None:
    later = NEXT + 900
    bid = world.bid(0, 5, PRICE, slot=later)
    world.act(world.members[0], "post_order", MARKET, later, posted_words(bid))


GOES_ON: dict[str, Callable[[World], object]] = {
    "request and withdraw": leave,
    "deposit": lambda world: world.fund(world.members[0].address, ONE_CREDIT),
    "cancel": lambda world: world.act(world.members[0], "cancel_all"),
    "post an order": post,
    "register": lambda world: world.act("registrar", "register", MARKET, [world.strangers[0].address]),
    "ask for the bond": lambda world: world.act("operator", "request_bond_release", MARKET),
}


@pytest.mark.parametrize("what", GOES_ON)
def test_whatever_needs_no_operators_honesty_goes_on(world: World, what: str) -> None:
    freeze(world)
    GOES_ON[what](world)


def test_orders_posted_meanwhile_hold_when_the_market_goes_on(world: World) -> None:
    freeze(world)
    bid = world.bid(0, 5, PRICE + 1)
    world.act(world.members[0], "post_order", MARKET, SLOT, posted_words(bid))
    world.act("owner", "unfreeze", MARKET)
    world.commit()
    with refused("escrow: posted order left out"):
        world.settle([])
