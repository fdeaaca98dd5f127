import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.limits import BURST_S, Rate, TooManyRequestsError


class Time:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def admitted(rate: Rate, visitor: str, times: int) -> int:
    count = 0
    for _ in range(times):
        try:
            rate.take(visitor, visitor)
            count += 1
        except TooManyRequestsError:
            pass
    return count


def test_a_burst_is_let_in_and_then_the_rate() -> None:
    time = Time()
    rate = Rate(2, clock=time)
    assert admitted(rate, "a", 100) == 2 * BURST_S
    time.now = 3
    assert admitted(rate, "a", 100) == 6


def test_visitors_do_not_use_up_one_anothers_share() -> None:
    rate = Rate(1, clock=Time())
    admitted(rate, "a", 100)
    assert admitted(rate, "b", 100) == BURST_S


def test_a_refusal_says_when_to_come_again_and_then_lets_in() -> None:
    time = Time()
    rate = Rate(0.1, clock=time)
    admitted(rate, "a", 100)
    with pytest.raises(TooManyRequestsError) as refused:
        rate.take("a", "a")
    assert refused.value.retry_after_s == 10
    assert "10 s" in str(refused.value)
    time.now += refused.value.retry_after_s
    rate.take("a", "a")


def test_so_many_visitors_are_remembered_and_no_more() -> None:
    rate = Rate(1, clock=Time(), most=10)
    admitted(rate, "regular", 100)
    for number in range(100):
        rate.take(number, "guest")
        assert admitted(rate, "regular", 1) == 0  # comes often, so is not forgotten
        assert len(rate) <= 10


@given(st.lists(st.floats(min_value=0, max_value=100), max_size=60), st.floats(min_value=0.01, max_value=50))
def test_no_more_are_let_in_than_the_rate_and_a_burst_allow(pauses: list[float], per_s: float) -> None:
    time = Time()
    rate = Rate(per_s, clock=time)
    count = 0
    for pause in pauses:
        time.now += pause
        count += admitted(rate, "a", 3)
        assert count <= max(1, per_s * BURST_S) + time.now * per_s + 1e-6
