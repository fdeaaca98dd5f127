"""What a retired certificate was used up for."""

from dataclasses import replace

import pytest

from ledger.certificates.claims import (
    Claim,
    ClaimError,
    Purpose,
    claim_data,
    claim_of,
    consumption_of,
    text_hash,
)

BENEFICIARY = b"\x0b" * 20
CLAIM = Claim(
    Purpose.DISCLOSURE, "NL", 900, 1_800, beneficiary=BENEFICIARY, text_hash=text_hash("flat 3", b"\x01" * 32)
)


def test_a_claim_is_read_back_from_its_data_and_subject() -> None:
    assert claim_of(claim_data(CLAIM), BENEFICIARY) == CLAIM


def test_data_that_are_not_a_claims_are_refused() -> None:
    with pytest.raises(ClaimError, match="claim data 0x0102 are not"):
        claim_of(b"\x01\x02", BENEFICIARY)
    with pytest.raises(ClaimError, match="claim data 0x have 0 bytes: must be a token id of 32"):
        consumption_of(b"")


def test_the_consumption_is_read_from_a_matchs_data() -> None:
    assert consumption_of((4 << 136).to_bytes(32)) == 4 << 136


def test_a_claim_may_leave_out_beneficiary_and_words() -> None:
    Claim(Purpose.CONSUMPTION, "DE", 900, 900).check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"purpose": 0}, "'purpose' is 0: must be one of 1, 2, 3, 4"),
        ({"purpose": 5}, "'purpose' is 5"),
        ({"country": "nl"}, "'country' is 'nl': must be two capital letters"),
        ({"country": "NLD"}, "'country' is 'NLD'"),
        ({"country": "ÄÖ"}, "'country' is 'ÄÖ'"),
        ({"country": ""}, "'country' is ''"),
        ({"last_slot": 600}, "'last_slot' is 600: must be from 'first_slot', which is 900"),
        ({"first_slot": -1}, "which is -1"),
        ({"last_slot": 2**40}, f"'last_slot' is {2**40}"),
        ({"beneficiary": b"\x01"}, "'beneficiary' has 1 bytes: must be an address of 20"),
        ({"text_hash": b""}, "'text_hash' has 0 bytes: must be 32"),
    ],
)
def test_a_claim_that_would_say_nothing_is_refused(changes: dict[str, object], message: str) -> None:
    claim = replace(CLAIM, **changes)  # type: ignore[arg-type]
    with pytest.raises(ClaimError, match=message):
        claim.check()


def test_private_words_are_hashed_with_a_salt_of_their_own() -> None:
    one, other = b"\x01" * 32, b"\x02" * 32
    assert len({text_hash("flat 3", one), text_hash("flat 3", other), text_hash("flat 4", one)}) == 3
    with pytest.raises(ClaimError, match="'salt' has 31 bytes: must be 32"):
        text_hash("flat 3", bytes(31))
