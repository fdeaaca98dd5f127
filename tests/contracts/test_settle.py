"""What a settlement may do with signed orders: every rule, off by one."""

from dataclasses import replace

import pytest

from ledger.batches import FilledOrder, settle_calldata
from ledger.deployment import transact
from ledger.eip712 import Domain, SignedOrder, order_hash
from matching.orders import CertificatePreference, Order
from tests.world import MARKET, ONE_CREDIT, SLOT, TERMS, World, refused

PRICE = 150_000
CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ESCROW = 1_000 * ONE_CREDIT


def filled(signed: SignedOrder, fill_wh: int | None = None) -> FilledOrder:
    return FilledOrder(signed, signed.order.quantity_wh if fill_wh is None else fill_wh)


def pair(world: World, quantity_wh: int = 100, *, slot: int = SLOT) -> list[FilledOrder]:
    """Member 0 buys from member 1."""
    return [
        filled(world.bid(0, quantity_wh, PRICE, slot=slot)),
        filled(world.offer(1, quantity_wh, PRICE, slot=slot)),
    ]


def position(world: World, member: int, slot: int = SLOT) -> int:
    wh: int = world.exchange.read("position_of", world.members[member].address, slot)
    return wh


@pytest.fixture
def closed(world: World) -> World:
    """A world whose slot has its book and waits to be settled."""
    world.commit()
    return world


# ------------------------------------------------------------------------------------- what it does


def test_a_settlement_moves_credits_and_positions(closed: World) -> None:
    closed.settle(pair(closed, 100))
    buyer, seller = (closed.members[member].address for member in (0, 1))
    assert closed.balance(buyer) == ESCROW - 100 * PRICE
    assert closed.balance(seller) == ESCROW + 100 * PRICE
    assert (position(closed, 0), position(closed, 1), position(closed, 2)) == (100, -100, 0)
    assert closed.exchange.read("slot_state", MARKET, SLOT) == 1


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
        closed.act(who, "settle", MARKET, SLOT, 0, [])


def test_nobody_settles_an_unknown_market(closed: World) -> None:
    with refused("exchange: not the operator"):
        closed.act("operator", "settle", b"lugano".ljust(32, b"\0"), SLOT, 0, [])


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


# ------------------------------------------------------------------------------------- malformed words


@pytest.mark.parametrize(("field", "bits"), [("who", range(224, 256)), ("terms", range(241, 256))])
def test_a_fill_has_no_bits_beyond_its_fields(closed: World, field: str, bits: range) -> None:
    fills = sorted(pair(closed), key=lambda fill: fill.signed.hash)
    data = settle_calldata(closed.exchange.interface.selector("settle"), MARKET, SLOT, PRICE, fills)
    for bit in (bits[0], bits[-1]):
        _, arguments = closed.exchange.interface.decode_call(data)
        arguments["fills"][1][field] |= 1 << bit
        with refused("exchange: malformed fill"):
            closed.act("operator", "settle", *arguments.values())


@pytest.mark.parametrize(
    ("field", "value"), [("quantity_wh", 2**31), ("quantity_wh", 2**32 - 1), ("certificates", 3)]
)
def test_what_is_no_order_does_not_settle_although_it_is_signed(closed: World, field: str, value: int) -> None:
    bid, offer = pair(closed)
    order = replace(bid.signed.order)
    object.__setattr__(order, field, value)
    digest = order_hash(closed.domain, order)
    signed = replace(bid.signed, order=order, hash=digest, signature=closed.members[0].sign(digest))
    with refused("exchange: malformed fill"):
        closed.settle([FilledOrder(signed, 100), offer])


# ------------------------------------------------------------------------------------- signatures


def test_an_order_of_another_slot_does_not_settle(closed: World) -> None:
    fills = pair(closed, slot=SLOT + 900)
    with refused("exchange: signature"):
        closed.settle(fills)


def other_market(world: World, order: Order) -> SignedOrder:
    return world.bid(0, order.quantity_wh, order.price, market=b"lugano".ljust(32, b"\0"))


def other_chain(world: World, order: Order) -> SignedOrder:
    domain = Domain(world.chain.chain_id + 1, world.exchange.address)
    return world.bid(0, order.quantity_wh, order.price, domain=domain)


def other_exchange(world: World, order: Order) -> SignedOrder:
    domain = Domain(world.chain.chain_id, world.contracts.energy.address)
    return world.bid(0, order.quantity_wh, order.price, domain=domain)


@pytest.mark.parametrize("elsewhere", [other_market, other_chain, other_exchange])
def test_an_order_signed_for_elsewhere_does_not_settle(closed: World, elsewhere: object) -> None:
    bid, offer = pair(closed)
    assert callable(elsewhere)
    with refused("exchange: signature"):
        closed.settle([filled(elsewhere(closed, bid.signed.order)), offer], sort=False)


@pytest.mark.parametrize(
    "change",
    [
        {"price": PRICE + 1},
        {"quantity_wh": 101},
        {"certificates": CertificatePreference.UNBUNDLED},
        {"epoch": 1},
        {"expires_at": 2**40 - 2},
        {"salt": 99},
        {"side": 1},
    ],
    ids=lambda change: next(iter(change)),
)
def test_no_field_of_an_order_can_be_changed_after_it_was_signed(closed: World, change: dict[str, int]) -> None:
    signed = closed.bid(0, 100, PRICE)
    changed = replace(signed.order)
    for field, value in change.items():
        object.__setattr__(changed, field, value)
    with refused("exchange: signature"):
        closed.settle([FilledOrder(replace(signed, order=changed), 100)])


def test_an_order_signed_by_somebody_else_does_not_settle(closed: World) -> None:
    signed = closed.bid(0, 100, PRICE)
    forged = replace(signed, signature=closed.members[1].sign(signed.hash))
    with refused("exchange: signature"):
        closed.settle([filled(forged)])


def test_a_signature_of_the_other_parity_does_not_settle(closed: World) -> None:
    signed = closed.bid(0, 100, PRICE)
    flipped = signed.signature[:64] + bytes([55 - signed.signature[64]])
    with refused("exchange: signature"):
        closed.settle([filled(replace(signed, signature=flipped))])


def test_the_mirror_image_of_a_signature_is_refused(closed: World) -> None:
    signed = closed.bid(0, 100, PRICE)
    r, s, v = signed.signature[:32], int.from_bytes(signed.signature[32:64], "big"), signed.signature[64]
    malleated = r + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([55 - v])
    with refused("ecdsa: invalid signature `s` value"):
        closed.settle([filled(replace(signed, signature=malleated))])


@pytest.mark.parametrize("scalars", [bytes(64), b"\0" * 31 + b"\1" + bytes(32), b"\xff" * 32 + b"\0" * 31 + b"\1"])
def test_a_signature_that_nobody_made_is_refused(closed: World, scalars: bytes) -> None:
    signed = closed.bid(0, 100, PRICE)
    with refused("ecdsa: invalid signature"):
        closed.settle([filled(replace(signed, signature=scalars + b"\x1b"))])


def test_nobody_can_trade_for_the_zero_account(closed: World) -> None:
    signed = closed.bid(0, 100, PRICE)
    order = replace(signed.order, account=bytes(20))
    with refused("exchange: signature"):
        closed.settle([filled(replace(signed, order=order))])


# ----------------------------------------------------------------------------- each order at most once


def test_an_order_is_not_twice_in_a_batch(closed: World) -> None:
    bid, offer = pair(closed)
    with refused("exchange: order of orders"):
        closed.settle([bid, bid, offer])


def test_a_batch_is_in_ascending_order_of_hashes(closed: World) -> None:
    fills = sorted(pair(closed), key=lambda fill: fill.signed.hash, reverse=True)
    with refused("exchange: order of orders"):
        closed.settle(fills, sort=False)


def test_an_order_does_not_settle_in_the_next_slot_too(closed: World) -> None:
    fills = pair(closed)
    closed.settle(fills)
    closed.commit(SLOT + 900)
    with refused("exchange: signature"):
        closed.settle(fills, slot=SLOT + 900)


def test_at_most_1024_orders_settle_at_once(closed: World) -> None:
    fill = filled(closed.bid(0, 1, PRICE))
    with refused("exchange: order of orders"):  # taken in, then found to be one order many times
        closed.settle([fill] * 1_024)
    with refused(""):  # the ABI decoder's own refusal
        closed.settle([fill] * 1_025)


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


def test_cancelled_orders_do_not_settle_and_later_ones_do(closed: World) -> None:
    old, offer = pair(closed)
    closed.act(closed.members[0], "cancel_all")
    with refused("exchange: cancelled"):
        closed.settle([old, offer])
    closed.settle([filled(closed.bid(0, 100, PRICE, epoch=1)), offer])


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
    with refused("exchange: escrow"):
        closed.settle(fills)
    closed.fund(closed.members[0].address, missing - 1)
    with refused("exchange: escrow"):  # one nano-credit short
        closed.settle(fills)
    closed.fund(closed.members[0].address, 1)
    closed.settle(fills)
    assert closed.balance(closed.members[0].address) == 0


def test_several_bids_of_one_member_share_one_escrow(closed: World) -> None:
    half = ESCROW // PRICE // 2 + 1
    bids = [filled(closed.bid(0, half, PRICE)), filled(closed.bid(0, half, PRICE))]
    with refused("exchange: escrow"):
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
    assert closed.exchange.read("slot_state", MARKET, SLOT) == 0


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


@pytest.fixture
def per_fill_closed(per_fill_world: World) -> World:
    per_fill_world.commit()
    return per_fill_world


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
    with refused("exchange: escrow"):
        world.settle([FilledOrder(bid, 1_000, ESCROW + 1), FilledOrder(offer, 1_000, ESCROW + 1)], price=0)
    world.settle([FilledOrder(bid, 1_000, ESCROW), FilledOrder(offer, 1_000, ESCROW)], price=0)


def test_the_largest_amount_an_order_can_name_arrives(per_fill_closed: World) -> None:
    world = per_fill_closed
    amount, quantity_wh = (2**32 - 1) * (2**31 - 1), 2**31 - 1
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


def test_a_price_that_overflows_is_refused(closed: World) -> None:
    selector = closed.exchange.interface.selector("settle")
    data = settle_calldata(selector, MARKET, SLOT, 2**256 - 1, [filled(closed.bid(0, 2, PRICE))])
    with refused(""):  # checked arithmetic's own refusal
        transact(closed.exchange, closed.keys["operator"], data)


def test_a_seller_cannot_be_paid_more_than_its_account_word_holds(closed: World) -> None:
    seller = closed.members[1].address
    closed.fund(seller, 2**96 - 1 - ESCROW)
    with refused("account: balance"):
        closed.settle(pair(closed, 1))


@pytest.mark.parametrize("side", ["bought", "sold"])
def test_a_position_that_does_not_fit_its_lane_is_refused(closed: World, side: str) -> None:
    most = 2**31 - 1
    one, many = (0, 1) if side == "bought" else (1, 0)
    make = {0: closed.bid, 1: closed.offer}
    whole = [filled(make[one](0, most, 0)), filled(make[many](1, most, 0))]
    too_much = [*whole, filled(make[one](0, 1, 0)), filled(make[many](2, 1, 0))]
    with refused("account: position"):
        closed.settle(too_much, price=0)
    closed.settle(whole, price=0)
    assert abs(position(closed, 0)) == most
