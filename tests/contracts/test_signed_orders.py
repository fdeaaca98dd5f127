"""No settlement without the owner's signature: on these words, for this slot, on this exchange, once."""

from dataclasses import replace

import pytest

from ledger.batches import FilledOrder, settle_calldata
from ledger.eip712 import Domain, SignedOrder, order_hash
from matching.orders import CertificatePreference, Order
from tests.contracts.fills import PRICE, filled, pair
from tests.world import MARKET, SLOT, World, refused

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


# ------------------------------------------------------------------------------------- malformed words


@pytest.mark.parametrize(("field", "bits"), [("who", range(224, 256)), ("terms", range(242, 256))])
def test_a_fill_has_no_bits_beyond_its_fields(closed: World, field: str, bits: range) -> None:
    fills = sorted(pair(closed), key=lambda fill: fill.signed.hash)
    data = settle_calldata(closed.exchange.interface.selector("settle"), MARKET, SLOT, PRICE, fills)
    for bit in (bits[0], bits[-1]):
        _, arguments = closed.exchange.interface.decode_call(data)
        arguments["fills"][1][field] |= 1 << bit
        with refused("exchange: malformed fill"):
            closed.act("operator", "settle", *arguments.values())


@pytest.mark.parametrize(
    ("field", "value"),
    [("quantity_wh", 2**23), ("quantity_wh", 2**31), ("quantity_wh", 2**32 - 1), ("certificates", 3)],
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
