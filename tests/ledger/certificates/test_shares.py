"""Who gets what of a certificate that is issued anew."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.certificates import actions
from ledger.certificates.claims import Claim, Purpose
from ledger.certificates.issuer import Share
from ledger.certificates.selection import Part
from ledger.certificates.shares import MAX_SHARES, divided, shares_of
from tests.ledger.certificates.street import (
    LOAD,
    PV,
    Street,
    assert_agreement,
    consumption,
    generation,
)
from tests.world import SLOT, World

OWNER, ANNA, BERT = (bytes([number]) * 20 for number in (9, 1, 2))
NEXT = SLOT + 900


def test_buyers_keep_what_they_hold_as_long_as_enough_is_issued() -> None:
    assert divided(500, OWNER, {OWNER: 600, BERT: 100, ANNA: 400}) == (Share(ANNA, 400), Share(BERT, 100))


def test_buyers_share_what_is_not_enough_by_what_they_hold_and_the_owner_gets_nothing() -> None:
    assert divided(250, OWNER, {OWNER: 600, ANNA: 400, BERT: 100}) == (Share(ANNA, 200), Share(BERT, 50))


def test_who_gets_nothing_is_not_named() -> None:
    assert divided(1, OWNER, {ANNA: 400, BERT: 100}) == (Share(ANNA, 1),)
    assert divided(0, OWNER, {ANNA: 400}) == divided(10, OWNER, {OWNER: 10, ANNA: 0}) == ()


def test_of_more_holders_than_a_correction_has_room_for_the_largest_get_theirs() -> None:
    held_wh = {bytes([number]) * 20: number for number in range(1, MAX_SHARES + 3)}
    assert [share.amount_wh for share in divided(10**6, b"", held_wh)] == list(range(3, MAX_SHARES + 3))


@given(st.integers(0, 10_000), st.dictionaries(st.binary(min_size=20, max_size=20), st.integers(0, 1_000)))
def test_nobody_gets_more_than_it_held_and_all_that_buyers_can_get_they_do(
    issued_wh: int, held_wh: dict[bytes, int]
) -> None:
    shares = divided(issued_wh, OWNER, held_wh)
    assert all(0 < share.amount_wh <= held_wh[share.account] for share in shares)
    assert [share.account for share in shares] == sorted({share.account for share in shares})
    bought_wh = sum(wh for account, wh in held_wh.items() if account != OWNER)
    assert sum(share.amount_wh for share in shares) == min(issued_wh, bought_wh)


@pytest.fixture
def sold(world: World) -> Street:
    """Of 1,000 Wh the producer holds 400, a buyer 500 and another one 100."""
    street = Street(world)
    street.certify({PV: 1_000}, moves={(PV, 0): 500, (PV, 2): 100})
    return street


def corrected(street: Street, revision: int, corrected_wh: int) -> list[int]:
    """Correct a revision; what members 0, 1 and 2 hold then."""
    wrong = generation(PV, revision=revision)
    street.issuer.withdraw(wrong, "a test")
    shares = shares_of(street.history(), wrong, corrected_wh)
    new = street.issuer.reissue(wrong, corrected_wh, shares)
    history = street.history()
    assert_agreement(street, history)
    return [history.records[new].held[street.member(number).address] for number in (0, 1, 2)]


def test_a_correction_leaves_buyers_what_they_bought(sold: Street) -> None:
    assert corrected(sold, 0, 700) == [500, 100, 100]
    assert corrected(sold, 1, 300) == [250, 0, 50]
    assert corrected(sold, 2, 900) == [250, 600, 50]


def test_what_was_retired_before_has_no_share(sold: Street) -> None:
    claim = Claim(Purpose.DISCLOSURE, "NL", SLOT, SLOT)
    sold.act(0, actions.retire(sold.contracts, [Part(generation(PV), 200)], claim))
    assert corrected(sold, 0, 600) == [300, 0, 100]
    sold.act(2, actions.retire(sold.contracts, [Part(generation(PV, revision=1), 40)], claim))
    assert corrected(sold, 1, 420) == [150, 0, 30]


def test_what_pays_a_debt_has_no_share(sold: Street) -> None:
    sold.certify({PV: 100, LOAD: 100}, matches={(PV, LOAD): 100}, slot=NEXT)
    sold.issuer.withdraw(generation(PV, NEXT), "a test")
    sold.issuer.reissue(generation(PV, NEXT), 40)
    assert corrected(sold, 0, 500) == [367, 0, 73]
    assert corrected(sold, 1, 500) == [367, 0, 73]


def test_consumption_and_what_was_never_issued_have_no_shares(sold: Street) -> None:
    sold.certify({PV: 100, LOAD: 100}, matches={(PV, LOAD): 50}, slot=NEXT)
    assert shares_of(sold.history(), consumption(LOAD, NEXT), 80) == ()
    assert shares_of(sold.history(), generation(PV, NEXT + 900), 80) == ()
