"""Bonds and stakes: who pays in, who is paid, and that the contract holds exactly what it owes."""

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ledger.challenges import answer_cancelled_calldata, answer_in_book_calldata, challenge_missing_calldata
from ledger.eip712 import SignedOrder, cancellation_hash
from tests.contracts.disputes import (
    BOND,
    TERMS,
    challenge_missing,
    committed,
    credits_of,
    post_bond,
    receipt,
    send,
    wait_out,
    with_credits,
)
from tests.contracts.fills import PRICE
from tests.contracts.lying import lying_world, tell
from tests.world import MARKET, SLOT, World, one_world_for_a_test, refused

NOTICE_S = TERMS.claim_period_s + TERMS.response_s
WINDOW_S = 86_400
NEITHER = b"\x77" * 32


def test_the_contract_says_its_terms(world: World) -> None:
    terms = world.contracts.challenges.read("terms")
    assert terms == (TERMS.stake, TERMS.penalty, TERMS.claim_period_s, TERMS.response_s)
    assert world.contracts.challenges.read("exchange") == world.exchange.address


# ----------------------------------------------------------------------------------------------- paying in


def test_anybody_adds_to_a_bond(world: World) -> None:
    giver = with_credits(world, world.strangers[0], 30)
    for amount in (10, 20):
        world.act(giver, "post_bond", MARKET, amount)
    assert (world.read("bonds", MARKET), credits_of(world, giver.address)) == (30, 0)


def test_a_bond_is_for_a_market_and_not_nothing(world: World) -> None:
    giver = with_credits(world, world.strangers[0], 30)
    with refused("challenges: no such market"):
        world.act(giver, "post_bond", b"x" * 32, 10)
    with refused("challenges: no bond"):
        world.act(giver, "post_bond", MARKET, 0)


def test_whoever_has_no_credits_posts_no_bond(world: World) -> None:
    with refused("erc20: insufficient allowance"):
        world.act(world.strangers[0], "post_bond", MARKET, 1)
    with_credits(world, world.strangers[0], 1)
    with refused("erc20: transfer amount exceeds balance"):
        world.act(world.strangers[0], "post_bond", MARKET, 2)
    assert world.read("bonds", MARKET) == 0


# ---------------------------------------------------------------------------------------------- paying out


@pytest.fixture
def asked(world: World) -> World:
    """The operator posted a bond and asked for it back."""
    post_bond(world)
    world.act("operator", "request_bond_release", MARKET)
    return world


def test_the_operator_has_its_bond_back_after_notice_and_not_a_second_before(asked: World) -> None:
    ready_at = asked.chain.head().timestamp + NOTICE_S
    assert asked.read("bond_ready_at", MARKET) == ready_at
    asked.at(ready_at - 1)
    with refused("challenges: notice period"):
        asked.act("operator", "release_bond", MARKET)
    asked.at(ready_at)
    asked.act("operator", "release_bond", MARKET)
    assert credits_of(asked, asked.keys["operator"].address) == BOND
    assert (asked.read("bonds", MARKET), asked.read("bond_ready_at", MARKET)) == (0, 0)
    with refused("challenges: release not requested"):
        asked.act("operator", "release_bond", MARKET)


def test_a_notice_lapses_so_that_no_operator_keeps_one_ready(asked: World) -> None:
    ready_at = asked.read("bond_ready_at", MARKET)
    asked.at(ready_at + WINDOW_S + 1)
    with refused("challenges: notice lapsed"):
        asked.act("operator", "release_bond", MARKET)
    asked.at(ready_at + WINDOW_S)
    asked.act("operator", "release_bond", MARKET)


def test_a_new_notice_begins_anew(asked: World) -> None:
    ready_at = asked.read("bond_ready_at", MARKET)
    asked.at(ready_at + WINDOW_S + 10)
    asked.act("operator", "request_bond_release", MARKET)
    assert asked.read("bond_ready_at", MARKET) == asked.chain.head().timestamp + NOTICE_S
    with refused("challenges: notice period"):
        asked.act("operator", "release_bond", MARKET)


def test_no_bond_is_paid_out_without_notice(world: World) -> None:
    post_bond(world)
    with refused("challenges: release not requested"):
        world.act("operator", "release_bond", MARKET)


def test_no_bond_is_paid_out_while_a_challenge_is_open(asked: World) -> None:
    slot = asked.read("bond_ready_at", MARKET) // 900 * 900 - 900
    committed(asked, asked.bid(0, 1, PRICE, slot=slot), slot=slot)
    number = challenge_missing(asked, NEITHER, slot=slot)
    asked.time.now = asked.read("bond_ready_at", MARKET)
    with refused("challenges: open challenge"):
        asked.act("operator", "release_bond", MARKET)
    wait_out(asked)
    asked.act(asked.strangers[0], "uphold", number)
    assert credits_of(asked, asked.strangers[0].address) == TERMS.stake + TERMS.penalty
    asked.act("operator", "request_bond_release", MARKET)
    asked.time.now = asked.read("bond_ready_at", MARKET)
    asked.act("operator", "release_bond", MARKET)
    assert credits_of(asked, asked.keys["operator"].address) == BOND - TERMS.penalty


def test_every_slot_until_the_notice_is_beyond_challenge_when_the_bond_is_paid_out(asked: World) -> None:
    requested_at = asked.chain.head().timestamp
    slot = (requested_at + 300) // 900 * 900  # the last slot whose book there can be by now
    committed(asked, asked.bid(0, 1, PRICE, slot=slot), slot=slot)
    asked.time.now = asked.read("bond_ready_at", MARKET)
    with refused("challenges: too late"):
        challenge_missing(asked, NEITHER, slot=slot)


def test_the_bond_is_the_present_operators(asked: World) -> None:
    former, heir = asked.keys["operator"], asked.strangers[0]
    asked.act(former, "offer_role", MARKET, 0, heir.address)
    asked.act(heir, "accept_role", MARKET, 0)
    asked.time.now = asked.read("bond_ready_at", MARKET)
    with refused("challenges: not the operator"):
        asked.act(former, "release_bond", MARKET)
    asked.act(heir, "release_bond", MARKET)
    assert credits_of(asked, heir.address) == BOND


# ------------------------------------------------------------------------------------------ a lying token


@pytest.fixture
def lying(world: World) -> World:
    return lying_world(world)


def test_a_bond_that_the_token_denies_is_not_posted(lying: World) -> None:
    with refused("challenges: transfer"):
        lying.act("operator", "post_bond", MARKET, 1)


def test_a_bond_is_not_gone_if_the_token_denies_its_release(lying: World) -> None:
    tell(lying, honest=True)
    lying.act("operator", "post_bond", MARKET, 1)
    lying.act("operator", "request_bond_release", MARKET)
    lying.time.now = lying.read("bond_ready_at", MARKET)
    tell(lying, honest=False)
    with refused("challenges: transfer"):
        lying.act("operator", "release_bond", MARKET)
    assert lying.read("bonds", MARKET) == 1


def test_nobody_challenges_with_a_stake_that_the_token_denies(lying: World) -> None:
    committed(lying)
    with refused("challenges: transfer"):
        send(lying, lying.strangers[1], challenge_missing_calldata(*receipt(lying, NEITHER)))


def test_no_challenge_is_upheld_while_the_token_denies_the_payment(lying: World) -> None:
    tell(lying, honest=True)
    committed(lying)
    send(lying, lying.strangers[1], challenge_missing_calldata(*receipt(lying, NEITHER)))
    tell(lying, honest=False)
    wait_out(lying)
    with refused("challenges: transfer"):
        lying.act(lying.strangers[1], "uphold", 1)
    assert not lying.read("is_frozen", MARKET)
    tell(lying, honest=True)
    lying.act(lying.strangers[1], "uphold", 1)
    assert lying.read("is_frozen", MARKET)


# -------------------------------------------------------------------------------------------- conservation


def machine(built: World) -> type[RuleBasedStateMachine]:
    class Bonds(RuleBasedStateMachine):
        """Anything that pays in or out, in any order, against sums in plain Python."""

        @initialize()
        def begin(self) -> None:
            self.loan = one_world_for_a_test(built)
            self.world = self.loan.__enter__()
            self.orders = [self.world.bid(0, 1, price) for price in range(4)]
            self.book = committed(self.world, *self.orders)
            self.bond = 0
            self.open: dict[int, SignedOrder | None] = {}
            self.challenged = 0
            for key in self.world.strangers[:2]:
                with_credits(self.world, key, 0)

        @rule(amount=st.integers(1, TERMS.penalty))
        def pay_in(self, amount: int) -> None:
            giver = with_credits(self.world, self.world.strangers[0], amount)
            self.world.act(giver, "post_bond", MARKET, amount)
            self.bond += amount

        @precondition(lambda self: self.world.time.now < SLOT + TERMS.claim_period_s - 60)
        @rule(is_right=st.booleans())
        def challenge(self, is_right: bool) -> None:
            self.challenged += 1
            if is_right or self.challenged > 4:
                number = challenge_missing(self.world, self.challenged.to_bytes(32, "big"))
                self.open[number] = None
            else:
                signed = self.orders[self.challenged - 1]
                self.open[challenge_missing(self.world, signed.hash)] = signed

        @precondition(lambda self: any(self.open.values()))
        @rule(in_book=st.booleans())
        def answer(self, in_book: bool) -> None:
            number, signed = next((number, signed) for number, signed in self.open.items() if signed)
            operator = self.world.keys["operator"]
            if in_book:
                send(self.world, operator, answer_in_book_calldata(number, signed.hash, self.book))
            else:
                owner = self.world.members[0]
                signature = owner.sign(cancellation_hash(self.world.domain, owner.address, signed.hash))
                send(self.world, operator, answer_cancelled_calldata(number, signed, signature))
            del self.open[number]
            self.bond += TERMS.stake

        @precondition(lambda self: bool(self.open))
        @rule()
        def uphold(self) -> None:
            wait_out(self.world)
            number = min(self.open)
            challenger = self.world.strangers[0].address
            before = credits_of(self.world, challenger)
            self.world.act(self.world.strangers[1], "uphold", number)
            paid = min(self.bond, TERMS.penalty)
            assert credits_of(self.world, challenger) == before + TERMS.stake + paid
            self.bond -= paid
            del self.open[number]

        @rule()
        def release(self) -> None:
            self.world.act("operator", "request_bond_release", MARKET)
            self.world.time.now = self.world.read("bond_ready_at", MARKET)
            if self.open:
                with refused("challenges: open challenge"):
                    self.world.act("operator", "release_bond", MARKET)
                return
            before = credits_of(self.world, self.world.keys["operator"].address)
            self.world.act("operator", "release_bond", MARKET)
            assert credits_of(self.world, self.world.keys["operator"].address) == before + self.bond
            self.bond = 0

        @invariant()
        def it_holds_the_bonds_and_the_open_stakes(self) -> None:
            held = credits_of(self.world, self.world.contracts.challenges.address)
            assert self.world.read("bonds", MARKET) == self.bond
            assert self.world.read("open_challenges", MARKET) == len(self.open)
            assert held == self.bond + len(self.open) * TERMS.stake

        def teardown(self) -> None:
            self.loan.__exit__(None, None, None)

    return Bonds


def run(world: World, examples: int, steps: int) -> None:
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine(world), settings=profile)


def test_the_contract_holds_exactly_the_bonds_and_the_open_stakes(built_world: World) -> None:
    run(built_world, examples=8, steps=10)


@pytest.mark.slow
def test_the_contract_holds_exactly_the_bonds_and_the_open_stakes_for_long(built_world: World) -> None:
    run(built_world, examples=40, steps=30)
