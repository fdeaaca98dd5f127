import pytest

from matching import designs
from matching.book import from_arrays
from matching.grid import Feeder
from matching.settings import InvalidSettingError


def test_the_six_designs_go_by_their_names() -> None:
    assert list(designs.DESIGNS) == ["uniform", "discriminatory", "continuous", "mcafee", "preferences", "grid"]


@pytest.mark.parametrize("design", designs.DESIGNS)
def test_a_clearing_says_which_design_it_is_of(design: str) -> None:
    settings = {"feeder": Feeder((), (), ()), "node": [0, 0]} if design == "grid" else {}
    assert designs.clear(design, from_arrays([0, 1], [2, 1], [1, 1]), **settings).design == design


def test_an_unknown_design_is_refused() -> None:
    with pytest.raises(InvalidSettingError, match="'dutch'"):
        designs.clear("dutch", from_arrays([], [], []))
