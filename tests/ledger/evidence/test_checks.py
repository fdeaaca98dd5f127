"""Each check of a device's evidence, by evidence that is right but for that one thing."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.evidence.checks import Gap, Position, check
from ledger.evidence.compact import of_reading
from ledger.evidence.errors import (
    ClockError,
    ForeignDeviceError,
    InvalidEvidenceError,
    KeyNotValidError,
    NameplateError,
    RegisterError,
    SequenceError,
    SignatureError,
    SlotError,
    SubstituteError,
)
from ledger.evidence.evidence import Clock, Count, Evidence, Quality
from ledger.evidence.keys import MeterKeys
from matching.errors import WattbookError
from tests.ledger.evidence.makers import (
    AUTHORITY,
    CHAIN_ID,
    CHARGER_TERMS,
    METER,
    NOON,
    SLOT_S,
    STRANGER,
    TERMS,
    always,
    checked,
    ed25519_key,
    measured,
    point,
    record,
    signed_reading,
    slots_of,
    substitute,
)

BEFORE = [measured(0, 100, 1_100), measured(1, 200, 1_300)]


def with_count(evidence: Evidence, **changes: Any) -> Evidence:
    assert isinstance(evidence.basis, Count)
    return replace(evidence, basis=replace(evidence.basis, **changes))


def test_readings_that_go_on_where_the_last_stopped_are_taken() -> None:
    position = checked([*BEFORE, measured(2, 0, 1_300), measured(3, 2_500, 3_800)])
    assert position.last_slot == NOON + 3 * SLOT_S
    assert position.gap is None


@pytest.mark.parametrize(
    ("evidence", "error"),
    [
        pytest.param(replace(measured(2, 50, 1_350), device=9), ForeignDeviceError, id="another device"),
        pytest.param(
            with_count(measured(2, 50, 1_350), register=CHARGER_TERMS.register),
            ForeignDeviceError,
            id="another register",
        ),
        pytest.param(measured(2, 50, 1_350, slot=NOON + 2_000), SlotError, id="not the start of a slot"),
        pytest.param(measured(2, 50, 1_350, slot=NOON + SLOT_S), SlotError, id="a slot that has evidence"),
        pytest.param(measured(2, 50, 1_350, key=STRANGER), SignatureError, id="signed by a stranger"),
        pytest.param(
            measured(2, 50, 1_350, key=AUTHORITY), SignatureError, id="measured, by the authority's word"
        ),
        pytest.param(measured(2, 2_501, 3_801), NameplateError, id="above the nameplate"),
        pytest.param(with_count(measured(2, 50, 1_350), clock=Clock.RELATIVE), ClockError, id="relative time"),
        pytest.param(
            with_count(measured(2, 50, 1_350), clock=Clock.INFORMATIVE), ClockError, id="informative clock"
        ),
        pytest.param(
            with_count(measured(2, 50, 1_350), clock=Clock.UNKNOWN), ClockError, id="unsynchronised clock"
        ),
        pytest.param(
            with_count(measured(2, 50, 1_350), register_mwh=1_200_000), RegisterError, id="runs backwards"
        ),
        pytest.param(measured(2, 50, 1_349), RegisterError, id="starts before it stopped"),
        pytest.param(measured(2, 50, 1_351), RegisterError, id="starts after it stopped"),
        pytest.param(
            with_count(measured(2, 50, 1_350), opening_mwh=1_300_001),
            RegisterError,
            id="starts one mWh after it stopped",
        ),
        pytest.param(
            replace(with_count(measured(2, 50, 1_350), opening_mwh=1_299_999), energy_wh=51),
            RegisterError,
            id="starts one mWh before it stopped",
        ),
        pytest.param(replace(measured(2, 50, 1_350), energy_wh=51), RegisterError, id="not the energies' sum"),
        pytest.param(measured(2, 50, 1_350, sequence=4), SequenceError, id="a reading is missing"),
        pytest.param(measured(2, 50, 1_350, sequence=2), SequenceError, id="a number comes twice"),
        pytest.param(measured(2, 50, 1_350, sequence=1), SequenceError, id="numbers go backwards"),
        pytest.param(substitute(2, 50, key=METER), SubstituteError, id="a substitute by the meter's word"),
        pytest.param(substitute(2, 50, key=STRANGER), SubstituteError, id="a substitute by a stranger's word"),
        pytest.param(substitute(2, 2_501), NameplateError, id="a substitute above the nameplate"),
    ],
)
def test_what_breaks_one_rule_is_refused_by_that_rule(evidence: Evidence, error: type[WattbookError]) -> None:
    with pytest.raises(error) as refused:
        check(evidence, TERMS, checked(BEFORE))
    assert type(refused.value) is error


def test_the_nameplate_is_reached_but_not_passed() -> None:
    assert checked([measured(0, 2_500, 2_500)]).last_slot == NOON


def test_evidence_needs_a_key_that_is_valid_at_its_slot() -> None:
    keys = MeterKeys(
        ((NOON, ed25519_key(METER)), (NOON + SLOT_S, ed25519_key(STRANGER)), (NOON + 2 * SLOT_S, None))
    )
    terms = replace(TERMS, keys=keys)
    position = check(measured(0, 100, 100), terms, Position())
    with pytest.raises(SignatureError):
        check(measured(1, 100, 200), terms, position)
    position = check(measured(1, 100, 200, key=STRANGER), terms, position)
    with pytest.raises(KeyNotValidError):
        check(measured(2, 100, 300, key=STRANGER), terms, position)


def test_a_substitute_needs_an_authority() -> None:
    with pytest.raises(SubstituteError):
        check(substitute(0, 10), replace(TERMS, authority=always(None)), Position())


def test_a_signature_by_another_algorithm_than_the_keys_is_refused() -> None:
    terms = replace(TERMS, keys=CHARGER_TERMS.keys)
    with pytest.raises(SignatureError, match="ED25519"):
        check(measured(0, 1, 1), terms, Position())


@pytest.mark.parametrize("field", ["chain_id", "market", "device"])
def test_a_reading_of_elsewhere_is_no_evidence_of_this_device(field: str) -> None:
    elsewhere: dict[str, Any] = {"chain_id": CHAIN_ID + 1, "market": bytes(32), "device": 9}
    with pytest.raises(ForeignDeviceError, match=field):
        of_reading(signed_reading(0, 1, 1, **{field: elsewhere[field]}), TERMS)


def test_a_device_with_an_ocmf_meter_has_no_compact_readings() -> None:
    with pytest.raises(ForeignDeviceError):
        of_reading(signed_reading(0, 1, 1, device=CHARGER_TERMS.device), CHARGER_TERMS)


def test_slots_may_be_skipped_while_nothing_is_counted() -> None:
    assert checked([*BEFORE, measured(2, 50, 1_350, slot=NOON + 9 * SLOT_S)]).gap is None


def test_a_refusal_changes_nothing() -> None:
    position = checked(BEFORE)
    with pytest.raises(SequenceError):
        check(measured(2, 50, 1_350, sequence=9), TERMS, position)
    assert check(measured(2, 50, 1_350), TERMS, position).last_slot == NOON + 2 * SLOT_S


def test_a_statement_that_closed_the_last_slot_is_not_believed_with_another_signature() -> None:
    first, second = slots_of([record(1, point(0, "1"), point(900, "2"), point(1_800, "3"))])
    position = checked([first], CHARGER_TERMS)
    assert check(second, CHARGER_TERMS, position).last_slot == NOON + SLOT_S
    forged = replace(second, statements=(replace(second.statements[0], signature=b"\x30\x00"),))
    with pytest.raises(SignatureError):
        check(forged, CHARGER_TERMS, position)


# ------------------------------------------------------------------------------------------------- substitutes


def test_substitutes_for_all_missing_slots_cover_a_gap_in_the_numbers() -> None:
    after = measured(4, 70, 1_500)  # numbers 3 and 4 are lost, and 130 Wh were counted in their slots
    position = checked([*BEFORE, substitute(2, 60), substitute(3, 80), after])
    assert position.gap == Gap(substitutes=2, substituted_wh=140, counted_wh=130)
    assert checked([*BEFORE, substitute(2, 60), substitute(3, 80), after, measured(5, 1, 1_501)]).gap is None


def test_a_meter_that_was_off_goes_on_with_its_numbers() -> None:
    after = measured(4, 70, 1_370, sequence=3)
    assert checked([*BEFORE, substitute(2, 0), substitute(3, 0), after]).gap == Gap(2, 0, 0)


def test_substitutes_for_some_missing_slots_cover_nothing() -> None:
    position = checked([*BEFORE, substitute(2, 60)])
    with pytest.raises(SequenceError):
        check(measured(4, 70, 1_500), TERMS, position)


def test_a_gap_between_neighbouring_slots_cannot_be_covered() -> None:
    with pytest.raises(SequenceError):
        check(measured(2, 70, 1_370, sequence=5), TERMS, checked(BEFORE))


def test_a_register_does_not_run_backwards_in_a_gap() -> None:
    position = checked([*BEFORE, substitute(2, 60)])
    for backwards in (
        measured(3, 70, 1_369),
        replace(with_count(measured(3, 70, 1_370), opening_mwh=1_299_999), energy_wh=71),
    ):
        with pytest.raises(RegisterError, match="at least 1300000"):
            check(backwards, TERMS, position)


def test_numbers_do_not_run_backwards_in_a_gap() -> None:
    position = checked([*BEFORE, substitute(2, 60)])
    with pytest.raises(SequenceError):
        check(measured(3, 70, 1_400, sequence=2), TERMS, position)


def test_a_substitute_is_flagged_and_a_measured_value_is_not() -> None:
    assert substitute(0, 1).quality is Quality.SUBSTITUTE
    assert measured(0, 1, 1).quality is Quality.MEASURED


# ----------------------------------------------------------------------------------------------- what a value is


@pytest.mark.parametrize("changes", [{"device": -1}, {"slot": 2**40}, {"energy_wh": 2**32}, {"statements": ()}])
def test_evidence_outside_the_limits_of_a_leaf_cannot_be_made(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidEvidenceError):
        replace(measured(0, 1, 1), **changes)


def test_evidence_signed_anew_says_the_same() -> None:
    other = measured(0, 1, 1, key=STRANGER)
    assert other == measured(0, 1, 1)
    assert other.source_hash != measured(0, 1, 1).source_hash


@given(
    steps=st.lists(st.integers(0, 25), min_size=1, max_size=96),
    start=st.integers(0, 10**9),
    mwh=st.sampled_from([1, 10, 1_000, 100_000]),
)
def test_no_resolution_of_a_meter_gains_or_loses_a_wh_over_a_day(steps: list[int], start: int, mwh: int) -> None:
    register, evidence = start * mwh, []
    for index, step in enumerate(steps):
        count = Count(register, register + step * mwh, index + 1, index + 1)
        register += step * mwh
        evidence.append(replace(measured(index, 0, 0), energy_wh=count.energy_wh, basis=count))
    total_wh = sum(item.energy_wh for item in evidence)
    assert total_wh == register // 1_000 - start * mwh // 1_000
    assert abs(total_wh * 1_000 - sum(steps) * mwh) < 1_000


def test_a_remainder_is_carried_into_the_slot_that_makes_it_whole() -> None:
    readings = [point(900 * index, f"{0.0004 * index:.4f}") for index in range(6)]
    evidence = slots_of([record(1, *readings)])
    assert [item.energy_wh for item in evidence] == [0, 0, 1, 0, 1]
    assert checked(evidence, CHARGER_TERMS).last_slot == NOON + 4 * SLOT_S
