"""Certificates that make up an amount."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.certificates.ids import CertificateId
from ledger.certificates.selection import (
    MAX_IDS,
    BatchTooLargeError,
    NotEnoughCertificatesError,
    Part,
    SelectionError,
    bundle,
)


def part(slot: int, amount_wh: int, device: int = 1) -> Part:
    return Part(CertificateId(slot=slot, device=device), amount_wh)


HOLDINGS = st.dictionaries(
    st.tuples(st.integers(0, 200), st.integers(0, 3)), st.integers(0, 50), max_size=100
).map(lambda held: [part(300 * unit, wh, device) for (unit, device), wh in held.items()])


def test_the_oldest_come_first_and_the_last_one_is_split() -> None:
    held = [part(1_800, 5), part(300, 10), part(900, 10)]
    assert bundle(held, 15) == [part(300, 10), part(900, 5)]


def test_an_amount_that_comes_out_even_splits_none() -> None:
    assert bundle([part(300, 10), part(900, 10)], 10) == [part(300, 10)]


@given(HOLDINGS, st.data())
def test_a_bundle_is_the_amount_of_the_oldest_and_splits_at_most_one(
    held: list[Part], data: st.DataObject
) -> None:
    total = sum(each.amount_wh for each in held)
    if total == 0:
        return
    amount = data.draw(st.integers(1, total))
    chosen = bundle(held, amount)
    by_id = {each.id: each.amount_wh for each in held}
    assert sum(each.amount_wh for each in chosen) == amount
    assert [each.id for each in chosen] == sorted(each.id for each in chosen)
    assert all(0 < each.amount_wh <= by_id[each.id] for each in chosen)
    assert all(each.amount_wh == by_id[each.id] for each in chosen[:-1])
    left = {each.id for each in held if each.amount_wh} - {each.id for each in chosen}
    assert all(chosen[-1].id < each for each in left)


def test_more_than_is_held_is_refused_with_what_is() -> None:
    with pytest.raises(NotEnoughCertificatesError, match="'amount_wh' is 21: must be at most 20"):
        bundle([part(300, 10), part(900, 10)], 21)


@pytest.mark.parametrize("amount", [0, -1])
def test_an_amount_has_to_be_positive(amount: int) -> None:
    with pytest.raises(SelectionError, match=f"'amount_wh' is {amount}: must be at least 1"):
        bundle([part(300, 10)], amount)


def test_more_certificates_than_fit_a_batch_are_refused_with_what_fits() -> None:
    held = [part(300 * unit, 2) for unit in range(MAX_IDS + 2)]
    assert len(bundle(held, 2 * MAX_IDS)) == MAX_IDS
    with pytest.raises(BatchTooLargeError, match=r"takes 129 certificates: at most 128 .* come to 256 Wh"):
        bundle(held, 2 * MAX_IDS + 1)
