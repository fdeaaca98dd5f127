"""A state machine that does to the contracts, to a model of them and to their chain whatever can be done.

Each step is one transaction, tried on a copy of the model first: the contracts must refuse what the model refuses,
for the same reason, and do what it does. After each step everything that can be read is compared.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import deepcopy
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant

from ledger.abi import Contract
from ledger.deployment import transact
from ledger.keys import Key
from tests.contracts.chunks import reason_of
from tests.contracts.model import (
    METER_AUTHORITY,
    OPERATOR,
    PARTIAL,
    UNWINDING,
    UTILITY,
    Account,
    Market,
    RefusedError,
)
from tests.world import MARKET, ONE_CREDIT, TARIFF, TERMS, World

MEMBERS = 4
# Little, so that escrow runs short and debts arise.
ESCROW = ONE_CREDIT // 2
Step: TypeAlias = Callable[[Market, int], None]
# A chain that a machine may have, and how it is closed and opened again, if it can be.
Home: TypeAlias = "tuple[World, Callable[[World], World] | None]"


@dataclass(frozen=True)
class Sent:
    """A transaction, and what it is in the model."""

    sender: Key
    contract: str
    data: bytes
    step: Step


@dataclass(frozen=True)
class Mark:
    """What a re-organisation takes the chain back to."""

    snapshot: int
    model: Market
    sent_before: int


class Machine(RuleBasedStateMachine):
    """An exchange and its model, on a chain of their own that `home` opens."""

    home: ClassVar[Callable[[], AbstractContextManager[Home]]]

    @initialize()
    def move_in(self) -> None:
        self.loan = type(self).home()
        self.world, self.opened_again = self.loan.__enter__()
        keys = self.world.keys
        self.keys = keys | {
            "first stranger": self.world.strangers[0],
            "second stranger": self.world.strangers[1],
        }
        self.addresses = [key.address for key in self.world.members]
        self.model = Market(
            terms=TERMS,
            tariff=TARIFF,
            owner=keys["owner"].address,
            members=self.addresses,
            holders={
                OPERATOR: keys["operator"].address,
                METER_AUTHORITY: keys["meter_authority"].address,
                UTILITY: keys["utility"].address,
            },
            accounts={address: Account(ESCROW) for address in (*self.addresses, keys["utility"].address)},
        )
        self.sent: list[Sent] = []
        self.marks: list[Mark] = []

    def teardown(self) -> None:
        if hasattr(self, "loan"):
            self.loan.__exit__(None, None, None)

    # ---------------------------------------------------------------------------------- transactions

    def send(self, who: str | Key, contract: str, data: bytes, step: Step) -> None:
        key = self.keys[who] if isinstance(who, str) else who
        self.perform(Sent(key, contract, data, step))

    def perform(self, sent: Sent) -> None:
        """Send a transaction, which must be refused if and only if the model refuses it, and why."""
        world = self.world
        world.time.now = self.now()
        trial = deepcopy(self.model)
        expected = None
        try:
            sent.step(trial, world.time.now)
        except RefusedError as refusal:
            expected = str(refusal)
        found = reason_of(transact, self.contract(sent.contract), sent.sender, sent.data)
        assert found == expected
        if expected is None:
            self.model = trial
            self.sent.append(sent)

    def now(self) -> int:
        return max(self.world.time.now, self.world.chain.head().timestamp + 1)

    def wait_until(self, time: int) -> None:
        self.world.time.now = max(self.world.time.now, time)

    def contract(self, name: str) -> Contract:
        contract: Contract = getattr(self.world.contracts, name)
        return contract

    def call(self, who: str | Key, contract: str, function: str, *arguments: object, step: Step) -> None:
        self.send(who, contract, self.contract(contract).interface.call(function, *arguments), step)

    # ------------------------------------------------------------------------------------- the chain

    def remember(self) -> None:
        self.marks.append(Mark(self.world.chain.snapshot(), deepcopy(self.model), len(self.sent)))

    def reorganise(self, mark: Mark, *, same_again: bool) -> None:
        """Drop the last blocks; what was in them comes again, in later blocks, or something else does."""
        self.world.chain.revert(mark.snapshot)
        self.marks = self.marks[: self.marks.index(mark)]
        dropped = self.sent[mark.sent_before :]
        self.model, self.sent = deepcopy(mark.model), self.sent[: mark.sent_before]
        if same_again:
            for sent in dropped:
                if sent.contract != "escrow" or sent.sender != self.keys["treasurer"]:  # its credits are gone
                    self.perform(sent)

    def restart(self) -> None:
        """Close the chain and open it again; what could be gone back to before, cannot any more."""
        if self.opened_again:
            self.world = self.opened_again(self.world)
            self.marks = []

    # ------------------------------------------------------------------------------------- comparisons

    @invariant()
    def every_account_is_as_in_the_model(self) -> None:
        for address in {key.address for key in (*self.keys.values(), *self.world.members)}:
            found = self.world.read("account_of", address)
            expected = self.model.accounts.get(address, Account())
            assert (found["balance"], found["debt"]) == (expected.balance, expected.debt)
            assert found["epoch"] == len(expected.epochs) - 1
            assert found["epoch_from_slot"] == expected.epochs[-1]

    @invariant()
    def every_slot_is_as_in_the_model(self) -> None:
        for start, slot in self.model.slots.items():
            found = self.world.read("slot_of", MARKET, start)
            assert (found["state"], found["price"]) == (slot.state, slot.price)
            assert found["posted"] == bool(slot.posted)
            if slot.state in (PARTIAL, UNWINDING):
                assert found["chunks"] == len(slot.chunks)
            posted = self.world.read("posted_orders", MARKET, start)
            assert [(each["digest"], each["set_aside"], each["is_filled"]) for each in posted] == [
                (each.order_hash, each.set_aside, each.is_filled) for each in slot.posted
            ]
            for address in self.addresses:
                assert self.world.read("position_of", address, start) == self.model.position(address, start)

    @invariant()
    def the_market_is_as_in_the_model(self) -> None:
        assert self.world.read("unfinished_slot", MARKET) == self.model.unfinished
        assert self.world.read("is_frozen", MARKET) == self.model.is_frozen
        for role, holder in self.model.holders.items():
            assert self.world.read("holder_of", MARKET, role) == holder

    @invariant()
    def the_escrow_holds_all_balances_and_what_is_set_aside(self) -> None:
        contracts = self.world.contracts
        assert contracts.credit.read("balanceOf", contracts.escrow.address) == self.model.held()
