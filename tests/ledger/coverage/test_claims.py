from typing import Any

import numpy as np
import pytest

from ledger.coverage.claims import MAX_MEMBERS, MAX_SLOT_AT, MAX_SLOT_WH, Claims
from ledger.coverage.errors import InvalidCoverageError


def fields(**changed: Any) -> dict[str, Any]:
    """Fields of valid claims of two members in three slots, some of them changed."""
    energy = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.int64)
    slots = np.array([900, 1_800, 2_700], dtype=np.int64)
    valid = {
        "members": ("a", "b"),
        "slots": slots,
        "slot_s": 900,
        "consumption_wh": energy,
        "retired_wh": energy,
    }
    return valid | changed


def ints(*values: Any) -> Any:
    return np.array(values, dtype=np.int64)


def test_valid_claims_are_taken() -> None:
    assert Claims(**fields()).members == ("a", "b")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("members", (), "'members' has 0 entries: must be 1 to 4096"),
        ("members", tuple(str(n) for n in range(MAX_MEMBERS + 1)), "'members' has 4097 entries"),
        ("members", ("a", "a"), "'members' names a member twice"),
        ("slot_s", 600, "'slot_s' is 600"),
        ("slots", ints(), "'slots' has 0 entries"),
        ("slots", ints([900, 1_800, 2_700]), "'slots' is 2-dimensional"),
        ("slots", np.array([900.0, 1_800.0, 2_700.0]), "'slots' is 1-dimensional float64"),
        ("slots", ints(-900, 0, 900), "'slots' are -900 to 900"),
        ("slots", ints(MAX_SLOT_AT - 1_800, MAX_SLOT_AT - 900, MAX_SLOT_AT), "'slots' are"),
        ("slots", ints(901, 1_801, 2_701), "'slots' begin at 901: must be a multiple of 900"),
        ("slots", ints(900, 1_800, 3_600), "'slots' go from 1800 to 3600: must be 900 seconds apart"),
        ("slots", ints(900, 900, 1_800), "'slots' go from 900 to 900"),
        ("slots", ints(2_700, 1_800, 900), "'slots' go from 2700 to 1800"),
        ("consumption_wh", ints([1, 2, 3]), r"'consumption_wh' has the shape \(1, 3\)"),
        ("retired_wh", ints([1, 2], [3, 4]), r"'retired_wh' has the shape \(2, 2\)"),
        ("consumption_wh", np.ones((2, 3)), "'consumption_wh' is of type float64"),
        ("consumption_wh", ints([0, 0, -1], [0, 0, 0]), "'consumption_wh' is -1 to 0 Wh"),
        ("retired_wh", ints([0, 0, 0], [0, MAX_SLOT_WH + 1, 0]), "'retired_wh' is 0 to 2147483648 Wh"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(field: str, value: object, message: str) -> None:
    with pytest.raises(InvalidCoverageError, match=message) as refused:
        Claims(**fields(**{field: value}))
    assert refused.value.field == field
