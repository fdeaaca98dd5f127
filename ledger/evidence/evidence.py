"""One piece of evidence: what a device metered in a slot, on whose signed word, whatever the format it came in."""

from dataclasses import dataclass, field
from enum import Enum, IntEnum

from eth_hash.auto import keccak

from ledger.evidence.errors import InvalidEvidenceError
from ledger.evidence.keys import Digest, KeyAlgorithm, MeterKeys
from matching.orders import MAX_TIME
from matching.readings import MAX_DEVICE, MAX_ENERGY_WH

MWH_PER_WH = 1_000
"""Registers are kept in milliwatt-hours (mWh, `_mwh`): finer than any meter, and still integers."""


class Quality(IntEnum):
    """Whether a meter counted the energy, or somebody stood in for it."""

    MEASURED = 0
    SUBSTITUTE = 1


class Clock(Enum):
    """How far a meter's clock could be trusted; the letters are OCMF's (table 19)."""

    UNKNOWN = "U"
    INFORMATIVE = "I"
    SYNCHRONISED = "S"
    RELATIVE = "R"


class Method(IntEnum):
    """How a substitute value came about; see `ledger.evidence.substitutes`."""

    PERSISTENCE = 1
    ZERO = 2
    INTERPOLATION = 3
    HISTORICAL = 4


class Context(Enum):
    """Which of an OCMF meter's two page counters a record is of: readings of transactions, or of the clock."""

    TRANSACTION = "T"
    FISCAL = "F"


@dataclass(frozen=True, slots=True)
class Register:
    """Which register of which OCMF meter: serial numbers (empty if not given), OBIS code, and page counter."""

    gateway_serial: str
    meter_serial: str
    obis: str
    context: Context


@dataclass(frozen=True, slots=True)
class Statement:
    """Something that was signed. Two are equal if they say the same, even if signed anew: ECDSA is randomised.

    Attributes:
        message: the bytes that were signed.
        algorithm: what they were signed with.
        digest: the hash that was signed, for ECDSA.
        made_at: Unix second at which they were signed, or, if they do not tell, the start of their slot.
        signature: 64 bytes for Ed25519, DER for ECDSA.
        source: everything as it was received, signature included.
    """

    message: bytes
    algorithm: KeyAlgorithm
    digest: Digest
    made_at: int
    signature: bytes = field(compare=False)
    source: bytes = field(compare=False)


@dataclass(frozen=True, slots=True)
class Count:
    """What a meter counted: its register before and after, in mWh, and which statements say so.

    Attributes:
        opening_mwh: the register at the start of the slot, or at the first reading in it.
        register_mwh: the register at the end of the slot, or at the last reading in it.
        first_sequence: number of the statement that has the opening register.
        sequence: number of the statement that has the closing register.
        clock: the least trustworthy clock status of the readings it rests on.
        register: which one; None for the compact format, whose meters have one.
    """

    opening_mwh: int
    register_mwh: int
    first_sequence: int
    sequence: int
    clock: Clock = Clock.SYNCHRONISED
    register: Register | None = None

    @property
    def energy_wh(self) -> int:
        """Whole Wh that the register passed.

        A remainder below one Wh stays in the register, and is part of the energy of the slot in which it makes up
        a whole one: the energies of many slots add up to what the register passed over all of them, to the Wh.
        """
        return self.register_mwh // MWH_PER_WH - self.opening_mwh // MWH_PER_WH


@dataclass(frozen=True, slots=True)
class Substitution:
    """How a substitute value was computed, and why it was needed."""

    method: Method
    reason: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """The energy of one device and slot, and what it rests on. Not yet checked; see `ledger.evidence.checks`.

    Made by `compact.of_reading`, `ocmf_slots.extend` and `substitutes.of_substitute`, which read all fields from
    what was signed.

    Attributes:
        device: the device's number in its market.
        slot: start of the delivery period, Unix seconds UTC.
        energy_wh: energy in this slot, Wh.
        basis: a meter's count, or a substitution.
        statements: what was signed, in the order it was signed; at least one.

    Raises:
        InvalidEvidenceError: a field is outside its limits.
    """

    device: int
    slot: int
    energy_wh: int
    basis: Count | Substitution
    statements: tuple[Statement, ...]

    def __post_init__(self) -> None:
        """Check the numbers against their limits, which are those of a leaf's bytes."""
        for name, limit in (("device", MAX_DEVICE), ("slot", MAX_TIME), ("energy_wh", MAX_ENERGY_WH)):
            value: int = getattr(self, name)
            if not 0 <= value <= limit:
                raise InvalidEvidenceError(f"evidence field '{name}' is {value}: must be between 0 and {limit}")
        if not self.statements:
            raise InvalidEvidenceError("evidence field 'statements' is empty: must hold what was signed")

    @property
    def quality(self) -> Quality:
        """Measured, or a substitute."""
        return Quality.MEASURED if isinstance(self.basis, Count) else Quality.SUBSTITUTE

    @property
    def source_hash(self) -> bytes:
        """Keccak-256 over the keccak-256 of each statement's source, in order: 32 bytes."""
        return keccak(b"".join(keccak(statement.source) for statement in self.statements))


@dataclass(frozen=True, slots=True)
class DeviceTerms:
    """What is registered of a device, against which its evidence is checked.

    Attributes:
        chain_id: EIP-155 id of the chain its market is on.
        market: the market's 32-byte id.
        device: the device's number in that market.
        slot_length_s: length of the market's slots, seconds.
        nameplate_w: the most it generates, or its connection carries, W.
        keys: its meter's keys.
        authority: keys of the meter authority, who alone signs substitute values.
        register: the register that counts it, if its meter speaks OCMF.
    """

    chain_id: int
    market: bytes
    device: int
    slot_length_s: int
    nameplate_w: int
    keys: MeterKeys
    authority: MeterKeys
    register: Register | None = None
