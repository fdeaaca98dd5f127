"""A slot that was settled in part and not finished in time is taken back by anybody, as if it had never begun."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.batches import FilledOrder, MemberReading, posted_words
from tests.contracts.chunks import (
    LAST_SECOND,
    UNWINDING,
    Fills,
    accounts,
    ascending,
    reason_of,
    settle_chunk,
    settle_chunks,
    split,
    state,
    unwind,
    void_late,
)
from tests.contracts.fills import ESCROW, PRICE, filled, pair, position
from tests.world import MARKET, SLOT, TERMS, World, new_world, one_world_for_a_test, refused


def pairs(world: World, count: int) -> Fills:
    return [fill for _ in range(count) for fill in pair(world, 10)]


def posted_fill(fill: FilledOrder) -> FilledOrder:
    return replace(fill, is_posted=True)


@pytest.fixture
def three_chunks(closed: World) -> tuple[World, list[Fills]]:
    """Three chunks of a slot are in when its time is over."""
    chunks = split(pairs(closed, 3), 2, 1)
    settle_chunks(closed, chunks)
    return closed, chunks


# ------------------------------------------------------------------------------------------- in which order


def test_chunks_are_taken_back_from_the_last_to_the_first(three_chunks: tuple[World, list[Fills]]) -> None:
    world, chunks = three_chunks
    void_late(world)
    assert (state(world)["state"], state(world)["chunks"]) == (UNWINDING, 3)
    for left in (2, 1, 0):
        assert world.read("unfinished_slot", MARKET) == SLOT
        for other in range(3):
            if other != left:
                with refused("exchange: not the chunk's fills"):
                    unwind(world, chunks[other])
        receipt = unwind(world, chunks[left])
        event = world.exchange.interface.decode_event(receipt.logs[0])
        assert event is not None
        assert (event.name, event.arguments["chunk"]) == ("ChunkUnwound", left)
        assert world.read("fills_hashes", MARKET, SLOT, left) == bytes(32)
    assert state(world) == {"state": 3, "price": 0, "settled_at": 0, "posted": False, "chunks": 0}
    assert world.read("unfinished_slot", MARKET) == 0
    assert world.read("tally_of", MARKET, SLOT)["orders"] == 0
    assert [world.balance(key.address) for key in world.members] == [ESCROW] * 4


def test_no_chunk_is_taken_back_twice(three_chunks: tuple[World, list[Fills]]) -> None:
    world, chunks = three_chunks
    void_late(world)
    unwind(world, chunks[2])
    with refused("exchange: not the chunk's fills"):
        unwind(world, chunks[2])
    unwind(world, chunks[1])
    unwind(world, chunks[0])
    for chunk in (*chunks, []):
        with refused("exchange: nothing to unwind"):
            unwind(world, chunk)


ALTERED: dict[str, Callable[[Fills], Fills]] = {
    "none": lambda _: [],
    "one left out": lambda fills: fills[:-1],
    "one twice": lambda fills: [*fills, fills[-1]],
    "turned round": lambda fills: fills[::-1],
    "another fill": lambda fills: [replace(fills[0], fill_wh=fills[0].fill_wh - 1), *fills[1:]],
    "another amount": lambda fills: [replace(fills[0], amount_nano=1), *fills[1:]],
    "posted": lambda fills: [posted_fill(fills[0]), *fills[1:]],
    "another limit": lambda fills: [with_order(fills[0], price=PRICE + 1), *fills[1:]],
    "another account": lambda fills: [with_order(fills[0], account=b"\7" * 20), *fills[1:]],
}


def with_order(fill: FilledOrder, **changes: object) -> FilledOrder:
    signed = fill.signed
    return replace(fill, signed=replace(signed, order=replace(signed.order, **changes)))  # type: ignore[arg-type]


@pytest.mark.parametrize("what", ALTERED)
def test_only_what_was_settled_is_taken_back(closed: World, what: str) -> None:
    chunks = split(pairs(closed, 2), 1)
    settle_chunks(closed, chunks)
    void_late(closed)
    before = accounts(closed)
    with refused("exchange: not the chunk's fills"):
        unwind(closed, ALTERED[what](chunks[1]))
    assert accounts(closed) == before


# ------------------------------------------------------------------------------------------- when, and who


def test_nothing_is_taken_back_before_the_slot_is_void(three_chunks: tuple[World, list[Fills]]) -> None:
    world, chunks = three_chunks
    with refused("exchange: nothing to unwind"):
        unwind(world, chunks[2])
    world.at(LAST_SECOND)
    with refused("exchange: not yet"):
        world.act(world.strangers[0], "void", MARKET, SLOT)
    world.at(LAST_SECOND + 1)
    with refused("exchange: nothing to unwind"):
        unwind(world, chunks[2])


def test_a_settled_slot_is_not_taken_back(closed: World) -> None:
    chunks = split(pairs(closed, 2), 2)
    settle_chunks(closed, chunks, more=False)
    closed.time.now = LAST_SECOND + 1
    with refused("exchange: slot closed"):
        closed.act(closed.strangers[0], "void", MARKET, SLOT)
    with refused("exchange: nothing to unwind"):
        unwind(closed, chunks[1])


@pytest.mark.parametrize("who", ["a stranger", "a member", "the operator", "the utility"])
def test_anybody_takes_it_back(three_chunks: tuple[World, list[Fills]], who: str) -> None:
    world, chunks = three_chunks
    keys = {
        "a stranger": world.strangers[3],
        "a member": world.members[0],
        "the operator": world.keys["operator"],
        "the utility": world.keys["utility"],
    }
    world.at(LAST_SECOND + 1)
    world.act(keys[who], "void", MARKET, SLOT)
    for chunk in reversed(chunks):
        unwind(world, chunk, who=keys[who])
    assert state(world)["state"] == 3


def test_while_it_is_taken_back_nothing_else_happens_to_the_slot(three_chunks: tuple[World, list[Fills]]) -> None:
    world, chunks = three_chunks
    void_late(world)
    unwind(world, chunks[2])
    with refused("exchange: slot closed"):
        settle_chunk(world, chunks[2], more=False)
    with refused("exchange: slot closed"):
        world.act(world.strangers[0], "void", MARKET, SLOT)
    with refused("exchange: slot not settled"):
        world.deliver([MemberReading(key.address, 0, 0) for key in world.members])
    world.act(world.members[0], "request_withdrawal", 1)
    world.time.now += 3_660
    with refused("escrow: a slot is unfinished"):
        world.act(world.members[0], "withdraw")
    assert [position(world, member) for member in range(4)] == [0] * 4


def test_what_was_taken_back_is_delivered_like_any_void_slot(three_chunks: tuple[World, list[Fills]]) -> None:
    world, chunks = three_chunks
    void_late(world)
    for chunk in reversed(chunks):
        unwind(world, chunk)
    buyer, seller, *others = (key.address for key in world.members)
    readings = [MemberReading(buyer, 30, 0), MemberReading(seller, 0, 30)]
    world.deliver([*readings, *(MemberReading(other, 0, 0) for other in others)])
    assert state(world)["state"] == 2
    # Nothing was contracted, so both trade with the utility, and nobody pays a grid fee.
    assert [world.balance(buyer), world.balance(seller)] == [ESCROW - 30 * 220_000, ESCROW + 30 * 90_000]


def test_the_next_slot_is_settled_after(three_chunks: tuple[World, list[Fills]]) -> None:
    world, chunks = three_chunks
    later = SLOT + TERMS.settle_within_s + 1_800 - TERMS.settle_within_s % 900
    void_late(world)
    world.commit(later)
    trade = pair(world, 10, slot=later)
    for chunk in reversed(chunks):
        with refused("exchange: a slot is unfinished"):
            world.settle(trade, slot=later)
        unwind(world, chunk)
    world.settle(trade, slot=later)
    assert (position(world, 0, later), position(world, 0)) == (10, 0)


# ------------------------------------------------------------------------------------------- what is left


def test_what_an_account_earned_in_one_chunk_and_spent_in_the_next_is_taken_back(closed: World) -> None:
    poor = closed.strangers[0]
    closed.act("registrar", "register", MARKET, [poor.address])
    closed.members = [*closed.members, poor]
    sale, spending = ascending(lambda: closed.offer(4, 100, PRICE), lambda: closed.bid(4, 100, PRICE))
    before = accounts(closed)
    settle_chunks(closed, [[sale], [spending]])
    assert closed.balance(poor.address) == 0
    void_late(closed)
    unwind(closed, [spending])
    unwind(closed, [sale])
    assert accounts(closed) == before


def test_within_a_chunk_too_it_is_taken_back_backwards(closed: World) -> None:
    poor = closed.strangers[0]
    closed.act("registrar", "register", MARKET, [poor.address])
    closed.members = [*closed.members, poor]
    fills = ascending(
        lambda: closed.offer(4, 100, PRICE),
        lambda: closed.bid(4, 60, PRICE),
        lambda: closed.bid(4, 40, PRICE),
    )
    before = accounts(closed)
    settle_chunk(closed, fills)
    void_late(closed)
    unwind(closed, fills)
    assert accounts(closed) == before


def test_deposits_and_earlier_positions_are_left_alone(closed: World) -> None:
    closed.settle(pair(closed, 5))
    closed.commit(SLOT + 900)
    chunk = split(pair(closed, 7, slot=SLOT + 900))[0]
    settle_chunk(closed, chunk, slot=SLOT + 900)
    closed.fund(closed.members[0].address, 11)
    void_late(closed, SLOT + 900)
    unwind(closed, chunk, slot=SLOT + 900)
    assert closed.balance(closed.members[0].address) == ESCROW - 5 * PRICE + 11
    assert [position(closed, member) for member in (0, 1)] == [5, -5]


@pytest.mark.parametrize("is_filled", ["filled", "left out"])
def test_a_posted_bids_lock_is_back_when_its_slot_came_to_nothing(world: World, is_filled: str) -> None:
    before = accounts(world)
    bid = world.bid(2, 10, PRICE + 5)
    world.act(world.members[2], "post_order", MARKET, SLOT, posted_words(bid))
    assert world.balance(world.members[2].address) == ESCROW - 10 * (PRICE + 5)
    world.commit()
    fills = pairs(world, 1) + ([posted_fill(filled(bid))] if is_filled == "filled" else [])
    chunks = split(fills, 1)
    settle_chunks(world, chunks)
    void_late(world)
    for chunk in reversed(chunks):
        unwind(world, chunk)
    assert accounts(world) == before
    assert state(world)["posted"]


orders = st.lists(
    st.tuples(st.integers(0, 3), st.booleans(), st.integers(1, 50), st.integers(-3, 3)), min_size=1, max_size=12
)
ONE_AFTER_ANOTHER = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@ONE_AFTER_ANOTHER
@given(
    orders=orders, cuts=st.lists(st.integers(1, 5), max_size=5), posted=st.sets(st.integers(0, 3)), data=st.data()
)
def test_any_chunks_taken_back_leave_everything_as_it_was(
    built_world: World,
    orders: list[tuple[int, bool, int, int]],
    cuts: list[int],
    posted: set[int],
    data: st.DataObject,
) -> None:
    with one_world_for_a_test(built_world) as world:
        # Two of them have so little that they may spend what they earned a chunk before.
        poor = world.strangers[:2]
        world.act("registrar", "register", MARKET, [key.address for key in poor])
        world.fund_all([key.address for key in poor], 100 * PRICE)
        world.members = [*poor, *world.members]
        before = accounts(world)
        flagged = []
        for member in sorted(posted):
            signed = world.bid(member, 4, PRICE + member)
            world.act(world.members[member], "post_order", MARKET, SLOT, posted_words(signed))
            if data.draw(st.booleans(), label=f"posted bid of {member} is filled"):
                flagged.append(posted_fill(filled(signed)))
        world.commit()
        fills = [
            filled((world.offer if sells else world.bid)(member, quantity_wh, PRICE))
            for member, sells, quantity_wh, _ in orders
        ]
        settled = []
        for chunk in split([*fills, *flagged], *cuts):
            refusal = reason_of(settle_chunk, world, chunk)
            assert refusal in (None, "account: escrow")
            if refusal:
                break
            settled.append(chunk)
        void_late(world)
        for chunk in reversed(settled):
            unwind(world, chunk)
        assert accounts(world) == before
        assert [position(world, member) for member in range(4)] == [0] * 4
        assert [lane(world, member) for member in range(4)] == [0] * 4
        escrow = world.contracts.credit.read("balanceOf", world.contracts.escrow.address)
        assert escrow == sum(account["balance"] for account in accounts(world))


def lane(world: World, member: int) -> int:
    """Both near positions in the account's word, which the view hides unless their slot is settled."""
    word: int = world.read("word_of", world.members[member].address)
    return word >> 208


@ONE_AFTER_ANOTHER
@given(orders=orders, cuts=st.lists(st.integers(1, 5), max_size=5))
def test_amounts_of_their_own_are_taken_back_too(
    built_per_fill_world: World, orders: list[tuple[int, bool, int, int]], cuts: list[int]
) -> None:
    with one_world_for_a_test(built_per_fill_world) as world:
        before = accounts(world)
        world.commit()
        fills = []
        for member, sells, quantity_wh, better_by in orders:
            signed = (world.offer if sells else world.bid)(member, quantity_wh, PRICE)
            gain = abs(better_by) * quantity_wh * (1 if sells else -1)
            fills.append(FilledOrder(signed, quantity_wh, PRICE * quantity_wh + gain))
        chunks = split(fills, *cuts)
        settle_chunks(world, chunks, price=0)
        void_late(world)
        for chunk in reversed(chunks):
            unwind(world, chunk)
        assert accounts(world) == before
        assert [lane(world, member) for member in range(4)] == [0] * 4


@pytest.mark.slow
def test_a_large_slot_is_taken_back() -> None:
    with new_world(20) as world:
        before = accounts(world)
        world.commit()
        fills = [filled((world.bid, world.offer)[number % 2](number % 20, 10, PRICE)) for number in range(3_000)]
        chunks = split(fills, 1_000, 1_000)
        settle_chunks(world, chunks)
        void_late(world)
        for chunk in reversed(chunks):
            unwind(world, chunk)
        assert accounts(world) == before
