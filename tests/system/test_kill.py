"""The node is killed, without warning, at moments that nobody chose: nothing is lost, nothing happens twice."""

import random
from pathlib import Path

import pytest

from tests.system.demo import Demo, opened
from tests.system.test_day import check_every_slot


def kill_and_finish(data: Path, *, slots: int, kills: int, seed: int) -> list[dict[int, str]]:
    """Kill a random moment after ever more certified slots, then finish; returns the states at the kills."""
    chance = random.Random(seed)
    demo = Demo(data, slots)
    # The last slots are left, so that the day never ends before the last kill.
    at_kills = [
        demo.run_and_kill(number * (slots - 3) // kills, chance.uniform(0.0, 0.9)) for number in range(kills)
    ]
    assert "nothing wrong" in demo.finish()
    with opened(data) as remains:
        check_every_slot(remains, slots)
    return at_kills


def unfinished(states: dict[int, str]) -> list[str]:
    return sorted(state for state in states.values() if state not in ("certified", "open"))


def test_two_kills_in_a_short_day(tmp_path: Path) -> None:
    kill_and_finish(tmp_path, slots=6, kills=2, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(1_500)
def test_twenty_kills_in_a_day(tmp_path: Path) -> None:
    at_kills = kill_and_finish(tmp_path, slots=44, kills=20, seed=20)
    # They hit slots in the middle of their lives, and in different places.
    assert sum(bool(unfinished(states)) for states in at_kills) >= 10
    assert len({tuple(unfinished(states)) for states in at_kills}) >= 2
