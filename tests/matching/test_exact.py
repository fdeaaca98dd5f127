import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from matching.exact import exact_sum, muldiv

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(INT64, max_size=50))
def test_sums_are_exact_beyond_64_bits(values: list[int]) -> None:
    assert exact_sum(np.array(values, dtype=np.int64)) == sum(values)


@given(st.lists(st.integers(0, 2**31 - 1), max_size=20), st.integers(1, 2**54), st.data())
def test_multiply_then_divide_is_exact_up_to_its_bounds(
    values: list[int], denominator: int, data: st.DataObject
) -> None:
    numerator = data.draw(st.integers(0, denominator))
    quotients, remainders = muldiv(np.array(values, dtype=np.int64), numerator, denominator)
    expected = [divmod(value * numerator, denominator) for value in values]
    assert list(zip(quotients.tolist(), remainders.tolist(), strict=True)) == expected
