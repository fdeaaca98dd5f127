"""Whatever anybody does with certificates: the contracts do what a model does; nothing comes out of nothing."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from copy import deepcopy
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from ledger.deployment import CERTIFICATE_LIFETIME_S
from tests.contracts.certificate_model import Model, RefusedError, Slot
from tests.contracts.chunks import reason_of
from tests.contracts.devices import (
    CHARGE,
    CONSUMPTION,
    GENERATOR,
    LOAD,
    STORAGE,
    certificates,
    certify,
    claim,
    on_issuance,
    register,
    send,
)
from tests.world import SLOT, World, one_world_for_a_test

MEMBERS = 3
BATTERY, CHARGER = 30, 31
EFFICIENCY_PPM = 870_001
# Two generators and loads, and a battery of the first member.
DEVICES = {
    1: (GENERATOR, 0),
    2: (GENERATOR, 1),
    20: (LOAD, 0),
    21: (LOAD, 1),
    BATTERY: (STORAGE, 0),
    CHARGER: (CHARGE, 0),
}
SOURCES, SINKS = (1, 2, BATTERY), (20, 21, CHARGER)

members = st.integers(0, MEMBERS - 1)
amounts = st.integers(1, 60)


class Holders(RuleBasedStateMachine):
    """Issuer and holders, on a world that `home` lends."""

    home: ClassVar[Callable[[], AbstractContextManager[World]]]

    @initialize()
    def move_in(self) -> None:
        self.loan = type(self).home()
        self.world = self.loan.__enter__()
        self.accounts = [key.address for key in self.world.members[:MEMBERS]]
        for device, (kind, owner) in DEVICES.items():
            changes = {"storage": BATTERY} if kind == CHARGE else {}
            changes |= {"efficiency_ppm": EFFICIENCY_PPM} if kind == STORAGE else {}
            register(self.world, device, self.accounts[owner], kind=kind, **changes)
        self.model = Model(DEVICES, CHARGER, BATTERY, EFFICIENCY_PPM, CERTIFICATE_LIFETIME_S)

    def teardown(self) -> None:
        if hasattr(self, "loan"):
            self.loan.__exit__(None, None, None)

    def perform(self, attempt: Callable[[], object], step: Callable[[Model, int], None]) -> None:
        """It is refused if and only if the model refuses it."""
        self.world.time.now = now = max(self.world.time.now, self.world.chain.head().timestamp + 1)
        trial = deepcopy(self.model)
        try:
            step(trial, now)
        except RefusedError:
            assert reason_of(attempt)
        else:
            assert reason_of(attempt) is None
            self.model = trial

    def some_id(self, data: st.DataObject, *, consumption: bool = False) -> int:
        ids = [token for token in self.model.records if (token >> 136 == CONSUMPTION) == consumption]
        return data.draw(st.sampled_from(sorted(ids)) if ids else st.just(0))

    # ------------------------------------------------------------------------------------------ the issuer

    @rule(data=st.data(), number=st.integers(0, 7))
    def certify(self, data: st.DataObject, number: int) -> None:
        start = SLOT + 900 * number
        given = data.draw(st.lists(st.tuples(st.sampled_from(SOURCES), amounts), max_size=3, unique_by=first))
        taken = data.draw(st.lists(st.tuples(st.sampled_from(SINKS), amounts), max_size=3, unique_by=first))
        moves, matches = [], []
        if given:
            source = st.sampled_from([device for device, _ in given])
            moves = data.draw(st.lists(st.tuples(source, members, amounts), max_size=2))
            if taken:
                sink = st.sampled_from([device for device, _ in taken])
                matches = data.draw(st.lists(st.tuples(source, sink, amounts), max_size=3))
        self.world.time.now = max(self.world.time.now, start + 900)
        numbered = [(device, self.accounts[member], wh) for device, member, wh in moves]
        self.perform(
            lambda: certify(self.world, given, taken, moves=numbered, matches=matches, slot=start),
            lambda model, now: model.certify(Slot(start, given, taken, moves, matches), now),
        )

    @rule(data=st.data(), consumption=st.booleans())
    def withdraw(self, data: st.DataObject, consumption: bool) -> None:
        token = self.some_id(data, consumption=consumption)
        self.perform(
            lambda: send(self.world, "issuer", "withdraw", token, ""),
            lambda model, now: model.withdraw(token, now),
        )

    @rule(
        data=st.data(),
        consumption=st.booleans(),
        wh=st.integers(0, 60),
        shares=st.dictionaries(members, amounts, max_size=2),
    )
    def reissue(self, data: st.DataObject, consumption: bool, wh: int, shares: dict[int, int]) -> None:
        token = self.some_id(data, consumption=consumption)
        moves = sorted((self.accounts[member], share) for member, share in shares.items())
        self.perform(
            lambda: on_issuance(self.world, "issuer", "reissue", token, wh, moves),
            lambda model, now: model.reissue(token, wh, shares, now),
        )

    # ----------------------------------------------------------------------------------------- the holders

    @rule(data=st.data(), holder=members, to=members, wh=amounts)
    def transfer(self, data: st.DataObject, holder: int, to: int, wh: int) -> None:
        token, addresses = self.some_id(data), self.accounts
        arguments = (addresses[holder], addresses[to], token, wh, b"")
        self.perform(
            lambda: send(self.world, self.world.members[holder], "safeTransferFrom", *arguments),
            lambda model, now: model.transfer(holder, to, token, wh, now),
        )

    @rule(data=st.data(), holder=members, subject=members, wh=amounts)
    def retire(self, data: st.DataObject, holder: int, subject: int, wh: int) -> None:
        token = self.some_id(data)
        words = claim(beneficiary=self.accounts[subject])
        self.perform(
            lambda: send(self.world, self.world.members[holder], "retire", [token], [wh], words),
            lambda model, now: model.retire(holder, subject, token, wh, now),
        )

    @rule(data=st.data(), holder=members, wh=amounts)
    def retire_pair(self, data: st.DataObject, holder: int, wh: int) -> None:
        pair = (self.some_id(data), self.some_id(data, consumption=True), wh)
        self.perform(
            lambda: send(self.world, self.world.members[holder], "retire_pairs", [pair]),
            lambda model, now: model.retire_pair(holder, *pair, now),
        )

    @precondition(lambda self: len(self.model.records) > 4)
    @rule()
    def let_the_oldest_expire(self) -> None:
        oldest = min(record.slot for record in self.model.records.values())
        self.world.time.now = max(self.world.time.now, oldest + CERTIFICATE_LIFETIME_S)

    # ----------------------------------------------------------------------------------------- what holds

    @invariant()
    def every_certificate_is_as_in_the_model(self) -> None:
        read = certificates(self.world).read
        for token, record in self.model.records.items():
            state = read("state_of", token)
            found = (state["issued_wh"], state["retired_wh"], state["withdrawn"])
            assert found == (record.issued_wh, record.retired_wh, record.withdrawn)
            owners, ids = self.accounts, [token] * MEMBERS
            assert list(read("balanceOfBatch", owners, ids)) == [record.held[m] for m in range(MEMBERS)]
            assert list(read("claimedBalanceOfBatch", owners, ids)) == [record.claimed[m] for m in range(MEMBERS)]

    @invariant()
    def what_was_certified_is_held_frozen_retired_or_given_for_a_debt(self) -> None:
        read = certificates(self.world).read
        for token, record in self.model.records.items():
            held = sum(read("balanceOfBatch", self.accounts, [token] * MEMBERS))
            frozen = held if record.withdrawn else 0
            usable = held - frozen
            retired = read("retired_of", token)
            assert usable + frozen + retired + self.model.paid[token] == self.model.metered[token]

    @invariant()
    def debts_are_as_in_the_model(self) -> None:
        read, debts = self.world.contracts.issuance.read, self.model.debts
        assert [read("debt_of", device) for device in DEVICES] == [debts[device] for device in DEVICES]
        assert read("indebted_count") == sum(wh > 0 for wh in debts.values())

    @invariant()
    def a_storage_gives_no_more_than_went_in(self) -> None:
        read = self.world.contracts.issuance.read
        queue = read("queue_of", BATTERY)
        found = read("lots_of", BATTERY, queue["first"], 256)
        assert [[lot["source"], lot["output_uwh"]] for lot in found] == list(self.model.lots)
        left = sum(output for _, output in self.model.lots)
        assert self.model.discharged_wh * 1_000_000 + queue["carry_uwh"] + left <= self.model.charged_uwh

    @invariant()
    def no_more_is_claimed_for_a_consumption_than_was_metered(self) -> None:
        for token, record in self.model.records.items():
            if token >> 136 == CONSUMPTION:
                assert record.retired_wh + self.model.paid[token] <= self.model.metered[token]


def first(pair: tuple[int, int]) -> int:
    return pair[0]


def run(world: World, *, examples: int, steps: int) -> None:
    profile = settings(
        max_examples=examples, stateful_step_count=steps, deadline=None, suppress_health_check=list(HealthCheck)
    )
    home = staticmethod(lambda: one_world_for_a_test(world))
    run_state_machine_as_test(type("AtHome", (Holders,), {"home": home}), settings=profile)


def test_certificates_are_as_in_the_model(built_world: World) -> None:
    run(built_world, examples=4, steps=20)


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_certificates_are_as_in_the_model_for_long(built_world: World) -> None:
    run(built_world, examples=60, steps=50)
