"""OCMF messages: read strictly, verified over the very bytes, registers exact to the mWh."""

import base64
import contextlib
import json
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from ledger.evidence.errors import (
    MalformedMessageError,
    MessageFieldError,
    SignatureError,
    UnsupportedAlgorithmError,
)
from ledger.evidence.evidence import Clock, Context
from ledger.evidence.keys import Digest, KeyAlgorithm, MeterKey
from ledger.evidence.ocmf import ALGORITHMS, MAX_MESSAGE_BYTES, Record, parse
from ledger.evidence.ocmf_readings import MAX_READINGS, MAX_REGISTER_MWH, register_mwh
from tests.ledger.evidence.makers import (
    CHARGER,
    CURVES,
    NOON,
    ecdsa_key,
    payload_text,
    point,
    record,
    sealed,
    time_text,
)
from tests.ledger.evidence.ocmf_examples import KEBA, KEBA_KEY, SPECIFICATION_EXAMPLE, VECTORS


def verify(message: Record, key: MeterKey) -> None:
    statement = message.statement
    assert statement.algorithm is key.algorithm
    key.verify(statement.message, statement.signature, statement.digest)


def edited(fields: dict[str, Any] | None = None, reading: dict[str, Any] | None = None, **signature: Any) -> bytes:
    """A message with fields changed, or left out if None; its signature is of no matter."""
    payload = json.loads(payload_text(1, point(0, "1.5")))
    payload["RD"][0] |= reading or {}
    payload |= fields or {}
    section = {"SD": "3006020101020101"} | signature
    parts = (payload, {key: value for key, value in section.items() if value is not None})
    payload["RD"] = (
        [_without_none(item) for item in payload["RD"]] if isinstance(payload["RD"], list) else payload["RD"]
    )
    return ("OCMF|" + "|".join(json.dumps(_without_none(part)) for part in parts)).encode()


def _without_none(fields: Any) -> Any:
    return (
        {key: value for key, value in fields.items() if value is not None} if isinstance(fields, dict) else fields
    )


# ------------------------------------------------------------------------------------ messages that others signed


def test_a_chargers_record_verifies_by_the_default_algorithm() -> None:
    message = parse(KEBA.encode())
    verify(message, MeterKey(KeyAlgorithm.SECP256R1, bytes.fromhex(KEBA_KEY)))
    assert (message.context, message.page, message.version) == (Context.TRANSACTION, 32, "1.0")
    assert message.identification.gateway == "KEBA_KCP30"
    assert message.identification.gateway_serial == "17619300"
    assert message.user.assigned is False
    assert message.user.flags == ("RFID_NONE", "OCPP_NONE", "ISO15118_NONE", "PLMN_NONE")
    assert [(item.register_mwh, item.clock, item.reason) for item in message.readings] == [
        (259_600, Clock.INFORMATIVE, "B"),
        (259_700, Clock.RELATIVE, "E"),
    ]


@pytest.mark.parametrize("algorithm", VECTORS)
def test_published_vectors_verify_on_every_curve(algorithm: str) -> None:
    payload, signature, der = VECTORS[algorithm]
    message = parse(f'OCMF|{payload}|{{"SA":"{algorithm}","SD":"{signature}"}}'.encode())
    key = MeterKey(ALGORITHMS[algorithm][0], bytes.fromhex(der))
    verify(message, key)
    tampered = parse(f'OCMF|{payload.replace("1.0", "1.1", 1)}|{{"SA":"{algorithm}","SD":"{signature}"}}'.encode())
    with pytest.raises(SignatureError):
        verify(tampered, key)


def test_the_specifications_example_reads_as_it_says() -> None:
    message = parse(SPECIFICATION_EXAMPLE.encode())
    assert message.page == 12_345
    assert [item.register_mwh for item in message.readings] == [2_935_600_000, 2_965_100_000]
    assert [item.current for item in message.readings] == ["DC", "DC"]
    assert message.readings[1].at_ms - message.readings[0].at_ms == 240_000
    assert message.readings[0].at_ms == 1_532_431_324_000  # 11:22:04 UTC
    assert message.identification.meter_serial == "BQ27400330016"
    assert message.user.data == "1F2D3A4F5506C7"


# ------------------------------------------------------------------------------------------------- signatures


@pytest.mark.parametrize("name", ALGORITHMS)
def test_every_algorithm_is_verified_in_both_encodings(name: str) -> None:
    algorithm, digest = ALGORITHMS[name]
    private = ec.generate_private_key(CURVES[algorithm])
    payload = payload_text(1, point(0, "1"))
    hashed = hashes.SHA256() if digest is Digest.SHA256 else hashes.SHA384()
    der = private.sign(payload.encode(), ec.ECDSA(hashed))
    for encoding, text in (("hex", der.hex().upper()), ("base64", base64.b64encode(der).decode())):
        section = json.dumps({"SA": name, "SE": encoding, "SM": "application/x-der", "SD": text})
        verify(parse(f"OCMF|{payload}|{section}".encode()), ecdsa_key(algorithm, private))


def test_what_was_signed_are_the_bytes_between_the_separators_white_space_included() -> None:
    payload = "\n " + payload_text(1, point(0, "1.50")).replace(", ", ",\n\t") + " "
    message = parse(sealed(payload))
    assert message.statement.message == payload.encode()
    verify(message, ecdsa_key(KeyAlgorithm.SECP256R1, CHARGER))


@pytest.mark.parametrize("change", [(b'"RV": 1.50', b'"RV": 1.5'), (b'"PG": "T1"', b'"PG":"T1"'), (b"}|", b"} |")])
def test_the_same_values_in_other_bytes_are_not_what_was_signed(change: tuple[bytes, bytes]) -> None:
    message = sealed(payload_text(1, point(0, "1.50")))
    assert change[0] in message
    with pytest.raises(SignatureError):
        verify(parse(message.replace(*change)), ecdsa_key(KeyAlgorithm.SECP256R1, CHARGER))


@pytest.mark.parametrize(
    "signature",
    [
        {"SA": "ECDSA-secp192k1-SHA256"},
        {"SA": "ECDSA-secp192r1-SHA256"},
        {"SA": "ECDSA-brainpoolP512r1-SHA512"},
        {"SA": "RSA-2048"},
        {"SE": "base58"},
        {"SM": "application/pdf"},
    ],
)
def test_what_is_not_supported_is_named(signature: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedAlgorithmError, match=next(iter(signature.values()))):
        parse(edited(**signature))


@pytest.mark.parametrize(
    "signature",
    [
        {"SD": None},
        {"SD": ""},
        {"SD": 7},
        {"SD": "3z"},
        {"SD": "300"},
        {"SD": "30 06"},
        {"SD": "AA" * 200},
        {"SE": "base64", "SD": "a"},
        {"SE": "base64", "SD": "MAYC AQEC"},
    ],
)
def test_malformed_signature_data_is_refused(signature: dict[str, Any]) -> None:
    with pytest.raises(MessageFieldError, match="SD"):
        parse(edited(**signature))


# ---------------------------------------------------------------------------------------------------- sections

GOOD = sealed(payload_text(1, point(0, "1.5")))


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(GOOD.removeprefix(b"OCMF|"), id="no header"),
        pytest.param(b"ocmf" + GOOD[4:], id="another header"),
        pytest.param(b" " + GOOD, id="something before the header"),
        pytest.param(GOOD.rsplit(b"|", 1)[0], id="no signature"),
        pytest.param(GOOD + b"|3059", id="a fourth section with a key"),
        pytest.param(GOOD.replace(b'"GW1"', b'"GW|1"'), id="a separator inside of a string"),
        pytest.param(GOOD.replace(b'"FV"', b'"PG": "T9", "FV"'), id="a key twice"),
        pytest.param(GOOD.replace(b'"TX"', b'"RV": 9, "TX"'), id="a key twice in a reading"),
        pytest.param(GOOD.replace(b'"SA"', b'"SD": "00", "SA"'), id="a key twice in the signature"),
        pytest.param(b"OCMF|[]|{}", id="an array"),
        pytest.param(b"OCMF|null|{}", id="null"),
        pytest.param(b"OCMF|{|{}", id="no JSON"),
        pytest.param(b"OCMF|{}{}|{}", id="two objects"),
        pytest.param(GOOD.replace(b"1.5", b"NaN"), id="not a number"),
        pytest.param(GOOD.replace(b"1.5", b"-Infinity"), id="infinity"),
        pytest.param(GOOD.replace(b"GW1", b"GW\xff"), id="not UTF-8"),
        pytest.param(b"OCMF|" + b"[" * 30_000 + b"|{}", id="nested without end"),
        pytest.param(b"OCMF|" + b'{"a":' * 10_000 + b"|{}", id="objects nested without end"),
        pytest.param(GOOD.replace(b"1.5", b"1" * 5_000), id="a number without end"),
        pytest.param(GOOD.replace(b"1.5", b"1e99999999999999999999"), id="an exponent without end"),
        pytest.param(GOOD + b" " * MAX_MESSAGE_BYTES, id="too long"),
    ],
)
def test_messages_of_another_shape_are_refused(message: bytes) -> None:
    with pytest.raises(MalformedMessageError):
        parse(message)


@given(st.binary(max_size=60), st.integers(0, len(GOOD)), st.integers(0, 40))
def test_no_damage_has_another_end_than_a_refusal_with_a_code(data: bytes, at: int, cut: int) -> None:
    damaged = GOOD[:at] + data + GOOD[at + cut :]
    with contextlib.suppress(MalformedMessageError, MessageFieldError, UnsupportedAlgorithmError):
        assert parse(damaged).readings


# ------------------------------------------------------------------------------------------------------ fields


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("FV", {"FV": "2.0"}),
        ("FV", {"FV": 1}),
        ("PG", {"PG": None}),
        ("PG", {"PG": "X1"}),
        ("PG", {"PG": "T01"}),
        ("PG", {"PG": "T"}),
        ("PG", {"PG": "T-1"}),
        ("PG", {"PG": "T9223372036854775808"}),
        ("MS", {"MS": None, "GS": None}),
        ("GI", {"GI": "x" * 251}),
        ("CI", {"CI": 3}),
        ("IS", {"IS": "true"}),
        ("IL", {"IL": "SURE"}),
        ("IF", {"IF": "RFID_NONE"}),
        ("IF", {"IF": ["a", "b", "c", "d", "e"]}),
        ("IF", {"IF": [1]}),
        ("RD", {"RD": None}),
        ("RD", {"RD": []}),
        ("RD", {"RD": {}}),
        ("RD", {"RD": [{}] * (MAX_READINGS + 1)}),
        ("RD[0]", {"RD": [1]}),
    ],
)
def test_payload_fields_outside_their_limits_are_named(field: str, fields: dict[str, Any]) -> None:
    with pytest.raises(MessageFieldError) as refused:
        parse(edited(fields))
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("field", "reading"),
    [
        ("TM", {"TM": None}),
        ("TM", {"TM": "2018-07-24T13:22:04,000+0200"}),
        ("TM", {"TM": "2018-07-24T13:22:04.000+0200 S"}),
        ("TM", {"TM": "2018-07-24T13:22:04,000Z S"}),
        ("TM", {"TM": "2018-02-30T13:22:04,000+0200 S"}),
        ("TM", {"TM": "2018-07-24T13:22:60,000+0200 S"}),
        ("TM", {"TM": "2018-07-24T13:22:04,000+2500 S"}),
        ("TM", {"TM": "2018-07-24T13:22:04,000+0200 X"}),
        ("TM", {"TM": "1969-12-31T23:59:59,999+0000 S"}),
        ("TM", {"TM": "0001-01-01T00:00:00,000+0200 S"}),
        ("TM", {"TM": "\uff12018-07-24T13:22:04,000+0200 S"}),
        ("TX", {"TX": "Z"}),
        ("TX", {"TX": 1}),
        ("ST", {"ST": None}),
        ("ST", {"ST": "Q"}),
        ("EF", {"EF": "Et?"}),
        ("RT", {"RT": "3P"}),
        ("RI", {"RI": None}),
        ("RI", {"RI": "1" * 51}),
        ("RU", {"RU": None}),
        ("RU", {"RU": "MWh"}),
        ("RV", {"RV": "1.5"}),
        ("RV", {"RV": True}),
        ("RV", {"RV": -0.001}),
        ("RV", {"RV": 0.00000001}),
    ],
)
def test_reading_fields_outside_their_limits_are_named(field: str, reading: dict[str, Any]) -> None:
    with pytest.raises(MessageFieldError) as refused:
        parse(edited(reading=reading))
    assert refused.value.field == f"RD[0].{field}"


def test_fields_of_later_versions_and_of_vendors_are_read_over() -> None:
    assert (
        parse(edited({"FV": "1.9", "ZZ": {"a": [1]}, "CCV": "3"}, {"EI": 1523, "CL": 0.5}, XX=1, SV="y")).page == 1
    )


def test_missing_fields_of_a_reading_are_those_of_the_one_before() -> None:
    rest = [
        f'{{"TM": "{time_text(NOON + 60 * n)}", {fields}}}'
        for n, fields in ((1, '"TX": "C", "RV": 2'), (2, '"RV": 3'))
    ]
    last = f'{{"TM": "{time_text(NOON + 180)}", "TX": "E", "RV": 4, "ST": "F"}}'
    readings = record(1, point(0, "1", "B", RT="AC"), *rest, last).readings
    assert [item.reason for item in readings] == ["B", "C", "C", "E"]
    assert [item.state for item in readings] == ["G", "G", "G", "F"]
    assert {(item.obis, item.current) for item in readings} == {("1-b:1.8.0", "AC")}
    assert [item.register_mwh for item in readings] == [1_000_000, 2_000_000, 3_000_000, 4_000_000]


def test_a_value_and_a_time_are_never_those_of_the_one_before() -> None:
    event = f'{{"TM": "{time_text(NOON + 60)}", "ST": "T"}}'
    assert record(1, point(0, "1"), event).readings[1].register_mwh is None
    with pytest.raises(MessageFieldError, match="TM"):
        record(1, point(0, "1"), '{"RV": 2}')


@pytest.mark.parametrize(
    ("text", "at_ms"),
    [
        ("2027-01-15T12:00:00,000+0000 S", NOON * 1_000),
        ("2027-01-15T14:00:00,250+0200 S", NOON * 1_000 + 250),
        ("2027-01-15T08:30:00,000-0330 S", NOON * 1_000),
        ("2027-01-15T13:00:00,000+01:00 S", NOON * 1_000),
    ],
)
def test_times_are_read_to_the_millisecond_in_any_time_zone(text: str, at_ms: int) -> None:
    assert parse(edited(reading={"TM": text})).readings[0].at_ms == at_ms


@pytest.mark.parametrize(("last", "made_at"), [(900, NOON + 899), (900.001, NOON + 900), (899.999, NOON + 899)])
def test_a_record_is_made_with_its_last_reading_and_one_at_the_end_of_a_slot_in_that_slot(
    last: float, made_at: int
) -> None:
    assert record(1, point(0, "1"), point(last, "2")).statement.made_at == made_at


@pytest.mark.parametrize("clock", Clock)
def test_the_clocks_status_is_read(clock: Clock) -> None:
    assert record(1, point(0, "1", clock=clock.value)).readings[0].clock is clock


# ----------------------------------------------------------------------------------------------- exact registers


@pytest.mark.parametrize(
    ("value", "unit", "mwh"),
    [
        ("0", "kWh", 0),
        ("0.1", "kWh", 100_000),
        ("2935.6", "kWh", 2_935_600_000),
        ("0.000001", "kWh", 1),
        ("1e3", "Wh", 1_000_000),
        ("1.5E-3", "kWh", 1_500),
        ("12345678901234567.891", "Wh", 12_345_678_901_234_567_891),
        ("18446744073709551615.999", "Wh", None),
        ("0.0005", "Wh", None),
        ("1e40", "Wh", None),
        ("1e999999999", "kWh", None),
        ("1e-999999999", "kWh", None),
        ("0." + "0" * 60 + "1", "kWh", None),
    ],
)
def test_registers_are_exact_or_refused(value: str, unit: str, mwh: int | None) -> None:
    payload = payload_text(1, point(0, value, RU=unit))
    if mwh is None:
        with pytest.raises(MessageFieldError, match="RV"):
            parse(sealed(payload))
    else:
        assert parse(sealed(payload)).readings[0].register_mwh == mwh


@given(st.integers(0, MAX_REGISTER_MWH), st.sampled_from([("kWh", 6), ("Wh", 3)]))
def test_every_whole_number_of_mwh_is_read_back_from_its_decimal(mwh: int, unit: tuple[str, int]) -> None:
    name, places = unit
    digits = str(mwh).rjust(places + 1, "0")
    assert register_mwh("RV", Decimal(f"{digits[:-places]}.{digits[-places:]}"), name) == mwh
