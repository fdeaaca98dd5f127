"""Hand-made calldata: byte for byte what a generic ABI encoder makes, and readable again."""

from dataclasses import replace

import pytest
from eth_abi.abi import encode
from hypothesis import given
from hypothesis import strategies as st
from web3 import Web3

from ledger.abi import interface
from ledger.batches import (
    FilledOrder,
    MemberReading,
    deliver_calldata,
    reading_word,
    settle_calldata,
    unpack_fill,
    unpack_reading,
)
from matching.orders import MAX_PRICE, MAX_QUANTITY_WH, InvalidOrderError, Side
from tests.ledger.orders import DOMAIN, MARKET, SLOT, signed, signed_orders, whole

MAX_AMOUNT = 2**63 - 1
EXCHANGE = interface("exchange")

fills = st.builds(
    FilledOrder, signed=signed_orders(), fill_wh=whole(MAX_QUANTITY_WH), amount_nano=whole(MAX_AMOUNT)
)
readings = st.builds(
    MemberReading,
    account=st.binary(min_size=20, max_size=20),
    consumption_wh=whole(2**32 - 1),
    generation_wh=whole(2**32 - 1),
)


def words(data: bytes) -> list[dict[str, int]]:
    """The fills of a settlement as the ABI decoder sees them."""
    _, arguments = EXCHANGE.decode_call(data)
    found: list[dict[str, int]] = arguments["fills"]
    return found


signatures = st.binary(min_size=65, max_size=65)


@given(
    st.lists(fills, max_size=5),
    st.integers(0, 2**256 - 1),
    st.integers(0, 2**256 - 1),
    st.booleans(),
    st.lists(signatures, max_size=4),
)
def test_settlement_calldata_is_what_a_generic_encoder_makes(
    batch: list[FilledOrder], slot: int, price: int, more: bool, approvals: list[bytes]
) -> None:
    selector = EXCHANGE.selector("settle")
    data = settle_calldata(selector, MARKET, slot, price, batch, more=more, approvals=approvals)
    signed = [(each[64], *(int.from_bytes(each[i : i + 32], "big") for i in (0, 32))) for each in approvals]
    rows = [tuple(row.values()) for row in words(data)]
    words_of_fill, words_of_signature = "(uint256,uint256,uint256,uint256)[]", "(uint256,uint256,uint256)[]"
    types = ["bytes32", "uint256", "uint256", words_of_fill, "bool", words_of_signature]
    assert data == selector + encode(types, [MARKET, slot, price, rows, more, signed])
    assert data == EXCHANGE.call("settle", MARKET, slot, price, rows, more, signed)


@given(st.lists(readings, max_size=5), st.integers(0, 2**256 - 1))
def test_delivery_calldata_is_what_a_generic_encoder_makes(batch: list[MemberReading], slot: int) -> None:
    data = deliver_calldata(EXCHANGE.selector("deliver"), MARKET, slot, batch)
    assert data == EXCHANGE.call("deliver", MARKET, slot, [reading_word(reading) for reading in batch])


def test_calldata_is_what_web3_makes() -> None:
    exchange = Web3().eth.contract(abi=EXCHANGE.artifact.abi)
    batch = [FilledOrder(signed(1, Side.BID, 100), 90, 5), FilledOrder(signed(2, Side.OFFER, 90), 90)]
    data = settle_calldata(EXCHANGE.selector("settle"), MARKET, SLOT, 150_000, batch)
    rows = [tuple(row.values()) for row in words(data)]
    assert "0x" + data.hex() == exchange.encode_abi("settle", [MARKET, SLOT, 150_000, rows, False, []])
    read = [MemberReading(b"\x01" * 20, 5, 6)]
    data = deliver_calldata(EXCHANGE.selector("deliver"), MARKET, SLOT, read)
    assert "0x" + data.hex() == exchange.encode_abi("deliver", [MARKET, SLOT, [reading_word(read[0])]])


@given(fills)
def test_a_fill_can_be_read_back_from_calldata(fill: FilledOrder) -> None:
    order = fill.signed.order
    data = settle_calldata(EXCHANGE.selector("settle"), order.market, order.slot, 0, [fill])
    (found,) = words(data)
    assert unpack_fill(DOMAIN, order.market, order.slot, found) == fill


@given(readings)
def test_a_reading_can_be_read_back(reading: MemberReading) -> None:
    assert unpack_reading(reading_word(reading)) == reading


def test_the_fields_of_a_fill_lie_where_the_contract_says() -> None:
    bid = signed(1, Side.OFFER, 0x11, salt=0x22, price=0x33)
    order = replace(bid.order, epoch=0x44, expires_at=0x55)
    fill = FilledOrder(replace(bid, order=order), 0x66, 0x77)
    (found,) = words(settle_calldata(EXCHANGE.selector("settle"), MARKET, SLOT, 0, [fill]))
    parity = bid.signature[64] - 27
    assert found["who"] == int.from_bytes(order.account, "big") + (0x22 << 160)
    assert found["terms"] == (
        0x11
        + (0x33 << 32)
        + (0x44 << 64)
        + (0x55 << 96)
        + (order.certificates << 136)
        + (1 << 144)
        + (parity << 145)
        + (0x66 << 146)
        + (0x77 << 178)
    )


@pytest.mark.parametrize("field", ["consumption", "generation"])
@pytest.mark.parametrize("value", [-1, 2**32])
def test_a_reading_that_does_not_fit_its_word_is_refused(field: str, value: int) -> None:
    reading = replace(MemberReading(b"\x01" * 20, 0, 0), **{f"{field}_wh": value})
    with pytest.raises(ValueError, match=f"{field} of 0x0101.* is {value} Wh"):
        reading_word(reading)


@pytest.mark.parametrize(
    "changes", [{"fill_wh": -1}, {"fill_wh": 2**32}, {"amount_nano": -1}, {"amount_nano": 2**63}]
)
def test_a_fill_that_does_not_fit_its_word_is_refused(changes: dict[str, int]) -> None:
    fill = replace(FilledOrder(signed(1, Side.BID, 100), 90, 5), **changes)
    (field, value), *_ = changes.items()
    with pytest.raises(ValueError, match=f"{field} of order 0x.* is {value}: must be 0 to"):
        settle_calldata(EXCHANGE.selector("settle"), MARKET, SLOT, 0, [fill])


@pytest.mark.parametrize("quantity", [0, 2**31])
def test_words_that_hold_no_order_are_refused(quantity: int) -> None:
    fill = {"who": 1, "terms": quantity, "r": 0, "s": 0}
    with pytest.raises(InvalidOrderError, match="quantity_wh"):
        unpack_fill(DOMAIN, MARKET, SLOT, fill)


def test_words_with_an_unknown_certificate_preference_are_refused() -> None:
    with pytest.raises(ValueError, match="3 is not a valid CertificatePreference"):
        unpack_fill(DOMAIN, MARKET, SLOT, {"who": 1, "terms": 1 | 3 << 136, "r": 0, "s": 0})


def test_the_largest_amount_of_an_order_fits() -> None:
    assert MAX_PRICE * MAX_QUANTITY_WH <= MAX_AMOUNT
