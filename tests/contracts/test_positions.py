"""Positions as the exchange shows them: per slot, before and after delivery."""

from ledger.batches import FilledOrder, MemberReading
from tests.world import SLOT, World

PRICE = 150_000


def trade(world: World, slot: int, quantities_wh: list[int], *, buyer: int = 0, seller: int = 1) -> None:
    """The buyer buys each quantity with a bid of its own; one offer serves them all."""
    world.commit(slot)
    total = sum(quantities_wh)
    bids = [FilledOrder(world.bid(buyer, wh, PRICE, slot=slot), wh) for wh in quantities_wh]
    world.settle([*bids, FilledOrder(world.offer(seller, total, PRICE, slot=slot), total)], slot=slot)


def position(world: World, member: int, slot: int) -> int:
    wh: int = world.exchange.read("position_of", world.members[member].address, slot)
    return wh


def test_the_slots_of_a_day_do_not_touch_one_another(world: World) -> None:
    slots = [SLOT + 900 * k for k in range(18)]  # more than two words of eight
    for number, slot in enumerate(slots, start=1):
        trade(world, slot, [number], buyer=number % 2, seller=(number + 1) % 2)
    for number, slot in enumerate(slots, start=1):
        sign = 1 if number % 2 == 0 else -1
        assert (position(world, 0, slot), position(world, 1, slot)) == (sign * number, -sign * number)
        assert position(world, 2, slot) == 0
    assert position(world, 0, slots[0] - 900) == position(world, 0, slots[-1] + 900) == 0


def test_several_orders_of_a_member_add_up_in_the_same_slot(world: World) -> None:
    trade(world, SLOT, [10, 20, 30])
    assert (position(world, 0, SLOT), position(world, 1, SLOT)) == (60, -60)


def test_a_position_stays_readable_after_delivery_and_its_tokens_are_gone(world: World) -> None:
    trade(world, SLOT, [10])
    buyer = world.members[0].address
    assert world.exchange.read("undelivered_position_of", buyer, SLOT) == 10
    world.deliver([MemberReading(key.address, 0, 0) for key in world.members])
    assert position(world, 0, SLOT) == 10
    assert world.exchange.read("undelivered_position_of", buyer, SLOT) == 0


def test_an_open_slot_has_no_tokens(world: World) -> None:
    trade(world, SLOT, [10])
    assert world.exchange.read("undelivered_position_of", world.members[0].address, SLOT + 900) == 0


def test_a_time_within_a_slot_names_no_token(world: World) -> None:
    trade(world, SLOT, [10])
    assert world.exchange.read("undelivered_position_of", world.members[0].address, SLOT + 1) == 0


def test_a_stranger_has_no_tokens(world: World) -> None:
    assert world.exchange.read("undelivered_position_of", world.strangers[0].address, SLOT) == 0
