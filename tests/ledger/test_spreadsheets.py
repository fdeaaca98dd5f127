"""What a spreadsheet is given to open."""

import pytest

from ledger.spreadsheets import cell


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", "=", "-"])
def test_text_that_would_be_a_formula_begins_with_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["", "a=1", "Zoë", "1-2", 7, -7, True])
def test_everything_else_is_as_it_is(value: object) -> None:
    assert cell(value) is value


def test_nothing_is_an_empty_cell() -> None:
    assert cell(None) == ""
