"""Positions as the exchange shows them: per slot, before and after delivery."""

from ledger.batches import FilledOrder, MemberReading
from tests.world import MARKET, SLOT, World

PRICE = 150_000


def trade(world: World, slot: int, quantities_wh: list[int], *, buyer: int = 0, seller: int = 1) -> None:
    """The buyer buys each quantity with a bid of its own; one offer serves them all."""
    world.commit(slot)
    total = sum(quantities_wh)
    bids = [FilledOrder(world.bid(buyer, wh, PRICE, slot=slot), wh) for wh in quantities_wh]
    world.settle([*bids, FilledOrder(world.offer(seller, total, PRICE, slot=slot), total)], slot=slot)


def position(world: World, member: int, slot: int) -> int:
    wh: int = world.read("position_of", world.members[member].address, slot)
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
    assert world.read("position_of", buyer, SLOT) == 10
    world.deliver([MemberReading(key.address, 0, 0) for key in world.members])
    assert position(world, 0, SLOT) == 10
    assert world.read("position_of", buyer, SLOT) == 0


def test_an_open_slot_has_no_tokens(world: World) -> None:
    trade(world, SLOT, [10])
    assert world.read("position_of", world.members[0].address, SLOT + 900) == 0


def test_a_time_within_a_slot_names_no_token(world: World) -> None:
    trade(world, SLOT, [10])
    assert world.read("position_of", world.members[0].address, SLOT + 1) == 0


def test_a_stranger_has_no_position_and_no_tokens(world: World) -> None:
    for function in ("position_of", "position_of"):
        assert world.read(function, world.strangers[0].address, SLOT) == 0


def test_a_slot_out_of_time_shows_nobodys_position(world: World) -> None:
    trade(world, SLOT, [10])
    # `account << 64 | slot_index // 8`: such a slot would turn one account into another that has more bits.
    buyer, other = (int.from_bytes(world.members[member].address, "big") for member in (0, 2))
    part = (buyer & other).to_bytes(20, "big")
    world.act("registrar", "register", MARKET, [part])
    word, lane = divmod(SLOT // 900, 8)
    assert world.read("position_of", part, (((buyer << 64) + word) * 8 + lane) * 900) == 0
    for function in ("position_of", "position_of"):
        assert world.read(function, world.members[0].address, 2**256 - 1) == 0
