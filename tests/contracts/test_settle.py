"""What a settlement may do with signed orders: every rule, off by one."""

from dataclasses import replace

import pytest

from matching.orders import CertificatePreference
from tests.contracts.fills import ESCROW, PRICE, filled, pair, position
from tests.world import MARKET, SLOT, TERMS, World, refused

# ------------------------------------------------------------------------------------- what it does


def test_a_settlement_moves_credits_and_positions(closed: World) -> None:
    closed.settle(pair(closed, 100))
    buyer, seller = (closed.members[member].address for member in (0, 1))
    assert closed.balance(buyer) == ESCROW - 100 * PRICE
    assert closed.balance(seller) == ESCROW + 100 * PRICE
    assert (position(closed, 0), position(closed, 1), position(closed, 2)) == (100, -100, 0)
    assert closed.exchange.read("slot_of", MARKET, SLOT)["state"] == 1


def test_a_settlement_says_what_it_settled(closed: World) -> None:
    receipt = closed.settle(pair(closed, 100))
    event = closed.exchange.interface.decode_event(receipt.logs[0])
    assert event is not None
    assert len(receipt.logs) == 1
    assert event.arguments == {"market": MARKET, "slot": SLOT, "price": PRICE, "bought_wh": 100, "orders": 2}


def test_everybody_gets_the_one_price_whatever_its_limit(closed: World) -> None:
    closed.settle([filled(closed.bid(0, 10, PRICE + 5)), filled(closed.offer(1, 10, PRICE - 5))])
    assert closed.balance(closed.members[0].address) == ESCROW - 10 * PRICE
    assert closed.balance(closed.members[1].address) == ESCROW + 10 * PRICE


def test_one_member_may_have_several_orders_filled_on_both_sides(closed: World) -> None:
    orders = [closed.bid(0, 10, PRICE), closed.bid(0, 20, PRICE), closed.offer(0, 5, PRICE)]
    closed.settle([*map(filled, orders), filled(closed.offer(1, 25, PRICE))])
    assert (position(closed, 0), position(closed, 1)) == (25, -25)
    assert closed.balance(closed.members[0].address) == ESCROW - 25 * PRICE


def test_a_price_of_zero_is_a_price(closed: World) -> None:
    closed.settle([filled(closed.bid(0, 10, 0)), filled(closed.offer(1, 10, 0))], price=0)
    assert closed.balance(closed.members[0].address) == ESCROW
    assert position(closed, 0) == 10


@pytest.mark.parametrize("preference", CertificatePreference)
def test_every_certificate_preference_is_covered_by_the_signature(
    closed: World, preference: CertificatePreference
) -> None:
    closed.settle([filled(closed.bid(0, 10, PRICE, certificates=preference)), filled(closed.offer(1, 10, PRICE))])
    assert position(closed, 0) == 10


# --------------------------------------------------------------------------------- who, which, when


@pytest.mark.parametrize("who", ["owner", "meter_authority", "registrar", "utility", "deployer"])
def test_only_the_operator_settles(closed: World, who: str) -> None:
    with refused("exchange: not the operator"):
        closed.act(who, "settle", MARKET, SLOT, 0, [], False, [])


def test_nobody_settles_an_unknown_market(closed: World) -> None:
    with refused("exchange: not the operator"):
        closed.act("operator", "settle", b"lugano".ljust(32, b"\0"), SLOT, 0, [], False, [])


def test_the_utility_does_not_trade_in_its_own_market(closed: World) -> None:
    closed.members.append(closed.keys["utility"])
    fills = [filled(closed.bid(0, 10, PRICE)), filled(closed.offer(len(closed.members) - 1, 10, PRICE))]
    with refused("exchange: utility order"):
        closed.settle(fills)


def test_a_slot_without_a_book_is_not_settled(world: World) -> None:
    world.close_gate()
    with refused("exchange: no book"):
        world.settle(pair(world))
    with refused("exchange: no book"):
        world.settle([])


@pytest.mark.parametrize("first", ["empty", "full"])
@pytest.mark.parametrize("second", ["empty", "full"])
def test_a_slot_is_settled_once_the_empty_batch_included(closed: World, first: str, second: str) -> None:
    batches = {"empty": [], "full": pair(closed)}
    other = {"empty": [], "full": pair(closed)}
    closed.settle(batches[first])
    with refused("exchange: slot closed"):
        closed.settle(other[second])


def test_a_delivered_slot_is_not_settled(closed: World) -> None:
    from ledger.batches import MemberReading

    closed.settle([])
    closed.deliver([MemberReading(key.address, 0, 0) for key in closed.members])
    with refused("exchange: slot closed"):
        closed.settle(pair(closed))


@pytest.mark.parametrize("fills", ["none", "some"])
def test_a_slot_is_settled_until_its_time_is_over_and_not_a_second_later(closed: World, fills: str) -> None:
    batch = pair(closed) if fills == "some" else []
    closed.at(SLOT + TERMS.settle_within_s + 1)
    with refused("exchange: too late"):
        closed.settle(batch)
    closed.at(SLOT + TERMS.settle_within_s)
    closed.settle(batch)


# -------------------------------------------------------------------------- quantity, limit, time, epoch


def test_a_fill_is_at_most_the_quantity(closed: World) -> None:
    bid, offer = closed.bid(0, 100, PRICE), closed.offer(1, 101, PRICE)
    with refused("exchange: fill"):
        closed.settle([filled(bid, 101), filled(offer, 101)])
    closed.settle([filled(bid, 100), filled(offer, 100)])


def test_a_fill_of_nothing_is_refused(closed: World) -> None:
    with refused("exchange: empty fill"):
        closed.settle([filled(closed.bid(0, 100, PRICE), 0)])


def test_an_order_settles_until_the_second_it_expires(closed: World) -> None:
    fills = [filled(closed.bid(0, 100, PRICE, expires_at=SLOT)), filled(closed.offer(1, 100, PRICE))]
    closed.at(SLOT + 1)
    with refused("exchange: expired"):
        closed.settle(fills)
    closed.at(SLOT)
    closed.settle(fills)


def test_a_buyer_pays_at_most_its_limit(closed: World) -> None:
    bid, offer = closed.bid(0, 100, PRICE), closed.offer(1, 100, PRICE)
    with refused("exchange: above limit"):
        closed.settle([filled(bid), filled(offer)], price=PRICE + 1)
    closed.settle([filled(bid), filled(offer)])


def test_a_seller_gets_at_least_its_limit(closed: World) -> None:
    bid, offer = closed.bid(0, 100, PRICE), closed.offer(1, 100, PRICE)
    with refused("exchange: below limit"):
        closed.settle([filled(bid), filled(offer)], price=PRICE - 1)
    closed.settle([filled(bid), filled(offer)])


def test_orders_at_the_price_may_be_rationed(closed: World) -> None:
    closed.settle([filled(closed.bid(0, 100, PRICE), 99), filled(closed.offer(1, 100, PRICE), 99)])
    assert position(closed, 0) == 99


@pytest.mark.parametrize("better", ["bid", "offer"])
def test_an_order_better_than_the_price_is_filled_whole(closed: World, better: str) -> None:
    bid = closed.bid(0, 100, PRICE + (better == "bid"))
    offer = closed.offer(1, 100, PRICE - (better == "offer"))
    with refused("exchange: priority"):
        closed.settle([filled(bid, 99), filled(offer, 99)])
    closed.settle([filled(bid), filled(offer)])


def test_orders_cancelled_before_the_gate_closes_do_not_settle_and_later_ones_do(world: World) -> None:
    old, offer = pair(world)
    world.at(SLOT - TERMS.gate_lead_s - 1)
    world.act(world.members[0], "cancel_all")
    world.commit()
    with refused("exchange: cancelled"):
        world.settle([old, offer])
    world.settle([filled(world.bid(0, 100, PRICE, epoch=1)), offer])


def test_orders_stand_once_their_gate_has_closed(world: World) -> None:
    fills, later = pair(world), pair(world, slot=SLOT + 900)
    world.at(SLOT - TERMS.gate_lead_s)
    world.act(world.members[0], "cancel_all")
    world.commit()
    with refused("exchange: cancelled"):
        world.settle([filled(world.bid(0, 100, PRICE, epoch=1)), fills[1]])
    world.settle(fills)
    world.commit(SLOT + 900)
    with refused("exchange: cancelled"):
        world.settle(later, slot=SLOT + 900)
    world.settle([filled(world.bid(0, 100, PRICE, slot=SLOT + 900, epoch=1)), later[1]], slot=SLOT + 900)


def test_a_member_that_cancels_again_and_again_does_not_stop_the_settlement_of_closed_slots(world: World) -> None:
    """However late they are settled, and whichever epoch was in force when their gate closed."""
    slots = [SLOT + 900 * number for number in range(4)]
    batches = {}
    for epoch, slot in enumerate(slots):
        bid = world.bid(0, 100, PRICE, slot=slot, epoch=epoch)
        batches[slot] = [filled(bid), filled(world.offer(1, 100, PRICE, slot=slot))]
        world.at(slot - TERMS.gate_lead_s + 60)
        world.act(world.members[0], "cancel_all")
    late = [slots[2], slots[0], slots[3], slots[1]]
    for slot in late:
        world.commit(slot, 2)
        for epoch in range(6):
            if epoch != slots.index(slot):
                other = filled(world.bid(0, 100, PRICE, slot=slot, epoch=epoch))
                with refused("exchange: cancelled"):
                    world.settle([other, batches[slot][1]], slot=slot)
        world.settle(batches[slot], slot=slot)
        assert position(world, 0, slot) == 100


def test_an_order_of_an_epoch_to_come_does_not_settle(closed: World) -> None:
    with refused("exchange: cancelled"):
        closed.settle([filled(closed.bid(0, 100, PRICE, epoch=1)), filled(closed.offer(1, 100, PRICE))])


@pytest.mark.parametrize("side", ["bid", "offer"])
def test_a_stranger_does_not_trade(closed: World, side: str) -> None:
    closed.members = [closed.members[0], closed.members[1], closed.strangers[0]]
    orders = [closed.bid(2, 10, PRICE), closed.offer(1, 10, PRICE)]
    if side == "offer":
        orders = [closed.bid(0, 10, PRICE), closed.offer(2, 10, PRICE)]
    with refused("exchange: not a member"):
        closed.settle([filled(order) for order in orders])


# ---------------------------------------------------------------------------------- escrow and conservation


def test_a_buyer_pays_at_most_what_it_has(closed: World) -> None:
    quantity_wh, rest = divmod(ESCROW, PRICE)
    missing = PRICE - rest
    fills = pair(closed, quantity_wh + 1)
    with refused("account: escrow"):
        closed.settle(fills)
    closed.fund(closed.members[0].address, missing - 1)
    with refused("account: escrow"):  # one nano-credit short
        closed.settle(fills)
    closed.fund(closed.members[0].address, 1)
    closed.settle(fills)
    assert closed.balance(closed.members[0].address) == 0


def test_several_bids_of_one_member_share_one_escrow(closed: World) -> None:
    half = ESCROW // PRICE // 2 + 1
    bids = [filled(closed.bid(0, half, PRICE)), filled(closed.bid(0, half, PRICE))]
    with refused("account: escrow"):
        closed.settle([*bids, filled(closed.offer(1, 2 * half, PRICE))])


@pytest.mark.parametrize(("bought", "sold"), [(100, 99), (99, 100), (1, 0), (0, 1)])
def test_what_is_bought_is_sold(closed: World, bought: int, sold: int) -> None:
    bid, offer = pair(closed)
    fills = [replace(bid, fill_wh=bought)] * (bought > 0) + [replace(offer, fill_wh=sold)] * (sold > 0)
    with refused("exchange: energy"):
        closed.settle(fills)


def test_a_refused_settlement_leaves_everything_as_it_was(closed: World) -> None:
    bid, offer = pair(closed)
    with refused("exchange: energy"):
        closed.settle([bid, replace(offer, fill_wh=99)])
    assert [closed.balance(key.address) for key in closed.members] == [ESCROW] * 4
    assert [position(closed, member) for member in range(4)] == [0] * 4
    assert closed.exchange.read("slot_of", MARKET, SLOT)["state"] == 0
