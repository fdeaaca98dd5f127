import dataclasses

import pytest

from matching.orders import (
    MAX_EPOCH,
    MAX_PRICE,
    MAX_QUANTITY_WH,
    MAX_SALT,
    MAX_TIME,
    InvalidOrderError,
    Order,
    Side,
)

ORDER = Order(account=bytes(20), market=bytes(32), slot=900, side=Side.BID, price=1, quantity_wh=1)


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("account", bytes(19)),
        ("account", "0x00"),
        ("market", bytes(33)),
        ("slot", -1),
        ("slot", MAX_TIME + 1),
        ("side", 0),
        ("price", -1),
        ("price", MAX_PRICE + 1),
        ("price", 1.0),
        ("price", True),
        ("quantity_wh", 0),
        ("quantity_wh", MAX_QUANTITY_WH + 1),
        ("certificates", 2),
        ("epoch", MAX_EPOCH + 1),
        ("expires_at", MAX_TIME + 1),
        ("salt", MAX_SALT + 1),
    ],
)
def test_a_field_outside_its_limits_is_refused_and_named(field: str, bad: object) -> None:
    with pytest.raises(InvalidOrderError, match=f"'{field}'") as refusal:
        dataclasses.replace(ORDER, **{field: bad})
    assert refusal.value.field == field


@pytest.mark.parametrize(
    ("field", "extreme"),
    [("price", 0), ("price", MAX_PRICE), ("quantity_wh", MAX_QUANTITY_WH), ("salt", MAX_SALT)],
)
def test_the_limits_themselves_are_accepted(field: str, extreme: int) -> None:
    assert getattr(dataclasses.replace(ORDER, **{field: extreme}), field) == extreme
