import pytest

from matching import designs
from matching.book import from_arrays
from matching.grid import Feeder
from matching.rationing import Margin
from matching.settings import InvalidSettingError


def test_the_six_designs_go_by_their_names() -> None:
    assert list(designs.DESIGNS) == ["uniform", "discriminatory", "continuous", "mcafee", "preferences", "grid"]


@pytest.mark.parametrize("design", designs.DESIGNS)
def test_a_clearing_says_which_design_it_is_of(design: str) -> None:
    settings = {"feeder": Feeder((), (), ()), "node": [0, 0]} if design == "grid" else {}
    assert designs.clear(design, from_arrays([0, 1], [2, 1], [1, 1]), **settings).design == design


@pytest.mark.parametrize("design", ["uniform", "discriminatory", "mcafee", "preferences", "grid"])
def test_settings_can_be_named_in_words_and_unknown_words_are_refused(design: str) -> None:
    book = from_arrays([0, 0, 1], [2, 2, 1], [1, 1, 1])
    settings = {"feeder": Feeder((), (), ()), "node": [0, 0, 0]} if design == "grid" else {}
    for margin in ("time", "pro-rata"):
        named = designs.clear(design, book, margin=margin, **settings)
        assert (
            named.fills_wh.tolist()
            == designs.clear(design, book, margin=Margin(margin), **settings).fills_wh.tolist()
        )
    with pytest.raises(InvalidSettingError, match="'margin' is 'random'"):
        designs.clear(design, book, margin="random", **settings)


def test_an_unknown_design_is_refused() -> None:
    with pytest.raises(InvalidSettingError, match="'dutch'"):
        designs.clear("dutch", from_arrays([], [], []))
