"""What the audit makes of days that anybody may mint from, in whatever way."""

from collections.abc import Iterator

import pytest

from ledger.audit.run import audit
from ledger.certificates.days import Day
from ledger.certificates.shares import divided
from tests.contracts.devices import on_issuance, send, token_id
from tests.contracts.test_certificate_transfers import deployed
from tests.ledger.audit import origins
from tests.ledger.audit.changes import NOBODY
from tests.ledger.audit.edited import EditedChain, Recording
from tests.ledger.audit.origin_tamperings import issued
from tests.ledger.audit.origins import DAY_S, PANELS, Town
from tests.world import MARKET, new_world, one_world_for_a_test

FORWARDER = """# pragma version ==0.4.3
# pragma evm-version london
@external
def forward(to: address, data: Bytes[8192]):
    raw_call(to, data)
"""


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with new_world() as world:
        yield origins.tell(world)


def commit(town: Town, *, total_wh: int) -> Day:
    """A day of 10 Wh in each of its slots, of which so much is said to be all."""
    day = Day(town.day + 2, {PANELS: [10] * 96})
    town.world.time.now = (day.day + 1) * DAY_S
    on_issuance(town.world, "issuer", "commit_day", MARKET, day.day, day.root, day.leaves, total_wh)
    return day


def arguments(day: Day, places: list[int]) -> tuple[object, ...]:
    proof = day.proof(PANELS)
    return (MARKET, day.day, PANELS, list(proof.amounts_wh), places, proof.index, list(proof.path))


def mint_through_a_contract(town: Town, day: Day, places: list[int]) -> None:
    world, stranger = town.world, town.world.strangers[0]
    data = world.contracts.issuance.interface.call("mint", *arguments(day, places))
    forwarder = deployed(world.chain, stranger, FORWARDER)
    world.send(stranger, forwarder, "forward", world.contracts.issuance.address, data)


def rules_broken(town: Town) -> set[str]:
    return {finding.rule for finding in audit(town.world.chain, town.world.exchange.address).findings}


def test_a_stranger_that_mints_through_a_contract_breaks_no_rule(town: Town) -> None:
    with one_world_for_a_test(town.world):
        mint_through_a_contract(town, commit(town, total_wh=960), [0, 1])
        assert rules_broken(town) == set()


def test_what_is_minted_through_a_contract_counts_towards_the_days_total(town: Town) -> None:
    with one_world_for_a_test(town.world):
        mint_through_a_contract(town, commit(town, total_wh=19), [0, 1])
        assert rules_broken(town) == {"mint.total"}


def test_who_mints_what_was_minted_before_is_passed_over(town: Town) -> None:
    with one_world_for_a_test(town.world):
        day = commit(town, total_wh=960)
        for places in ([3, 4], [4, 5]):
            on_issuance(town.world, town.world.strangers[1], "mint", *arguments(day, places))
        assert rules_broken(town) == set()


@pytest.mark.parametrize(
    ("as_if_owed_wh", "broken"), [(90, {"correct.shares"}), (80, set()), (75, {"correct.shares"}), (70, set())]
)
def test_shares_of_a_correction_are_reckoned_before_somebody_has_debts_paid(
    town: Town, as_if_owed_wh: int, broken: set[str]
) -> None:
    """The panels owe 90 Wh, 80 when the certificate is withdrawn, and 70 when it is issued anew."""
    wrong, other = token_id(PANELS, town.slots[5], revision=1), token_id(PANELS, town.slots[4])
    with one_world_for_a_test(town.world) as world:
        second, third, fourth = world.members[1], town.member(2), town.member(3)
        send(world, second, "safeTransferFrom", second.address, third, wrong, 80, b"")
        send(world, "issuer", "withdraw", other, "read again")
        on_issuance(world, "issuer", "reissue", other, 100, [])
        assert world.contracts.issuance.read("debt_of", PANELS) == 90
        day = commit(town, total_wh=960)
        on_issuance(world, world.strangers[1], "mint", *arguments(day, [0]))
        send(world, "issuer", "withdraw", wrong, "read again")
        shares = divided(150 - as_if_owed_wh, second.address, {third: 80, fourth: 40})
        on_issuance(world, world.strangers[1], "mint", *arguments(day, [1]))
        on_issuance(world, "issuer", "reissue", wrong, 150, [(each.account, each.amount_wh) for each in shares])
        assert rules_broken(town) == broken


@pytest.mark.parametrize("sender", ["issuer", "stranger"])
def test_what_was_issued_for_a_request_is_not_taken_for_minted(town: Town, sender: str) -> None:
    chain = EditedChain(Recording(town.world, town))
    who = town.world.keys["issuer"].address if sender == "issuer" else NOBODY
    chain.call_of("TransferBatch", issued, sender=who, to=NOBODY)
    findings = audit(chain, town.world.exchange.address).findings  # type: ignore[arg-type]
    assert {finding.rule for finding in findings} == {"history.indirect"}
