"""The packed words in which settlement and delivery travel to the exchange, and back from calldata.

The layout is documented in `contracts/orders.vy` and in `contracts/exchange.vy` at `deliver`. Encoding is done by
hand because web3's generic encoder takes longer for a large batch than the chain takes to settle it; a test
holds the bytes equal.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eth_hash.auto import keccak

from ledger.eip712 import Domain, SignedOrder, order_hash
from matching.errors import WattbookError
from matching.orders import CertificatePreference, Order, Side

_MASK_8, _MASK_32, _MASK_40, _MASK_63, _MASK_64 = (2**bits - 1 for bits in (8, 32, 40, 63, 64))
_MASK_160 = 2**160 - 1


class BatchFieldError(WattbookError, ValueError):
    """A number does not fit its field in a packed word."""

    code = "settlement.field"


@dataclass(frozen=True, slots=True)
class FilledOrder:
    """An order as settled: how many Wh of it trade, and in markets without one price, for how much.

    Attributes:
        amount_nano: nano-credits paid or received; zero in a uniform-price market, where the price says it.
        is_posted: whether its owner put it on chain.
    """

    signed: SignedOrder
    fill_wh: int
    amount_nano: int = 0
    is_posted: bool = False


@dataclass(frozen=True, slots=True)
class MemberReading:
    """What a member's meters say of one slot, gross, in Wh."""

    account: bytes
    consumption_wh: int
    generation_wh: int


def settle_calldata(
    selector: bytes,
    market: bytes,
    slot: int,
    price: int,
    fills: Sequence[FilledOrder],
    *,
    more: bool = False,
    approvals: Sequence[bytes] = (),
) -> bytes:
    """Calldata of `settle`; the caller puts the fills in ascending order of their hashes.

    `more` says whether further chunks of the slot follow; `approvals` are the validators' 65-byte signatures, in
    ascending order of their addresses.

    Raises:
        BatchFieldError: a fill does not fit 32 bits, or an amount 63.
    """
    packed = _array([_fill_words(fill) for fill in fills])
    head = selector + market + _word(slot) + _word(price) + _word(192) + _word(more) + _word(192 + len(packed))
    return head + packed + _array([_signature_words(signature) for signature in approvals])


def unwind_calldata(selector: bytes, market: bytes, slot: int, fills: Sequence[FilledOrder]) -> bytes:
    """Calldata of `unwind`: a chunk's fills, as they were settled."""
    return selector + market + _word(slot) + _word(96) + _array([_fill_words(fill) for fill in fills])


def posted_words(signed: SignedOrder) -> dict[str, int]:
    """An order as `post_order` and the challenges take it: as in a settlement, with no fill and no amount."""
    return words_of(FilledOrder(signed, 0))


def words_of(fill: FilledOrder) -> dict[str, int]:
    """A filled order's four words by name: the inverse of `unpack_fill`.

    Raises:
        BatchFieldError: the fill does not fit 32 bits, or the amount 63.
    """
    words = _fill_words(fill)
    names = ("who", "terms", "r", "s")
    return {name: int.from_bytes(words[32 * i : 32 * i + 32], "big") for i, name in enumerate(names)}


def fills_hash(fills: Sequence[FilledOrder], before: bytes = bytes(32)) -> bytes:
    """What the exchange keeps of filled orders: a chain of hashes over the digest and the terms of each."""
    for fill in fills:
        before = keccak(before + fill.signed.hash + _fill_words(fill)[32:64])
    return before


def deliver_calldata(selector: bytes, market: bytes, slot: int, readings: Sequence[MemberReading]) -> bytes:
    """Calldata of `deliver`; the caller puts the readings in ascending order of their accounts."""
    head = selector + market + _word(slot) + _word(96) + _word(len(readings))
    return head + b"".join(_word(reading_word(reading)) for reading in readings)


def reading_word(reading: MemberReading) -> int:
    """One member's line of `deliver`.

    Raises:
        BatchFieldError: a reading does not fit 32 bits.
    """
    for name, value in (("consumption", reading.consumption_wh), ("generation", reading.generation_wh)):
        if not 0 <= value <= _MASK_32:
            raise BatchFieldError(f"{name} of 0x{reading.account.hex()} is {value} Wh: must be 0 to {_MASK_32}")
    account = int.from_bytes(reading.account, "big")
    return account | reading.consumption_wh << 160 | reading.generation_wh << 192


def unpack_reading(word: int) -> MemberReading:
    """The inverse of `reading_word`."""
    return MemberReading(
        account=(word & _MASK_160).to_bytes(20, "big"),
        consumption_wh=word >> 160 & _MASK_32,
        generation_wh=word >> 192,
    )


def unpack_fill(domain: Domain, market: bytes, slot: int, words: Mapping[str, int]) -> FilledOrder:
    """A settled order from its four words, named as in `contracts/orders.vy`.

    Raises:
        InvalidOrderError: the words do not hold an order.
        ValueError: they name a certificate preference that does not exist.
    """
    who, terms = words["who"], words["terms"]
    order = Order(
        account=(who & _MASK_160).to_bytes(20, "big"),
        market=market,
        slot=slot,
        side=Side(terms >> 144 & 1),
        price=terms >> 32 & _MASK_32,
        quantity_wh=terms & _MASK_32,
        certificates=CertificatePreference(terms >> 136 & _MASK_8),
        epoch=terms >> 64 & _MASK_32,
        expires_at=terms >> 96 & _MASK_40,
        salt=who >> 160 & _MASK_64,
    )
    signature = _word(words["r"]) + _word(words["s"]) + bytes([27 + (terms >> 145 & 1)])
    return FilledOrder(
        signed=SignedOrder(order=order, hash=order_hash(domain, order), signature=signature),
        fill_wh=terms >> 146 & _MASK_32,
        amount_nano=terms >> 178 & _MASK_63,
        is_posted=bool(terms >> 241 & 1),
    )


def _fill_words(fill: FilledOrder) -> bytes:
    order, signature = fill.signed.order, fill.signed.signature
    # Unchecked, one field would run over into the next, and the contract would settle something else.
    for name, value, limit in (("fill_wh", fill.fill_wh, _MASK_32), ("amount_nano", fill.amount_nano, _MASK_63)):
        if not 0 <= value <= limit:
            raise BatchFieldError(f"{name} of order 0x{fill.signed.hash.hex()} is {value}: must be 0 to {limit}")
    who = int.from_bytes(order.account, "big") | order.salt << 160
    terms = (
        order.quantity_wh
        | order.price << 32
        | order.epoch << 64
        | order.expires_at << 96
        | order.certificates << 136
        | order.side << 144
        | (signature[64] - 27) << 145
        | fill.fill_wh << 146
        | fill.amount_nano << 178
        | fill.is_posted << 241
    )
    return _word(who) + _word(terms) + signature[:64]


def _signature_words(signature: bytes) -> bytes:
    return _word(signature[64]) + signature[:64]


def _array(items: Sequence[bytes]) -> bytes:
    return _word(len(items)) + b"".join(items)


def _word(value: int) -> bytes:
    return value.to_bytes(32, "big")
