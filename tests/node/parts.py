"""What the node's tests are made of: a market, some members' keys, orders, meters and readings."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.eip712 import Domain, Receipt, SignedOrder, receipt_hash, sign_order
from ledger.intents import Intent, IntentRecord, IntentStatus
from ledger.keys import Key
from matching.orders import MAX_TIME, Order, Side
from matching.readings import Reading, SignedReading
from node.store.records import DeviceRecord, Technology

DOMAIN = Domain(chain_id=1337, exchange=bytes.fromhex("e0" * 20))
MARKET = bytes.fromhex("aa" * 32)
OPERATOR, ALICE, BOB, STRANGER = (Key(bytes([n]) * 32) for n in (1, 2, 3, 4))
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


def device(number: int = SOLAR, owner: Key = ALICE, *, nameplate_w: int = 4_000) -> DeviceRecord:
    """A device with the meter key that `reading` signs with."""
    return DeviceRecord(
        device=number,
        account=owner.address,
        technology=Technology.SOLAR if number == SOLAR else Technology.LOAD,
        nameplate_w=nameplate_w,
        meter_key=METER_KEYS[number].public_key().public_bytes_raw(),
        first_slot=SLOT - 900,
    )


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
