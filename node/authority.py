"""The meter authority, who stands in for silent meters, with the same key that it delivers readings with."""

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.evidence.keys import KeyAlgorithm, MeterKey, MeterKeys
from ledger.keys import Key


class MeterAuthority:
    """Signs substitute values.

    Whoever knows a market's meter authority, by its address, can tell from the public key (secp256k1) whether a
    substitute value is its word.
    """

    def __init__(self, key: Key) -> None:
        self._key = ec.derive_private_key(int.from_bytes(key.secret), ec.SECP256K1())

    @property
    def keys(self) -> MeterKeys:
        """Its public key, valid from the first second on."""
        der = self._key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return MeterKeys(((0, MeterKey(KeyAlgorithm.SECP256K1, der)),))

    def sign(self, data: bytes, /) -> bytes:
        """The signature of some bytes: ECDSA over SHA-256, DER."""
        return self._key.sign(data, ec.ECDSA(hashes.SHA256()))
