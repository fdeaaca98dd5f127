"""Which orders can be said to be left out of a settlement, and which accounts have no claim to be filled."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from ledger.batches import MemberReading, posted_words
from ledger.challenges import place_in_book, report_overdrawn_calldata
from ledger.eip712 import SignedOrder
from tests.contracts.chunks import settle_chunk, split
from tests.contracts.disputes import (
    TERMS,
    challenge_left_out,
    committed,
    send,
    settled_but_for,
    with_credits,
)
from tests.contracts.fills import ESCROW, PRICE, filled, pair
from tests.world import MARKET, SLOT, World, refused
from tests.world import TERMS as TIMES

CLEARING_TIME_S = 300


def trade(world: World) -> list[SignedOrder]:
    return [world.bid(0, 10, PRICE), world.offer(1, 10, PRICE)]


def without(world: World, victim: SignedOrder) -> list[bytes]:
    """Commit a book with this order, and settle the others at PRICE."""
    others = trade(world)
    book = committed(world, victim, *others)
    settled_but_for(world, victim, *others)
    return book


# ------------------------------------------------------------------------------------------ better, or not


@pytest.mark.parametrize("side", ["bid", "offer"])
@pytest.mark.parametrize("better_by", [-1, 0, 1])
def test_an_order_strictly_better_than_the_price_must_not_be_left_out(
    world: World, side: str, better_by: int
) -> None:
    victim = world.bid(2, 10, PRICE + better_by) if side == "bid" else world.offer(2, 10, PRICE - better_by)
    book = without(world, victim)
    if better_by > 0:
        assert challenge_left_out(world, victim, book) == 1
    else:
        with refused("challenges: not better than the price"):
            challenge_left_out(world, victim, book)


@pytest.mark.parametrize(("lasts_s", "is_claim"), [(CLEARING_TIME_S - 1, False), (CLEARING_TIME_S, True)])
def test_an_order_that_was_about_to_expire_has_no_claim(world: World, lasts_s: int, is_claim: bool) -> None:
    settled_at = SLOT + 60
    victim = world.bid(2, 10, PRICE + 1, expires_at=settled_at + lasts_s)
    others = trade(world)
    book = committed(world, victim, *others)
    world.at(settled_at)
    settled_but_for(world, victim, *others)
    assert world.read("slot_of", MARKET, SLOT)["settled_at"] == settled_at
    if is_claim:
        challenge_left_out(world, victim, book)
    else:
        with refused("challenges: expired"):
            challenge_left_out(world, victim, book)


def test_nothing_is_left_out_before_the_slot_is_settled(world: World) -> None:
    victim = world.bid(2, 10, PRICE + 1)
    others = trade(world)
    with refused("challenges: not settled"):
        challenge_left_out(world, victim, [victim.hash])
    book = committed(world, victim, *others)
    with refused("challenges: not settled"):
        challenge_left_out(world, victim, book)
    first, second = split([filled(each) for each in others], 1)
    settle_chunk(world, first)
    with refused("challenges: not settled"):
        challenge_left_out(world, victim, book)
    settle_chunk(world, second, more=False)
    challenge_left_out(world, victim, book)


def test_it_can_be_said_of_a_delivered_slot(world: World) -> None:
    victim = world.bid(2, 10, PRICE + 1)
    book = without(world, victim)
    world.deliver([MemberReading(key.address, 0, 0) for key in world.members])
    challenge_left_out(world, victim, book)


def test_there_is_no_priority_without_one_price(per_fill_world: World) -> None:
    victim = per_fill_world.bid(2, 10, PRICE + 1)
    book = committed(per_fill_world, victim)
    settle_chunk(per_fill_world, [], price=0, more=False)
    with refused("challenges: no priority in this market"):
        challenge_left_out(per_fill_world, victim, book)


def test_an_order_that_is_not_in_the_book_is_not_left_out(world: World) -> None:
    victim, stray = world.bid(2, 10, PRICE + 1), world.bid(2, 11, PRICE + 1)
    book = without(world, victim)
    with_credits(world, world.strangers[0], TERMS.stake)
    with refused("challenges: place"):
        place = place_in_book(victim.hash, book)
        world.act(world.strangers[0], "challenge_left_out", MARKET, SLOT, posted_words(stray), place)
    with refused("challenges: not the book"):
        challenge_left_out(world, stray, sorted([*book, stray.hash]))


def test_a_cancelled_order_is_not_left_out(world: World) -> None:
    victim = world.bid(2, 10, PRICE + 1)
    world.at(SLOT - TIMES.gate_lead_s - 1)
    world.act(world.members[2], "cancel_all")
    book = without(world, victim)
    with refused("challenges: cancelled"):
        challenge_left_out(world, victim, book)


def test_cancelling_after_the_gate_closed_takes_no_claim_away(world: World) -> None:
    victim = world.bid(2, 10, PRICE + 1)
    book = without(world, victim)
    world.act(world.members[2], "cancel_all")
    challenge_left_out(world, victim, book)


def test_a_stranger_has_no_claim(world: World) -> None:
    world.members = [*world.members, world.strangers[1]]
    victim = world.bid(4, 10, PRICE + 1)
    book = without(world, victim)
    with refused("challenges: not a member"):
        challenge_left_out(world, victim, book)


def test_an_order_is_shown_as_it_was_signed_and_unfilled(world: World) -> None:
    victim = world.bid(2, 10, PRICE + 1)
    place = place_in_book(victim.hash, without(world, victim))
    words = posted_words(victim)
    for bit in (146, 177, 178, 240, 241, 242, 255):
        with refused("challenges: malformed order"):
            altered = {**words, "terms": words["terms"] | 1 << bit}
            world.act(world.strangers[0], "challenge_left_out", MARKET, SLOT, altered, place)
    with refused("challenges: malformed order"):
        altered = {**words, "who": words["who"] | 1 << 224}
        world.act(world.strangers[0], "challenge_left_out", MARKET, SLOT, altered, place)
    with refused("challenges: signature"):  # a better limit than was signed
        altered = {**words, "terms": words["terms"] + (1 << 32)}
        world.act(world.strangers[0], "challenge_left_out", MARKET, SLOT, altered, place)


# ------------------------------------------------------------------------------------------- overdrawn

HALF = ESCROW // (2 * 10_000)  # at this price, 10,000 Wh cost half of an escrow


def bids(world: World, count: int = 2, *, member: int = 2, price: int = HALF) -> list[SignedOrder]:
    """Bids of one member; two of them cost exactly what it has."""
    return [world.bid(member, 10_000, price) for _ in range(count)]


def report(
    world: World, signed: list[SignedOrder], book: list[bytes] | None = None, who: str = "operator"
) -> None:
    """Report an account with these bids; without a book, one of just these is committed first."""
    book = committed(world, *signed) if book is None else book
    send(world, world.keys[who], report_overdrawn_calldata(signed, book))


def reported(world: World, member: int = 2, slot: int = SLOT) -> bool:
    answer: bool = world.read("is_overdrawn", MARKET, slot, world.members[member].address)
    return answer


def test_an_account_whose_bids_cost_more_than_it_has_has_no_claim(world: World) -> None:
    first, second = bids(world)
    dear = world.bid(2, 1, PRICE + 1)
    others = trade(world)
    book = committed(world, first, second, dear, *others)
    report(world, [first, second, dear], book)
    assert reported(world)
    assert not reported(world, 0)
    settled_but_for(world, dear, *others)
    with refused("challenges: overdrawn"):
        challenge_left_out(world, dear, book)


def test_bids_that_cost_exactly_what_the_account_has_are_covered(world: World) -> None:
    signed, one_more = bids(world), world.bid(2, 1, 1)
    book = committed(world, *signed, one_more)
    with refused("challenges: covered"):
        report(world, signed, book)
    report(world, [*signed, one_more], book)
    assert reported(world)


def test_what_an_account_asked_to_withdraw_does_not_cover_its_bids(world: World) -> None:
    signed = bids(world)
    world.act(world.members[2], "request_withdrawal", 1)
    report(world, signed)
    assert reported(world)


@pytest.mark.parametrize("late_s", [0, 1])
def test_a_request_that_has_lapsed_takes_no_cover_away(world: World, late_s: int) -> None:
    slot, window_s = SLOT + 8 * 86_400, 7 * 86_400
    world.at(slot - window_s - 3_600 - 100)
    world.act(world.members[2], "request_withdrawal", 1)
    lapses_after = world.read("withdrawals", world.members[2].address)["ready_at"] + window_s
    signed = [world.bid(2, 10_000, HALF, slot=slot) for _ in range(2)]
    book = committed(world, *signed, slot=slot)
    world.at(lapses_after + late_s)
    if late_s:
        with refused("challenges: covered"):
            report(world, signed, book)
    else:
        report(world, signed, book)
    assert reported(world, slot=slot) is (late_s == 0)


def test_free_bids_are_always_covered(world: World) -> None:
    with refused("challenges: covered"):
        report(world, bids(world, 3, price=0))


@pytest.mark.parametrize("who", ["owner", "utility", "meter_authority", "deployer"])
def test_only_the_operator_reports(world: World, who: str) -> None:
    with refused("challenges: not the operator"):
        report(world, bids(world, 3), who=who)


def test_it_is_reported_between_the_book_and_the_settlement(world: World) -> None:
    signed = bids(world, 3)
    book = sorted(each.hash for each in signed)
    with refused("challenges: no book"):
        report(world, signed, book)
    assert committed(world, *signed) == book
    first, second = split(pair(world), 1)
    settle_chunk(world, first)
    with refused("challenges: slot closed"):
        report(world, signed, book)
    settle_chunk(world, second, more=False)
    with refused("challenges: slot closed"):
        report(world, signed, book)


def test_a_bid_that_is_not_in_the_book_overdraws_nobody(world: World) -> None:
    """Otherwise the operator keeps an old bid that its account forgot, and with it all those in the book out."""
    (taken,), kept = bids(world, 1), bids(world, 2)
    book = committed(world, taken, *trade(world))
    with refused("challenges: not the book"):
        report(world, [taken, *kept], sorted([*book, *(each.hash for each in kept)]))
    words, places = shown([taken], book)
    for stray in kept:
        both = sorted([(stray.hash, posted_words(stray)), (taken.hash, words[0])])
        with refused("challenges: place"):
            world.act(
                "operator", "report_overdrawn", MARKET, SLOT, [each for _, each in both], [places[0], places[0]]
            )


@pytest.mark.parametrize("late_s", [0, 1])
def test_a_bid_overdraws_until_it_expires(world: World, late_s: int) -> None:
    lasting, ends_at = bids(world, 2), SLOT + 60
    expiring = world.bid(2, 1, 1, expires_at=ends_at)
    book = committed(world, *lasting, expiring)
    world.at(ends_at + late_s)
    if late_s:
        with refused("challenges: expired"):
            report(world, [*lasting, expiring], book)
    else:
        report(world, [*lasting, expiring], book)
    assert reported(world) is (late_s == 0)


Call = tuple[list[dict[str, int]], list[dict[str, Any]]]


def shown(signed: list[SignedOrder], book: list[bytes]) -> Call:
    """The words of these orders and their places in a book, as the contract takes them."""
    ordered = sorted(signed, key=lambda each: each.hash)
    return [posted_words(each) for each in ordered], [place_in_book(each.hash, book) for each in ordered]


def in_book(world: World, signed: list[SignedOrder]) -> Call:
    """The same, and the book of just these is committed."""
    return shown(signed, committed(world, *signed))


def forged(world: World) -> SignedOrder:
    signed = world.bid(2, 10_000, 3 * HALF)
    return replace(signed, signature=world.members[3].sign(signed.hash))


def altered(make: Callable[[Call], Call]) -> Callable[[World], Call]:
    """Three bids that are too many, all of the book, with something changed."""
    return lambda world: make(in_book(world, bids(world, 3)))


def replaced(places: list[dict[str, Any]], **changes: object) -> list[dict[str, Any]]:
    return [*places[:2], {**places[2], **changes}]


NOT_THE_PLACE = "challenges: place"
REFUSED: dict[str, tuple[Callable[[World], Call], str]] = {
    "none": (altered(lambda _: ([], [])), "challenges: no bids"),
    "one twice": (altered(lambda call: (call[0][:1] * 3, call[1][:1] * 3)), "challenges: order of bids"),
    "turned round": (altered(lambda call: (call[0][::-1], call[1][::-1])), "challenges: order of bids"),
    "of two accounts": (
        lambda world: in_book(world, [*bids(world, 2), *bids(world, 2, member=3)]),
        "challenges: another account",
    ),
    "an offer": (lambda world: in_book(world, [world.offer(2, 10_000, 3 * HALF)]), "challenges: not a bid"),
    "for another slot": (
        lambda world: in_book(world, [world.bid(2, 10_000, 3 * HALF, slot=SLOT + 900)]),
        "challenges: signature",
    ),
    "of another epoch": (
        lambda world: in_book(world, [world.bid(2, 10_000, 3 * HALF, epoch=1)]),
        "challenges: cancelled",
    ),
    "filled": (
        altered(lambda call: ([{**each, "terms": each["terms"] | 1 << 146} for each in call[0]], call[1])),
        "challenges: malformed order",
    ),
    "signed by another": (lambda world: in_book(world, [forged(world)]), "challenges: signature"),
    "65": (lambda world: in_book(world, bids(world, 65)), ""),  # the ABI decoder's own refusal
    "at one another's places": (altered(lambda call: (call[0], call[1][::-1])), NOT_THE_PLACE),
    "at the next place": (altered(lambda call: (call[0], replaced(call[1], index=1))), NOT_THE_PLACE),
    "beyond the book": (altered(lambda call: (call[0], replaced(call[1], index=3))), NOT_THE_PLACE),
    "by another way": (altered(lambda call: (call[0], replaced(call[1], path=[bytes(32)]))), NOT_THE_PLACE),
    "of another book": (altered(lambda call: (call[0], replaced(call[1], size=4))), "challenges: not the book"),
    "without a place": (altered(lambda call: (call[0], call[1][:2])), NOT_THE_PLACE),
    "with a place too many": (altered(lambda call: (call[0], [*call[1], call[1][2]])), NOT_THE_PLACE),
}


@pytest.mark.parametrize("what", REFUSED)
def test_only_bids_of_the_book_that_one_account_signed_are_counted(world: World, what: str) -> None:
    make, reason = REFUSED[what]
    call = make(world)
    with refused(reason):
        world.act("operator", "report_overdrawn", MARKET, SLOT, *call)


def test_sixty_four_bids_are_the_most_that_are_counted(world: World) -> None:
    report(world, bids(world, 64, price=HALF // 31))
    assert reported(world)
