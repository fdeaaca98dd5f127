"""Every outcome of a challenge, of both kinds.

The contract calls out to our own credit token, whose transfers call nobody, and to the exchange, the escrow and
the markets, so nobody can come back in while it is at work. What such a call can do is fail; see "the stake".
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from ledger.challenges import (
    answer_cancelled_calldata,
    answer_filled_calldata,
    answer_in_book_calldata,
    challenge_left_out_calldata,
    challenge_missing_calldata,
    place_in_book,
)
from ledger.eip712 import SignedOrder, cancellation_hash
from tests.contracts.chunks import settle_chunk, settle_chunks, split, void_late
from tests.contracts.disputes import (
    BOND,
    TERMS,
    challenge_left_out,
    challenge_missing,
    committed,
    credits_of,
    post_bond,
    receipt,
    send,
    settled_but_for,
    wait_out,
    with_credits,
)
from tests.contracts.fills import PRICE, filled
from tests.world import MARKET, SLOT, World, refused

Case = tuple[World, SignedOrder, list[bytes]]
NEITHER = b"\x77" * 32  # the hash of an order that is in no book
LAST_TO_CHALLENGE = SLOT + TERMS.claim_period_s


@pytest.fixture
def left_out(world: World) -> Case:
    """Member 2's bid was strictly better than the price, and the settlement left it out."""
    victim = world.bid(2, 10, PRICE + 1)
    others = [world.bid(0, 10, PRICE), world.offer(1, 10, PRICE)]
    book = committed(world, victim, *others)
    settled_but_for(world, victim, *others)
    post_bond(world)
    return world, victim, book


@pytest.fixture
def missing(world: World) -> World:
    """The book of two orders is committed; a receipt for any other has no order in it."""
    committed(world, world.bid(0, 10, PRICE), world.offer(1, 10, PRICE))
    post_bond(world)
    return world


def open_either(world: World, kind: str) -> int:
    """Open a challenge of this kind that is right."""
    victim = world.bid(2, 10, PRICE + 1)
    others = [world.bid(0, 10, PRICE), world.offer(1, 10, PRICE)]
    book = committed(world, victim, *others)
    if kind == "missing":
        return challenge_missing(world, NEITHER)
    settled_but_for(world, victim, *others)
    return challenge_left_out(world, victim, book)


either = pytest.mark.parametrize("kind", ["missing", "left out"])


# ----------------------------------------------------------------------------------------------- upheld


@either
def test_a_challenge_that_nobody_answers_pays_and_freezes(world: World, kind: str) -> None:
    post_bond(world)
    number = open_either(world, kind)
    challenger = world.strangers[0].address
    assert credits_of(world, challenger) == 0
    assert (world.read("open_challenges", MARKET), world.read("is_frozen", MARKET)) == (1, False)
    wait_out(world)
    world.act(world.strangers[1], "uphold", number)
    assert credits_of(world, challenger) == TERMS.stake + TERMS.penalty
    assert world.read("bonds", MARKET) == BOND - TERMS.penalty
    assert (world.read("open_challenges", MARKET), world.read("is_frozen", MARKET)) == (0, True)
    with refused("exchange: frozen"):
        world.commit(SLOT + 900)


@pytest.mark.parametrize("bond", [0, 1, TERMS.penalty - 1, TERMS.penalty, TERMS.penalty + 1])
def test_a_bond_pays_the_penalty_or_as_much_as_there_is(world: World, bond: int) -> None:
    if bond:
        post_bond(world, bond)
    number = open_either(world, "missing")
    wait_out(world)
    world.act(world.strangers[0], "uphold", number)
    paid = min(bond, TERMS.penalty)
    assert credits_of(world, world.strangers[0].address) == TERMS.stake + paid
    assert world.read("bonds", MARKET) == bond - paid
    assert world.read("is_frozen", MARKET)


def test_a_challenge_is_not_upheld_while_it_can_be_answered(missing: World) -> None:
    number = challenge_missing(missing, NEITHER)
    opened_at = missing.read("challenge_of", number)["opened_at"]
    missing.at(opened_at + TERMS.response_s)
    with refused("challenges: time to answer"):
        missing.act(missing.strangers[0], "uphold", number)
    missing.at(opened_at + TERMS.response_s + 1)
    missing.act(missing.strangers[0], "uphold", number)


def test_a_challenge_is_upheld_once_and_only_if_there_is_one(missing: World) -> None:
    number = challenge_missing(missing, NEITHER)
    wait_out(missing)
    missing.act(missing.strangers[0], "uphold", number)
    for unknown in (number, number + 1, 0):
        with refused("challenges: not open"):
            missing.act(missing.strangers[0], "uphold", unknown)


def test_the_owner_may_have_frozen_the_market_before(missing: World) -> None:
    number = challenge_missing(missing, NEITHER)
    missing.act("owner", "freeze", MARKET)
    wait_out(missing)
    missing.act(missing.strangers[0], "uphold", number)
    assert credits_of(missing, missing.strangers[0].address) == TERMS.stake + TERMS.penalty


def test_several_challenges_are_paid_one_after_the_other_until_the_bond_is_gone(missing: World) -> None:
    numbers = [challenge_missing(missing, bytes([each]) * 32, who=missing.strangers[each]) for each in range(3)]
    wait_out(missing)
    for number in numbers:
        missing.act(missing.strangers[5], "uphold", number)
    paid = [credits_of(missing, key.address) - TERMS.stake for key in missing.strangers[:3]]
    assert paid == [TERMS.penalty, BOND - TERMS.penalty, 0]


# ---------------------------------------------------------------------------------------------- answered


def dismissed(world: World, number: int) -> None:
    """The stake is the bond's, nothing is frozen, and nothing is left to decide."""
    assert credits_of(world, world.strangers[0].address) == 0
    assert world.read("bonds", MARKET) == BOND + TERMS.stake
    assert (world.read("open_challenges", MARKET), world.read("is_frozen", MARKET)) == (0, False)
    wait_out(world)
    with refused("challenges: not open"):
        world.act(world.strangers[0], "uphold", number)


@pytest.mark.parametrize("place", range(5))
def test_an_order_that_is_in_the_book_is_not_missing(world: World, place: int) -> None:
    post_bond(world)
    book = committed(world, *(world.bid(0, 10, PRICE) for _ in range(5)))
    number = challenge_missing(world, book[place])
    for other in {*range(5)} - {place}:
        with refused("challenges: place"):
            world.act("operator", "answer_in_book", number, place_in_book(book[other], book))
    send(world, world.strangers[3], answer_in_book_calldata(number, book[place], book))
    dismissed(world, number)


def test_an_order_is_looked_for_in_the_committed_book_only(missing: World) -> None:
    number = challenge_missing(missing, NEITHER)
    for book in ([NEITHER], [bytes(32), NEITHER], [NEITHER, NEITHER]):
        with refused("challenges: not the book"):
            send(missing, missing.keys["operator"], answer_in_book_calldata(number, NEITHER, book))


def test_nothing_is_in_an_empty_book(world: World) -> None:
    world.commit()
    number = challenge_missing(world, NEITHER)
    for index, path in ((0, []), (0, [bytes(32)]), (2**256 - 1, [])):
        with refused("challenges: place"):
            place = {"root": bytes(32), "size": 0, "index": index, "path": path}
            world.act("operator", "answer_in_book", number, place)


def test_an_order_that_its_account_cancelled_is_not_missing(missing: World) -> None:
    cancelled, other = missing.bid(2, 10, PRICE), missing.bid(2, 11, PRICE)
    number = challenge_missing(missing, cancelled.hash)
    operator, owner = missing.keys["operator"], missing.members[2]
    content = cancellation_hash(missing.domain, owner.address, cancelled.hash)
    for liar in (operator, missing.members[1]):
        with refused("challenges: signature"):
            send(missing, operator, answer_cancelled_calldata(number, cancelled, liar.sign(content)))
    of_other = owner.sign(cancellation_hash(missing.domain, owner.address, other.hash))
    with refused("challenges: signature"):
        send(missing, operator, answer_cancelled_calldata(number, cancelled, of_other))
    with refused("challenges: another order"):
        send(missing, operator, answer_cancelled_calldata(number, other, of_other))
    send(missing, operator, answer_cancelled_calldata(number, cancelled, owner.sign(content)))
    dismissed(missing, number)


@pytest.mark.parametrize("sizes", [(), (1,), (1, 1, 1, 1, 1), (2, 2), (5,)])
@pytest.mark.parametrize("place", range(6))
def test_an_order_that_was_filled_was_not_left_out(world: World, sizes: tuple[int, ...], place: int) -> None:
    post_bond(world)
    orders = [(world.bid, world.offer)[each % 2](each % 4, 10, PRICE + 1 - each % 2 * 2) for each in range(6)]
    book = committed(world, *orders)
    chunks = split([filled(each) for each in orders], *sizes)
    settle_chunks(world, chunks, more=False)
    fills = [fill for chunk in chunks for fill in chunk]
    number = challenge_left_out(world, fills[place].signed, book)
    other = fills[(place + 1) % 6].signed.hash
    with refused("challenges: another order"):
        send(world, world.keys["operator"], answer_filled_calldata(number, other, chunks))
    send(world, world.strangers[4], answer_filled_calldata(number, fills[place].signed.hash, chunks))
    dismissed(world, number)


def test_only_the_fills_of_the_chunk_prove_that_an_order_was_filled(left_out: Case) -> None:
    world, victim, book = left_out
    number = challenge_left_out(world, victim, book)
    fake = [[filled(victim)]]
    with refused("challenges: not the chunk's fills"):
        send(world, world.keys["operator"], answer_filled_calldata(number, victim.hash, fake))
    with refused("challenges: not the chunk's fills"):  # no chunk, whose hash is zero
        send(world, world.keys["operator"], answer_filled_calldata(number, victim.hash, [[], *fake]))
    with refused("challenges: no fills"):
        world.act("operator", "answer_filled", number, 0, bytes(32), [])


def test_a_proof_of_being_filled_is_complete_and_unaltered(world: World) -> None:
    orders = [world.bid(0, 10, PRICE + 1), world.bid(0, 10, PRICE + 1), world.offer(1, 20, PRICE - 1)]
    book = committed(world, *orders)
    (fills,) = split([filled(each) for each in orders])
    settle_chunk(world, fills, more=False)
    number = challenge_left_out(world, fills[0].signed, book)
    digest = fills[0].signed.hash
    less = replace(fills[0], fill_wh=fills[0].fill_wh - 1)
    for wrong in (fills[:1], fills[:2], [less, *fills[1:]], [fills[0], fills[2], fills[1]]):
        with refused("challenges: not the chunk's fills"):
            send(world, world.keys["operator"], answer_filled_calldata(number, digest, [wrong]))
    send(world, world.keys["operator"], answer_filled_calldata(number, digest, [fills]))


def test_a_challenge_is_answered_in_its_own_way(left_out: Case) -> None:
    world, victim, book = left_out
    of_left_out = challenge_left_out(world, victim, book)
    of_missing = challenge_missing(world, NEITHER)
    with refused("challenges: not open"):
        send(world, world.keys["operator"], answer_in_book_calldata(of_left_out, victim.hash, book))
    owner = world.members[2]
    signature = owner.sign(cancellation_hash(world.domain, owner.address, victim.hash))
    with refused("challenges: not open"):
        send(world, world.keys["operator"], answer_cancelled_calldata(of_left_out, victim, signature))
    with refused("challenges: not open"):
        world.act("operator", "answer_filled", of_missing, 0, bytes(32), [])


def test_a_late_answer_counts_until_the_challenge_is_upheld(missing: World) -> None:
    signed = missing.bid(2, 10, PRICE)
    owner = missing.members[2]
    signature = owner.sign(cancellation_hash(missing.domain, owner.address, signed.hash))
    first = challenge_missing(missing, signed.hash)
    wait_out(missing)
    send(missing, missing.keys["operator"], answer_cancelled_calldata(first, signed, signature))
    other = challenge_missing(missing, NEITHER)
    wait_out(missing)
    missing.act(missing.strangers[0], "uphold", other)
    with refused("challenges: not open"):
        send(missing, missing.keys["operator"], answer_cancelled_calldata(other, signed, signature))


# -------------------------------------------------------------------------------------- missing: refused


def test_a_slot_is_challenged_until_its_time_is_over_and_not_a_second_later(left_out: Case) -> None:
    world, victim, book = left_out
    with_credits(world, world.strangers[0], 2 * TERMS.stake)
    calls = [challenge_left_out_calldata(victim, book), challenge_missing_calldata(*receipt(world, NEITHER))]
    for data in calls:
        world.at(LAST_TO_CHALLENGE + 1)
        with refused("challenges: too late"):
            send(world, world.strangers[0], data)
    snapshot = world.chain.snapshot()
    for data in calls:
        world.at(LAST_TO_CHALLENGE)
        send(world, world.strangers[0], data)
        world.chain.revert(snapshot)
        snapshot = world.chain.snapshot()


@either
@pytest.mark.parametrize("how_it_ended", ["open", "upheld"])
def test_the_same_is_challenged_once(world: World, kind: str, how_it_ended: str) -> None:
    victim = world.bid(2, 10, PRICE + 1)
    others = [world.bid(0, 10, PRICE), world.offer(1, 10, PRICE)]
    book = committed(world, victim, *others)
    settled_but_for(world, victim, *others)

    def challenge() -> int:
        if kind == "missing":
            return challenge_missing(world, NEITHER, who=world.strangers[1])
        return challenge_left_out(world, victim, book, who=world.strangers[1])

    number = challenge()
    if how_it_ended == "upheld":
        wait_out(world)
        world.act(world.strangers[0], "uphold", number)
    with refused("challenges: challenged before"):
        challenge()


def test_an_order_is_challenged_once_in_each_way(left_out: Case) -> None:
    world, victim, book = left_out
    first = challenge_missing(world, victim.hash)
    send(world, world.keys["operator"], answer_in_book_calldata(first, victim.hash, book))
    assert challenge_left_out(world, victim, book) == first + 1
    with refused("challenges: challenged before"):
        challenge_missing(world, victim.hash)


def test_a_receipt_is_the_operators_and_for_this_order(missing: World) -> None:
    word, signature = receipt(missing, NEITHER)
    with_credits(missing, missing.strangers[0], TERMS.stake)
    for changes in ({"index": 8}, {"received_at": word.received_at + 1}, {"order_hash": b"\x78" * 32}):
        with refused("challenges: not the operator's receipt"):
            send(missing, missing.strangers[0], challenge_missing_calldata(replace(word, **changes), signature))
    for key in (missing.strangers[0], missing.keys["owner"], missing.members[0]):
        with refused("challenges: not the operator's receipt"):
            send(missing, missing.strangers[0], challenge_missing_calldata(*receipt(missing, NEITHER, signer=key)))


def test_a_receipt_is_for_a_slot_of_this_market_with_a_book(missing: World) -> None:
    word, signature = receipt(missing, NEITHER)
    with_credits(missing, missing.strangers[0], TERMS.stake)
    for changes in ({"slot": SLOT + 900}, {"market": b"x" * 32}):
        with refused("challenges: no book"):
            send(missing, missing.strangers[0], challenge_missing_calldata(replace(word, **changes), signature))
    missing.commit(SLOT + 900)
    with refused("challenges: not the operator's receipt"):
        later = replace(word, slot=SLOT + 900)
        send(missing, missing.strangers[0], challenge_missing_calldata(later, signature))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda s: s[:64] + bytes([29]), "ecdsa: invalid signature"),
        (lambda s: bytes(64) + s[64:], "ecdsa: invalid signature"),
        (lambda s: s[:32] + b"\xff" * 32 + s[64:], "ecdsa: invalid signature `s` value"),
    ],
)
def test_a_broken_signature_is_nobodys(missing: World, change: Callable[[bytes], bytes], reason: str) -> None:
    word, signature = receipt(missing, NEITHER)
    with refused(reason):
        send(missing, missing.strangers[0], challenge_missing_calldata(word, change(signature)))


def test_the_receipts_of_a_former_operator_bind_the_market(missing: World) -> None:
    former, heir = missing.keys["operator"], missing.strangers[2]
    missing.act(former, "offer_role", MARKET, 0, heir.address)
    missing.act(heir, "accept_role", MARKET, 0)
    number = challenge_missing(missing, NEITHER)  # the receipt is the former one's
    with_credits(missing, missing.strangers[0], TERMS.stake)
    by_heir = receipt(missing, b"\x78" * 32, signer=heir)
    send(missing, missing.strangers[0], challenge_missing_calldata(*by_heir))
    wait_out(missing)
    missing.act(missing.strangers[0], "uphold", number)
    assert missing.read("is_frozen", MARKET)


@pytest.mark.parametrize("later_s", [0, 1])
def test_a_former_operators_receipts_bind_for_slots_that_it_can_have_taken_orders_for(
    world: World, later_s: int
) -> None:
    """Up to eight days after it handed over; otherwise it could freeze the market of its successors for ever."""
    former, heir = world.keys["operator"], world.strangers[2]
    slot = SLOT + 9 * 86_400
    world.act(former, "offer_role", MARKET, 0, heir.address)
    world.at(slot - 8 * 86_400 - later_s)
    world.act(heir, "accept_role", MARKET, 0)
    world.close_gate(slot)
    world.act(heir, "commit_book", MARKET, slot, bytes(32), 0)
    if later_s:
        with refused("challenges: not the operator's receipt"):
            challenge_missing(world, NEITHER, slot=slot)
    else:
        assert challenge_missing(world, NEITHER, slot=slot) == 1


# ------------------------------------------------------------------------------------- the stake, and credit


def test_who_cannot_pay_the_stake_does_not_challenge_and_nothing_is_remembered(missing: World) -> None:
    challenger, credit = missing.strangers[0], missing.contracts.credit
    data = challenge_missing_calldata(*receipt(missing, NEITHER))
    with refused("erc20: insufficient allowance"):
        send(missing, challenger, data)
    with_credits(missing, challenger, TERMS.stake - 1)
    with refused("erc20: transfer amount exceeds balance"):
        send(missing, challenger, data)
    assert (missing.read("challenge_count"), missing.read("open_challenges", MARKET)) == (0, 0)
    missing.send("treasurer", credit, "mint", challenger.address, 1)
    send(missing, challenger, data)
    assert missing.read("challenge_of", 1) == {
        "kind": 1,
        "market": MARKET,
        "slot": SLOT,
        "order": NEITHER,
        "challenger": challenger.address,
        "opened_at": missing.chain.head().timestamp,
    }


def test_a_void_slot_has_missing_orders_and_none_left_out(missing: World) -> None:
    signed = missing.bid(2, 10, PRICE + 1)
    void_late(missing)
    with refused("challenges: not settled"):
        challenge_left_out(missing, signed, [signed.hash])
    assert challenge_missing(missing, NEITHER) == 1
