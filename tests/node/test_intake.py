"""Every reason to refuse an order or a cancellation; a refusal changes nothing."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import pytest

from ledger.eip712 import Domain, SignedOrder, cancellation_hash
from ledger.keys import InvalidSignatureError
from matching.errors import WattbookError
from matching.orders import InvalidOrderError, Order, Side
from node.api.services import Services
from node.clock import SteppedClock
from node.group_commit import BusyError
from node.intake import Placement
from node.refusals import OrderSignatureError, UncoveredOrderError
from node.store.errors import GateClosedError, UnknownOrderError
from node.store.records import OrderRecord, OrderStatus
from tests.node.parts import ALICE, BOB, DOMAIN, SLOT, STRANGER, order
from tests.node.small_node import CREDIT, LIMITS, MEMBER, START, TARIFF, Ledger

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141


def place(services: Services, signed: SignedOrder) -> OrderRecord:
    return services.intake.place(signed.order, signed.signature)


def malleated(signed: SignedOrder) -> SignedOrder:
    """The same signature in its other form, which the curve allows and we do not."""
    r, s, v = signed.signature[:32], int.from_bytes(signed.signature[32:64], "big"), signed.signature[64]
    return replace(signed, signature=r + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([55 - v]))


def altered(signed: SignedOrder) -> SignedOrder:
    return replace(signed, order=replace(signed.order, price=signed.order.price + 1))


REFUSED: dict[str, tuple[str, Callable[[], SignedOrder]]] = {
    "another market": ("order.unknown_market", partial(order, market=b"\1" * 32)),
    "a slot that does not exist": ("order.slot_misaligned", partial(order, slot=SLOT + 1)),
    "a past slot": ("order.gate_closed", partial(order, slot=START - 900)),
    "a slot whose gate has just closed": ("order.gate_closed", partial(order, slot=START)),
    "a slot too far ahead": ("order.too_early", partial(order, slot=SLOT + LIMITS.horizon_s)),
    "another chain": ("order.signature", partial(order, domain=Domain(1, DOMAIN.exchange))),
    "another exchange": ("order.signature", partial(order, domain=Domain(DOMAIN.chain_id, b"\1" * 20))),
    "a field altered after signing": ("order.signature", lambda: altered(order())),
    "another account's signature": (
        "order.signature",
        lambda: replace(order(), signature=order(BOB, salt=9).signature),
    ),
    "a malleable signature": ("signature.invalid", lambda: malleated(order())),
    "a signature of no key": ("signature.invalid", lambda: replace(order(), signature=b"\xff" * 64 + b"\x1b")),
    "a short signature": ("signature.invalid", lambda: replace(order(), signature=b"\1" * 64)),
    "an account that is not a member": ("order.not_a_member", partial(order, STRANGER)),
    "another epoch": ("order.cancelled_epoch", partial(order, epoch=1)),
    "an expiry before the slot's end": ("order.expired", partial(order, expires_at=SLOT + 899)),
    "a quantity above the limit": ("order.too_large", partial(order, quantity_wh=LIMITS.quantity_wh + 1, price=0)),
    "a bid that escrow does not cover": ("order.uncovered", partial(order, quantity_wh=50_000)),
    "an offer that escrow does not cover": (
        "order.uncovered",
        partial(order, side=Side.OFFER, price=0, quantity_wh=50_000),
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_an_order_is_refused_with_a_stable_code_and_nothing_changes(services: Services, reason: str) -> None:
    code, make = REFUSED[reason]
    with pytest.raises(WattbookError) as refusal:
        place(services, make())
    assert refusal.value.code == code
    assert services.store.orders() == []
    assert services.store.slots() == []


@pytest.mark.parametrize("quantity_wh", [0, 2**31])
def test_an_order_for_nothing_or_for_too_much_cannot_even_be_written(quantity_wh: int) -> None:
    with pytest.raises(InvalidOrderError, match="quantity_wh"):
        order(quantity_wh=quantity_wh)


def test_an_order_for_the_last_second_before_gate_closure_is_taken(
    services: Services, clock: SteppedClock
) -> None:
    clock.advance_to(SLOT - 301)
    assert place(services, order()).status is OrderStatus.OPEN
    clock.advance_to(SLOT - 300)
    with pytest.raises(GateClosedError, match="closed at"):
        place(services, order(salt=1))


def test_a_replayed_order_gets_the_same_record_even_after_gate_closure(
    services: Services, clock: SteppedClock
) -> None:
    first = place(services, order())
    assert place(services, order()) == first
    clock.advance_to(SLOT)
    assert place(services, order()) == first
    assert services.store.orders() == [first]


def test_a_refusal_for_want_of_cover_says_what_is_needed_and_what_is_free(services: Services) -> None:
    signed = order(price=200_000, quantity_wh=50_000)
    with pytest.raises(UncoveredOrderError) as refusal:
        place(services, signed)
    assert refusal.value.needed_nano == 50_000 * (200_000 + TARIFF.grid_fee)
    assert refusal.value.free_nano == 10 * CREDIT


def test_orders_use_up_an_accounts_free_escrow_and_cancelling_frees_it(services: Services) -> None:
    price = CREDIT // 1_000 - TARIFF.grid_fee  # together with the fee, one credit per kWh
    taken = [place(services, order(price=price, quantity_wh=1_000, salt=salt)) for salt in range(10)]
    assert services.escrow.standing(ALICE.address).free_nano == 0
    with pytest.raises(UncoveredOrderError):
        place(services, order(price=0, quantity_wh=1, salt=99))
    services.intake.cancel(taken[0].signed.hash, cancellation(taken[0].signed.order))
    assert services.escrow.standing(ALICE.address).free_nano == CREDIT


def test_debt_and_a_requested_withdrawal_are_not_free(services: Services, ledger: Ledger) -> None:
    ledger.kept[ALICE.address] = replace(MEMBER, debt_nano=CREDIT, withdrawal_nano=9 * CREDIT)
    assert services.escrow.standing(ALICE.address).free_nano == 0
    with pytest.raises(UncoveredOrderError):
        place(services, order(price=0, quantity_wh=1))


def test_concurrent_orders_of_one_account_do_not_use_the_same_cover(services: Services) -> None:
    price = CREDIT // 1_000 - TARIFF.grid_fee

    def attempt(salt: int) -> bool:
        try:
            place(services, order(price=price, quantity_wh=3_000, salt=salt))
        except UncoveredOrderError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(16))) == 3
    assert services.escrow.standing(ALICE.address).free_nano == CREDIT


def test_the_orders_of_a_list_use_up_cover_in_their_order(services: Services) -> None:
    price = CREDIT // 1_000 - TARIFF.grid_fee
    signed = [order(price=price, quantity_wh=3_000, salt=salt) for salt in (1, 2, 2, 3, 4)]
    outcomes = services.intake.place_all([Placement(each.order, each.signature) for each in signed])
    taken = [each for each in outcomes if isinstance(each, OrderRecord)]
    assert [each.index for each in taken] == [0, 1, 1, 2]
    assert isinstance(outcomes[-1], UncoveredOrderError)
    assert services.store.orders() == [taken[0], taken[1], taken[3]]


def test_an_order_that_may_lose_nothing_needs_no_cover(services: Services, ledger: Ledger) -> None:
    ledger.kept[ALICE.address] = replace(MEMBER, balance_nano=0)
    safe = order(side=Side.OFFER, price=TARIFF.retail_price, quantity_wh=LIMITS.quantity_wh)
    assert place(services, safe).status is OrderStatus.OPEN


def cancellation(content: Order, *, domain: Domain = DOMAIN) -> bytes:
    signed = order(price=content.price, quantity_wh=content.quantity_wh, salt=content.salt)
    return ALICE.sign(cancellation_hash(domain, content.account, signed.hash))


def test_an_order_is_cancelled_by_its_owner_before_gate_closure(services: Services, clock: SteppedClock) -> None:
    taken = place(services, order())
    signature = cancellation(taken.signed.order)
    clock.advance_to(SLOT - 301)
    cancelled = services.intake.cancel(taken.signed.hash, signature)
    assert cancelled.status is OrderStatus.CANCELLED
    assert cancelled.cancellation_signature == signature
    assert services.intake.cancel(taken.signed.hash, signature) == cancelled


def test_a_cancellation_needs_the_owners_signature_for_this_exchange(services: Services) -> None:
    taken = place(services, order())
    digest = cancellation_hash(DOMAIN, ALICE.address, taken.signed.hash)
    for signature in (BOB.sign(digest), cancellation(taken.signed.order, domain=Domain(1, b"\1" * 20))):
        with pytest.raises(OrderSignatureError):
            services.intake.cancel(taken.signed.hash, signature)
    with pytest.raises(InvalidSignatureError):
        services.intake.cancel(taken.signed.hash, b"")
    assert services.store.order(taken.signed.hash) == taken


def test_a_cancellation_after_gate_closure_is_refused(services: Services, clock: SteppedClock) -> None:
    taken = place(services, order())
    clock.advance_to(SLOT - 300)
    with pytest.raises(GateClosedError):
        services.intake.cancel(taken.signed.hash, cancellation(taken.signed.order))
    assert services.store.order(taken.signed.hash) == taken


def test_a_cancellation_that_waited_for_others_until_the_gate_closed_is_refused(
    services: Services, clock: SteppedClock
) -> None:
    taken = place(services, order())
    clock.advance_to(SLOT - 301)
    with ThreadPoolExecutor(1) as pool:
        with services.store._write():
            waiting = pool.submit(services.intake.cancel, taken.signed.hash, cancellation(taken.signed.order))
            while not services.intake._cancelling._is_writing:
                threading.Event().wait(0.001)
            clock._now = SLOT - 300  # a clock that is set would write
        with pytest.raises(GateClosedError, match="closed at"):
            waiting.result(20)
    assert services.store.order(taken.signed.hash) == taken


def test_nothing_is_taken_or_cancelled_once_intake_is_closed(services: Services) -> None:
    taken = place(services, order())
    services.intake.close()
    with pytest.raises(BusyError, match="ending"):
        place(services, order(salt=1))
    with pytest.raises(BusyError, match="ending"):
        services.intake.cancel(taken.signed.hash, cancellation(taken.signed.order))
    assert services.store.orders() == [taken]


def test_an_unknown_order_cannot_be_cancelled(services: Services) -> None:
    with pytest.raises(UnknownOrderError):
        services.intake.cancel(b"\1" * 32, b"\1" * 65)


def test_no_thread_is_left_of_an_intake_that_was_closed(services: Services) -> None:
    before = set(threading.enumerate())
    signed = [order(salt=salt, quantity_wh=1) for salt in range(32)]
    taken = services.intake.place_all([Placement(each.order, each.signature) for each in signed])
    assert all(isinstance(each, OrderRecord) for each in taken)
    checkers = [each for each in threading.enumerate() if each.name.startswith("intake") and each not in before]
    assert checkers
    services.intake.close()
    assert not any(each.is_alive() for each in checkers)
