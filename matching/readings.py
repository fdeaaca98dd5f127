"""What a meter says of one device and slot: its fields, its bytes, and the check of its signature."""

import struct
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from matching.errors import WattbookError
from matching.orders import MARKET_BYTES, MAX_TIME

DOMAIN_TAG = b"wattbook.reading/1"
"""First bytes of everything a meter signs, so that a reading's signature is valid for nothing else."""

PUBLIC_KEY_BYTES = 32
SIGNATURE_BYTES = 64

MAX_CHAIN_ID = 2**64 - 1
MAX_DEVICE = 2**64 - 1
MAX_ENERGY_WH = 2**32 - 1
MAX_REGISTER_WH = 2**64 - 1
MAX_SEQUENCE = 2**64 - 1

_LAYOUT = struct.Struct(f">{len(DOMAIN_TAG)}sQ{MARKET_BYTES}sQQIQQ")

SIGNING_BYTES = _LAYOUT.size
"""Length of every reading's signing bytes."""


class InvalidReadingError(WattbookError):
    """A reading's field is outside its limits.

    Attributes:
        field: the name of the field.
    """

    code = "reading.invalid"

    def __init__(self, field: str, value: object, limit: str) -> None:
        super().__init__(f"reading field '{field}' is {value!r}: {limit}")
        self.field = field


class ReadingSignatureError(WattbookError):
    """A signature is not the named meter's signature of this reading."""

    code = "reading.signature"


class ReadingContinuityError(WattbookError):
    """A reading does not go on where the meter's previous one stopped: one is missing, repeated or altered.

    Attributes:
        field: the name of the field that does not fit.
    """

    code = "reading.continuity"

    def __init__(self, field: str, value: object, expected: str) -> None:
        super().__init__(f"reading field '{field}' is {value!r}: must be {expected}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Reading:
    """The energy that one device's meter counted in one slot.

    A meter counts in one direction: whether its energy is consumption or generation is known of the registered
    device and not said again in each reading.

    Attributes:
        chain_id: EIP-155 id of the chain the market is on.
        market: the market's 32-byte id.
        device: the device's number in that market.
        slot: start of the delivery period, Unix seconds UTC.
        energy_wh: energy in this slot, Wh.
        register_wh: everything the meter ever counted, this slot included, Wh.
        sequence: how many readings the meter ever took, this one included.

    Raises:
        InvalidReadingError: a field is outside its limits.
    """

    chain_id: int
    market: bytes
    device: int
    slot: int
    energy_wh: int
    register_wh: int
    sequence: int

    def __post_init__(self) -> None:
        """Check every field against its limits."""
        if not isinstance(self.market, bytes) or len(self.market) != MARKET_BYTES:
            raise InvalidReadingError("market", self.market, f"must be {MARKET_BYTES} bytes")
        _check_range("chain_id", self.chain_id, 0, MAX_CHAIN_ID)
        _check_range("device", self.device, 0, MAX_DEVICE)
        _check_range("slot", self.slot, 0, MAX_TIME)
        _check_range("energy_wh", self.energy_wh, 0, MAX_ENERGY_WH)
        _check_range("register_wh", self.register_wh, self.energy_wh, MAX_REGISTER_WH)
        _check_range("sequence", self.sequence, 1, MAX_SEQUENCE)

    def signing_bytes(self) -> bytes:
        """The bytes a meter signs: domain tag, then the fields in order, big-endian and of fixed length.

        Lengths: tag 18, chain_id 8, market 32, device 8, slot 8, energy_wh 4, register_wh 8, sequence 8; together
        94 bytes. No two readings have the same bytes.
        """
        return _LAYOUT.pack(
            DOMAIN_TAG,
            self.chain_id,
            self.market,
            self.device,
            self.slot,
            self.energy_wh,
            self.register_wh,
            self.sequence,
        )

    def verify(self, public_key: bytes, signature: bytes) -> None:
        """Return if `signature` is the Ed25519 signature (RFC 8032) of this reading by the key's meter.

        Raises:
            ReadingSignatureError: it is not, or key or signature are malformed.
        """
        if len(public_key) != PUBLIC_KEY_BYTES:
            raise ReadingSignatureError(f"public key is {len(public_key)} bytes long: must be {PUBLIC_KEY_BYTES}")
        if len(signature) != SIGNATURE_BYTES:
            raise ReadingSignatureError(f"signature is {len(signature)} bytes long: must be {SIGNATURE_BYTES}")
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, self.signing_bytes())
        except InvalidSignature as error:
            raise ReadingSignatureError(
                f"signature of device {self.device}, slot {self.slot} is not by key {public_key.hex()}"
            ) from error

    def check_follows(self, previous: "Reading") -> None:
        """Return if this is the reading after `previous`, so that nothing was counted in between.

        Raises:
            ReadingContinuityError: another chain, market or device; not a later slot; or sequence or register
                do not go on from the previous reading's.
        """
        for field in ("chain_id", "market", "device"):
            if getattr(self, field) != getattr(previous, field):
                raise ReadingContinuityError(field, getattr(self, field), repr(getattr(previous, field)))
        if self.slot <= previous.slot:
            raise ReadingContinuityError("slot", self.slot, f"later than {previous.slot}")
        if self.sequence != previous.sequence + 1:
            raise ReadingContinuityError("sequence", self.sequence, f"{previous.sequence + 1}")
        register_wh = previous.register_wh + self.energy_wh
        if self.register_wh != register_wh:
            raise ReadingContinuityError("register_wh", self.register_wh, f"{register_wh}")


@dataclass(frozen=True, slots=True)
class SignedReading:
    """A reading and its meter's 64-byte Ed25519 signature, not yet verified."""

    reading: Reading
    signature: bytes


def _check_range(field: str, value: object, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidReadingError(field, value, "must be an integer")
    if not low <= value <= high:
        raise InvalidReadingError(field, value, f"must be between {low} and {high}")
