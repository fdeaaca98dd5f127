"""Claims for tests: plain ones from lists, and arbitrary ones."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from ledger.coverage.claims import MAX_SLOT_WH, Claims
from ledger.coverage.periods import Period

QUARTER_S = 900
START_AT = 1_700_000_100  # a multiple of 900


def claims_of(
    consumption_wh: Sequence[Sequence[int]],
    retired_wh: Sequence[Sequence[int]],
    *,
    start_at: int = START_AT,
    slot_s: int = QUARTER_S,
) -> Claims:
    return Claims(
        members=tuple(f"member-{number}" for number in range(len(consumption_wh))),
        slots=np.arange(len(consumption_wh[0]), dtype=np.int64) * slot_s + start_at,
        slot_s=slot_s,
        consumption_wh=np.array(consumption_wh, dtype=np.int64),
        retired_wh=np.array(retired_wh, dtype=np.int64),
    )


def whole(claims: Claims) -> tuple[Period, ...]:
    """One period of all slots."""
    return (Period("all", 0, len(claims.slots)),)


@st.composite
def any_claims(draw: st.DrawFn) -> Claims:
    members, slots = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    energy = st.one_of(st.integers(0, 5), st.integers(0, MAX_SLOT_WH))
    row = st.lists(energy, min_size=slots, max_size=slots)
    table = st.lists(row, min_size=members, max_size=members)
    return claims_of(draw(table), draw(table))
