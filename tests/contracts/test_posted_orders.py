"""Orders that members put on chain themselves: who may, when, and within which limits."""

from collections.abc import Iterator
from dataclasses import asdict, replace

import pytest

from ledger.batches import posted_words
from ledger.deployment import MarketTerms
from ledger.eip712 import SignedOrder, order_hash
from matching.orders import Order, Side
from tests.contracts.fills import ESCROW, PRICE, filled
from tests.contracts.posted import DEADLINE, changes, cover, post, posted, set_aside
from tests.contracts.second_market import SECOND_MARKET, second_market
from tests.world import MARKET, ONE_CREDIT, SLOT, TARIFF, TERMS, World, new_world, one_world_for_a_test, refused

HORIZON_S = 8 * 86_400
MOST_POSTED = 32
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def odd(world: World, member: int, **changes: object) -> SignedOrder:
    """A bid that no wallet of ours would sign, signed all the same."""
    key = world.members[member]
    order: Order = replace(world.bid(member, 10, PRICE).order)
    for field, value in changes.items():
        object.__setattr__(order, field, value)
    digest = order_hash(world.domain, order)
    return SignedOrder(order, digest, key.sign(digest))


# ----------------------------------------------------------------------------------------------- posting


@pytest.mark.parametrize("side", Side)
def test_a_posted_order_is_kept_and_what_it_may_cost_set_aside(world: World, side: Side) -> None:
    signed = world.order(0, side, 10, PRICE)
    receipt = post(world, signed)
    cost = 10 * (PRICE if side is Side.BID else TARIFF.retail_price - PRICE)
    assert changes(world) == [-cost, 0, 0, 0]
    assert set_aside(world) == cost
    (kept,) = world.read("posted_orders", MARKET, SLOT)
    assert kept == {
        "digest": signed.hash,
        "account": signed.order.account,
        "price": PRICE,
        "quantity": 10,
        "epoch": 0,
        "is_offer": side is Side.OFFER,
        "is_filled": False,
        "set_aside": cost,
    }
    assert world.read("slot_of", MARKET, SLOT)["posted"]
    assert not world.read("slot_of", MARKET, SLOT + 900)["posted"]
    (event,) = (world.contracts.escrow.interface.decode_event(log) for log in receipt.logs)
    assert event is not None
    assert (event.name, event.arguments) == (
        "OrderPosted",
        {
            "market": MARKET,
            "slot": SLOT,
            "account": signed.order.account,
            "digest": signed.hash,
            "order": posted_words(signed),
        },
    )


@pytest.mark.parametrize("who", ["operator", "registrar", "deployer"])
def test_nobody_posts_anothers_order(world: World, who: str) -> None:
    with refused("escrow: not the account"):
        post(world, world.bid(0, 10, PRICE), who)
    with refused("escrow: not the account"):
        post(world, world.bid(0, 10, PRICE), world.members[1])


def test_a_stranger_posts_nothing(world: World) -> None:
    world.members = [world.strangers[0]]
    with refused("escrow: not a member"):
        post(world, world.offer(0, 10, PRICE))


def test_the_utility_posts_nothing(world: World) -> None:
    """Its orders could not be filled any more once its account has moved."""
    world.members = [world.keys["utility"]]
    with refused("escrow: not a member"):
        post(world, world.offer(0, 10, PRICE))


def test_a_member_posts_nothing_in_another_market(world: World) -> None:
    other = second_market(world)
    visitor = replace(world, members=other.members)
    with refused("escrow: not a member"):
        post(visitor, visitor.offer(0, 10, PRICE))
    post(other, other.offer(0, 10, PRICE, market=SECOND_MARKET))
    assert [len(world.read("posted_orders", market, SLOT)) for market in (MARKET, SECOND_MARKET)] == [0, 1]


@pytest.mark.parametrize("pricing", [{"uniform_price": False}, {"grid_limits": True}], ids=lambda p: next(iter(p)))
def test_nothing_is_posted_where_no_order_has_priority(world: World, pricing: dict[str, bool]) -> None:
    other = second_market(world, terms=MarketTerms(**pricing))
    with refused("escrow: no priority in this market"):
        post(other, other.offer(0, 10, PRICE, market=SECOND_MARKET))


def test_nothing_is_posted_in_an_unknown_market(world: World) -> None:
    nowhere = replace(world, market=SECOND_MARKET)
    with refused("escrow: no priority in this market"):
        post(nowhere, nowhere.offer(0, 10, PRICE, market=SECOND_MARKET))


def test_an_order_is_posted_until_the_gate_closes_and_not_in_that_second(world: World) -> None:
    signed = world.bid(0, 10, PRICE)
    world.at(SLOT - TERMS.gate_lead_s)
    with refused("escrow: gate closed"):
        post(world, signed)
    world.at(SLOT - TERMS.gate_lead_s - 1)
    post(world, signed)


def test_an_order_is_posted_eight_days_ahead_and_not_a_second_before(world: World) -> None:
    signed = world.bid(0, 10, PRICE, slot=SLOT + HORIZON_S)
    world.at(SLOT - 1)
    with refused("escrow: too early"):
        post(world, signed)
    world.at(SLOT)
    post(world, signed)


@pytest.mark.parametrize("slot", [SLOT - 1, SLOT + 1, SLOT + 300])
def test_an_order_is_posted_for_a_slot(world: World, slot: int) -> None:
    with refused("escrow: slot"):
        post(world, odd(world, 0, slot=slot))


@pytest.mark.parametrize(
    ("word", "bit"), [("who", 224), ("who", 255), *(("terms", bit) for bit in (146, 177, 178, 240, 241, 242, 255))]
)
def test_a_posted_order_has_no_fill_no_amount_and_no_stray_bits(world: World, word: str, bit: int) -> None:
    signed = world.bid(0, 10, PRICE)
    with refused("escrow: malformed order"):
        post(world, signed, words={word: posted_words(signed)[word] | 1 << bit})


@pytest.mark.parametrize(("field", "value"), [("quantity_wh", 2**23), ("quantity_wh", 2**31), ("certificates", 3)])
def test_what_cannot_be_settled_is_not_posted(world: World, field: str, value: int) -> None:
    """An order that is better than the price and does not fit a position would stop the slot."""
    with refused("escrow: malformed order"):
        post(world, odd(world, 0, price=0, **{field: value}))


def test_the_largest_order_is_posted(world: World) -> None:
    with refused("escrow: too large"):
        post(world, world.offer(0, 1_000_001, 2**32 - 1))
    post(world, world.offer(0, 1_000_000, 2**32 - 1))
    assert world.read("posted_orders", MARKET, SLOT)[0]["quantity"] == 1_000_000


def test_an_order_for_nothing_is_not_posted(world: World) -> None:
    with refused("escrow: nothing ordered"):
        post(world, odd(world, 0, quantity_wh=0))


def test_a_posted_order_lasts_until_the_last_second_to_settle(world: World) -> None:
    with refused("escrow: expires too early"):
        post(world, world.bid(0, 10, PRICE, expires_at=DEADLINE - 1))
    signed = world.bid(0, 10, PRICE, expires_at=DEADLINE)
    post(world, signed)
    world.commit()
    world.at(DEADLINE)
    world.settle([posted(signed), filled(world.offer(1, 10, PRICE))])


def test_a_posted_order_is_signed_by_its_account(world: World) -> None:
    signed = world.bid(0, 10, PRICE)
    forged = replace(signed, signature=world.members[1].sign(signed.hash))
    with refused("escrow: signature"):
        post(world, forged)
    r, s, v = signed.signature[:32], int.from_bytes(signed.signature[32:64]), signed.signature[64]
    mirrored = replace(signed, signature=r + (CURVE_ORDER - s).to_bytes(32) + bytes([55 - v]))
    with refused("ecdsa: invalid signature `s` value"):
        post(world, mirrored)


def test_an_order_is_posted_for_the_slot_and_market_it_was_signed_for(world: World) -> None:
    words = posted_words(world.bid(0, 10, PRICE, slot=SLOT + 900))
    with refused("escrow: signature"):
        world.act(world.members[0], "post_order", MARKET, SLOT, words)
    second_market(world)
    with refused("escrow: signature"):
        world.act(world.members[0], "post_order", SECOND_MARKET, SLOT + 900, words)


def test_a_cancelled_order_is_not_posted(world: World) -> None:
    old, coming = world.bid(0, 10, PRICE), world.bid(0, 10, PRICE, epoch=1)
    with refused("escrow: cancelled"):
        post(world, coming)
    world.act(world.members[0], "cancel_all")
    with refused("escrow: cancelled"):
        post(world, old)
    post(world, coming)


def test_each_member_posts_one_order_a_slot(world: World) -> None:
    first = world.bid(0, 10, PRICE)
    post(world, first)
    for again in (first, world.bid(0, 11, PRICE), world.offer(0, 10, PRICE)):
        with refused("escrow: already posted"):
            post(world, again)
    post(world, world.bid(1, 10, PRICE))
    post(world, world.bid(0, 10, PRICE, slot=SLOT + 900))
    assert [len(world.read("posted_orders", MARKET, slot)) for slot in (SLOT, SLOT + 900)] == [2, 1]


def test_a_member_sets_aside_at_most_what_it_has(world: World) -> None:
    price = 10 * PRICE
    quantity_wh, rest = divmod(ESCROW, price)
    world.fund(world.members[0].address, price - rest - 1)
    signed = world.bid(0, quantity_wh + 1, price)
    with refused("account: escrow"):  # one nano-credit short
        post(world, signed)
    world.fund(world.members[0].address, 1)
    post(world, signed)
    assert world.balance(world.members[0].address) == 0


@pytest.mark.parametrize("below", [-1, 0, 1, TARIFF.retail_price])
def test_of_an_offer_what_its_limit_falls_short_of_the_retail_price_is_set_aside(world: World, below: int) -> None:
    """The utility makes up at that price for what is sold and not generated."""
    signed = world.offer(0, 10, TARIFF.retail_price - below)
    post(world, signed)
    assert set_aside(world) == cover(signed) == 10 * max(below, 0)
    assert changes(world) == [-cover(signed), 0, 0, 0]


def test_an_offer_is_covered_at_the_tariff_of_its_slot(world: World) -> None:
    later = SLOT + 9 * 86_400
    dearer = asdict(TARIFF) | {"retail_price": TARIFF.retail_price + 7, "from_slot": later}
    world.act("utility", "set_tariff", MARKET, dearer)
    world.time.now = later - 86_400
    for member, slot in enumerate((later - 900, later)):
        post(world, world.offer(member, 10, PRICE, slot=slot))
    short = TARIFF.retail_price - PRICE
    assert changes(world) == [-10 * short, -10 * (short + 7), 0, 0]


def test_a_member_posts_no_offer_that_it_could_not_pay_for(world: World) -> None:
    """Nobody pushes the price down with energy that it does not have, and leaves the utility with the bill."""
    quantity_wh, price = 1_000_000, TARIFF.retail_price - 1
    member = world.members[0]
    world.act(member, "request_withdrawal", ESCROW - quantity_wh + 1)
    world.time.now += 2 * 3_600
    world.act(member, "withdraw")
    signed = world.offer(0, quantity_wh, price, slot=SLOT + 86_400)
    with refused("account: escrow"):  # one nano-credit short
        post(world, signed)
    world.fund(member.address, 1)
    post(world, signed)
    assert world.balance(member.address) == 0


@pytest.mark.parametrize("side", Side)
def test_what_is_set_aside_is_not_withdrawn(world: World, side: Side) -> None:
    member = world.members[0]
    world.act(member, "request_withdrawal", ESCROW)
    signed = world.order(0, side, 10, PRICE, slot=SLOT + 86_400)
    post(world, signed)
    world.time.now += 2 * 3_600
    world.act(member, "withdraw")
    assert world.contracts.credit.read("balanceOf", member.address) == ESCROW - cover(signed)
    assert set_aside(world) == cover(signed)


@pytest.fixture(scope="module")
def built_crowd(chain_kind: str) -> Iterator[World]:
    with new_world(MOST_POSTED + 1, escrow=ONE_CREDIT, chain_kind=chain_kind) as built:
        yield built


def test_at_most_32_orders_are_posted_for_a_slot_and_all_of_them_settle(built_crowd: World) -> None:
    with one_world_for_a_test(built_crowd) as world:
        make = (world.bid, world.offer)
        orders = [make[member % 2](member, 10, PRICE) for member in range(MOST_POSTED + 1)]
        for signed in orders[:MOST_POSTED]:
            post(world, signed)
        with refused("escrow: too many posted orders"):
            post(world, orders[MOST_POSTED])
        post(world, world.bid(MOST_POSTED, 10, PRICE, slot=SLOT + 900))
        world.commit()
        with refused("escrow: posted order left out"):
            world.settle([], price=PRICE - 1)
        world.settle([posted(signed) for signed in orders[:MOST_POSTED]])
        assert all(order["is_filled"] for order in world.read("posted_orders", MARKET, SLOT))
        assert set_aside(world) == 10 * PRICE  # for the next slot
