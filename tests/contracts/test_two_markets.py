"""Two markets on one exchange share the contract and nothing else."""

from dataclasses import replace

import pytest

from ledger.batches import FilledOrder, MemberReading
from ledger.eip712 import SignedOrder
from tests.world import MARKET, ONE_CREDIT, SLOT, TARIFF, TERMS, World, refused

OTHER_MARKET = b"lugano".ljust(32, b"\0")
OTHER_TARIFF = {"retail_price": 300_000, "feed_in_price": 50_000, "grid_fee": 10_000, "from_slot": 0}
ESCROW = 1_000 * ONE_CREDIT
PRICE = 150_000


@pytest.fixture
def other(world: World) -> World:
    """The other market's world: its own parties, two members, the same chain, contracts and clock."""
    operator, meter_authority, registrar, utility, anna, bert = world.strangers
    parties = {
        "operator": operator,
        "meter_authority": meter_authority,
        "registrar": registrar,
        "utility": utility,
    }
    terms = {
        **{role: key.address for role, key in parties.items()},
        "slot_length_s": 900,
        "gate_lead_s": 300,
        "settle_within_s": 86_400,
        "uniform_price": True,
        "grid_limits": False,
    }
    world.act("owner", "open_market", OTHER_MARKET, terms, OTHER_TARIFF, [], 0)
    other = replace(world, keys=world.keys | parties, members=[anna, bert], strangers=[], market=OTHER_MARKET)
    other.act("registrar", "register", OTHER_MARKET, [anna.address, bert.address])
    for key in (anna, bert, utility):
        other.fund(key.address, ESCROW)
    return other


def pair(world: World, quantity_wh: int) -> list[FilledOrder]:
    bid = world.bid(0, quantity_wh, PRICE, market=world.market)
    offer = world.offer(1, quantity_wh, PRICE, market=world.market)
    return [FilledOrder(bid, quantity_wh), FilledOrder(offer, quantity_wh)]


def trade(world: World, quantity_wh: int) -> None:
    world.commit()
    world.settle(pair(world, quantity_wh))


def test_the_same_slot_is_settled_and_delivered_in_each_market(world: World, other: World) -> None:
    trade(world, 100)
    trade(other, 7)
    read = world.exchange.read
    assert [read("position_of", key.address, SLOT) for key in world.members] == [100, -100, 0, 0]
    assert [read("position_of", key.address, SLOT) for key in other.members] == [7, -7]
    world.deliver([MemberReading(key.address, 0, 0) for key in world.members])
    assert (read("slot_of", MARKET, SLOT)["state"], read("slot_of", OTHER_MARKET, SLOT)["state"]) == (2, 1)
    assert read("position_of", other.members[0].address, SLOT) == 7
    other.deliver([MemberReading(key.address, 1, 0) for key in other.members])
    assert read("slot_of", OTHER_MARKET, SLOT)["state"] == 2


def test_each_market_pays_its_own_utility_its_own_tariff(world: World, other: World) -> None:
    for each in (world, other):
        each.commit()
        each.settle([])
        each.deliver([MemberReading(key.address, 1, 0) for key in each.members])
    assert world.balance(world.keys["utility"].address) == ESCROW + 4 * TARIFF.retail_price
    assert other.balance(other.keys["utility"].address) == ESCROW + 2 * OTHER_TARIFF["retail_price"]


def test_a_withdrawing_debtor_pays_its_own_markets_utility(world: World, other: World) -> None:
    debtor = other.members[0]
    other.commit()
    other.settle([])
    other.deliver([MemberReading(debtor.address, ESCROW // 300_000 + 1, 0)])
    debt = other.debt(debtor.address)
    other.fund(debtor.address, debt + 1)
    other.act(debtor, "request_withdrawal", 1)
    other.time.now += 7_200
    other.act(debtor, "withdraw")
    assert other.balance(other.keys["utility"].address) == 2 * ESCROW + debt
    assert world.balance(world.keys["utility"].address) == ESCROW


def test_an_operator_settles_its_own_market_only(world: World, other: World) -> None:
    other.commit()
    with refused("exchange: not the operator"):
        world.act("operator", "settle", OTHER_MARKET, SLOT, 0, [], False, [])


def test_a_book_of_one_market_is_none_of_the_other(world: World, other: World) -> None:
    world.commit()
    with refused("exchange: no book"):
        other.settle(pair(other, 1))


@pytest.mark.parametrize("side", ["bid", "offer"])
def test_a_member_does_not_trade_in_another_market(world: World, other: World, side: str) -> None:
    other.commit()
    visitor = replace(other, members=[*other.members, world.members[0]])
    guest: SignedOrder = (visitor.bid if side == "bid" else visitor.offer)(2, 5, PRICE, market=OTHER_MARKET)
    host: SignedOrder = (visitor.offer if side == "bid" else visitor.bid)(0, 5, PRICE, market=OTHER_MARKET)
    with refused("exchange: not a member"):
        other.settle([FilledOrder(guest, 5), FilledOrder(host, 5)])


def test_a_member_is_not_read_in_another_market(world: World, other: World) -> None:
    other.commit()
    other.settle([])
    with refused("exchange: not a member"):
        other.deliver([MemberReading(world.members[0].address, 1, 0)])


def test_an_account_belongs_to_one_market(world: World, other: World) -> None:
    with refused("escrow: already a member"):
        other.act("registrar", "register", OTHER_MARKET, [world.members[0].address])


def test_voiding_a_slot_leaves_the_other_markets_slot_open(world: World, other: World) -> None:
    world.at(SLOT + TERMS.settle_within_s + 1)
    world.act(other.members[0], "void", MARKET, SLOT)
    assert world.read("slot_of", MARKET, SLOT)["state"] == 3
    assert world.read("slot_of", OTHER_MARKET, SLOT)["state"] == 0
