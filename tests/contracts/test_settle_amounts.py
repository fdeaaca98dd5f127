"""What fills pay and receive where each has its own amount, and where figures end."""

from dataclasses import replace

import pytest

from ledger.batches import FilledOrder, settle_calldata
from ledger.deployment import transact
from tests.contracts.fills import ESCROW, PRICE, filled, pair, position
from tests.world import MARKET, SLOT, World, refused

# ---------------------------------------------------------------------------------------------- amounts


def test_where_one_price_holds_no_fill_has_an_amount_of_its_own(closed: World) -> None:
    bid, offer = pair(closed)
    with refused("exchange: amount"):
        closed.settle([replace(bid, amount_nano=1), offer])


def per_fill(world: World, bid_limit: int, paid: int, offer_limit: int, received: int) -> list[FilledOrder]:
    return [
        FilledOrder(world.bid(0, 10, bid_limit), 10, paid),
        FilledOrder(world.offer(1, 10, offer_limit), 10, received),
    ]


def test_where_fills_have_amounts_there_is_no_one_price(per_fill_world: World) -> None:
    per_fill_world.commit()
    with refused("exchange: price"):
        per_fill_world.settle(per_fill(per_fill_world, PRICE, 5, 0, 5), price=1)


def test_each_fill_may_have_its_own_amount(per_fill_closed: World) -> None:
    world = per_fill_closed
    fills = [
        *per_fill(world, PRICE, 1_234_567, 0, 1_000_000),
        FilledOrder(world.offer(2, 10, 23_456), 10, 234_567),
        FilledOrder(world.bid(3, 20, PRICE), 10, 0),
    ]
    world.settle(fills, price=0)
    changes = [world.balance(key.address) - ESCROW for key in world.members]
    assert changes == [-1_234_567, 1_000_000, 234_567, 0]
    assert [position(world, member) for member in range(4)] == [10, -10, -10, 10]


def test_each_amount_keeps_its_orders_limit(per_fill_closed: World) -> None:
    world = per_fill_closed
    with refused("exchange: above limit"):
        world.settle(per_fill(world, 100, 1_001, 100, 1_001), price=0)
    with refused("exchange: below limit"):
        world.settle(per_fill(world, 100, 999, 100, 999), price=0)
    world.settle(per_fill(world, 100, 1_000, 100, 1_000), price=0)


@pytest.mark.parametrize(("paid", "received"), [(1_000, 1_001), (1_001, 1_000)])
def test_what_is_paid_is_received(per_fill_closed: World, paid: int, received: int) -> None:
    world = per_fill_closed
    with refused("exchange: credits"):
        world.settle(per_fill(world, 200, paid, 100, received), price=0)


def test_an_amount_is_at_most_what_the_buyer_has(per_fill_closed: World) -> None:
    world = per_fill_closed
    bid, offer = world.bid(0, 1_000, 2**32 - 1), world.offer(1, 1_000, 0)
    with refused("account: escrow"):
        world.settle([FilledOrder(bid, 1_000, ESCROW + 1), FilledOrder(offer, 1_000, ESCROW + 1)], price=0)
    world.settle([FilledOrder(bid, 1_000, ESCROW), FilledOrder(offer, 1_000, ESCROW)], price=0)


def test_the_largest_amount_an_order_can_name_arrives(per_fill_closed: World) -> None:
    world = per_fill_closed
    amount, quantity_wh = (2**32 - 1) * (2**23 - 1), 2**23 - 1
    world.fund(world.members[0].address, amount)
    fills = [
        FilledOrder(world.bid(0, quantity_wh, 2**32 - 1), quantity_wh, amount),
        FilledOrder(world.offer(1, quantity_wh, 2**32 - 1), quantity_wh, amount),
    ]
    world.settle(fills, price=0)
    assert world.balance(world.members[1].address) == ESCROW + amount
    assert position(world, 1) == -quantity_wh


def test_where_fills_have_amounts_orders_within_the_price_may_be_filled_in_part(per_fill_closed: World) -> None:
    world = per_fill_closed
    fills = [FilledOrder(world.bid(0, 10, 9), 3, 6), FilledOrder(world.offer(1, 10, 1), 3, 6)]
    world.settle(fills, price=0)
    assert position(world, 0) == 3


# -------------------------------------------------------------------------------------------- overflow


@pytest.mark.parametrize("price", [2**32, 2**256 - 1])
def test_a_price_is_at_most_what_an_order_can_name(closed: World, price: int) -> None:
    selector = closed.exchange.interface.selector("settle")
    for fills in ([], [filled(closed.bid(0, 2, PRICE))]):
        with refused("exchange: price"):
            transact(
                closed.exchange, closed.keys["operator"], settle_calldata(selector, MARKET, SLOT, price, fills)
            )
    closed.settle([], price=2**32 - 1)


def test_a_seller_cannot_be_paid_more_than_its_account_word_holds(closed: World) -> None:
    seller = closed.members[1].address
    closed.fund(seller, 2**60 - ESCROW - PRICE)
    fills = pair(closed, 1)
    with refused("account: balance"):
        closed.settle(fills)
    closed.act(closed.members[1], "request_withdrawal", 1)
    closed.at(SLOT + 3_600)
    closed.act(closed.members[1], "withdraw")
    closed.settle(fills)
    assert closed.balance(seller) == 2**60 - 1


@pytest.mark.parametrize("side", ["bought", "sold"])
def test_a_position_that_does_not_fit_its_lane_is_refused(closed: World, side: str) -> None:
    most = 2**23 - 1
    one, many = (0, 1) if side == "bought" else (1, 0)
    make = {0: closed.bid, 1: closed.offer}
    whole = [filled(make[one](0, most, 0)), filled(make[many](1, most, 0))]
    too_much = [*whole, filled(make[one](0, 1, 0)), filled(make[many](2, 1, 0))]
    with refused("account: position"):
        closed.settle(too_much, price=0)
    closed.settle(whole, price=0)
    assert abs(position(closed, 0)) == most
