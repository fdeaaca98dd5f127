"""Positions as the exchange shows them: per slot, from settlement to delivery."""

from ledger.batches import FilledOrder, MemberReading
from tests.world import MARKET, SLOT, TARIFF, World

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
    slots = [SLOT + 900 * k for k in range(18)]  # two beside the balance, the others in three words of eight
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


def test_a_position_exists_from_settlement_to_delivery(world: World) -> None:
    assert position(world, 0, SLOT) == position(world, 1, SLOT) == 0
    trade(world, SLOT, [10])
    assert (position(world, 0, SLOT), position(world, 1, SLOT)) == (10, -10)
    world.deliver([MemberReading(key.address, 0, 0) for key in world.members])
    assert position(world, 0, SLOT) == position(world, 1, SLOT) == 0


def test_positions_of_a_slot_that_is_late_are_delivered_from_where_they_are(world: World) -> None:
    slots = [SLOT + 900 * k for k in (0, 1, 2, 5)]
    for number, slot in enumerate(slots, start=1):
        trade(world, slot, [number])
    before = [world.balance(key.address) for key in world.members]
    for slot in (slots[1], slots[3], slots[0], slots[2]):
        number = slots.index(slot) + 1
        metered = [(number, 0), (0, number), (0, 0), (0, 0)]
        readings = [MemberReading(key.address, *wh) for key, wh in zip(world.members, metered, strict=True)]
        world.deliver(readings, slot=slot)
        assert position(world, 0, slot) == position(world, 1, slot) == 0
    # Everybody kept its contracts: nothing but the grid fee was due.
    fees = [world.balance(key.address) - had for key, had in zip(world.members, before, strict=True)]
    assert fees == [-TARIFF.grid_fee * (1 + 2 + 3 + 4), 0, 0, 0]


def test_an_open_slot_has_no_positions(world: World) -> None:
    trade(world, SLOT, [10])
    assert world.read("position_of", world.members[0].address, SLOT + 900) == 0


def test_a_time_within_a_slot_names_no_position(world: World) -> None:
    trade(world, SLOT, [10])
    assert world.read("position_of", world.members[0].address, SLOT + 1) == 0


def test_a_stranger_has_no_position(world: World) -> None:
    assert world.read("position_of", world.strangers[0].address, SLOT) == 0


def test_a_slot_out_of_time_shows_nobodys_position(world: World) -> None:
    trade(world, SLOT, [10])
    trade(world, SLOT + 1_800, [10])  # the first position is among the older ones now
    # `account << 64 | slot_index // 8`: such a slot would turn one account into another that has more bits.
    buyer, other = (int.from_bytes(world.members[member].address, "big") for member in (0, 2))
    part = (buyer & other).to_bytes(20, "big")
    world.act("registrar", "register", MARKET, [part])
    word, lane = divmod(SLOT // 900, 8)
    assert world.read("position_of", part, (((buyer << 64) + word) * 8 + lane) * 900) == 0
    assert world.read("position_of", world.members[0].address, 2**256 - 1) == 0
