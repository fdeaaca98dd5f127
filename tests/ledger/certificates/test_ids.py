"""Token ids and what they say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.certificates.ids import (
    MAX_DEVICE,
    MAX_REVISION,
    MAX_SLOT,
    SLOT_UNIT_S,
    CertificateId,
    CertificateIdError,
    CertificateKind,
)

IDS = st.builds(
    CertificateId,
    slot=st.integers(0, MAX_SLOT // SLOT_UNIT_S).map(lambda unit: unit * SLOT_UNIT_S),
    device=st.integers(0, MAX_DEVICE),
    kind=st.sampled_from(CertificateKind),
    revision=st.integers(0, MAX_REVISION),
)


@given(IDS)
def test_an_id_is_read_back_as_it_was_written(name: CertificateId) -> None:
    assert CertificateId.of(int(name)) == name


@given(IDS, IDS)
def test_two_certificates_never_share_an_id(one: CertificateId, other: CertificateId) -> None:
    assert (int(one) == int(other)) == (one == other)


def test_the_layout_is_the_contracts() -> None:
    name = CertificateId(slot=900, device=7, kind=CertificateKind.STORED, revision=2)
    assert int(name) == 2 << 136 | 7 << 72 | 3 << 8 | 2


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"slot": 899}, "'slot' is 899: must be a multiple of 300"),
        ({"slot": -300}, "'slot' is -300"),
        ({"slot": 2**40 + 300 - 2**40 % 300}, f"up to {MAX_SLOT}"),
        ({"device": -1}, f"'device' is -1: must be from 0 to {MAX_DEVICE}"),
        ({"device": 2**64}, f"'device' is {2**64}"),
        ({"revision": 16}, "'revision' is 16: must be from 0 to 15"),
        ({"revision": -1}, "'revision' is -1"),
    ],
)
def test_a_field_outside_its_limits_is_refused(fields: dict[str, int], message: str) -> None:
    with pytest.raises(CertificateIdError, match=message):
        CertificateId(**{"slot": 900, "device": 1} | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("token_id", [-1, 0, 5 << 136, 1 << 144 | 1 << 136])
def test_a_number_that_is_no_id_is_refused(token_id: int) -> None:
    with pytest.raises(CertificateIdError, match="must be one of 1, 2, 3, 4"):
        CertificateId.of(token_id)


def test_a_correction_has_the_next_revision_until_there_is_none() -> None:
    name = CertificateId(slot=900, device=7)
    assert int(name.next_revision) == int(name) + 1
    with pytest.raises(CertificateIdError, match="'revision' is 16"):
        _ = CertificateId(slot=900, device=7, revision=15).next_revision


def test_ids_are_ordered_by_age() -> None:
    newer = CertificateId(slot=1_800, device=1)
    older = CertificateId(slot=900, device=9, kind=CertificateKind.STORED)
    assert sorted([newer, older]) == [older, newer]


def test_messages_name_a_certificate_in_words() -> None:
    assert str(CertificateId(slot=900, device=7)) == "generation of device 7 in slot 900"
    assert str(CertificateId(900, 7, CertificateKind.CONSUMPTION, 1)) == (
        "consumption of device 7 in slot 900, revision 1"
    )
    assert str(CertificateId(900, 3, CertificateKind.IMPORTED)) == "import 3 of slot 900"
