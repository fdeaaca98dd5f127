"""What an OCMF meter counted in each slot: exact, or refused; never guessed."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.evidence.checks import Gap, Position, check, check_record
from ledger.evidence.errors import (
    ClockError,
    ForeignDeviceError,
    InvalidEvidenceError,
    RegisterError,
    SequenceError,
    SignatureError,
    SpanError,
    UnusableReadingError,
)
from ledger.evidence.evidence import Clock, Context, Count, Evidence
from ledger.evidence.keys import KeyAlgorithm, MeterKeys
from ledger.evidence.ocmf import parse
from ledger.evidence.ocmf_slots import MAX_POINTS, Progress, cover, extend
from matching.errors import WattbookError
from tests.ledger.evidence.makers import (
    CHARGER,
    CHARGER_TERMS,
    NOON,
    REGISTER,
    SLOT_S,
    TERMS,
    checked,
    ecdsa_key,
    payload_text,
    point,
    record,
    sealed,
    slots_of,
    substitute,
)


def energies(evidence: list[Evidence]) -> dict[int, int]:
    """Wh by number of slots after noon; that they pass the checks is part of every test."""
    checked(evidence, CHARGER_TERMS)
    return {(item.slot - NOON) // SLOT_S: item.energy_wh for item in evidence}


def sequences(evidence: list[Evidence]) -> list[tuple[int, int]]:
    return [(item.basis.first_sequence, item.basis.sequence) for item in evidence if isinstance(item.basis, Count)]


# ------------------------------------------------------------------------------------------ which slot gets what


def test_a_transaction_with_readings_at_the_end_of_each_slot_is_counted_by_slot() -> None:
    begin, first, second, end = (
        point(432, "10.0", "B"),
        point(900, "10.5", "T"),
        point(1_800, "12.5", "C"),
        point(2_400, "13.25", "E"),
    )
    evidence = slots_of([record(1, begin, first, second, end), record(2, point(2_700, "13.25", "B"))])
    assert energies(evidence) == {0: 500, 1: 2_000, 2: 750}
    assert sequences(evidence) == [(1, 1), (1, 1), (1, 2)]


def test_it_makes_no_difference_how_readings_are_spread_over_messages() -> None:
    points = [
        point(432, "10.0", "B"),
        point(900, "10.5", "T"),
        point(1_800, "12.5", "C"),
        point(2_700, "13.25", "E"),
    ]
    apart = slots_of([record(page, text) for page, text in enumerate(points, 1)])
    assert energies(apart) == energies(slots_of([record(1, *points)]))
    assert sequences(apart) == [(1, 2), (2, 3), (3, 4)]


def test_a_slot_is_open_until_a_reading_at_its_end_or_after_it() -> None:
    records = [record(1, point(0, "1", "B")), record(2, point(600, "2", "E"))]
    assert slots_of(records) == []
    assert energies(slots_of([*records, record(3, point(900, "2", "B"))])) == {0: 1_000}
    assert energies(slots_of([*records, record(3, point(901, "2", "B"))])) == {0: 1_000}


def test_several_transactions_in_one_slot_are_its_energy_together() -> None:
    points = [(0, "1", "B"), (300, "1.2", "E"), (400, "1.2", "B"), (700, "1.5", "E"), (900, "1.5", "B")]
    assert energies(slots_of(record(page, point(*item)) for page, item in enumerate(points, 1))) == {0: 500}


def test_energy_between_two_transactions_is_not_lost() -> None:
    points = [(0, "1", "B"), (300, "1.2", "E"), (400, "1.3", "B"), (900, "1.5", "E")]
    assert energies(slots_of(record(page, point(*item)) for page, item in enumerate(points, 1))) == {0: 500}


def test_slots_in_which_nothing_was_counted_need_no_reading() -> None:
    points = [(0, "1", "B"), (300, "1.2", "E"), (9_100, "1.2", "B"), (9_900, "1.7", "E"), (18_000, "1.7", "B")]
    evidence = slots_of(record(page, point(*item)) for page, item in enumerate(points, 1))
    assert energies(evidence) == {0: 200, 10: 500, 19: 0}
    assert sequences(evidence) == [(1, 3), (3, 4), (4, 5)]


@pytest.mark.parametrize(("at", "slot"), [(8_999.999, 9), (9_000, 9), (9_000.001, 10)])
def test_after_a_pause_the_slot_of_a_reading_is_told_to_the_millisecond(at: float, slot: int) -> None:
    points = [(0, "1", "B"), (300, "1.2", "E"), (at, "1.2", "B"), (9_900, "1.2", "E")]
    evidence = slots_of(record(page, point(*item)) for page, item in enumerate(points, 1))
    assert list(energies(evidence))[:2] == [0, slot]


def test_readings_of_the_clock_are_counted_like_those_of_transactions() -> None:
    terms = replace(CHARGER_TERMS, register=replace(REGISTER, context=Context.FISCAL))
    points = [point(900 * index, f"{index}", TX=None) for index in range(4)]
    records = [record(page, text.replace('"TX": null, ', ""), context="F") for page, text in enumerate(points, 1)]
    assert [item.energy_wh for item in slots_of(records, terms)] == [1_000, 1_000, 1_000]


def test_energy_across_the_end_of_a_slot_without_a_reading_is_never_interpolated() -> None:
    with pytest.raises(SpanError, match="500000 mWh"):
        slots_of([record(1, point(432, "10.0", "B"), point(901, "10.5", "E"))])


def test_other_registers_of_the_same_meter_are_read_over() -> None:
    other = point(100, "7", RI="1-b:2.8.0", ST="F")
    assert energies(slots_of([record(1, point(0, "1"), other, point(900, "2"))])) == {0: 1_000}


def test_events_without_value_are_read_over_if_the_meter_is_well() -> None:
    event = point(100, "0").replace(', "RV": 0', "")
    assert energies(slots_of([record(1, point(0, "1"), event, point(900, "2"))])) == {0: 1_000}


def test_the_same_reading_at_the_edge_again_begins_nothing() -> None:
    records = [
        record(1, point(0, "1"), point(900, "2", "E")),
        record(2, point(900, "2", "B")),
        record(3, point(900, "2", "C"), point(1_800, "3", "E")),
    ]
    evidence = slots_of(records)
    assert energies(evidence) == {0: 1_000, 1: 1_000}
    assert sequences(evidence) == [(1, 1), (1, 3)]


def test_a_slots_clock_is_that_of_its_least_trustworthy_reading() -> None:
    progress, found = extend(
        Progress(), record(1, point(0, "1"), point(60, "1", clock="U"), point(900, "2")), CHARGER_TERMS
    )
    assert [item.basis.clock for item in found if isinstance(item.basis, Count)] == [Clock.UNKNOWN]
    with pytest.raises(ClockError):
        check(found[0], CHARGER_TERMS, Position())
    assert progress.page == 1


# ----------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("second", "error"),
    [
        pytest.param(record(3, point(900, "2")), SequenceError, id="a page is missing"),
        pytest.param(record(1, point(900, "2")), SequenceError, id="a page comes twice"),
        pytest.param(record(2, point(-60, "2")), SequenceError, id="readings go back in time"),
        pytest.param(record(2, point(900, "0.999")), RegisterError, id="the register runs backwards"),
        pytest.param(record(2, point(0, "1.001")), RegisterError, id="two values at one time"),
        pytest.param(record(2, point(900, "2", ST="S")), UnusableReadingError, id="the meter's own substitute"),
        pytest.param(record(2, point(900, "2", ST="M")), UnusableReadingError, id="manipulation"),
        pytest.param(record(2, point(900, "2", EF="E")), UnusableReadingError, id="energy not usable"),
        pytest.param(record(2, point(900, "2", EF="t")), UnusableReadingError, id="time not usable"),
        pytest.param(record(2, point(900, "2", "X")), UnusableReadingError, id="an exception"),
        pytest.param(record(2, point(900, "2"), gateway="GW2"), ForeignDeviceError, id="another gateway"),
        pytest.param(record(2, point(900, "2"), meter="M2"), ForeignDeviceError, id="another meter"),
        pytest.param(record(2, point(900, "2"), context="F"), ForeignDeviceError, id="the other page counter"),
        pytest.param(record(2, point(900, "2", clock="R")), ClockError, id="relative time"),
    ],
)
def test_a_record_that_breaks_one_rule_is_refused_by_that_rule(second: object, error: type[WattbookError]) -> None:
    with pytest.raises(error) as refused:
        slots_of([record(1, point(0, "1")), second])  # type: ignore[list-item]  # pytest's parameters have no type
    assert type(refused.value) is error


def test_a_record_signed_by_another_key_takes_no_part_in_any_slot() -> None:
    message = sealed(payload_text(1, point(0, "1")))
    check_record(parse(message), CHARGER_TERMS)
    with pytest.raises(SignatureError):
        check_record(parse(message.replace(b'"RV": 1', b'"RV": 9')), CHARGER_TERMS)


def test_a_key_that_ends_with_a_slot_still_signs_the_reading_at_its_end() -> None:
    keys = MeterKeys(((0, ecdsa_key(KeyAlgorithm.SECP256R1, CHARGER)), (NOON + SLOT_S, None)))
    terms = replace(CHARGER_TERMS, keys=keys)
    assert len(slots_of([record(1, point(0, "1")), record(2, point(900, "2"))], terms)) == 1


def test_a_device_without_an_ocmf_meter_has_no_records() -> None:
    for refused in (
        lambda: extend(Progress(), record(1, point(0, "1")), TERMS),
        lambda: slots_of([record(1, point(0, "1"))], TERMS),
    ):
        with pytest.raises(ForeignDeviceError):
            refused()


def test_a_slot_takes_no_more_readings_than_its_limit() -> None:
    progress = Progress()
    for page in range(1, MAX_POINTS + 1):
        progress, _ = extend(progress, record(page, point(page / 2, "1")), CHARGER_TERMS)
    with pytest.raises(InvalidEvidenceError):
        extend(progress, record(MAX_POINTS + 1, point(600, "1")), CHARGER_TERMS)


# --------------------------------------------------------------------------------------------------- substitutes


def test_after_substitutes_counting_goes_on_with_the_first_reading_after_them() -> None:
    terms = CHARGER_TERMS
    progress, first = extend(Progress(), record(1, point(0, "1", "B"), point(900, "2", "T")), terms)
    position = checked(first, terms)
    lost = record(2, point(2_000, "3.9", "E"))
    with pytest.raises(SpanError):
        extend(progress, lost, terms)
    for index in (1, 2):
        position = check(substitute(index, 900, terms=terms), terms, position)
        progress = cover(progress, NOON + index * SLOT_S, terms)
    progress, none = extend(progress, lost, terms)
    assert none == []
    progress, complete = extend(progress, record(3, point(2_700, "4", "B"), point(3_600, "4.5", "E")), terms)
    position = check(complete[0], terms, position)
    assert complete[0].energy_wh == 500
    assert position.gap == Gap(substitutes=2, substituted_wh=1_800, counted_wh=2_000)


def test_pages_may_be_missing_where_substitutes_stand_in_and_only_there() -> None:
    terms = CHARGER_TERMS
    progress, _ = extend(Progress(), record(1, point(0, "1"), point(900, "2")), terms)
    progress = cover(progress, NOON + SLOT_S, terms)
    progress, _ = extend(progress, record(9, point(1_800, "3")), terms)
    with pytest.raises(SequenceError):
        extend(progress, record(11, point(2_700, "4")), terms)
    assert len(extend(progress, record(10, point(2_700, "4")), terms)[1]) == 1


def test_a_substitute_for_a_slot_that_readings_have_passed_takes_nothing_back() -> None:
    progress, _ = extend(Progress(), record(1, point(0, "1"), point(300, "2"), point(9_100, "2")), CHARGER_TERMS)
    assert cover(progress, NOON + 3 * SLOT_S, CHARGER_TERMS) == progress
    at_its_end, _ = extend(Progress(), record(1, point(900, "2")), CHARGER_TERMS)
    assert cover(at_its_end, NOON, CHARGER_TERMS) == at_its_end


# ----------------------------------------------------------------------------------------------------- properties


@given(
    gaps=st.lists(st.tuples(st.integers(1, 2_000), st.integers(0, 900)), min_size=1, max_size=40),
    parts=st.lists(st.integers(1, 4), min_size=40, max_size=40),
)
def test_whatever_is_accepted_adds_up_to_what_the_register_passed(
    gaps: list[tuple[int, int]], parts: list[int]
) -> None:
    seconds, mwh, points = 0, 0, [(0, 0)]
    for gap, energy in gaps:
        # Energy only flows within a slot; the rest of the time the register stands still.
        same_slot = seconds // SLOT_S == (seconds + gap - 1) // SLOT_S
        seconds, mwh = seconds + gap, mwh + (energy if same_slot else 0)
        points.append((seconds, mwh))
    points.append((seconds // SLOT_S * SLOT_S + SLOT_S, mwh))
    texts = [point(at, f"{value / 1_000_000:.6f}") for at, value in points]
    records, page = [], 1
    while texts:
        records.append(record(page, *texts[: parts[page % 40]]))
        texts, page = texts[parts[(page) % 40] :], page + 1
    evidence = slots_of(records)
    assert sum(energies(evidence).values()) == mwh // 1_000
    assert all(earlier.slot < later.slot for earlier, later in pairwise(evidence))
