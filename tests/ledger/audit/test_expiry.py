"""What the audit keeps of certificates, how long, and that corrections still fit what it kept."""

from collections.abc import Iterator

import pytest

from ledger.audit.run import AuditReport, audit
from ledger.storage import LOTS_AT_ONCE
from tests.contracts.devices import certify, claim, on_devices, on_issuance, send, token_id
from tests.ledger.audit import origins
from tests.ledger.audit.edited import EditedChain, Recording
from tests.ledger.audit.origins import BATTERY, CHARGER, DAY_S, HOME, PANELS, ROOF, Town
from tests.world import new_world, one_world_for_a_test


@pytest.fixture(scope="module")
def town() -> Iterator[Town]:
    with new_world() as world:
        yield origins.tell(world)


def audited(town: Town, *, with_evidence: bool = False) -> AuditReport:
    chain = EditedChain(Recording(town.world, town))
    evidence = chain.evidence_files if with_evidence else None
    exchange = town.world.exchange.address
    return audit(chain, exchange, window_blocks=8, evidence=evidence)  # type: ignore[arg-type]


def test_certificates_that_are_all_retired_keep_only_how_much_it_was(town: Town) -> None:
    kept = audited(town).model.guarantees
    consumed = token_id(HOME, town.slots[0], kind=4)
    assert consumed not in kept.certificates
    assert kept.spent[consumed] == (400, 400)
    assert kept.was_issued(consumed)


def test_expired_certificates_are_let_go_and_still_counted(town: Town) -> None:
    before = audited(town)
    with one_world_for_a_test(town.world) as world:
        world.time.now += 366 * DAY_S
        on_devices(world, "registrar", "close_device", BATTERY, town.day + 400)
        after = audited(town, with_evidence=True)
    assert after.findings == ()
    assert after.totals == before.totals
    kept = after.model.guarantees
    assert not kept.certificates
    assert not kept.spent
    assert not kept.metered_wh
    assert before.model.guarantees.certificates


def test_the_evidence_of_expired_certificates_is_compared_all_the_same(town: Town) -> None:
    with one_world_for_a_test(town.world) as world:
        world.time.now += 366 * DAY_S
        on_devices(world, "registrar", "close_device", BATTERY, town.day + 400)
        chain = EditedChain(Recording(town.world, town))
        del chain.evidence[0]
        exchange, evidence = world.exchange.address, chain.evidence_files
        found = audit(chain, exchange, window_blocks=8, evidence=evidence).findings  # type: ignore[arg-type]
    assert "evidence.amount" in {finding.rule for finding in found}


def test_a_certificate_that_is_all_retired_is_still_corrected(town: Town) -> None:
    certificate = token_id(ROOF, town.slots[2])
    with one_world_for_a_test(town.world) as world:
        send(world, world.members[3], "retire", [certificate], [200], claim())
        for _ in range(10):  # into another window
            send(world, world.members[3], "setApprovalForAll", world.strangers[0].address, True)
        assert certificate in audited(town).model.guarantees.spent
        send(world, "issuer", "withdraw", certificate, "too much")
        on_issuance(world, "issuer", "reissue", certificate, 150, [])
        report = audited(town)
    assert report.findings == ()
    assert report.model.guarantees.debts_wh[ROOF] == 50
    assert report.model.guarantees.certificates[certificate].all_retired_wh == 200


def test_a_correction_of_a_correction_counts_what_was_retired_of_both(town: Town) -> None:
    first = token_id(PANELS, town.slots[5], revision=1)
    with one_world_for_a_test(town.world) as world:
        send(world, world.members[1], "retire", [first], [60], claim())
        bought = [(world.members[3].address, 40)]
        for certificate, corrected_wh, moves in ((first, 100, bought), (first + 1, 40, [])):
            send(world, "issuer", "withdraw", certificate, "read again")
            on_issuance(world, "issuer", "reissue", certificate, corrected_wh, moves)
        report = audited(town)
    assert report.findings == ()
    assert report.model.guarantees.certificates[first + 1].issued_wh == 40
    assert report.model.guarantees.debts_wh[PANELS] == 20


@pytest.mark.parametrize("honest", [True, False])
def test_a_correction_takes_from_the_producer_first_and_then_from_buyers_alike(town: Town, honest: bool) -> None:
    first = token_id(PANELS, town.slots[5], revision=1)
    with one_world_for_a_test(town.world) as world:
        third, fourth = world.members[2].address, world.members[3].address
        send(world, world.members[1], "safeTransferFrom", world.members[1].address, third, first, 80, b"")
        send(world, "issuer", "withdraw", first, "read again")
        moves = {third: 40, fourth: 20} if honest else {third: 20, fourth: 40}
        on_issuance(world, "issuer", "reissue", first, 60, sorted(moves.items()))
        report = audited(town)
    assert {finding.rule for finding in report.findings} == (set() if honest else {"correct.shares"})


def test_a_charge_corrected_upwards_goes_into_the_storage_after_what_came_since(town: Town) -> None:
    charge = token_id(CHARGER, town.slots[1], kind=4)
    with one_world_for_a_test(town.world) as world:
        send(world, "issuer", "withdraw", charge, "read again")
        on_issuance(world, "issuer", "reissue", charge, 240, [])
        report = audited(town)
    assert report.findings == ()
    storage = report.model.guarantees.storages[BATTERY]
    assert storage.lots[-1].output_uwh == 40 * 900_000
    assert storage.slot == town.slots[2]


def test_a_charge_that_only_pays_a_debt_begins_its_slot_all_the_same(town: Town) -> None:
    charge, slot = token_id(CHARGER, town.slots[1], kind=4), town.slots[5] + 900
    with one_world_for_a_test(town.world) as world:
        send(world, "issuer", "withdraw", charge, "read again")
        on_issuance(world, "issuer", "reissue", charge, 150, [])
        certify(world, [], [(CHARGER, 30)], slot=slot)
        report = audited(town)
    # Nothing was delivered in that slot.
    assert {finding.rule for finding in report.findings} == {"certify.delivered"}
    assert report.model.guarantees.debts_wh[CHARGER] == 20
    assert report.model.guarantees.storages[BATTERY].slot == slot


def test_a_storage_of_more_lots_than_one_answer_tells_of_is_compared_whole(town: Town) -> None:
    lots, slot = LOTS_AT_ONCE + 2, town.slots[5] + 900
    with one_world_for_a_test(town.world) as world:
        certify(world, [(PANELS, lots)], [(CHARGER, lots)], matches=[(PANELS, CHARGER, 1)] * lots, slot=slot)
        report = audited(town)
    assert "storage.lots" not in {finding.rule for finding in report.findings}
    assert len(report.model.guarantees.storages[BATTERY].lots) > lots
