"""While a slot is settled in part, nothing else of its market moves, and nobody is locked in for long."""

import pytest

from ledger.batches import MemberReading, posted_words, unpack_fill
from tests.contracts.chunks import (
    PARTIAL,
    Fills,
    accounts,
    settle_chunk,
    split,
    state,
    unwind,
    void_late,
)
from tests.contracts.fills import ESCROW, PRICE, filled, pair, position
from tests.contracts.second_market import SECOND_MARKET, second_market
from tests.world import MARKET, ONE_CREDIT, SLOT, TERMS, World, refused

NEXT = SLOT + 900


def pairs(world: World, count: int, *, slot: int = SLOT) -> Fills:
    """Member 0 buys 10 Wh from member 1, `count` times."""
    return [fill for _ in range(count) for fill in pair(world, 10, slot=slot)]


def readings(world: World) -> list[MemberReading]:
    return [MemberReading(key.address, 0, 0) for key in world.members]


@pytest.fixture
def half_done(closed: World) -> World:
    """Slot NEXT is half settled between members 0 and 1; SLOT before it is settled, with member 2 in it."""
    closed.settle([filled(closed.bid(2, 7, PRICE)), filled(closed.offer(1, 7, PRICE))])
    closed.commit(NEXT)
    settle_chunk(closed, split(pairs(closed, 2, slot=NEXT), 3)[0], slot=NEXT)
    return closed


def test_no_other_slot_is_settled(half_done: World) -> None:
    half_done.commit(NEXT + 900)  # a book is not a move
    for fills, more in (([], False), (split(pair(half_done, slot=NEXT + 900))[0], True)):
        with refused("exchange: a slot is unfinished"):
            settle_chunk(half_done, fills, more=more, slot=NEXT + 900)


def test_no_slot_is_delivered(half_done: World) -> None:
    with refused("exchange: a slot is unfinished"):
        half_done.deliver(readings(half_done))
    with refused("exchange: slot not settled"):
        half_done.deliver(readings(half_done), slot=NEXT)
    void_late(half_done, NEXT + 900)
    with refused("exchange: a slot is unfinished"):
        half_done.deliver(readings(half_done), slot=NEXT + 900)


def test_the_utility_does_not_hand_over(half_done: World) -> None:
    heir = half_done.strangers[0]
    half_done.act("utility", "offer_role", MARKET, 3, heir.address)
    with refused("escrow: a slot is unfinished"):
        half_done.act(heir, "accept_role", MARKET, 3)


def ask_and_wait(world: World) -> None:
    for key in (*world.members, world.keys["utility"]):
        world.act(key, "request_withdrawal", ONE_CREDIT)
    world.time.now += 3_600 + 60


def test_whoever_traded_in_the_slot_cannot_withdraw_and_others_can(half_done: World) -> None:
    ask_and_wait(half_done)
    for member in (0, 1):
        with refused("escrow: a slot is unfinished"):
            half_done.act(half_done.members[member], "withdraw")
    for key in (half_done.members[2], half_done.members[3], half_done.keys["utility"]):
        half_done.act(key, "withdraw")
        assert half_done.contracts.credit.read("balanceOf", key.address) == ONE_CREDIT


def test_whoever_traded_in_a_later_slot_cannot_withdraw_either(world: World) -> None:
    for slot in (SLOT, NEXT):
        world.commit(slot)
    trade = [filled(world.bid(2, 7, PRICE, slot=NEXT)), filled(world.offer(3, 7, PRICE, slot=NEXT))]
    world.settle(trade, slot=NEXT)
    settle_chunk(world, split(pair(world))[0])
    ask_and_wait(world)
    with refused("escrow: a slot is unfinished"):
        world.act(world.members[2], "withdraw")


def post(world: World, member: int, side: str, slot: int) -> None:
    signed = (world.bid if side == "bid" else world.offer)(member, 5, PRICE, slot=slot)
    world.act(world.members[member], "post_order", MARKET, slot, posted_words(signed))


@pytest.mark.parametrize("side", ["bid", "offer"])
def test_whoever_traded_in_the_slot_posts_no_order_and_others_do(half_done: World, side: str) -> None:
    later = NEXT + 3_600
    with refused("escrow: a slot is unfinished"):
        post(half_done, 0, side, later)
    post(half_done, 2, side, later)


def test_deposits_requests_and_cancellations_go_on(half_done: World) -> None:
    member = half_done.members[0]
    before = half_done.balance(member.address)
    half_done.fund(member.address, 5)
    assert half_done.balance(member.address) == before + 5
    half_done.act(member, "request_withdrawal", 1)
    half_done.act(member, "cancel_all")
    new = half_done.strangers[0].address
    half_done.act("registrar", "register", MARKET, [new])
    half_done.fund(new, 1)


def test_another_market_moves_on(world: World) -> None:
    second = second_market(world)
    world.commit()
    second.commit()
    chunks = split(pairs(world, 2), 1)
    settle_chunk(world, chunks[0])
    trade = [
        filled(second.bid(0, 5, PRICE, market=SECOND_MARKET)),
        filled(second.offer(1, 5, PRICE, market=SECOND_MARKET)),
    ]
    own = split(trade, 1)
    settle_chunk(second, own[0])
    assert (world.read("unfinished_slot", MARKET), world.read("unfinished_slot", SECOND_MARKET)) == (SLOT, SLOT)
    settle_chunk(second, own[1], more=False)
    ask_and_wait(second)
    for key in second.members:
        second.act(key, "withdraw")
    second.deliver([MemberReading(key.address, 0, 0) for key in second.members])
    assert (state(world)["state"], state(second)["state"]) == (PARTIAL, 2)
    settle_chunk(world, chunks[1], more=False)
    assert [position(world, member) for member in (0, 1)] == [20, -20]


def test_an_unwound_slot_leaves_the_other_markets_slot_as_it_is(world: World) -> None:
    second = second_market(world)
    for each in (world, second):
        each.commit()
    trade = [filled(second.bid(0, 5, PRICE, market=SECOND_MARKET))]
    settle_chunk(second, trade)
    mine = split(pairs(world, 1), 1)[0]
    settle_chunk(world, mine)
    held = accounts(second)
    void_late(world)
    with refused("exchange: nothing to unwind"):
        unwind(second, trade)
    unwind(world, mine)
    assert accounts(second) == held
    assert (state(world)["state"], state(second)["state"]) == (3, PARTIAL)


def test_nobody_is_kept_from_its_credits_beyond_the_deadline_of_its_last_slot(half_done: World) -> None:
    member = half_done.members[0]
    half_done.at(NEXT + TERMS.settle_within_s - 3_600)
    half_done.act(member, "request_withdrawal", 2 * ESCROW // 3)
    deadline = NEXT + TERMS.settle_within_s
    half_done.at(deadline)
    with refused("escrow: a slot is unfinished"):
        half_done.act(member, "withdraw")
    with refused("exchange: not yet"):
        half_done.act(member, "void", MARKET, NEXT)
    half_done.at(deadline + 1)
    half_done.act(member, "void", MARKET, NEXT)
    with refused("escrow: a slot is unfinished"):
        half_done.act(member, "withdraw")
    unwind(half_done, settled_fills(half_done), slot=NEXT, who=member)
    half_done.act(member, "withdraw")
    assert half_done.balance(member.address) == ESCROW - 2 * ESCROW // 3


def settled_fills(world: World) -> Fills:
    """The last chunk's fills, from the calldata of its transaction, as anybody can read them."""
    head = world.chain.head().number
    event = world.exchange.events(["ChunkSettled"], first_block=0, last_block=head)[-1]
    transaction = world.chain.transaction(event.log.transaction_hash)
    assert transaction is not None
    _, arguments = world.exchange.interface.decode_call(transaction.input)
    slot, words = arguments["slot"], arguments["fills"]
    return [unpack_fill(world.domain, arguments["market"], slot, each) for each in words]
