"""Substitute values: what stands in for a meter that is silent, and who vouches for it.

A silent meter must not hold its slot for ever. Once `due_at` is past, the meter authority may sign a substitute
value, computed by one of the methods here, and the slot goes on with that. It is flagged for good
(`Quality.SUBSTITUTE`, in the leaf of the day's tree too), and names its method and its reason. No substitute is
computed from a substitute: a meter that is silent for weeks is not taken to generate what it did on its last good
day.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from ledger.evidence.errors import ForeignDeviceError, SubstituteError
from ledger.evidence.evidence import MWH_PER_WH, DeviceTerms, Evidence, Method, Statement, Substitution
from ledger.evidence.keys import Digest, KeyAlgorithm
from matching.orders import MARKET_BYTES, MAX_TIME
from matching.readings import MAX_CHAIN_ID, MAX_DEVICE, MAX_ENERGY_WH

DOMAIN_TAG = b"wattbook.substitute/1"
"""First bytes of what an authority signs, so that its signature is valid for nothing else."""

MAX_REASON_BYTES = 200
DAY_S = 86_400

_LAYOUT = struct.Struct(f">{len(DOMAIN_TAG)}sQ{MARKET_BYTES}sQQIB")


class Signer(Protocol):
    """The meter authority's private key, e.g. an `Ed25519PrivateKey`."""

    def sign(self, data: bytes, /) -> bytes:
        """The signature of some bytes, as `MeterKey.verify` checks it."""


@dataclass(frozen=True, slots=True)
class Substitute:
    """A substitute value for one device and slot.

    Attributes:
        chain_id: EIP-155 id of the chain the market is on.
        market: the market's 32-byte id.
        device: the device's number in that market.
        slot: start of the delivery period, Unix seconds UTC.
        energy_wh: the energy that is taken to have been metered, Wh.
        method: how it was computed.
        reason: why it was needed, for people; printable, 1 to `MAX_REASON_BYTES` bytes of UTF-8.

    Raises:
        SubstituteError: a field is outside its limits.
    """

    chain_id: int
    market: bytes
    device: int
    slot: int
    energy_wh: int
    method: Method
    reason: str

    def __post_init__(self) -> None:
        """Check every field against its limits."""
        limits = {"chain_id": MAX_CHAIN_ID, "device": MAX_DEVICE, "slot": MAX_TIME, "energy_wh": MAX_ENERGY_WH}
        for name, limit in limits.items():
            if not 0 <= getattr(self, name) <= limit:
                raise SubstituteError(
                    f"substitute field '{name}' is {getattr(self, name)}: must be between 0 and {limit}"
                )
        if len(self.market) != MARKET_BYTES:
            raise SubstituteError(f"substitute field 'market' is {len(self.market)} bytes: must be {MARKET_BYTES}")
        if not isinstance(self.method, Method):
            raise SubstituteError(f"substitute field 'method' is {self.method!r}: must be a Method")
        if not self.reason.isprintable() or not 1 <= len(self.reason.encode()) <= MAX_REASON_BYTES:
            raise SubstituteError(
                f"substitute field 'reason' is {self.reason[:80]!r}: must be printable, 1 to {MAX_REASON_BYTES} B"
            )

    def signing_bytes(self) -> bytes:
        """The bytes the authority signs: domain tag, then the fields in order, big-endian.

        Lengths: tag 21, chain_id 8, market 32, device 8, slot 8, energy_wh 4, method 1, and the reason's UTF-8 to
            the
        end. No two substitutes have the same bytes.
        """
        fixed = _LAYOUT.pack(
            DOMAIN_TAG, self.chain_id, self.market, self.device, self.slot, self.energy_wh, self.method
        )
        return fixed + self.reason.encode()

    def sign(self, key: "Signer") -> "SignedSubstitute":
        """Sign it as the meter authority."""
        return SignedSubstitute(self, key.sign(self.signing_bytes()))


@dataclass(frozen=True, slots=True)
class SignedSubstitute:
    """A substitute value and its authority's signature, not yet verified."""

    substitute: Substitute
    signature: bytes


def of_substitute(signed: SignedSubstitute, terms: DeviceTerms) -> Evidence:
    """The evidence that a substitute value is. Its source bytes are its signing bytes and the signature.

    Raises:
        ForeignDeviceError: it is of another chain, market or device.
    """
    value = signed.substitute
    for name in ("chain_id", "market", "device"):
        if getattr(value, name) != getattr(terms, name):
            raise ForeignDeviceError(
                f"substitute field '{name}' is {getattr(value, name)!r}: must be {getattr(terms, name)!r}"
            )
    key = terms.authority.at(value.slot)
    message = value.signing_bytes()
    statement = Statement(
        message=message,
        # The bytes do not name an algorithm: it is that of the authority's key. Without one, the check fails.
        algorithm=key.algorithm if key else KeyAlgorithm.ED25519,
        digest=Digest.SHA256,
        made_at=value.slot,
        signature=signed.signature,
        source=message + signed.signature,
    )
    return Evidence(
        value.device, value.slot, value.energy_wh, Substitution(value.method, value.reason), (statement,)
    )


def due_at(slot: int, slot_length_s: int, patience_s: int) -> int:
    """The Unix second from which a substitute value may stand in for a reading of this slot."""
    return slot + slot_length_s + patience_s


def propose(slot: int, *, generates: bool, measured_wh: Mapping[int, int]) -> tuple[Method, int]:
    """The method and energy, Wh, to stand in for a silent meter.

    Generation is taken to be zero, so that nothing is certified that nobody metered. Consumption is what it was a
    day before, or zero if that was not measured either. `measured_wh` has the device's measured energies by slot,
    without substitutes.
    """
    if not generates and slot - DAY_S in measured_wh:
        return Method.PERSISTENCE, persistence(slot, measured_wh)
    return Method.ZERO, 0


def persistence(slot: int, measured_wh: Mapping[int, int]) -> int:
    """The measured energy of the same slot of the day before, Wh.

    Raises:
        SubstituteError: that slot was not measured.
    """
    if slot - DAY_S not in measured_wh:
        raise SubstituteError(f"slot {slot} has no persistence value: slot {slot - DAY_S} was not measured")
    return measured_wh[slot - DAY_S]


def interpolation(
    *, from_ms: int, from_mwh: int, to_ms: int, to_mwh: int, slot_length_s: int, most_slots: int = 10_000
) -> dict[int, int]:
    """What a register passed between two readings, spread evenly over the time between, by slot, Wh.

    The register is taken to have risen in a straight line; each slot gets the whole Wh it passed in it, so that
    they add up to what was counted. Times are Unix milliseconds.

    Raises:
        SubstituteError: the readings are not one after the other, or more than `most_slots` slots apart.
    """
    length_ms = slot_length_s * 1_000
    if not (from_ms < to_ms and from_mwh <= to_mwh):
        raise SubstituteError(
            f"readings of {from_mwh} mWh at {from_ms} ms and {to_mwh} mWh at {to_ms} ms: the second must be later "
            "and not lower"
        )
    first, last = from_ms // length_ms, (to_ms - 1) // length_ms
    if last - first >= most_slots:
        raise SubstituteError(
            f"readings are {last - first + 1} slots apart: at most {most_slots} are interpolated"
        )
    energies_wh = {}
    register_mwh = from_mwh
    for index in range(first, last + 1):
        ends_ms = min((index + 1) * length_ms, to_ms)
        next_mwh = from_mwh + (to_mwh - from_mwh) * (ends_ms - from_ms) // (to_ms - from_ms)
        energies_wh[index * slot_length_s] = next_mwh // MWH_PER_WH - register_mwh // MWH_PER_WH
        register_mwh = next_mwh
    return energies_wh
