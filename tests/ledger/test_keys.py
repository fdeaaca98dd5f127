"""Signatures: made low-s, and refused in every form that the contracts would refuse."""

import contextlib

import pytest
from eth_account import Account
from hypothesis import given
from hypothesis import strategies as st

from ledger.keys import InvalidSignatureError, Key, recover
from tests.ledger.orders import keys

CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
HALF = CURVE_ORDER // 2
KEY = Key(b"\x01" * 32)
DIGEST = bytes(range(32))
SIGNATURE = KEY.sign(DIGEST)
R, S = SIGNATURE[:32], int.from_bytes(SIGNATURE[32:64], "big")

digests = st.binary(min_size=32, max_size=32)


def word(value: int) -> bytes:
    return value.to_bytes(32, "big")


@given(keys, digests)
def test_a_signature_recovers_to_its_signer(key: Key, digest: bytes) -> None:
    signature = key.sign(digest)
    assert recover(digest, signature) == key.address
    assert int.from_bytes(signature[32:64], "big") <= HALF
    assert signature == key.sign(digest)


@given(keys, digests)
def test_keys_and_signatures_are_as_eth_account_makes_them(key: Key, digest: bytes) -> None:
    account = Account.from_key(key.secret)
    assert bytes.fromhex(account.address[2:]) == key.address
    assert bytes(account.unsafe_sign_hash(digest).signature) == key.sign(digest)


@given(keys, digests, digests)
def test_a_signature_of_something_else_recovers_to_somebody_else(key: Key, signed: bytes, other: bytes) -> None:
    if signed != other:
        assert recover(other, key.sign(signed)) != key.address


@pytest.mark.parametrize("length", [0, 1, 64, 66, 130])
def test_a_signature_has_65_bytes(length: int) -> None:
    with pytest.raises(InvalidSignatureError, match=f"has {length} bytes: must be 65"):
        recover(DIGEST, (SIGNATURE * 2)[:length])


@pytest.mark.parametrize("v", [v for v in range(256) if v not in (27, 28)])
def test_a_signature_ends_in_27_or_28(v: int) -> None:
    with pytest.raises(InvalidSignatureError, match=f"v = {v}:"):
        recover(DIGEST, SIGNATURE[:64] + bytes([v]))


def test_the_mirror_image_of_a_signature_is_refused() -> None:
    mirrored = R + word(CURVE_ORDER - S) + bytes([55 - SIGNATURE[64]])
    with pytest.raises(InvalidSignatureError, match="low-s"):
        recover(DIGEST, mirrored)


def test_s_may_be_half_of_the_curves_order_and_no_more() -> None:
    assert len(recover(DIGEST, R + word(HALF) + b"\x1b")) == 20
    with pytest.raises(InvalidSignatureError, match="low-s"):
        recover(DIGEST, R + word(HALF + 1) + b"\x1b")


@pytest.mark.parametrize(
    "scalars",
    [
        bytes(64),
        R + bytes(32),
        bytes(32) + word(S),
        word(CURVE_ORDER) + word(S),
        b"\xff" * 32 + word(S),
        word(5) + word(S),  # no point of the curve has x = 5
    ],
    ids=["zero", "s = 0", "r = 0", "r = n", "r = 2**256 - 1", "not on the curve"],
)
@pytest.mark.parametrize("v", [27, 28])
def test_a_signature_that_nobody_can_have_made_is_refused(scalars: bytes, v: int) -> None:
    with pytest.raises(InvalidSignatureError, match="does not recover"):
        recover(DIGEST, scalars + bytes([v]))


@given(st.binary(max_size=80), digests)
def test_whatever_comes_either_recovers_or_is_refused(signature: bytes, digest: bytes) -> None:
    with contextlib.suppress(InvalidSignatureError):
        assert len(recover(digest, signature)) == 20


@pytest.mark.parametrize("length", [0, 31, 33])
def test_only_hashes_are_signed_and_recovered(length: int) -> None:
    with pytest.raises(InvalidSignatureError):
        recover(bytes(length), SIGNATURE)
    with pytest.raises(ValueError, match="32 bytes"):
        KEY.sign(bytes(length))


def test_a_key_never_shows_its_secret() -> None:
    assert "0101" not in repr(KEY)
    assert "\\x01" not in repr(KEY)
    assert "\\x01" not in str(KEY)
