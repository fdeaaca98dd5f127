"""Whatever members, operator and meter authority do: the exchange holds exactly what its accounts add up to."""

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from ledger.batches import FilledOrder, MemberReading
from tests.contracts.model import Account, Ledger
from tests.world import MARKET, ONE_CREDIT, SLOT, TARIFF, TERMS, World, one_world_for_a_test, refused

MEMBERS = 4
UTILITY = MEMBERS
NOTICE_S = 3_600
members = st.integers(0, MEMBERS - 1)
prices = st.integers(0, 400_000)
trades = st.lists(st.tuples(members, members, st.integers(1, 3_000)), max_size=3)
metered = st.lists(st.tuples(st.integers(0, 6_000), st.integers(0, 3_000)), min_size=MEMBERS, max_size=MEMBERS)


def machine(shared: World) -> type[RuleBasedStateMachine]:
    """The state machine over a shared world; each run gets it as it was."""

    class Exchange(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.loan = one_world_for_a_test(shared)
            self.world = self.loan.__enter__()
            balances = [self.world.balance(account) for account in self.addresses]
            self.model = Ledger(
                [Account(balance) for balance in balances],
                retail=TARIFF.retail_price,
                feed_in=TARIFF.feed_in_price,
                grid_fee=TARIFF.grid_fee,
            )
            self.held = sum(balances)
            self.slot = SLOT
            self.closed = False
            self.part: list[tuple[int, int]] = []
            # Little money, so that escrow runs short and debts arise.
            for who in range(MEMBERS):
                self.take_out(who, self.model.accounts[who].balance - ONE_CREDIT // 2)

        @property
        def addresses(self) -> list[bytes]:
            return [*(key.address for key in self.world.members), self.world.keys["utility"].address]

        def key(self, who: int) -> Any:
            return self.world.keys["utility"] if who == UTILITY else self.world.members[who]

        def take_out(self, who: int, amount: int) -> None:
            self.world.act(self.key(who), "request_withdrawal", amount)
            self.model.accounts[who].requested = amount
            self.world.time.now += NOTICE_S + 60
            self.world.act(self.key(who), "withdraw")
            self.held -= self.model.withdraw(who)
            self.skip_slots_gone_by()

        def skip_slots_gone_by(self) -> None:
            """Go on with a slot whose gate is still open, unless one is half done."""
            if not self.closed:
                self.slot = max(self.slot, SLOT + (self.world.time.now - SLOT) // 900 * 900 + 900)

        @rule(who=st.integers(0, UTILITY), amount=st.integers(1, ONE_CREDIT))
        def deposit(self, who: int, amount: int) -> None:
            self.world.fund(self.addresses[who], amount)
            self.model.accounts[who].balance += amount
            self.held += amount

        @rule(who=st.integers(0, UTILITY), share=st.integers(1, 4))
        def withdraw(self, who: int, share: int) -> None:
            amount = self.model.accounts[who].balance // share
            if amount:
                self.take_out(who, amount)

        @rule(who=members, share=st.integers(1, 4))
        def request(self, who: int, share: int) -> None:
            amount = self.model.accounts[who].balance // share
            self.world.act(self.key(who), "request_withdrawal", amount)
            self.model.accounts[who].requested = amount

        @rule(who=members)
        def collect(self, who: int) -> None:
            self.world.time.now += NOTICE_S + 60
            if self.model.accounts[who].requested:
                self.world.act(self.key(who), "withdraw")
                self.held -= self.model.withdraw(who)
            self.skip_slots_gone_by()

        @precondition(lambda self: not self.closed)
        @rule(trades=trades, price=prices)
        def settle(self, trades: list[tuple[int, int, int]], price: int) -> None:
            self.world.commit(self.slot)
            fills = []
            cost = [0] * MEMBERS
            for buyer, seller, quantity_wh in trades:
                for make, who in ((self.world.bid, buyer), (self.world.offer, seller)):
                    fills.append(FilledOrder(make(who, quantity_wh, price, slot=self.slot), quantity_wh))
                cost[buyer] += quantity_wh * price
            # Covered without what the same batch earns, so that the order of hashes does not matter.
            if all(paid <= self.model.accounts[who].balance for who, paid in enumerate(cost)):
                self.world.settle(fills, price, slot=self.slot)
                for buyer, seller, quantity_wh in trades:
                    self.model.trade(self.slot, buyer, seller, quantity_wh, price)
            else:
                self.world.time.now = self.slot + TERMS.settle_within_s + 1
                self.world.act(self.world.strangers[0], "void", MARKET, self.slot)
            self.closed = True

        @precondition(lambda self: self.closed)
        @rule(metered=metered, cut=st.integers(0, MEMBERS))
        def deliver(self, metered: list[tuple[int, int]], cut: int) -> None:
            readings = sorted(
                (MemberReading(self.addresses[who], *wh) for who, wh in enumerate(metered)),
                key=lambda reading: reading.account,
            )
            if not self.model.covers(metered, self.slot):
                with refused("exchange: utility escrow"):
                    self.world.deliver(readings, slot=self.slot)
                return
            if self.model.utility.balance < 6_000 * MEMBERS * TARIFF.feed_in_price:
                cut = MEMBERS  # a part alone might not be covered
            for part in (readings[:cut], readings[cut:]):
                if part:
                    self.world.deliver(part, slot=self.slot)
            self.model.deliver(self.slot, metered)
            self.slot += 900
            self.closed = False
            self.skip_slots_gone_by()

        @invariant()
        def every_account_is_as_in_the_model(self) -> None:
            for who, address in enumerate(self.addresses):
                found = self.world.read("account_of", address)
                expected = self.model.accounts[who]
                assert (found["balance"], found["debt"]) == (expected.balance, expected.debt)
                for slot, wh in expected.positions.items():
                    assert self.world.read("position_of", address, slot) == wh

        @invariant()
        def the_exchange_holds_what_its_accounts_add_up_to(self) -> None:
            escrow = self.world.contracts.credit.read("balanceOf", self.world.contracts.escrow.address)
            assert escrow == self.model.escrow == self.held

        def teardown(self) -> None:
            self.loan.__exit__(None, None, None)

    return Exchange


def run(world: World, examples: int, steps: int) -> None:
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine(world), settings=profile)


def test_credits_debts_and_positions_agree_with_a_model(built_world: World) -> None:
    run(built_world, examples=8, steps=12)


@pytest.mark.slow
def test_credits_debts_and_positions_agree_with_a_model_for_long(built_world: World) -> None:
    run(built_world, examples=25, steps=30)
