"""A day's root, and what proves a device's part in it."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.certificates.days import Day, DayError, leaf, proves

DAYS = st.builds(
    Day,
    day=st.integers(0, 2**16),
    amounts_wh=st.dictionaries(
        st.integers(0, 2**64 - 1),
        st.lists(st.integers(0, 2**31 - 1), min_size=24, max_size=24),
        min_size=1,
        max_size=9,
    ),
)


@given(DAYS, st.data())
def test_every_device_is_proved_and_nothing_else_is(day: Day, data: st.DataObject) -> None:
    device = data.draw(st.sampled_from(day.devices))
    proof = day.proof(device)
    assert proves(proof, day=day.day, root=day.root, leaves=day.leaves)
    more = (proof.amounts_wh[0] + 1, *proof.amounts_wh[1:])
    for other in (
        replace(proof, amounts_wh=more),
        replace(proof, device=device ^ 1),
        replace(proof, index=proof.index + 1),
        replace(proof, path=(*proof.path, bytes(32))),
    ):
        assert not proves(other, day=day.day, root=day.root, leaves=day.leaves)
    assert not proves(proof, day=day.day + 1, root=day.root, leaves=day.leaves)


def test_the_root_does_not_depend_on_the_order_in_which_devices_are_given() -> None:
    one, two = [1] * 24, [2] * 24
    assert Day(5, {1: one, 2: two}).root == Day(5, {2: two, 1: one}).root
    assert Day(5, {1: one, 2: two}).total_wh == 72


def test_a_leaf_names_device_day_and_amounts() -> None:
    leaves = {leaf(1, 5, [1, 2]), leaf(1, 5, [2, 1]), leaf(2, 5, [1, 2]), leaf(1, 6, [1, 2]), leaf(1, 5, [1])}
    assert len(leaves) == 5


@pytest.mark.parametrize(
    ("amounts", "message"),
    [
        ({}, "day 5 has no device"),
        ({1: []}, "of device 1 has 0 slots: must be one of 96, 48, 24"),
        ({1: [1] * 288}, "has 288 slots"),
        ({1: [1] * 95}, "has 95 slots"),
        ({1: [1] * 23 + [-1]}, "is -1 at place 23: must be from 0 to 2147483647"),
        ({1: [2**31] * 24}, "is 2147483648 at place 0"),
        ({2**64: [1] * 24}, f"must be from 0 to {2**64 - 1}"),
        ({-1: [1] * 24}, "of device -1"),
    ],
)
def test_a_day_that_cannot_be_minted_is_refused(amounts: dict[int, list[int]], message: str) -> None:
    with pytest.raises(DayError, match=message):
        Day(5, amounts)


def test_a_device_that_is_not_in_the_day_has_no_proof() -> None:
    with pytest.raises(DayError, match="day 5 has no device 2"):
        Day(5, {1: [1] * 24}).proof(2)
