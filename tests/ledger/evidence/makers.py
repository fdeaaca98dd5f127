"""Meters, an authority and a shelf for tests: real keys, real signatures."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.evidence.batch import DeviceState
from ledger.evidence.checks import Position, check, check_record
from ledger.evidence.compact import of_reading
from ledger.evidence.evidence import Context, DeviceTerms, Evidence, Method, Register
from ledger.evidence.keys import KeyAlgorithm, MeterKey, MeterKeys
from ledger.evidence.ocmf import Record, parse
from ledger.evidence.ocmf_slots import Progress, extend
from ledger.evidence.substitutes import SignedSubstitute, Substitute, of_substitute
from matching.readings import Reading, SignedReading

CHAIN_ID = 1337
MARKET = b"\x11" * 32
SLOT_S = 900
DAY_S = 86_400
NOON = 1_800_014_400
"""A slot: 2027-01-15 12:00 UTC."""

METER = Ed25519PrivateKey.from_private_bytes(b"\x01" * 32)
AUTHORITY = Ed25519PrivateKey.from_private_bytes(b"\x02" * 32)
STRANGER = Ed25519PrivateKey.from_private_bytes(b"\x03" * 32)

CURVES: dict[KeyAlgorithm, ec.EllipticCurve] = {
    KeyAlgorithm.SECP256K1: ec.SECP256K1(),
    KeyAlgorithm.SECP256R1: ec.SECP256R1(),
    KeyAlgorithm.SECP384R1: ec.SECP384R1(),
    KeyAlgorithm.BRAINPOOL_P256R1: ec.BrainpoolP256R1(),
    KeyAlgorithm.BRAINPOOL_P384R1: ec.BrainpoolP384R1(),
}
CHARGER = ec.derive_private_key(0xC0FFEE, ec.SECP256R1())
REGISTER = Register("GW1", "M1", "1-b:1.8.0", Context.TRANSACTION)


def ed25519_key(key: Ed25519PrivateKey) -> MeterKey:
    return MeterKey(KeyAlgorithm.ED25519, key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))


def ecdsa_key(algorithm: KeyAlgorithm, key: ec.EllipticCurvePrivateKey) -> MeterKey:
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return MeterKey(algorithm, der)


def always(key: MeterKey | None) -> MeterKeys:
    return MeterKeys(((0, key),))


TERMS = DeviceTerms(
    chain_id=CHAIN_ID,
    market=MARKET,
    device=7,
    slot_length_s=SLOT_S,
    nameplate_w=10_000,
    keys=always(ed25519_key(METER)),
    authority=always(ed25519_key(AUTHORITY)),
)
CHARGER_TERMS = replace(
    TERMS, device=8, keys=always(ecdsa_key(KeyAlgorithm.SECP256R1, CHARGER)), register=REGISTER
)


def signed_reading(
    index: int, energy_wh: int, register_wh: int, *, key: Ed25519PrivateKey = METER, **changes: Any
) -> SignedReading:
    """The reading of the `index`-th slot after noon, numbered from 1."""
    fields: dict[str, Any] = {
        "chain_id": CHAIN_ID,
        "market": MARKET,
        "device": TERMS.device,
        "slot": NOON + index * SLOT_S,
        "energy_wh": energy_wh,
        "register_wh": register_wh,
        "sequence": index + 1,
    }
    reading = Reading(**(fields | changes))
    return SignedReading(reading, key.sign(reading.signing_bytes()))


def measured(index: int, energy_wh: int, register_wh: int, **changes: Any) -> Evidence:
    return of_reading(signed_reading(index, energy_wh, register_wh, **changes), TERMS)


def signed_substitute(
    index: int, energy_wh: int, *, key: Ed25519PrivateKey = AUTHORITY, terms: DeviceTerms = TERMS
) -> SignedSubstitute:
    return Substitute(
        chain_id=CHAIN_ID,
        market=MARKET,
        device=terms.device,
        slot=NOON + index * SLOT_S,
        energy_wh=energy_wh,
        method=Method.PERSISTENCE,
        reason="meter silent",
    ).sign(key)


def substitute(index: int, energy_wh: int, **changes: Any) -> Evidence:
    return of_substitute(signed_substitute(index, energy_wh, **changes), changes.get("terms", TERMS))


def checked(evidence: Iterable[Evidence], terms: DeviceTerms = TERMS) -> Position:
    position = Position()
    for item in evidence:
        position = check(item, terms, position)
    return position


def time_text(seconds: float, clock: str = "S") -> str:
    """A Unix time as OCMF writes it, to the millisecond."""
    moment = datetime.fromtimestamp(round(seconds * 1_000) // 1_000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S},{round(seconds * 1_000) % 1_000:03d}+0000 {clock}"


def point(seconds_after_noon: float, kwh: str, reason: str = "C", clock: str = "S", **fields: object) -> str:
    """A reading as JSON text: the value is written as given, digit for digit."""
    rest = {"TX": reason, "RI": REGISTER.obis, "RU": "kWh", "ST": "G", "EF": ""} | fields
    texts = {"TM": time_text(NOON + seconds_after_noon, clock)} | rest
    return json.dumps(texts)[:-1] + f', "RV": {kwh}' + "}"


def payload_text(page: int, *points: str, context: str = "T", gateway: str = "GW1", meter: str = "M1") -> str:
    head = {"FV": "1.0", "GS": gateway, "PG": f"{context}{page}", "MS": meter, "IS": False, "IT": "NONE"}
    return json.dumps(head)[:-1] + f', "RD": [{", ".join(points)}]' + "}"


def sealed(payload: str, key: ec.EllipticCurvePrivateKey = CHARGER, **signature: str) -> bytes:
    """An OCMF message: the payload signed over SHA-256, in hex unless `SD` is given."""
    der = key.sign(payload.encode(), ec.ECDSA(hashes.SHA256()))
    section = {"SA": "ECDSA-secp256r1-SHA256", "SD": der.hex()} | signature
    return f"OCMF|{payload}|{json.dumps(section)}".encode()


def record(page: int, *points: str, **fields: str) -> Record:
    return parse(sealed(payload_text(page, *points, **fields)))


def slots_of(records: Iterable[Record], terms: DeviceTerms = CHARGER_TERMS) -> list[Evidence]:
    """The evidence of a run of records, checked as an import checks it."""
    progress, found = Progress(), []
    for item in records:
        check_record(item, terms)
        progress, complete = extend(progress, item, terms)
        found += complete
    return found


@dataclass
class MemoryShelf:
    """Evidence in memory."""

    registered: dict[int, DeviceTerms] = field(default_factory=lambda: {7: TERMS, 8: CHARGER_TERMS})
    states: dict[int, DeviceState] = field(default_factory=dict)
    kept: dict[tuple[int, int], Evidence] = field(default_factory=dict)

    def terms(self, device: int) -> DeviceTerms | None:
        return self.registered.get(device)

    def state(self, device: int) -> DeviceState:
        return self.states.get(device, DeviceState())

    def evidence(self, device: int, slot: int) -> Evidence | None:
        return self.kept.get((device, slot))

    def save(self, device: int, state: DeviceState, evidence: Sequence[Evidence]) -> None:
        self.states[device] = state
        self.kept.update({(item.device, item.slot): item for item in evidence})
