from collections.abc import Callable
from pathlib import Path

import pytest

from node.clock import Clock, ClockError, RealClock, SteppedClock, remembered_clock
from node.store import Store
from tests.node.parts import DOMAIN, MARKET


def test_a_stepped_clock_stands_still_until_moved_on() -> None:
    remembered: list[int] = []
    clock = SteppedClock(100, remembered.append)
    assert clock.now() == 100
    clock.advance_to(160)
    clock.advance_to(160)
    assert clock.now() == 160
    assert remembered == [160]


def test_a_stepped_clock_does_not_go_back() -> None:
    clock = SteppedClock(100, lambda _: None)
    with pytest.raises(ClockError, match="99"):
        clock.advance_to(99)
    assert clock.now() == 100


def test_a_step_that_cannot_be_remembered_does_not_happen() -> None:
    def forget(_: int) -> None:
        raise OSError("disk full")

    clock = SteppedClock(100, forget)
    with pytest.raises(OSError, match="disk full"):
        clock.advance_to(101)
    assert clock.now() == 100


def test_a_remembered_clock_goes_on_where_it_stopped(tmp_path: Path) -> None:
    def reopen() -> Store:
        return Store(f"sqlite:///{tmp_path / 'node.sqlite'}", domain=DOMAIN, market=MARKET)

    store = reopen()
    clock = remembered_clock(store, 500)
    assert clock.now() == 500
    clock.advance_to(600)
    store.close()
    store = reopen()
    assert remembered_clock(store, 500).now() == 600
    store.close()


@pytest.mark.parametrize("make", [RealClock, lambda: SteppedClock(0, lambda _: None)])
def test_every_clock_tells_its_mode_and_whole_seconds(make: Callable[[], Clock]) -> None:
    clock = make()
    assert isinstance(clock.now(), int)
    assert clock.mode in {"real", "stepped"}
