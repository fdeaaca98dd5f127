"""A slot settled in several transactions is settled as if in one, or not at all."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ledger.batches import FilledOrder, MemberReading, fills_hash, posted_words, unpack_fill
from tests.contracts.chunks import (
    LAST_SECOND,
    PARTIAL,
    Fills,
    accounts,
    ascending,
    settle_chunk,
    settle_chunks,
    split,
    state,
    unwind,
    void_late,
)
from tests.contracts.fills import ESCROW, PRICE, filled, pair, position
from tests.contracts.second_market import SECOND_MARKET, second_market
from tests.world import MARKET, ONE_CREDIT, SLOT, TERMS, World, new_world, refused

NEXT = SLOT + 900
EMPTY_TALLY = {
    "last_digest": 0,
    "fills_hash": bytes(32),
    "bought_wh": 0,
    "sold_wh": 0,
    "clearing": 0,
    "orders": 0,
}


def pairs(world: World, count: int, quantity_wh: int = 10, slot: int = SLOT) -> Fills:
    """Member 0 buys from member 1, `count` times."""
    return [fill for _ in range(count) for fill in pair(world, quantity_wh, slot=slot)]


def events(world: World, receipt: object) -> list[tuple[str, dict[str, object]]]:
    decoded = [world.exchange.interface.decode_event(log) for log in receipt.logs]  # type: ignore[attr-defined]
    return [(event.name, event.arguments) for event in decoded if event]


def readings(world: World) -> list[MemberReading]:
    return [MemberReading(key.address, 0, 0) for key in world.members]


# ------------------------------------------------------------------------------------------- what it does


def test_chunks_add_up_to_the_settlement_that_one_transaction_would_be(closed: World) -> None:
    fills = pairs(closed, 5)
    snapshot = closed.chain.snapshot()
    settle_chunks(closed, split(fills), more=False)
    at_once, cleared = accounts(closed), state(closed)
    closed.chain.revert(snapshot)
    settle_chunks(closed, split(fills, 1, 3, 4), more=False)
    assert accounts(closed) == at_once
    assert [position(closed, member) for member in range(4)] == [50, -50, 0, 0]
    assert (state(closed)["state"], state(closed)["price"]) == (cleared["state"], cleared["price"]) == (1, PRICE)
    assert (state(closed)["chunks"], cleared["chunks"]) == (4, 1)
    assert closed.read("tally_of", MARKET, SLOT) == EMPTY_TALLY
    assert closed.read("unfinished_slot", MARKET) == 0


def test_each_chunk_says_what_it_settled_and_the_last_one_what_all_did(closed: World) -> None:
    first, second, third = split(pairs(closed, 3), 1, 2)
    base = {"market": MARKET, "slot": SLOT, "price": PRICE}
    assert events(closed, settle_chunk(closed, first)) == [("ChunkSettled", base | {"chunk": 0, "orders": 1})]
    assert events(closed, settle_chunk(closed, second)) == [("ChunkSettled", base | {"chunk": 1, "orders": 2})]
    last = events(closed, settle_chunk(closed, third, more=False))
    assert last == [("Settled", base | {"bought_wh": 30, "orders": 6})]


def test_a_half_done_slot_says_how_far_it_is(closed: World) -> None:
    first, second, _ = split(pairs(closed, 3), 1, 2)
    settle_chunks(closed, [first, second])
    fills = [*first, *second]
    bought_wh = sum(fill.fill_wh for fill in fills if fill.signed.order.side == 0)
    sold_wh = sum(fill.fill_wh for fill in fills if fill.signed.order.side == 1)
    assert closed.read("tally_of", MARKET, SLOT) == {
        "last_digest": int.from_bytes(fills[-1].signed.hash, "big"),
        "fills_hash": fills_hash(fills),
        "bought_wh": bought_wh,
        "sold_wh": sold_wh,
        "clearing": (sold_wh - bought_wh) * PRICE,
        "orders": 3,
    }
    assert state(closed) == {"state": PARTIAL, "price": PRICE, "settled_at": 0, "posted": False, "chunks": 2}
    assert closed.read("unfinished_slot", MARKET) == SLOT


def test_what_is_kept_of_each_chunk_is_the_chain_of_hashes_up_to_its_end(closed: World) -> None:
    chunks = split(pairs(closed, 3), 2, 1)
    settle_chunks(closed, chunks, more=False)
    so_far = bytes(32)
    for number, chunk in enumerate(chunks):
        so_far = fills_hash(chunk, so_far)
        assert closed.read("fills_hashes", MARKET, SLOT, number) == so_far
    assert closed.read("fills_hashes", MARKET, SLOT, len(chunks)) == bytes(32)


def test_no_energy_is_held_under_a_slot_until_its_last_chunk_is_in(closed: World) -> None:
    chunks = split(pairs(closed, 2), 3)
    settle_chunk(closed, chunks[0])
    energy = closed.contracts.energy
    held = [energy.read("balanceOf", key.address, SLOT) for key in closed.members]
    owed = [energy.read("obligation_of", key.address, SLOT) for key in closed.members]
    assert (sum(held), sum(owed)) == (0, 0)
    settle_chunk(closed, chunks[1], more=False)
    assert [energy.read("balanceOf", key.address, SLOT) for key in closed.members] == [20, 0, 0, 0]


# -------------------------------------------------------------------------------- what chunks agree in


def test_digests_ascend_across_chunks(closed: World) -> None:
    first, second, third = split(pairs(closed, 2), 1, 1)
    settle_chunk(closed, second)
    with refused("exchange: order of orders"):
        settle_chunk(closed, first)
    with refused("exchange: order of orders"):
        settle_chunk(closed, [*first, *third], more=False)


def test_an_order_of_an_earlier_chunk_is_not_filled_again(closed: World) -> None:
    first, rest = split(pairs(closed, 2), 2)
    settle_chunk(closed, first)
    for again in ([first[-1]], [first[-1], *rest], [FilledOrder(first[-1].signed, 1)]):
        with refused("exchange: order of orders"):
            settle_chunk(closed, again)
    settle_chunk(closed, rest, more=False)


@pytest.mark.parametrize("more", [True, False])
@pytest.mark.parametrize("price", [PRICE - 1, PRICE + 1, 0])
def test_every_chunk_has_the_first_ones_price(closed: World, price: int, more: bool) -> None:
    first, second = split(pairs(closed, 2), 2)
    settle_chunk(closed, first)
    with refused("exchange: price"):
        settle_chunk(closed, second, price=price, more=more)
    with refused("exchange: price"):
        settle_chunk(closed, [], price=price, more=False)


def test_a_chunk_is_not_empty_unless_it_is_the_last(closed: World) -> None:
    with refused("exchange: empty chunk"):
        settle_chunk(closed, [])
    settle_chunk(closed, split(pair(closed))[0])
    with refused("exchange: empty chunk"):
        settle_chunk(closed, [])
    settle_chunk(closed, [], more=False)
    assert (state(closed)["state"], state(closed)["chunks"]) == (1, 1)


def test_energy_balances_at_the_end_and_only_there(closed: World) -> None:
    first, rest = split(pairs(closed, 2), 1)
    settle_chunk(closed, first)
    with refused("exchange: energy"):
        settle_chunk(closed, [], more=False)
    with refused("exchange: energy"):
        settle_chunk(closed, rest[:-1], more=False)
    settle_chunk(closed, rest, more=False)


@pytest.mark.parametrize("too_much", [1, -1])
def test_what_is_paid_is_received_at_the_end_of_all_chunks(per_fill_closed: World, too_much: int) -> None:
    world = per_fill_closed
    bid, offer = ascending(lambda: world.bid(0, 100, PRICE + 1), lambda: world.offer(1, 100, PRICE - 1))
    settle_chunk(world, [replace(bid, amount_nano=100 * PRICE)], price=0)
    with refused("exchange: credits"):
        settle_chunk(world, [replace(offer, amount_nano=100 * PRICE + too_much)], price=0, more=False)
    settle_chunk(world, [replace(offer, amount_nano=100 * PRICE)], price=0, more=False)
    assert position(world, 0) == 100


def test_sixty_four_chunks_are_the_most(closed: World) -> None:
    chunks = split(pairs(closed, 33), *([1] * 63))
    settle_chunks(closed, chunks[:63])
    assert state(closed)["chunks"] == 63
    with refused("exchange: too many chunks"):
        settle_chunk(closed, chunks[63][:1])
    settle_chunk(closed, chunks[63], more=False)
    assert (state(closed)["state"], state(closed)["chunks"]) == (1, 64)


# -------------------------------------------------------------------------------------- resuming


def test_a_half_done_slot_is_resumed_until_its_time_is_over_and_not_a_second_later(closed: World) -> None:
    first, second, third = split(pairs(closed, 3), 2, 2)
    settle_chunk(closed, first)
    closed.at(LAST_SECOND - 1)
    settle_chunk(closed, second)
    closed.at(LAST_SECOND + 1)
    for more in (True, False):
        with refused("exchange: too late"):
            settle_chunk(closed, third, more=more)
    closed.at(LAST_SECOND)
    settle_chunk(closed, third, more=False)


def test_nobody_but_the_operator_resumes(closed: World) -> None:
    first, second = split(pairs(closed, 2), 2)
    settle_chunk(closed, first)
    for who in ("owner", "meter_authority", "utility", "registrar"):
        closed.keys["operator"], operator = closed.keys[who], closed.keys["operator"]
        with refused("exchange: not the operator"):
            settle_chunk(closed, second, more=False)
        closed.keys["operator"] = operator
    settle_chunk(closed, second, more=False)


def test_a_new_operator_finishes_what_the_former_began(closed: World) -> None:
    first, second = split(pairs(closed, 2), 2)
    settle_chunk(closed, first)
    closed.act("operator", "offer_role", MARKET, 0, closed.strangers[0].address)
    closed.act(closed.strangers[0], "accept_role", MARKET, 0)
    with refused("exchange: not the operator"):
        settle_chunk(closed, second, more=False)
    former, closed.keys["operator"] = closed.keys["operator"], closed.strangers[0]
    settle_chunk(closed, second, more=False)
    closed.keys["operator"] = former


def test_a_finished_slot_takes_no_more_chunks(closed: World) -> None:
    fills = pairs(closed, 2)
    settle_chunks(closed, split(fills[:2], 1), more=False)
    for more in (True, False):
        with refused("exchange: slot closed"):
            settle_chunk(closed, split(fills[2:])[0], more=more)


# ---------------------------------------------------------------------------- meanwhile, in the market


@pytest.fixture
def half_done(closed: World) -> Iterator[World]:
    """Slot NEXT is half settled between members 0 and 1; SLOT before it is settled, with member 2 in it."""
    closed.settle([filled(closed.bid(2, 7, PRICE)), filled(closed.offer(1, 7, PRICE))])
    closed.commit(NEXT)
    settle_chunk(closed, split(pairs(closed, 2, slot=NEXT), 3)[0], slot=NEXT)
    yield closed


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


def test_whoever_traded_in_the_slot_cannot_spend_on_a_posted_bid_but_can_post_an_offer(half_done: World) -> None:
    later = NEXT + 3_600
    with refused("escrow: a slot is unfinished"):
        post(half_done, 0, "bid", later)
    post(half_done, 0, "offer", later)
    post(half_done, 2, "bid", later)


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


# --------------------------------------------------------------------------------------- ten thousand


@pytest.mark.slow
def test_ten_thousand_orders_are_settled_in_one_slot() -> None:
    members, orders = 100, 10_000
    with new_world(members) as world:
        world.commit(size=orders)
        fills = [
            filled((world.bid if number % 2 else world.offer)(number % members, 1 + number // 2 % 7, PRICE))
            for number in range(orders)
        ]
        chunks = split(fills, *([1_000] * 9))
        settle_chunks(world, chunks, more=False)
        assert (state(world)["state"], state(world)["chunks"]) == (1, 10)
        expected = [0] * members
        for number in range(orders):
            expected[number % members] += (1 if number % 2 else -1) * (1 + number // 2 % 7)
        assert [position(world, member) for member in range(members)] == expected
        balances = [world.balance(key.address) for key in world.members]
        assert balances == [ESCROW - wh * PRICE for wh in expected]
