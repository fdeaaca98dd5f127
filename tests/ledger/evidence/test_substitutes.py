"""Substitute values: what an authority signs, and the rules that compute them."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.evidence.errors import ForeignDeviceError, SubstituteError
from ledger.evidence.evidence import Method, Substitution
from ledger.evidence.substitutes import (
    DOMAIN_TAG,
    MAX_REASON_BYTES,
    Substitute,
    due_at,
    interpolation,
    of_substitute,
    persistence,
    propose,
)
from tests.ledger.evidence.makers import AUTHORITY, CHAIN_ID, DAY_S, MARKET, NOON, SLOT_S, TERMS, signed_substitute

VALUE = Substitute(CHAIN_ID, MARKET, 7, NOON, 250, Method.PERSISTENCE, "meter silent")


def test_an_authority_signs_the_fields_in_order_big_endian() -> None:
    assert VALUE.signing_bytes() == (
        DOMAIN_TAG
        + CHAIN_ID.to_bytes(8, "big")
        + MARKET
        + (7).to_bytes(8, "big")
        + NOON.to_bytes(8, "big")
        + (250).to_bytes(4, "big")
        + b"\x01"
        + b"meter silent"
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"chain_id": 1},
        {"market": bytes(32)},
        {"device": 8},
        {"slot": NOON + SLOT_S},
        {"energy_wh": 251},
        {"method": Method.ZERO},
        {"reason": "meter silent."},
    ],
)
def test_every_field_is_signed(changes: dict[str, Any]) -> None:
    assert replace(VALUE, **changes).signing_bytes() != VALUE.signing_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"chain_id": -1},
        {"market": b"\x11" * 31},
        {"device": 2**64},
        {"slot": -1},
        {"energy_wh": 2**32},
        {"method": 9},
        {"reason": ""},
        {"reason": "two\nlines"},
        {"reason": "\ud800"},
        {"reason": "ü" * (MAX_REASON_BYTES // 2 + 1)},
    ],
)
def test_fields_outside_their_limits_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(SubstituteError, match=next(iter(changes))):
        replace(VALUE, **changes)


def test_evidence_of_a_substitute_names_its_method_and_reason() -> None:
    evidence = of_substitute(VALUE.sign(AUTHORITY), TERMS)
    assert evidence.basis == Substitution(Method.PERSISTENCE, "meter silent")
    assert evidence.statements[0].source == VALUE.signing_bytes() + AUTHORITY.sign(VALUE.signing_bytes())


@pytest.mark.parametrize(
    "terms", [replace(TERMS, chain_id=1), replace(TERMS, market=bytes(32)), replace(TERMS, device=8)]
)
def test_a_substitute_of_elsewhere_is_no_evidence_of_this_device(terms: Any) -> None:
    with pytest.raises(ForeignDeviceError):
        of_substitute(signed_substitute(0, 1), terms)


# -------------------------------------------------------------------------------------------------------- rules


def test_a_silent_meter_holds_its_slot_for_the_slot_and_the_patience_only() -> None:
    assert due_at(NOON, SLOT_S, 3_600) == NOON + SLOT_S + 3_600


def test_persistence_is_the_same_slot_of_the_day_before() -> None:
    assert persistence(NOON, {NOON - DAY_S: 321, NOON - SLOT_S: 1}) == 321


def test_persistence_of_what_was_not_measured_is_refused() -> None:
    with pytest.raises(SubstituteError, match=str(NOON - DAY_S)):
        persistence(NOON, {NOON: 1})


def test_generation_that_nobody_metered_is_taken_to_be_none() -> None:
    assert propose(NOON, generates=True, measured_wh={NOON - DAY_S: 321}) == (Method.ZERO, 0)


def test_consumption_is_taken_to_be_that_of_the_day_before_if_it_was_measured() -> None:
    assert propose(NOON, generates=False, measured_wh={NOON - DAY_S: 321}) == (Method.PERSISTENCE, 321)
    assert propose(NOON, generates=False, measured_wh={}) == (Method.ZERO, 0)


def test_interpolation_spreads_evenly_over_time() -> None:
    spread = interpolation(
        from_ms=(NOON + 450) * 1_000,
        from_mwh=0,
        to_ms=(NOON + 1_800) * 1_000,
        to_mwh=3_000_000,
        slot_length_s=SLOT_S,
    )
    assert spread == {NOON: 1_000, NOON + SLOT_S: 2_000}


@pytest.mark.parametrize(
    "changes", [{"to_ms": 0}, {"to_ms": -1}, {"to_mwh": 4}, {"to_ms": 10_001 * SLOT_S * 1_000}]
)
def test_readings_that_cannot_be_interpolated_are_refused(changes: dict[str, int]) -> None:
    readings = {"from_ms": 0, "from_mwh": 5, "to_ms": 1_000, "to_mwh": 5, "slot_length_s": SLOT_S}
    with pytest.raises(SubstituteError):
        interpolation(**(readings | changes))


@given(st.integers(0, 10**13), st.integers(0, 10**13), st.integers(1, 10**8), st.integers(0, 10**10))
def test_interpolation_adds_up_to_what_was_counted(
    from_ms: int, from_mwh: int, lasts_ms: int, passed_mwh: int
) -> None:
    spread = interpolation(
        from_ms=from_ms,
        from_mwh=from_mwh,
        to_ms=from_ms + lasts_ms,
        to_mwh=from_mwh + passed_mwh,
        slot_length_s=SLOT_S,
    )
    assert sum(spread.values()) == (from_mwh + passed_mwh) // 1_000 - from_mwh // 1_000
    assert all(energy_wh >= 0 and slot % SLOT_S == 0 for slot, energy_wh in spread.items())
    assert min(spread) * 1_000 <= from_ms
    assert (max(spread) + SLOT_S) * 1_000 >= from_ms + lasts_ms
