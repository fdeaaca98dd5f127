from agents.devices.load import Load
from agents.forecast import persistence
from tests.agents.parts import DAY_SLOTS, series, slot


def test_persistence_expects_what_was_metered_a_day_earlier() -> None:
    load = Load(0, series(list(range(100, 100 + 2 * DAY_SLOTS))))
    assert persistence(load, slot(DAY_SLOTS)) == 100
    assert persistence(load, slot(2 * DAY_SLOTS - 1)) == 100 + DAY_SLOTS - 1


def test_persistence_knows_nothing_of_the_first_day() -> None:
    load = Load(0, series([100] * 2 * DAY_SLOTS))
    assert persistence(load, slot(DAY_SLOTS - 1)) is None


def test_persistence_does_not_look_at_the_slot_it_forecasts() -> None:
    past = [7] * DAY_SLOTS
    assert persistence(Load(0, series(past)), slot(DAY_SLOTS)) == 7
    assert persistence(Load(0, series([*past, 999])), slot(DAY_SLOTS)) == 7
