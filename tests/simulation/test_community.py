import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from simulation.community import quarters

hours = arrays(np.int64, st.integers(0, 50), elements=st.integers(0, 2**31))


@given(hours)
def test_four_quarters_sum_to_their_hour_and_differ_by_at_most_one_wh(hourly_wh: np.ndarray) -> None:
    split = quarters(hourly_wh).reshape(-1, 4)
    assert (split.sum(axis=1) == hourly_wh).all()
    assert (np.ptp(split, axis=1) <= 1).all()
    assert (split >= 0).all()


@pytest.mark.parametrize(
    ("hour", "split"), [(8, [2, 2, 2, 2]), (5, [1, 1, 1, 2]), (6, [1, 2, 1, 2]), (7, [1, 2, 2, 2])]
)
def test_the_remainder_is_spread_over_the_hour(hour: int, split: list[int]) -> None:
    assert quarters(np.array([hour])).tolist() == split
