"""Private keys, addresses and signatures on secp256k1.

Signatures are deterministic (RFC 6979) and low-s, made by libsecp256k1.
"""

from dataclasses import dataclass, field
from functools import cached_property

from coincurve import PrivateKey, PublicKey
from eth_hash.auto import keccak

from matching.errors import WattbookError

_HALF_CURVE_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


class InvalidSignatureError(WattbookError):
    """A signature that nobody can have made, or in a form that the contracts refuse."""

    code = "signature.invalid"


@dataclass(frozen=True)
class Key:
    """A private key. Its text form never shows the secret."""

    secret: bytes = field(repr=False)

    @cached_property
    def _private(self) -> PrivateKey:
        return PrivateKey(self.secret)

    @cached_property
    def address(self) -> bytes:
        """The account that this key controls."""
        return _address(self._private.public_key)

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte hash: r (32), s (32), v (27 or 28)."""
        signature = self._private.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([27 + signature[64]])


def recover(digest: bytes, signature: bytes) -> bytes:
    """The address whose key signed a 32-byte hash.

    Raises:
        InvalidSignatureError: not 65 bytes, v not 27 or 28, s in the upper half (malleable), or no such point.
    """
    if len(signature) != 65:
        raise InvalidSignatureError(f"signature has {len(signature)} bytes: must be 65")
    if signature[64] not in (27, 28):
        raise InvalidSignatureError(f"signature ends in v = {signature[64]}: must be 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _HALF_CURVE_ORDER:
        raise InvalidSignatureError("signature has s in the upper half of the curve's order: must be low-s")
    try:
        public = PublicKey.from_signature_and_message(
            signature[:64] + bytes([signature[64] - 27]), digest, hasher=None
        )
    except ValueError as error:
        raise InvalidSignatureError(f"signature does not recover to a key: {error}") from error
    return _address(public)


def _address(public: PublicKey) -> bytes:
    return keccak(public.format(compressed=False)[1:])[12:]
