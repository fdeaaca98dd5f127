import json
from base64 import urlsafe_b64decode
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import OKPKey
from joserfc.registry import HeaderParameter

from ledger.eip712 import Domain
from ledger.keys import Key
from ledger.statements.errors import InvalidStatementError, StatementSignatureError
from ledger.statements.signing import MAX_TOKEN_BYTES, StatementKey, endorse, opened, public_key_of, sign
from tests.ledger.statements.samples import (
    ISSUER,
    POINT,
    SECRET,
    disclosure_statement,
    encoded,
    key_for,
    retirement_statement,
    signed,
)

TOKEN = signed().token.encode()


def decoded(part: bytes) -> Any:
    return json.loads(urlsafe_b64decode(part + b"=="))


def resigned(change_header: Callable[[Any], Any], change_payload: Callable[[bytes], bytes] = bytes) -> bytes:
    """The sample token with other contents, signed by the same statement key."""
    head, body, _ = TOKEN.split(b".")
    content = (
        encoded(change_header(decoded(head))) + b"." + encoded(change_payload(urlsafe_b64decode(body + b"==")))
    )
    return content + b"." + encoded(Ed25519PrivateKey.from_private_bytes(SECRET).sign(content))


@pytest.mark.parametrize("statement", [retirement_statement(), disclosure_statement()])
def test_a_signed_statement_reads_as_it_was_and_signs_the_same_again(statement):
    made = sign(statement, key_for())
    assert opened(made.token.encode()) == made
    assert made.statement == statement
    assert made.endorser == ISSUER.address
    assert sign(statement, key_for()).token == made.token
    assert made.digest == sha256(urlsafe_b64decode(made.token.split(".")[1] + "==")).digest()


def test_any_other_program_can_check_the_signature():
    header = decoded(TOKEN.split(b".")[0])
    assert (header["alg"], header["jwk"]["crv"], header["typ"]) == ("Ed25519", "Ed25519", "wattbook-statement")
    key = OKPKey.import_key(header["jwk"])
    assert key.thumbprint() == header["kid"]  # RFC 7638

    registry = jws.JWSRegistry({"endorsement": HeaderParameter("", "str")}, ["Ed25519"])
    registry.max_header_length = 1_024
    assert jws.deserialize_compact(TOKEN, key, registry=registry).payload


@given(st.integers(0, len(TOKEN) - 1), st.integers(0, 255))
def test_no_byte_of_a_signed_statement_can_be_changed(place, byte):
    changed = TOKEN[:place] + bytes([byte]) + TOKEN[place + 1 :]
    if changed != TOKEN:
        with pytest.raises((InvalidStatementError, StatementSignatureError)):
            opened(changed)


@given(st.integers(0, len(TOKEN)), st.binary(min_size=1, max_size=3))
def test_nothing_can_be_put_into_a_signed_statement(place, more):
    with pytest.raises((InvalidStatementError, StatementSignatureError)):
        opened(TOKEN[:place] + more + TOKEN[place:])


@given(st.integers(0, len(TOKEN) - 1))
def test_nothing_can_be_cut_off_a_signed_statement(length):
    with pytest.raises((InvalidStatementError, StatementSignatureError)):
        opened(TOKEN[:length])


@given(st.binary(max_size=200))
def test_anything_else_is_no_statement(data):
    with pytest.raises(InvalidStatementError):
        opened(data)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda header: header | {"alg": "none"}, "is not that of a statement"),
        (lambda header: header | {"alg": "EdDSA"}, "is not that of a statement"),
        (lambda header: header | {"typ": "JWT"}, "is not that of a statement"),
        (lambda header: header | {"kid": "other"}, "is not that of a statement"),
        (lambda header: header | {"crit": ["b64"], "b64": False}, "other fields"),
        (lambda header: header | {"more": 1}, "other fields"),
        (lambda header: {name: header[name] for name in header if name != "kid"}, "other fields"),
        (lambda header: header | {"endorsement": 5}, "must be 0x"),
        (lambda header: header | {"jwk": []}, "must be an object"),
        (lambda header: header | {"jwk": header["jwk"] | {"x": "AAAA"}}, "is not a signed statement"),
        (lambda header: header | {"jwk": header["jwk"] | {"d": "secret"}}, "other fields"),
        (lambda header: dict(reversed(header.items())), "is not written as"),
        (lambda _: [["alg"]], "is not a signed statement"),
        (lambda _: [[[[[[[[[[]]]]]]]]]], "is not a signed statement"),
    ],
)
def test_a_header_that_is_not_a_statements_is_refused(change, message):
    with pytest.raises(InvalidStatementError, match=message):
        opened(resigned(change))


@pytest.mark.parametrize(
    "change",
    [
        lambda payload: payload.replace(b":", b": ", 1),
        lambda payload: payload.replace(b'"total_wh":', b'"total_wh":1,"total_wh":'),
        lambda payload: payload.replace(b'"format"', b'"fo\\u0072mat"'),
        lambda payload: payload.replace(b'"total_wh":4006', b'"total_wh":4006.0'),
        lambda payload: payload.replace(b'"total_wh":4006', b'"total_wh":4.006e3'),
        lambda payload: payload + b"\n",
        lambda payload: b"\xef\xbb\xbf" + payload,
    ],
)
def test_the_same_statement_in_other_words_is_refused(change):
    with pytest.raises(InvalidStatementError):
        opened(resigned(dict, change))


def test_a_key_that_somebody_else_endorsed_is_named_with_its_endorser():
    other = Key(b"\x09" * 32)
    key = key_for(issuer=other)
    with pytest.raises(StatementSignatureError, match=other.address.hex()):
        sign(retirement_statement(), key)
    assert sign(replace(retirement_statement(), issuer=other.address), key).endorser == other.address


@pytest.mark.parametrize("point", [replace(POINT, chain_id=1), replace(POINT, devices=b"\x0f" * 20)])
def test_an_endorsement_counts_for_one_chain_and_one_registry_only(point):
    with pytest.raises(StatementSignatureError):
        sign(replace(retirement_statement(), chain=point), key_for())


def test_an_endorsement_that_nobody_can_have_made_is_refused():
    with pytest.raises(StatementSignatureError, match="nobody endorsed"):
        sign(retirement_statement(), StatementKey(SECRET, bytes(65)))


def test_an_endorsement_is_an_eip_712_signature():
    from eth_account import Account
    from eth_account.messages import encode_typed_data

    message = encode_typed_data(
        full_message={
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"},
                    {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"},
                    {"name": "verifyingContract", "type": "address"},
                ],
                "StatementKey": [{"name": "key", "type": "bytes32"}],
            },
            "primaryType": "StatementKey",
            "domain": Domain(1337, POINT.devices).typed_data(),
            "message": {"key": public_key_of(SECRET)},
        }
    )
    made = endorse(ISSUER, public_key_of(SECRET), chain_id=1337, devices=POINT.devices)
    assert Account.recover_message(message, signature=made) == Account.from_key(ISSUER.secret).address


def test_a_statement_that_is_too_long_is_refused_before_it_is_read():
    with pytest.raises(InvalidStatementError, match=f"at most {MAX_TOKEN_BYTES}"):
        opened(b"e" * (MAX_TOKEN_BYTES + 1))


def test_a_statement_key_does_not_show_its_secret():
    assert SECRET.hex() not in repr(key_for())
    assert repr(SECRET) not in repr(key_for())
