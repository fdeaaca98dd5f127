"""Meter keys: the algorithms meters sign with, what the chain keeps of a key, and from when on each is valid."""

from bisect import bisect_right
from dataclasses import dataclass
from enum import Enum, IntEnum
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

from ledger.evidence.errors import InvalidKeyError, SignatureError
from matching.orders import MAX_TIME

ED25519_KEY_BYTES = 32
MAX_KEY_BYTES = 256
"""More than any supported key's SubjectPublicKeyInfo needs (124)."""

MAX_SIGNATURE_BYTES = 128
"""More than any supported signature needs: DER of two 384-bit integers is 104 bytes at most."""


class KeyAlgorithm(IntEnum):
    """What a meter signs with; the numbers are part of what the chain keeps and never change."""

    ED25519 = 0
    SECP256K1 = 1
    SECP256R1 = 2
    SECP384R1 = 3
    BRAINPOOL_P256R1 = 4
    BRAINPOOL_P384R1 = 5


class Digest(Enum):
    """The hash an ECDSA signature is made over. Ed25519 (RFC 8032) has its own and ignores this."""

    SHA256 = "sha256"
    SHA384 = "sha384"


_CURVES: dict[KeyAlgorithm, type[ec.EllipticCurve]] = {
    KeyAlgorithm.SECP256K1: ec.SECP256K1,
    KeyAlgorithm.SECP256R1: ec.SECP256R1,
    KeyAlgorithm.SECP384R1: ec.SECP384R1,
    KeyAlgorithm.BRAINPOOL_P256R1: ec.BrainpoolP256R1,
    KeyAlgorithm.BRAINPOOL_P384R1: ec.BrainpoolP384R1,
}

_HASHES: dict[Digest, type[hashes.HashAlgorithm]] = {Digest.SHA256: hashes.SHA256, Digest.SHA384: hashes.SHA384}


@dataclass(frozen=True, slots=True)
class MeterKey:
    """A public key and its algorithm.

    Attributes:
        algorithm: what it verifies.
        public_key: 32 raw bytes for Ed25519; for ECDSA the DER of a SubjectPublicKeyInfo (RFC 5480) with a named
            curve and an uncompressed point, so that each key has one form, and one hash.

    Raises:
        InvalidKeyError: the bytes are no such key.
    """

    algorithm: KeyAlgorithm
    public_key: bytes

    def __post_init__(self) -> None:
        """Check that the bytes are a key of the algorithm, in its one form."""
        if not isinstance(self.algorithm, KeyAlgorithm):
            raise InvalidKeyError(f"key field 'algorithm' is {self.algorithm!r}: must be a KeyAlgorithm")
        if not isinstance(self.public_key, bytes):
            raise InvalidKeyError(
                f"key field 'public_key' is of type {type(self.public_key).__name__}: must be bytes"
            )
        if self.algorithm is not KeyAlgorithm.ED25519:
            _ecdsa_key(self.algorithm, self.public_key)
        elif len(self.public_key) != ED25519_KEY_BYTES:
            raise InvalidKeyError(
                f"key field 'public_key' is {len(self.public_key)} bytes long: must be {ED25519_KEY_BYTES}"
            )

    @property
    def on_chain(self) -> bytes:
        """The 32 bytes that the chain keeps of it: the raw Ed25519 key, or SHA-256 of the DER of an ECDSA key."""
        return self.public_key if self.algorithm is KeyAlgorithm.ED25519 else sha256(self.public_key).digest()

    def verify(self, message: bytes, signature: bytes, digest: Digest = Digest.SHA256) -> None:
        """Return if `signature` is this key's signature of `message`: 64 bytes for Ed25519, DER (r, s) for ECDSA.

        Raises:
            SignatureError: it is not.
        """
        if len(signature) > MAX_SIGNATURE_BYTES:
            raise SignatureError(f"signature is {len(signature)} bytes long: at most {MAX_SIGNATURE_BYTES}")
        try:
            if self.algorithm is KeyAlgorithm.ED25519:
                Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
            else:
                key = _ecdsa_key(self.algorithm, self.public_key)
                key.verify(signature, message, ec.ECDSA(_HASHES[digest]()))
        except InvalidSignature as error:
            raise SignatureError(
                f"signature is not by the {self.algorithm.name} key {self.on_chain.hex()} over this message"
            ) from error


@dataclass(frozen=True, slots=True)
class MeterKeys:
    """A device's keys one after another: each is valid from its second on until the next one's.

    Attributes:
        spans: (from_slot, key) in ascending order of `from_slot`, Unix seconds UTC; None as key: none is valid
            from then on, because the device was retired or its key was lost.

    Raises:
        InvalidKeyError: they are not in ascending order, or a time is outside its limits.
    """

    spans: tuple[tuple[int, MeterKey | None], ...]

    def __post_init__(self) -> None:
        """Check the order of the keys."""
        previous = -1
        for from_slot, _ in self.spans:
            if not previous < from_slot <= MAX_TIME:
                raise InvalidKeyError(
                    f"key field 'from_slot' is {from_slot}: must be above {previous} and at most {MAX_TIME}"
                )
            previous = from_slot

    def at(self, slot: int) -> MeterKey | None:
        """The key that is valid at a Unix second; None if there is none."""
        index = bisect_right(self.spans, slot, key=lambda span: span[0])
        return self.spans[index - 1][1] if index else None


@lru_cache(maxsize=4_096)
def _ecdsa_key(algorithm: KeyAlgorithm, der: bytes) -> ec.EllipticCurvePublicKey:
    # Cached, because to load a key takes as long as to verify a signature.
    if len(der) > MAX_KEY_BYTES:
        raise InvalidKeyError(f"key field 'public_key' is {len(der)} bytes long: at most {MAX_KEY_BYTES}")
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise InvalidKeyError(f"key field 'public_key' is {der.hex()}: no DER SubjectPublicKeyInfo") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES[algorithm]):
        raise InvalidKeyError(f"key field 'public_key' is {der.hex()}: not a key on {algorithm.name}")
    if key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) != der:
        raise InvalidKeyError(
            f"key field 'public_key' is {der.hex()}: must name its curve, and its point must not be compressed"
        )
    return key
