import dataclasses

import pytest

from matching.orders import MAX_PRICE
from matching.tariff import InvalidTariffError, Tariff, tariff_in_force

TARIFF = Tariff(retail_price=220_000, feed_in_price=90_000, grid_fee=10_000)


def test_the_gain_is_what_the_utility_would_have_kept_less_the_fee() -> None:
    assert TARIFF.gain_per_wh == 120_000


def test_a_fee_may_eat_the_gain_up() -> None:
    assert dataclasses.replace(TARIFF, grid_fee=130_000).gain_per_wh == 0


@pytest.mark.parametrize(
    ("field", "bad"),
    [
        ("retail_price", -1),
        ("retail_price", MAX_PRICE + 1),
        ("retail_price", 0.22),
        ("feed_in_price", -1),
        ("feed_in_price", 220_001),
        ("grid_fee", -1),
        ("grid_fee", MAX_PRICE + 1),
        ("grid_fee", False),
    ],
)
def test_a_field_outside_its_limits_is_refused_by_name(field: str, bad: object) -> None:
    with pytest.raises(InvalidTariffError) as caught:
        dataclasses.replace(TARIFF, **{field: bad})  # type: ignore[arg-type]  # bad on purpose
    assert caught.value.field == field
    assert caught.value.code == "tariff.invalid"


@pytest.mark.parametrize(("slot", "grid_fee"), [(0, 1), (899, 1), (900, 2), (1_800, 3), (10**9, 3)])
def test_a_tariff_is_in_force_until_the_next(slot: int, grid_fee: int) -> None:
    tariffs = [(start, dataclasses.replace(TARIFF, grid_fee=fee)) for start, fee in ((0, 1), (900, 2), (1_800, 3))]
    assert tariff_in_force(tariffs, slot).grid_fee == grid_fee
