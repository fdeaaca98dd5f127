"""No settlement passes over a posted order that is better than the price, and what was set aside comes back."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.batches import FilledOrder, unwind_calldata
from ledger.deployment import transact
from ledger.eip712 import SignedOrder
from matching.orders import Side
from tests.contracts.fills import ESCROW, PRICE, filled, pair
from tests.contracts.posted import DEADLINE, changes, cover, post, posted, set_aside
from tests.world import MARKET, SLOT, TERMS, World, one_world_for_a_test, refused

# ------------------------------------------------------------------------- what becomes of what is set aside


@pytest.mark.parametrize("better", [0, 1, PRICE])
def test_a_filled_bid_pays_the_price_and_has_the_rest_back(world: World, better: int) -> None:
    signed = world.bid(0, 10, PRICE + better)
    post(world, signed)
    world.commit()
    world.settle([posted(signed), filled(world.offer(1, 10, PRICE))])
    assert changes(world) == [-10 * PRICE, 10 * PRICE, 0, 0]
    assert set_aside(world) == 0
    assert world.read("posted_orders", MARKET, SLOT)[0]["is_filled"]
    assert world.read("position_of", signed.order.account, SLOT) == 10


def test_a_bid_at_the_price_may_be_filled_in_part_and_has_the_rest_back(world: World) -> None:
    signed = world.bid(0, 10, PRICE)
    post(world, signed)
    world.commit()
    world.settle([posted(signed, 3), filled(world.offer(1, 3, PRICE))])
    assert changes(world) == [-3 * PRICE, 3 * PRICE, 0, 0]
    assert set_aside(world) == 0


def test_a_filled_offer_is_paid_and_has_back_what_was_set_aside(world: World) -> None:
    signed = world.offer(0, 10, PRICE - 1)
    post(world, signed)
    assert set_aside(world) == cover(signed) > 0
    world.commit()
    world.settle([posted(signed), filled(world.bid(1, 10, PRICE))])
    assert changes(world) == [10 * PRICE, -10 * PRICE, 0, 0]
    assert set_aside(world) == 0


@pytest.mark.parametrize("worse", [0, 1])
@pytest.mark.parametrize("side", Side)
def test_an_order_that_is_not_filled_has_everything_back(world: World, side: Side, worse: int) -> None:
    signed = world.order(0, side, 10, PRICE - worse if side is Side.BID else PRICE + worse)
    post(world, signed)
    assert set_aside(world) == cover(signed) > 0
    world.commit()
    world.settle(pair(replace(world, members=world.members[1:])))
    assert changes(world) == [0, -100 * PRICE, 100 * PRICE, 0]
    assert set_aside(world) == 0
    assert not world.read("posted_orders", MARKET, SLOT)[0]["is_filled"]


def test_what_is_set_aside_pays_for_its_own_order_when_nothing_else_is_left(world: World) -> None:
    quantity_wh = 1_000_000
    price = ESCROW // quantity_wh
    signed = world.bid(0, quantity_wh, price)
    post(world, signed)
    assert world.balance(world.members[0].address) == 0
    world.commit()
    offer = world.offer(1, quantity_wh, price)
    with refused("account: escrow"):  # as an order like any other it is not covered
        world.settle([filled(signed), filled(offer)], price)
    world.settle([posted(signed), filled(offer)], price)
    assert changes(world)[0] == -quantity_wh * price


def test_other_bids_are_not_paid_from_what_is_set_aside_for_one_that_stays_unfilled(world: World) -> None:
    price = ESCROW // 1_000_000
    post(world, world.bid(0, 1_000_000, price))
    world.commit()
    with refused("account: escrow"):
        world.settle([filled(world.bid(0, 1, price + 1)), filled(world.offer(1, 1, price))], price)


@pytest.mark.parametrize("side", Side)
def test_a_cancelled_order_may_be_left_out_and_has_everything_back(world: World, side: Side) -> None:
    signed = world.order(0, side, 10, PRICE)
    post(world, signed)
    world.at(SLOT - TERMS.gate_lead_s - 1)
    world.act(world.members[0], "cancel_all")
    world.commit()
    with refused("exchange: cancelled"):
        other = world.offer if side is Side.BID else world.bid
        world.settle([posted(signed), filled(other(1, 10, PRICE))])
    world.settle([], price=PRICE - 1 if side is Side.BID else PRICE + 1)
    assert changes(world) == [0] * 4
    assert set_aside(world) == 0


def test_cancelling_after_the_gate_has_closed_does_not_reach_a_posted_order(world: World) -> None:
    signed = world.bid(0, 10, PRICE)
    post(world, signed)
    world.at(SLOT - TERMS.gate_lead_s)
    world.act(world.members[0], "cancel_all")
    world.commit()
    with refused("escrow: posted order left out"):
        world.settle([], price=PRICE - 1)
    world.settle([posted(signed), filled(world.offer(1, 10, PRICE))])


@pytest.mark.parametrize("committed", [False, True])
def test_in_a_voided_slot_everybody_has_everything_back(world: World, committed: bool) -> None:
    post(world, world.bid(0, 10, PRICE))
    post(world, world.offer(1, 10, PRICE))
    if committed:
        world.commit()
    world.at(DEADLINE + 1)
    world.act(world.strangers[0], "void", MARKET, SLOT)
    assert changes(world) == [0] * 4
    assert set_aside(world) == 0
    assert world.read("slot_of", MARKET, SLOT)["state"] == 3
    with refused("exchange: slot closed"):
        world.act(world.strangers[0], "void", MARKET, SLOT)


@pytest.mark.parametrize("filled_before", [False, True])
def test_in_an_unwound_slot_everybody_has_everything_back(world: World, filled_before: bool) -> None:
    bid, offer = world.bid(0, 10, PRICE + 5), world.offer(1, 10, PRICE)
    for signed in (bid, offer, world.bid(2, 7, PRICE - 5)):
        post(world, signed)
    world.commit()
    chunk = [posted(bid)] if filled_before else [posted(offer)]
    world.settle(chunk, more=True)
    assert set_aside(world) + sum(changes(world)) == 0
    world.at(DEADLINE + 1)
    world.act(world.strangers[0], "void", MARKET, SLOT)
    assert world.read("slot_of", MARKET, SLOT)["state"] == 5
    data = unwind_calldata(world.exchange.interface.selector("unwind"), MARKET, SLOT, chunk)
    transact(world.exchange, world.strangers[0], data)
    assert world.read("slot_of", MARKET, SLOT)["state"] == 3
    assert changes(world) == [0] * 4
    assert set_aside(world) == 0


# --------------------------------------------------------------------------------- what the operator cannot do


@pytest.mark.parametrize("others", [False, True])
@pytest.mark.parametrize("side", Side)
def test_no_slot_is_settled_without_a_posted_order_that_is_better_than_the_price(
    world: World, side: Side, others: bool
) -> None:
    better = PRICE + 1 if side is Side.BID else PRICE - 1
    post(world, world.order(0, side, 10, better))
    world.commit()
    batch = pair(replace(world, members=world.members[1:])) if others else []
    with refused("escrow: posted order left out"):
        world.settle(batch)
    assert world.read("slot_of", MARKET, SLOT)["state"] == 0
    if not others:
        world.settle([], price=better)


@pytest.mark.parametrize("side", Side)
@pytest.mark.parametrize("worse", [0, 1])
def test_a_posted_order_that_is_no_better_than_the_price_may_be_left_out(
    world: World, side: Side, worse: int
) -> None:
    limit = PRICE - worse if side is Side.BID else PRICE + worse
    post(world, world.order(0, side, 10, limit))
    world.commit()
    world.settle(pair(replace(world, members=world.members[1:])))
    assert changes(world) == [0, -100 * PRICE, 100 * PRICE, 0]


def test_one_of_several_posted_orders_is_not_left_out(world: World) -> None:
    bids = [world.bid(member, 10, PRICE + 1) for member in range(3)]
    for bid in bids:
        post(world, bid)
    world.commit()
    for missing in range(3):
        batch = [posted(bid) for bid in bids if bid is not bids[missing]]
        with refused("escrow: posted order left out"):
            world.settle([*batch, filled(world.offer(3, 20, PRICE))])
    world.settle([*map(posted, bids), filled(world.offer(3, 30, PRICE))])


def test_a_posted_order_better_than_the_price_is_filled_whole(world: World) -> None:
    signed = world.bid(0, 10, PRICE + 1)
    post(world, signed)
    world.commit()
    with refused("exchange: priority"):
        world.settle([posted(signed, 9), filled(world.offer(1, 9, PRICE))])


def bid_after(world: World, member: int, price: int, after: bytes) -> SignedOrder:
    """A bid for 10 Wh whose hash comes after another."""
    while (bid := world.bid(member, 10, price)).hash < after:
        pass
    return bid


def test_a_posted_order_may_be_in_any_chunk_and_is_missed_in_the_last(world: World) -> None:
    offer = world.offer(1, 10, PRICE)
    missed, other = bid_after(world, 0, PRICE + 1, offer.hash), bid_after(world, 2, PRICE, offer.hash)
    post(world, missed)
    world.commit()
    world.settle([filled(offer)], more=True)
    with refused("escrow: posted order left out"):
        world.settle([filled(other)])
    world.settle([posted(missed)])
    assert changes(world) == [-10 * PRICE, 10 * PRICE, 0, 0]
    assert set_aside(world) == 0


def test_a_posted_order_that_an_earlier_chunk_filled_is_not_missed(world: World) -> None:
    offer = world.offer(1, 10, PRICE - 1)
    bid = bid_after(world, 0, PRICE, offer.hash)
    post(world, offer)
    world.commit()
    world.settle([posted(offer)], more=True)
    world.settle([filled(bid)])
    assert changes(world) == [-10 * PRICE, 10 * PRICE, 0, 0]


@pytest.mark.parametrize("side", Side)
def test_an_order_is_not_settled_as_posted_that_was_not(world: World, side: Side) -> None:
    post(world, world.order(0, side, 10, PRICE))  # another one of the same account
    signed = world.order(0, side, 10, PRICE)
    other = (world.offer if side is Side.BID else world.bid)(1, 10, PRICE)
    world.commit()
    with refused("escrow: not posted"):
        world.settle([posted(signed), filled(other)])
    world.settle([filled(signed), filled(other)])


def test_where_nothing_can_be_posted_no_order_settles_as_posted(per_fill_closed: World) -> None:
    world = per_fill_closed
    bid, offer = (
        FilledOrder(world.bid(0, 10, 9), 10, 50, is_posted=True),
        FilledOrder(world.offer(1, 10, 1), 10, 50),
    )
    with refused("escrow: not posted"):
        world.settle([bid, offer], price=0)


@pytest.mark.parametrize("better", [0, 1])
def test_a_posted_order_settled_as_any_other_does_not_count_as_filled(world: World, better: int) -> None:
    signed = world.bid(0, 10, PRICE + better)
    post(world, signed)
    world.commit()
    batch = [filled(signed), filled(world.offer(1, 10, PRICE))]
    if better:
        with refused("escrow: posted order left out"):
            world.settle(batch)
    else:
        world.settle(batch)  # paid from the balance, and what was set aside is back
        assert changes(world) == [-10 * PRICE, 10 * PRICE, 0, 0]
        assert set_aside(world) == 0


@pytest.mark.parametrize("who", ["owner", "operator", "registrar", "utility", "deployer"])
def test_only_the_exchange_fills_and_closes_posted_orders(world: World, who: str) -> None:
    signed = world.bid(0, 10, PRICE)
    post(world, signed)
    with refused("escrow: not the exchange"):
        world.act(who, "fill_posted", MARKET, SLOT, signed.hash)
    with refused("escrow: not the exchange"):
        world.act(who, "close_posted", MARKET, SLOT, 0, False)
    for function, arguments in (
        ("note_posted", (MARKET, SLOT)),
        ("set_word", (signed.order.account, 0)),
        ("raise_epoch", (signed.order.account, SLOT)),
    ):
        with refused("exchange: not the escrow"):
            world.act(who, function, *arguments)
    with refused("exchange: not the markets"):
        world.act(who, "set_control", MARKET, 0)
    assert set_aside(world) == 10 * PRICE


# ------------------------------------------------------------------------------------------------ together

limits = st.integers(PRICE - 2, PRICE + 2)
orders = st.tuples(st.sampled_from(Side), limits, st.integers(1, 3), st.sampled_from(["stays", "cancelled"]))


def is_better(signed: SignedOrder, price: int) -> bool:
    limit = signed.order.price
    return limit > price if signed.order.side is Side.BID else limit < price


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(orders, min_size=1, max_size=3), limits)
def test_whatever_is_posted_is_filled_if_it_is_better_and_given_back_if_not(
    built_world: World, drawn: list[tuple[Side, int, int, str]], price: int
) -> None:
    """The members but the last post; the last one takes the other side of whatever must be filled."""
    with one_world_for_a_test(built_world) as world:
        signed = [world.order(member, order[0], order[2], order[1]) for member, order in enumerate(drawn)]
        for each in signed:
            post(world, each)
        assert changes(world)[: len(drawn)] == [-cover(each) for each in signed]
        for member, order in enumerate(drawn):
            if order[3] == "cancelled":
                world.act(world.members[member], "cancel_all")
        due = [s for s, order in zip(signed, drawn, strict=True) if order[3] == "stays" and is_better(s, price)]
        net_wh = sum(each.order.quantity_wh * (1 if each.order.side is Side.BID else -1) for each in due)
        batch = [posted(each) for each in due]
        if net_wh:
            counterpart = world.offer if net_wh > 0 else world.bid
            batch.append(filled(counterpart(3, abs(net_wh), price)))
        world.commit()
        world.settle(batch, price)
        expected = [0] * 4
        for each in due:
            sign = -1 if each.order.side is Side.BID else 1
            expected[[key.address for key in world.members].index(each.order.account)] += (
                sign * each.order.quantity_wh * price
            )
        expected[3] = net_wh * price
        assert changes(world) == expected
        assert set_aside(world) == 0
