"""A slot settled in several transactions is settled as if in one, or not at all."""

from dataclasses import replace

import pytest

from ledger.batches import FilledOrder, fills_hash
from tests.contracts.chunks import (
    LAST_SECOND,
    PARTIAL,
    Fills,
    accounts,
    ascending,
    run_by,
    settle_chunk,
    settle_chunks,
    split,
    state,
)
from tests.contracts.fills import ESCROW, PRICE, filled, pair, position
from tests.world import MARKET, SLOT, World, new_world, refused

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
        with refused("exchange: not the operator"):
            settle_chunk(run_by(closed, closed.keys[who]), second, more=False)
    settle_chunk(closed, second, more=False)


def test_a_new_operator_finishes_what_the_former_began(closed: World) -> None:
    first, second = split(pairs(closed, 2), 2)
    settle_chunk(closed, first)
    closed.act("operator", "offer_role", MARKET, 0, closed.strangers[0].address)
    closed.act(closed.strangers[0], "accept_role", MARKET, 0)
    with refused("exchange: not the operator"):
        settle_chunk(closed, second, more=False)
    settle_chunk(run_by(closed, closed.strangers[0]), second, more=False)
    assert state(closed)["state"] == 1


def test_a_finished_slot_takes_no_more_chunks(closed: World) -> None:
    fills = pairs(closed, 2)
    settle_chunks(closed, split(fills[:2], 1), more=False)
    for more in (True, False):
        with refused("exchange: slot closed"):
            settle_chunk(closed, split(fills[2:])[0], more=more)


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
