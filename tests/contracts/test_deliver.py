"""Delivery: tokens are redeemed, and what was metered but not contracted is traded with the utility."""

import pytest

from ledger.batches import FilledOrder, MemberReading
from matching.orders import MAX_PRICE
from tests.world import MARKET, ONE_CREDIT, SLOT, TARIFF, TERMS, World, refused

PRICE = 150_000
ESCROW = 1_000 * ONE_CREDIT
RETAIL, FEED_IN, FEE = TARIFF.retail_price, TARIFF.feed_in_price, TARIFF.grid_fee


def readings(world: World, *metered: tuple[int, int]) -> list[MemberReading]:
    """One reading for every member: consumption and generation as given, nothing for the rest."""
    padded = [*metered, *[(0, 0)] * (len(world.members) - len(metered))]
    return [MemberReading(key.address, *pair) for key, pair in zip(world.members, padded, strict=True)]


def changes(world: World) -> list[int]:
    return [world.balance(key.address) - ESCROW for key in world.members]


def utility_change(world: World) -> int:
    return world.balance(world.keys["utility"].address) - ESCROW


@pytest.fixture
def settled(world: World) -> World:
    """Member 0 bought 100 Wh from member 1 at 150,000."""
    world.commit()
    world.settle([FilledOrder(world.bid(0, 100, PRICE), 100), FilledOrder(world.offer(1, 100, PRICE), 100)])
    return world


# ------------------------------------------------------------------------------------- what it costs


def test_who_keeps_its_contract_pays_only_the_grid_fee(settled: World) -> None:
    settled.deliver(readings(settled, (100, 0), (0, 100)))
    assert changes(settled) == [-100 * PRICE - 100 * FEE, 100 * PRICE, 0, 0]
    assert utility_change(settled) == 100 * FEE


def test_what_is_taken_beyond_the_contract_costs_the_retail_price(settled: World) -> None:
    settled.deliver(readings(settled, (107, 0), (0, 100)))
    assert changes(settled)[0] == -100 * PRICE - 100 * FEE - 7 * RETAIL
    assert utility_change(settled) == 100 * FEE + 7 * RETAIL


def test_what_is_bought_and_not_taken_earns_the_feed_in_price(settled: World) -> None:
    settled.deliver(readings(settled, (93, 0), (0, 100)))
    assert changes(settled)[0] == -100 * PRICE - 100 * FEE + 7 * FEED_IN


def test_what_is_sold_and_not_generated_costs_the_retail_price(settled: World) -> None:
    settled.deliver(readings(settled, (100, 0), (0, 93)))
    assert changes(settled)[1] == 100 * PRICE - 7 * RETAIL


def test_what_is_generated_and_not_sold_earns_the_feed_in_price(settled: World) -> None:
    settled.deliver(readings(settled, (100, 0), (0, 107)))
    assert changes(settled)[1] == 100 * PRICE + 7 * FEED_IN


def test_consumption_and_generation_of_one_member_are_netted(settled: World) -> None:
    settled.deliver(readings(settled, (1_100, 1_000), (1_000, 1_100), (50, 50)))
    assert changes(settled) == [-100 * PRICE - 100 * FEE, 100 * PRICE, 0, 0]


def test_who_did_not_trade_is_served_by_the_utility(settled: World) -> None:
    settled.deliver(readings(settled, (100, 0), (0, 100), (10, 0), (0, 10)))
    assert changes(settled)[2:] == [-10 * RETAIL, 10 * FEED_IN]
    assert utility_change(settled) == 100 * FEE + 10 * RETAIL - 10 * FEED_IN


def test_delivery_says_how_many_members_and_whether_all(settled: World) -> None:
    receipt = settled.deliver(readings(settled))
    event = settled.exchange.interface.decode_event(receipt.logs[0])
    assert event is not None
    assert event.arguments == {"market": MARKET, "slot": SLOT, "start": 0, "members": 4, "complete": True}
    assert settled.exchange.read("slot_of", MARKET, SLOT)["state"] == 2


def test_the_largest_readings_are_counted_in_full(world: World) -> None:
    world.fund(world.keys["utility"].address, (2**32 - 1) * FEED_IN)
    world.commit()
    world.settle([])
    world.deliver(readings(world, (0, 2**32 - 1)))
    assert changes(world)[0] == (2**32 - 1) * FEED_IN


# --------------------------------------------------------------------------------- who, which, when


@pytest.mark.parametrize("who", ["owner", "operator", "registrar", "utility", "issuer", "deployer"])
def test_only_the_meter_authority_delivers(settled: World, who: str) -> None:
    settled.at(SLOT + TERMS.slot_length_s)
    with refused("exchange: not the meter authority"):
        settled.act(who, "deliver", MARKET, SLOT, [])


def test_nobody_delivers_for_an_unknown_market(settled: World) -> None:
    settled.at(SLOT + TERMS.slot_length_s)
    with refused("markets: no tariff"):
        settled.act("meter_authority", "deliver", b"lugano".ljust(32, b"\0"), SLOT, [])


def test_an_open_slot_is_not_delivered(world: World) -> None:
    world.commit()
    with refused("exchange: slot not settled"):
        world.deliver(readings(world))


def test_a_slot_is_delivered_once(settled: World) -> None:
    settled.deliver(readings(settled))
    with refused("exchange: slot not settled"):
        settled.deliver(readings(settled))
    with refused("exchange: slot not settled"):
        settled.deliver([])


def test_a_slot_is_delivered_when_it_is_over_and_not_a_second_before(settled: World) -> None:
    settled.at(SLOT + TERMS.slot_length_s - 1)
    with refused("exchange: slot not over"):
        settled.act("meter_authority", "deliver", MARKET, SLOT, [])
    settled.at(SLOT + TERMS.slot_length_s)
    settled.deliver(readings(settled))


# ----------------------------------------------------------------------------------------- readings


def test_readings_are_in_ascending_order_of_accounts(settled: World) -> None:
    backwards = sorted(readings(settled), key=lambda reading: reading.account, reverse=True)
    with refused("exchange: order of readings"):
        settled.deliver(backwards, sort=False)


def test_no_member_is_read_twice(settled: World) -> None:
    first = readings(settled)[0]
    with refused("exchange: order of readings"):
        settled.deliver([first, first])


def test_the_zero_account_is_not_read(settled: World) -> None:
    with refused("exchange: order of readings"):
        settled.deliver([MemberReading(bytes(20), 0, 0)])


def test_a_reading_has_no_bits_beyond_its_fields(settled: World) -> None:
    settled.at(SLOT + TERMS.slot_length_s)
    account = int.from_bytes(settled.members[0].address, "big")
    with refused("exchange: reading"):
        settled.act("meter_authority", "deliver", MARKET, SLOT, [account | 1 << 224])


def test_the_utility_has_no_reading(settled: World) -> None:
    with refused("exchange: utility reading"):
        settled.deliver([MemberReading(settled.keys["utility"].address, 0, 0)])


def test_a_stranger_has_no_reading(settled: World) -> None:
    with refused("exchange: not a member"):
        settled.deliver([MemberReading(settled.strangers[0].address, 0, 0)])


def test_at_most_1024_readings_come_at_once(settled: World) -> None:
    reading = readings(settled)[0]
    with refused("exchange: order of readings"):
        settled.deliver([reading] * 1_024)
    with refused(""):  # the ABI decoder's own refusal
        settled.deliver([reading] * 1_025)


# ------------------------------------------------------------------------------------------- in parts


def test_a_delivery_may_come_in_parts(settled: World) -> None:
    everyone = sorted(readings(settled, (100, 0), (0, 100), (10, 0), (0, 10)), key=lambda reading: reading.account)
    receipts = []
    for part, done in ((everyone[:1], 1), (everyone[1:3], 3)):
        receipts.append(settled.deliver(part))
        assert settled.exchange.read("slot_of", MARKET, SLOT)["state"] == 1
        assert settled.exchange.read("delivered_members", MARKET, SLOT) == done
    receipts.append(settled.deliver(everyone[3:]))
    events = [settled.exchange.interface.decode_event(receipt.logs[0]) for receipt in receipts]
    assert [event.arguments["complete"] for event in events if event] == [False, False, True]
    assert [event.arguments["start"] for event in events if event] == [0, 1, 3]
    assert [event.arguments["members"] for event in events if event] == [1, 2, 1]
    assert settled.exchange.read("slot_of", MARKET, SLOT)["state"] == 2
    assert changes(settled) == [-100 * (PRICE + FEE), 100 * PRICE, -10 * RETAIL, 10 * FEED_IN]
    assert utility_change(settled) == 100 * FEE + 10 * RETAIL - 10 * FEED_IN


def test_parts_do_not_overlap(settled: World) -> None:
    everyone = sorted(readings(settled), key=lambda reading: reading.account)
    settled.deliver(everyone[:2])
    with refused("exchange: order of readings"):
        settled.deliver(everyone[1:])
    with refused("exchange: order of readings"):
        settled.deliver(everyone[:2])
    settled.deliver(everyone[2:])


def test_an_empty_part_changes_nothing(settled: World) -> None:
    everyone = sorted(readings(settled), key=lambda reading: reading.account)
    settled.deliver(everyone[:2])
    settled.deliver([])
    assert settled.exchange.read("delivered_members", MARKET, SLOT) == 2
    settled.deliver(everyone[2:])
    assert settled.exchange.read("slot_of", MARKET, SLOT)["state"] == 2


@pytest.mark.parametrize("step", [-1, 1], ids=["before", "after"])
def test_who_becomes_a_member_between_two_parts_has_no_reading_in_them(settled: World, step: int) -> None:
    everyone = sorted(readings(settled), key=lambda reading: reading.account)
    settled.deliver(everyone[:2])
    neighbour = int.from_bytes(everyone[1].account, "big") + step
    newcomer = MemberReading(neighbour.to_bytes(20, "big"), 5, 0)
    settled.act("registrar", "register", MARKET, [newcomer.account])
    with refused("exchange: new member" if step > 0 else "exchange: order of readings"):
        settled.deliver([newcomer, *everyone[2:]])
    settled.deliver(everyone[2:])
    assert settled.exchange.read("slot_of", MARKET, SLOT)["state"] == 2


def test_who_becomes_a_member_before_the_first_part_has_a_reading(settled: World) -> None:
    newcomer = MemberReading(settled.strangers[0].address, 0, 0)
    settled.act("registrar", "register", MARKET, [newcomer.account])
    everyone = sorted([*readings(settled), newcomer], key=lambda reading: reading.account)
    settled.deliver(everyone[:4])
    assert settled.exchange.read("slot_of", MARKET, SLOT)["state"] == 1
    settled.deliver(everyone[4:])
    assert settled.exchange.read("slot_of", MARKET, SLOT)["state"] == 2


def test_parts_of_two_slots_do_not_mix(settled: World) -> None:
    everyone = sorted(readings(settled), key=lambda reading: reading.account)
    settled.commit(SLOT + 900)
    settled.settle([], slot=SLOT + 900)
    settled.deliver(everyone[:3])
    settled.deliver(everyone[:1], slot=SLOT + 900)
    settled.deliver(everyone[3:])
    assert settled.exchange.read("slot_of", MARKET, SLOT)["state"] == 2
    assert settled.exchange.read("slot_of", MARKET, SLOT + 900)["state"] == 1
    settled.deliver(everyone[1:], slot=SLOT + 900)
    assert settled.exchange.read("slot_of", MARKET, SLOT + 900)["state"] == 2


# --------------------------------------------------------------------------------------- the utility


def test_the_utility_pays_from_its_escrow_and_from_what_it_is_paid(world: World) -> None:
    world.commit()
    world.settle([])
    generation_wh = ESCROW // FEED_IN + 1
    short = generation_wh * FEED_IN - ESCROW
    metered = readings(world, (0, generation_wh))
    with refused("exchange: utility escrow"):
        world.deliver(metered)
    world.fund(world.keys["utility"].address, short - 1)
    with refused("exchange: utility escrow"):  # one nano-credit short
        world.deliver(metered)
    world.fund(world.keys["utility"].address, 1)
    world.deliver(metered)
    assert world.balance(world.keys["utility"].address) == 0


def test_what_members_pay_the_utility_covers_what_it_pays_them(world: World) -> None:
    world.commit()
    world.settle([])
    generation_wh = ESCROW // FEED_IN + 1
    world.deliver(readings(world, (0, generation_wh), (10, 0)))
    assert changes(world)[0] == generation_wh * FEED_IN
    assert utility_change(world) == 10 * RETAIL - generation_wh * FEED_IN


# ------------------------------------------------------------------------------------ tariffs and voids


def test_a_slot_is_delivered_at_the_tariff_it_was_traded_under(settled: World) -> None:
    slot = SLOT + 9 * 86_400  # as far ahead as a tariff must be announced
    later = {"retail_price": MAX_PRICE, "feed_in_price": 1, "grid_fee": 7, "from_slot": slot}
    settled.act("utility", "set_tariff", MARKET, later)
    settled.commit(slot)
    settled.settle([], slot=slot)
    settled.deliver(readings(settled, (101, 0), (0, 100)))
    assert changes(settled)[0] == -100 * (PRICE + FEE) - RETAIL
    settled.deliver(readings(settled, (1, 0), (0, 1)), slot=slot)
    assert changes(settled)[0] == -100 * (PRICE + FEE) - RETAIL - MAX_PRICE
    assert changes(settled)[1] == 100 * PRICE + 1


def test_a_voided_slot_is_delivered_by_the_utility_alone(world: World) -> None:
    world.at(SLOT + TERMS.settle_within_s + 1)
    world.act(world.strangers[0], "void", MARKET, SLOT)
    world.deliver(readings(world, (10, 0), (0, 10)))
    assert changes(world) == [-10 * RETAIL, 10 * FEED_IN, 0, 0]
    assert world.read("slot_of", MARKET, SLOT)["state"] == 2


def test_a_voided_slot_is_delivered_in_parts_too(world: World) -> None:
    world.at(SLOT + TERMS.settle_within_s + 1)
    world.act(world.strangers[0], "void", MARKET, SLOT)
    everyone = sorted(readings(world, (10, 0)), key=lambda reading: reading.account)
    world.deliver(everyone[:3])
    assert world.read("slot_of", MARKET, SLOT)["state"] == 3
    world.deliver(everyone[3:])
    assert world.read("slot_of", MARKET, SLOT)["state"] == 2


def test_no_credit_appears_or_disappears(settled: World) -> None:
    settled.deliver(readings(settled, (150, 20), (30, 60), (5, 0), (0, 9)))
    held = settled.contracts.credit.read("balanceOf", settled.contracts.escrow.address)
    assert sum(changes(settled)) + utility_change(settled) == 0
    assert held == 5 * ESCROW
