"""Meter keys: every algorithm verifies its own signatures, has one form and one word on chain, and a time."""

from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.evidence.errors import InvalidKeyError, SignatureError
from ledger.evidence.keys import Digest, KeyAlgorithm, MeterKey, MeterKeys
from matching.orders import MAX_TIME
from tests.ledger.evidence.makers import CURVES, METER, STRANGER, ecdsa_key, ed25519_key

MESSAGE = b"what a meter signs"

each_curve = pytest.mark.parametrize("algorithm", CURVES)


def test_the_numbers_of_the_algorithms_are_those_on_chain() -> None:
    assert [(algorithm.name, algorithm.value) for algorithm in KeyAlgorithm] == [
        ("ED25519", 0),
        ("SECP256K1", 1),
        ("SECP256R1", 2),
        ("SECP384R1", 3),
        ("BRAINPOOL_P256R1", 4),
        ("BRAINPOOL_P384R1", 5),
    ]


def test_an_ed25519_key_verifies_its_signature_and_no_other() -> None:
    key = ed25519_key(METER)
    key.verify(MESSAGE, METER.sign(MESSAGE))
    for message, signature in (
        (MESSAGE + b".", METER.sign(MESSAGE)),
        (MESSAGE, STRANGER.sign(MESSAGE)),
        (MESSAGE, b""),
    ):
        with pytest.raises(SignatureError):
            key.verify(message, signature)


@each_curve
@pytest.mark.parametrize(
    ("digest", "hashed"), [(Digest.SHA256, hashes.SHA256()), (Digest.SHA384, hashes.SHA384())]
)
def test_an_ecdsa_key_verifies_its_signature_over_the_digest_that_was_used(
    algorithm: KeyAlgorithm, digest: Digest, hashed: hashes.HashAlgorithm
) -> None:
    private = ec.generate_private_key(CURVES[algorithm])
    key, signature = ecdsa_key(algorithm, private), private.sign(MESSAGE, ec.ECDSA(hashed))
    key.verify(MESSAGE, signature, digest)
    other = Digest.SHA384 if digest is Digest.SHA256 else Digest.SHA256
    for message, said in ((MESSAGE, other), (MESSAGE + b".", digest)):
        with pytest.raises(SignatureError):
            key.verify(message, signature, said)


@each_curve
def test_malformed_signatures_are_refused_as_signatures(algorithm: KeyAlgorithm) -> None:
    key = ecdsa_key(algorithm, ec.generate_private_key(CURVES[algorithm]))
    for signature in (b"", b"\x30\x00", b"\x00" * 64, b"\x30" * 200):
        with pytest.raises(SignatureError):
            key.verify(MESSAGE, signature)


@each_curve
def test_the_chain_keeps_the_hash_of_an_ecdsa_key(algorithm: KeyAlgorithm) -> None:
    key = ecdsa_key(algorithm, ec.generate_private_key(CURVES[algorithm]))
    assert key.on_chain == sha256(key.public_key).digest()


def test_the_chain_keeps_an_ed25519_key_as_it_is() -> None:
    assert ed25519_key(METER).on_chain == METER.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@each_curve
def test_a_key_of_one_curve_is_none_of_another(algorithm: KeyAlgorithm) -> None:
    der = ecdsa_key(algorithm, ec.generate_private_key(CURVES[algorithm])).public_key
    for other in set(CURVES) - {algorithm}:
        with pytest.raises(InvalidKeyError):
            MeterKey(other, der)


@each_curve
def test_a_compressed_point_would_give_the_key_a_second_hash(algorithm: KeyAlgorithm) -> None:
    public = ec.generate_private_key(CURVES[algorithm]).public_key()
    whole = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    point, compressed = (
        public.public_bytes(Encoding.X962, form)
        for form in (PublicFormat.UncompressedPoint, PublicFormat.CompressedPoint)
    )
    # The same structure around the shorter point.
    body = whole[2 : -len(point)] if whole[1] < 0x80 else whole[3 : -len(point)]
    shorter = body[:-2] + bytes([len(compressed) + 1, 0]) + compressed
    with pytest.raises(InvalidKeyError, match="compressed"):
        MeterKey(algorithm, bytes([0x30, len(shorter)]) + shorter)


def test_bytes_that_are_no_key_are_refused() -> None:
    rsa_key = rsa.generate_private_key(65_537, 2_048).public_key()
    der = rsa_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    for algorithm, data in (
        (KeyAlgorithm.ED25519, b"\x01" * 31),
        (
            KeyAlgorithm.ED25519,
            ecdsa_key(KeyAlgorithm.SECP256K1, ec.generate_private_key(ec.SECP256K1())).public_key,
        ),
        (KeyAlgorithm.SECP256K1, b""),
        (KeyAlgorithm.SECP256K1, b"\x30" * 1_000),
        (KeyAlgorithm.SECP256K1, der),
        (KeyAlgorithm.SECP256K1, ed25519_key(METER).public_key),
    ):
        with pytest.raises(InvalidKeyError):
            MeterKey(algorithm, data)


@pytest.mark.parametrize("fields", [(KeyAlgorithm.ED25519, bytearray(32)), (0, bytes(32)), (9, bytes(32))])
def test_fields_of_another_type_are_refused(fields: tuple[Any, Any]) -> None:
    with pytest.raises(InvalidKeyError):
        MeterKey(*fields)


def test_a_key_is_valid_from_its_second_to_the_next_ones() -> None:
    first, second = ed25519_key(METER), ed25519_key(STRANGER)
    keys = MeterKeys(((900, first), (1_800, second), (2_700, None)))
    at = [keys.at(slot) for slot in (0, 899, 900, 1_799, 1_800, 2_699, 2_700, MAX_TIME)]
    assert at == [None, None, first, first, second, second, None, None]
    assert MeterKeys(()).at(0) is None
    assert MeterKeys(((MAX_TIME, first),)).at(MAX_TIME) is first


def test_keys_come_in_ascending_order() -> None:
    key = ed25519_key(METER)
    for spans in (((900, key), (900, None)), ((900, key), (0, None)), ((-1, key),), ((MAX_TIME + 1, key),)):
        with pytest.raises(InvalidKeyError):
            MeterKeys(spans)
