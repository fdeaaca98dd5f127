"""What the node's tests are made of: a market, some members' keys, orders, meters and readings."""

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.devices import Device, DeviceKey, DeviceKind, metering_point
from ledger.eecs import PHOTOVOLTAIC, fuel_number, technology_number
from ledger.eecs import SOLAR as SUNLIGHT
from ledger.eip712 import Domain, Receipt, SignedOrder, receipt_hash, sign_order
from ledger.evidence.compact import of_reading
from ledger.evidence.evidence import DeviceTerms, Evidence, Register
from ledger.evidence.keys import KeyAlgorithm, MeterKey, MeterKeys
from ledger.intents import Intent, IntentRecord, IntentStatus
from ledger.keys import Key
from matching.orders import MAX_TIME, Order, Side
from matching.readings import Reading, SignedReading
from node.authority import MeterAuthority
from node.store.records import DeviceRecord

DOMAIN = Domain(chain_id=1337, exchange=bytes.fromhex("e0" * 20))
MARKET = bytes.fromhex("aa" * 32)
OPERATOR, ALICE, BOB, STRANGER, AUTHORITY = (Key(bytes([n]) * 32) for n in (1, 2, 3, 4, 5))
SLOT_LENGTH_S = 900
SLOT = 1_750_000_500
assert SLOT % SLOT_LENGTH_S == 0

SOLAR, LOAD = 1, 2
METER_KEYS = {number: Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in (SOLAR, LOAD)}


def order(
    key: Key = ALICE,
    *,
    slot: int = SLOT,
    side: Side = Side.BID,
    price: int = 200_000,
    quantity_wh: int = 1_000,
    market: bytes = MARKET,
    domain: Domain = DOMAIN,
    epoch: int = 0,
    expires_at: int = MAX_TIME,
    salt: int = 0,
) -> SignedOrder:
    """A signed order; two calls with the same arguments give the same one."""
    content = Order(
        account=key.address,
        market=market,
        slot=slot,
        side=side,
        price=price,
        quantity_wh=quantity_wh,
        epoch=epoch,
        expires_at=expires_at,
        salt=salt,
    )
    return sign_order(domain, content, key)


def sign_receipt(receipt: Receipt) -> bytes:
    """The operator's signature."""
    return OPERATOR.sign(receipt_hash(DOMAIN, receipt))


def meter_key(number: int) -> MeterKey:
    """The public key that a device's meter signs with."""
    return MeterKey(KeyAlgorithm.ED25519, METER_KEYS[number].public_key().public_bytes_raw())


def device(
    number: int = SOLAR,
    owner: Key = ALICE,
    *,
    nameplate_w: int = 4_000,
    key: MeterKey | None = None,
    register: Register | None = None,
    **details: Any,
) -> DeviceRecord:
    """A device with the meter key that `reading` signs with; a load has no nameplate."""
    kind = details.pop("kind", DeviceKind.GENERATOR if number == SOLAR else DeviceKind.LOAD)
    if kind is DeviceKind.GENERATOR:
        details |= {"technology": technology_number(PHOTOVOLTAIC), "fuel": fuel_number(SUNLIGHT)}
    key = key or meter_key(number)
    return DeviceRecord(
        details=Device(
            device=number,
            owner=owner.address,
            area=1,
            kind=kind,
            nameplate_w=0 if kind is DeviceKind.LOAD else nameplate_w,
            slot_length_s=SLOT_LENGTH_S,
            metering_point=metering_point(f"point {number}"),
            key=DeviceKey.of(key),
            **details,
        ),
        keys=MeterKeys(((0, key),)),
        metering_point=f"point {number}",
        register=register,
        first_slot=SLOT - 900,
    )


def terms(number: int = SOLAR) -> DeviceTerms:
    """What `device` is checked against."""
    return DeviceTerms(
        chain_id=DOMAIN.chain_id,
        market=MARKET,
        device=number,
        slot_length_s=SLOT_LENGTH_S,
        nameplate_w=4_000 if number == SOLAR else 400_000,
        keys=MeterKeys(((0, meter_key(number)),)),
        authority=MeterAuthority(AUTHORITY).keys,
    )


def evidence(number: int = SOLAR, **fields: Any) -> Evidence:
    """What `reading` shows."""
    return of_reading(reading(number, **fields), terms(number))


def reading(
    number: int = SOLAR,
    *,
    slot: int = SLOT,
    energy_wh: int = 250,
    register_wh: int = 10_250,
    sequence: int = 41,
    chain_id: int = DOMAIN.chain_id,
    market: bytes = MARKET,
    signer: int | None = None,
) -> SignedReading:
    """A reading signed by its device's meter, or by another's."""
    content = Reading(
        chain_id=chain_id,
        market=market,
        device=number,
        slot=slot,
        energy_wh=energy_wh,
        register_wh=register_wh,
        sequence=sequence,
    )
    return SignedReading(content, METER_KEYS[signer or number].sign(content.signing_bytes()))


def intent(slot: int = SLOT, step: str = "settle", attempt: int = 0, *, nonce: int = 7) -> Intent:
    """An intent with made-up bytes."""
    return Intent(
        market=MARKET,
        slot=slot,
        step=step,
        attempt=attempt,
        sender=OPERATOR.address,
        nonce=nonce,
        calldata_hash=b"\x11" * 32,
        raw_transaction=b"\x02raw",
        transaction_hash=bytes([attempt + 1]) * 32,
    )


def confirmed(intent: Intent, block_number: int = 12) -> IntentRecord:
    """Its record, once it was seen in a block, with a made-up hash and gas."""
    return IntentRecord(
        intent,
        IntentStatus.CONFIRMED,
        is_final=True,
        block_number=block_number,
        block_hash=b"\x22" * 32,
        gas_used=90_000,
    )
