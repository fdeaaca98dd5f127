import dataclasses

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from matching.errors import WattbookError
from matching.orders import MAX_TIME
from matching.readings import (
    DOMAIN_TAG,
    MAX_CHAIN_ID,
    MAX_DEVICE,
    MAX_ENERGY_WH,
    MAX_REGISTER_WH,
    MAX_SEQUENCE,
    SIGNING_BYTES,
    InvalidReadingError,
    Reading,
    ReadingContinuityError,
    ReadingSignatureError,
)

READING = Reading(
    chain_id=31337, market=bytes(range(32)), device=7, slot=900, energy_wh=250, register_wh=1_000, sequence=4
)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEY = KEY.public_key().public_bytes_raw()
SIGNATURE = KEY.sign(READING.signing_bytes())


@st.composite
def readings(draw: st.DrawFn) -> Reading:
    energy_wh = draw(st.integers(0, MAX_ENERGY_WH))
    return Reading(
        chain_id=draw(st.integers(0, MAX_CHAIN_ID)),
        market=draw(st.binary(min_size=32, max_size=32)),
        device=draw(st.integers(0, MAX_DEVICE)),
        slot=draw(st.integers(0, MAX_TIME)),
        energy_wh=energy_wh,
        register_wh=draw(st.integers(energy_wh, MAX_REGISTER_WH)),
        sequence=draw(st.integers(1, MAX_SEQUENCE)),
    )


def test_signing_bytes_are_the_tag_and_the_fields_in_order() -> None:
    expected = b"".join(
        [
            DOMAIN_TAG,
            (31337).to_bytes(8, "big"),
            bytes(range(32)),
            (7).to_bytes(8, "big"),
            (900).to_bytes(8, "big"),
            (250).to_bytes(4, "big"),
            (1_000).to_bytes(8, "big"),
            (4).to_bytes(8, "big"),
        ]
    )
    assert READING.signing_bytes() == expected
    assert len(expected) == SIGNING_BYTES == 94


@given(readings(), readings())
def test_readings_have_equal_bytes_only_if_they_are_equal(one: Reading, other: Reading) -> None:
    assert (one.signing_bytes() == other.signing_bytes()) == (one == other)


@given(readings())
def test_a_meters_signature_of_any_reading_verifies(reading: Reading) -> None:
    reading.verify(PUBLIC_KEY, KEY.sign(reading.signing_bytes()))


@pytest.mark.parametrize("position", range(SIGNING_BYTES))
def test_a_signature_of_bytes_that_differ_in_one_place_is_refused(position: int) -> None:
    altered = bytearray(READING.signing_bytes())
    altered[position] ^= 1
    with pytest.raises(ReadingSignatureError):
        READING.verify(PUBLIC_KEY, KEY.sign(bytes(altered)))


@pytest.mark.parametrize(
    "change",
    [
        {"chain_id": 1},
        {"market": bytes(32)},
        {"device": 8},
        {"slot": 1_800},
        {"energy_wh": 251},
        {"register_wh": 1_001},
        {"sequence": 5},
    ],
)
def test_a_tampered_reading_is_refused(change: dict[str, object]) -> None:
    READING.verify(PUBLIC_KEY, SIGNATURE)
    tampered = dataclasses.replace(READING, **change)  # type: ignore[arg-type]  # one field of several types
    with pytest.raises(ReadingSignatureError):
        tampered.verify(PUBLIC_KEY, SIGNATURE)


@given(st.integers(0, 63), st.integers(1, 255))
def test_a_signature_with_an_altered_byte_is_refused(position: int, change: int) -> None:
    altered = bytearray(SIGNATURE)
    altered[position] ^= change
    with pytest.raises(ReadingSignatureError):
        READING.verify(PUBLIC_KEY, bytes(altered))


def test_another_meters_signature_is_refused() -> None:
    other = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(ReadingSignatureError):
        READING.verify(other, SIGNATURE)


@pytest.mark.parametrize(
    ("public_key", "signature"),
    [(PUBLIC_KEY[:-1], SIGNATURE), (PUBLIC_KEY, SIGNATURE[:-1]), (b"", b""), (b"\xff" * 32, SIGNATURE)],
)
def test_malformed_keys_and_signatures_are_refused(public_key: bytes, signature: bytes) -> None:
    with pytest.raises(ReadingSignatureError):
        READING.verify(public_key, signature)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("chain_id", -1),
        ("chain_id", MAX_CHAIN_ID + 1),
        ("market", bytes(31)),
        ("market", "00" * 16),
        ("device", -1),
        ("device", MAX_DEVICE + 1),
        ("slot", -1),
        ("slot", MAX_TIME + 1),
        ("energy_wh", -1),
        ("energy_wh", MAX_ENERGY_WH + 1),
        ("energy_wh", 1.0),
        ("energy_wh", True),
        ("register_wh", 249),
        ("register_wh", MAX_REGISTER_WH + 1),
        ("sequence", 0),
        ("sequence", MAX_SEQUENCE + 1),
    ],
)
def test_a_field_outside_its_limits_is_refused_by_name(field: str, bad: object) -> None:
    with pytest.raises(InvalidReadingError) as caught:
        dataclasses.replace(READING, **{field: bad})  # type: ignore[arg-type]  # bad on purpose
    assert caught.value.field == field
    assert isinstance(caught.value, WattbookError)
    assert caught.value.code == "reading.invalid"


NEXT = dataclasses.replace(READING, slot=1_800, energy_wh=10, register_wh=1_010, sequence=5)


def test_the_next_reading_follows() -> None:
    NEXT.check_follows(READING)


def test_a_reading_after_a_pause_follows_if_nothing_was_counted_in_it() -> None:
    dataclasses.replace(NEXT, slot=9_000).check_follows(READING)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("chain_id", {"chain_id": 1}),
        ("market", {"market": bytes(32)}),
        ("device", {"device": 8}),
        ("slot", {"slot": 900}),
        ("sequence", {"sequence": 4}),
        ("sequence", {"sequence": 6}),
        ("register_wh", {"register_wh": 1_011}),
        ("register_wh", {"energy_wh": 11}),
    ],
)
def test_a_missing_repeated_or_altered_reading_does_not_follow(field: str, change: dict[str, object]) -> None:
    with pytest.raises(ReadingContinuityError) as caught:
        dataclasses.replace(NEXT, **change).check_follows(READING)  # type: ignore[arg-type]  # several types
    assert caught.value.field == field
