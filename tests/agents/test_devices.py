import numpy as np
import pytest

from agents.devices.photovoltaic import Photovoltaic
from agents.devices.series import InvalidDeviceError, Series
from matching.readings import MAX_ENERGY_WH
from tests.agents.parts import FIRST_SLOT, SLOT_S, series, slot


def test_a_series_gives_the_energy_of_its_slots_and_none_for_others() -> None:
    metered = series([5, 6])
    assert [metered.at(slot(index)) for index in (-1, 0, 1, 2)] == [None, 5, 6, None]
    assert metered.at(slot(0) + 1) is None


def test_a_series_cannot_be_changed_after_it_was_made() -> None:
    energy_wh = np.array([5, 6], dtype=np.int64)
    metered = Series(FIRST_SLOT, SLOT_S, energy_wh)
    energy_wh[0] = 7
    assert metered.at(slot(0)) == 5
    with pytest.raises(ValueError, match="read-only"):
        metered.energy_wh[0] = 7


@pytest.mark.parametrize("bad", [[-1, 0], [0, MAX_ENERGY_WH + 1]])
def test_energy_outside_its_limits_is_refused(bad: list[int]) -> None:
    with pytest.raises(InvalidDeviceError, match="energy_wh"):
        series(bad)


@pytest.mark.parametrize("bad", [np.zeros((2, 2), dtype=np.int64), np.zeros(2), np.zeros(2, dtype=np.int32)])
def test_an_array_of_another_shape_or_type_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(InvalidDeviceError, match="one-dimensional int64"):
        Series(FIRST_SLOT, SLOT_S, bad)


def test_a_slot_without_length_is_refused() -> None:
    with pytest.raises(InvalidDeviceError, match="slot_s"):
        Series(FIRST_SLOT, 0, np.zeros(1, dtype=np.int64))


def test_a_photovoltaic_system_generates_at_most_its_nameplate() -> None:
    assert Photovoltaic(1, series([5_000]), 5_000).metered.at(slot(0)) == 5_000
    with pytest.raises(InvalidDeviceError, match="at most 5000 Wh"):
        Photovoltaic(1, series([5_001]), 5_000)
