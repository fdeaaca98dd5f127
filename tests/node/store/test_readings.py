"""Readings in the store: what a slot was delivered with stays, corrections come after it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.evidence.evidence import (
    Clock,
    Context,
    Count,
    Evidence,
    Method,
    Quality,
    Register,
    Statement,
    Substitution,
)
from ledger.evidence.keys import Digest, KeyAlgorithm
from ledger.evidence.substitutes import Substitute, of_substitute
from node.authority import MeterAuthority
from node.store import Store
from node.store.errors import StoreConflictError
from node.store.evidence_codec import decoded_basis, decoded_statements, encoded_basis, encoded_statements
from node.store.records import MemberRecord
from tests.node.parts import ALICE, AUTHORITY, BOB, DOMAIN, LOAD, MARKET, SLOT, SOLAR, device, evidence, terms

DAY = SLOT // 86_400


@pytest.fixture
def onboarded(store: Store) -> Store:
    for key, name in ((BOB, "Bob"), (ALICE, "Alice")):
        store.add_member(MemberRecord(key.address, name))
    store.add_device(device(SOLAR, ALICE))
    store.add_device(device(LOAD, BOB))
    return store


def substitute(number: int = SOLAR, slot: int = SLOT, energy_wh: int = 0) -> Evidence:
    value = Substitute(
        chain_id=DOMAIN.chain_id,
        market=MARKET,
        device=number,
        slot=slot,
        energy_wh=energy_wh,
        method=Method.ZERO,
        reason="silent",
    )
    return of_substitute(value.sign(MeterAuthority(AUTHORITY)), terms(number))


def test_the_same_reading_again_changes_nothing_and_another_is_refused(onboarded: Store) -> None:
    first = onboarded.add_reading(evidence(), SLOT + 900)
    assert onboarded.add_reading(evidence(), SLOT + 1_000) == first
    with pytest.raises(StoreConflictError, match="another reading"):
        onboarded.add_reading(evidence(energy_wh=1), SLOT + 1_000)
    assert onboarded.readings(SLOT) == {SOLAR: first}


def test_readings_are_listed_the_latest_first_page_by_page(onboarded: Store) -> None:
    onboarded.add_reading(evidence(), SLOT + 900)
    onboarded.add_reading(evidence(slot=SLOT + 900, register_wh=10_500, sequence=42), SLOT + 1_800)
    onboarded.add_reading(evidence(LOAD, slot=SLOT + 1_800), SLOT + 2_700)
    newest_first = onboarded.latest_readings()
    assert [(r.evidence.slot - SLOT, r.evidence.device) for r in newest_first] == [
        (1_800, LOAD),
        (900, SOLAR),
        (0, SOLAR),
    ]
    assert onboarded.latest_readings(limit=1) == newest_first[:1]
    assert onboarded.latest_readings(after=(SLOT + 1_800, LOAD)) == newest_first[1:]
    assert onboarded.latest_readings(device=SOLAR, slot=SLOT) == newest_first[2:]
    assert onboarded.reading(SOLAR, SLOT) == newest_first[2]
    assert onboarded.reading(SOLAR, SLOT + 1_800) is None


def test_a_correction_counts_and_the_slot_keeps_what_it_was_delivered_with(onboarded: Store) -> None:
    stand_in = onboarded.add_reading(substitute(), SLOT + 900)
    corrected = onboarded.add_correction(evidence(), SLOT + 5_000)
    assert onboarded.add_correction(evidence(), SLOT + 6_000) == corrected
    assert (stand_in.revision, corrected.revision) == (0, 1)
    assert onboarded.readings(SLOT) == {SOLAR: stand_in}
    assert onboarded.energies(SLOT, SLOT + 1) == [(SOLAR, SLOT, corrected.energy_wh)]
    assert onboarded.reading(SOLAR, SLOT) == corrected
    assert onboarded.latest_readings() == [corrected]
    assert onboarded.revisions(SOLAR, SLOT) == [stand_in, corrected]
    assert onboarded.day_readings(DAY) == {SOLAR: [corrected]}


def test_nothing_is_corrected_that_is_not_there(onboarded: Store) -> None:
    with pytest.raises(StoreConflictError, match="no reading"):
        onboarded.add_correction(evidence(), SLOT + 900)


def test_a_correction_is_open_until_certificates_follow_it(onboarded: Store) -> None:
    onboarded.add_reading(substitute(), SLOT + 900)
    first = onboarded.add_correction(evidence(), SLOT + 5_000)
    assert onboarded.open_corrections() == [first]
    onboarded.note_correction_of(SOLAR, SLOT, 0)
    assert onboarded.correction_of(SOLAR, SLOT) == 0
    # Another comes before the first is followed: it has to be followed, and nothing is planned for it.
    second = onboarded.add_correction(substitute(energy_wh=1), SLOT + 6_000)
    onboarded.close_correction(first)
    assert onboarded.open_corrections() == [second]
    assert onboarded.correction_of(SOLAR, SLOT) is None
    onboarded.close_correction(second)
    assert onboarded.open_corrections() == []


def test_a_day_is_anchored_until_one_of_its_readings_is_corrected(onboarded: Store) -> None:
    onboarded.add_reading(substitute(), SLOT + 900)
    assert onboarded.days_to_anchor(DAY) == []
    assert onboarded.days_to_anchor(DAY + 3) == [DAY]
    onboarded.note_anchored(DAY, 0)
    assert (onboarded.days_to_anchor(DAY + 3), onboarded.anchored_days()) == ([], [DAY])
    onboarded.add_correction(evidence(), SLOT + 5_000)
    assert (onboarded.days_to_anchor(DAY + 3), onboarded.anchored_days()) == ([DAY], [])
    with pytest.raises(StoreConflictError, match="1 corrections"):
        onboarded.note_anchored(DAY, 0)
    onboarded.note_anchored(DAY, 1)
    assert onboarded.days_to_anchor(DAY + 3) == []


def test_what_is_around_a_slot_reaches_to_the_next_measured_one(onboarded: Store) -> None:
    records = [
        onboarded.add_reading(found, SLOT)
        for found in (
            evidence(slot=SLOT - 900, register_wh=10_000, sequence=40),
            evidence(),
            substitute(slot=SLOT + 900),
            substitute(slot=SLOT + 1_800),
            evidence(slot=SLOT + 2_700, register_wh=11_000, sequence=44),
            evidence(slot=SLOT + 3_600, register_wh=11_250, sequence=45),
        )
    ]
    assert onboarded.readings_before(SOLAR, SLOT + 2_700) == records[1:4]
    assert onboarded.readings_after(SOLAR, SLOT) == records[2:5]
    assert onboarded.readings_before(SOLAR, SLOT - 900) == []
    assert onboarded.readings_after(LOAD, SLOT) == []


def test_an_ocmf_journal_is_written_in_order_with_what_it_completes(onboarded: Store) -> None:
    (record,) = onboarded.add_ocmf(SOLAR, 0, b"OCMF|one", [evidence()], SLOT + 900)
    assert onboarded.reading(SOLAR, SLOT) == record
    onboarded.add_cover(SOLAR, 1, substitute(slot=SLOT + 900), SLOT + 1_800)
    assert onboarded.ocmf_journal(SOLAR) == [(b"OCMF|one", None), (None, SLOT + 900)]
    with pytest.raises(StoreConflictError, match="2 entries"):
        onboarded.add_ocmf(SOLAR, 1, b"OCMF|late", [evidence(slot=SLOT + 1_800)], SLOT + 2_700)
    assert onboarded.reading(SOLAR, SLOT + 1_800) is None


BASES = st.one_of(
    st.builds(
        Count,
        opening_mwh=st.integers(0, 2**70),
        register_mwh=st.integers(0, 2**70),
        first_sequence=st.integers(0, 2**64),
        sequence=st.integers(0, 2**64),
        clock=st.sampled_from(Clock),
        register=st.none() | st.builds(Register, st.text(), st.text(), st.text(), st.sampled_from(Context)),
    ),
    st.builds(Substitution, st.sampled_from(Method), st.text(min_size=1)),
)
STATEMENTS = st.builds(
    lambda before, message, after, signature, algorithm, digest, made_at: Statement(
        message, algorithm, digest, made_at, signature, before + message + after
    ),
    st.binary(max_size=5),
    st.binary(min_size=1),
    st.binary(max_size=5),
    st.binary(max_size=128),
    st.sampled_from(KeyAlgorithm),
    st.sampled_from(Digest),
    st.integers(0, 2**40),
)


@given(basis=BASES, statements=st.lists(STATEMENTS, max_size=3))
def test_evidence_comes_back_as_it_went_in(basis: Count | Substitution, statements: list[Statement]) -> None:
    assert decoded_basis(encoded_basis(basis)) == basis
    found = decoded_statements(encoded_statements(tuple(statements)))
    assert found == tuple(statements)
    assert [(each.signature, each.source) for each in found] == [
        (each.signature, each.source) for each in statements
    ]


def test_the_quality_of_a_reading_survives(onboarded: Store) -> None:
    onboarded.add_reading(substitute(), SLOT)
    found = onboarded.reading(SOLAR, SLOT)
    assert found is not None
    assert found.evidence.quality is Quality.SUBSTITUTE
