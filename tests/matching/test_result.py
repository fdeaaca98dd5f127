from dataclasses import replace

import numpy as np
import pytest

from matching import uniform
from matching.book import Ints, from_arrays
from matching.result import BrokenClearingError, verified

BOOK = from_arrays([0, 1], [10, 6], [5, 5])
GOOD = uniform.clear(BOOK)


def column(*values: int) -> Ints:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize(
    ("fills_wh", "amounts_nano", "problem"),
    [
        (column(6, 6), column(-48, 48), "a fill is outside"),
        (column(-1, -1), column(0, 0), "a fill is outside"),
        (column(5, 4), column(-40, 40), "bought and sold energy differ"),
        (column(5, 5), column(-51, 51), "a limit is not kept"),
        (column(5, 5), column(-29, 29), "a limit is not kept"),
        (column(5, 5), column(-40, 41), "the market pays in"),
        (column(0, 0), column(1, 0), "a buyer receives"),
    ],
)
def test_a_clearing_that_breaks_a_promise_never_gets_out(fills_wh: Ints, amounts_nano: Ints, problem: str) -> None:
    with pytest.raises(BrokenClearingError, match=problem):
        verified(BOOK, replace(GOOD, fills_wh=fills_wh, amounts_nano=amounts_nano))


def test_a_result_cannot_be_changed() -> None:
    for column_ in (GOOD.fills_wh, GOOD.amounts_nano, GOOD.trades.quantity_wh, GOOD.trades.buyer_price):
        with pytest.raises(ValueError, match="read-only"):
            column_[0] = 1
