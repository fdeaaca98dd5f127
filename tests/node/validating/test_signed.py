"""What a validator signed survives everything, and no slot gets two signatures."""

import json
from pathlib import Path

import pytest

from ledger.eip712 import Domain
from ledger.keys import Key, recover
from node.validating.errors import RefusalError, ValidatorError
from node.validating.signed import SignedSlots
from tests.node.parts import ALICE, BOB, DOMAIN, MARKET, SLOT

ONE, OTHER = b"\x01" * 32, b"\x02" * 32


def opened(path: Path, *, key: Key = ALICE, domain: Domain = DOMAIN, market: bytes = MARKET) -> SignedSlots:
    return SignedSlots(path, domain=domain, market=market, key=key)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "validator" / "signed.jsonl"


def test_a_signature_is_on_disk_when_it_is_returned(path: Path) -> None:
    with opened(path) as signed:
        assert recover(ONE, signed.sign(SLOT, ONE)) == ALICE.address
        assert json.loads(path.read_text().splitlines()[-1]) == {"slot": SLOT, "digest": ONE.hex()}


def test_the_same_settlement_gets_the_same_signature_also_after_a_restart(path: Path) -> None:
    with opened(path) as signed:
        first = signed.sign(SLOT, ONE)
        assert signed.sign(SLOT, ONE) == first
    with opened(path) as signed:
        assert signed.sign(SLOT, ONE) == first
    assert len(path.read_text().splitlines()) == 2


def test_another_settlement_of_the_slot_is_not_signed_also_after_a_restart(path: Path) -> None:
    with opened(path) as signed:
        signed.sign(SLOT, ONE)
        with pytest.raises(RefusalError, match="no other settlement"):
            signed.sign(SLOT, OTHER)
    with opened(path) as signed:
        with pytest.raises(RefusalError) as refusal:
            signed.sign(SLOT, OTHER)
        assert refusal.value.code == "refused.signed_other"
        signed.sign(SLOT + 900, OTHER)


@pytest.mark.parametrize("cut", [1, 5, 20, 60])
def test_a_line_that_a_crash_cut_short_was_never_sent(path: Path, cut: int) -> None:
    with opened(path) as signed:
        signed.sign(SLOT, ONE)
        signed.sign(SLOT + 900, ONE)
    path.write_bytes(path.read_bytes()[:-cut])
    with opened(path) as signed:
        signed.sign(SLOT + 900, OTHER)
    with opened(path) as signed, pytest.raises(RefusalError):
        signed.sign(SLOT, OTHER)
    assert len(path.read_text().splitlines()) == 3


def test_a_first_line_cut_short_is_written_again(path: Path) -> None:
    with opened(path):
        pass
    whole = path.read_bytes()
    path.write_bytes(whole[:-3])
    with opened(path):
        pass
    assert path.read_bytes() == whole


def test_two_processes_do_not_share_a_file(path: Path) -> None:
    with opened(path), pytest.raises(ValidatorError, match="in use"):
        opened(path)
    with opened(path):
        pass


def test_the_file_of_another_key_chain_exchange_or_market_is_refused(path: Path) -> None:
    with opened(path):
        pass
    for others in (
        {"key": BOB},
        {"domain": Domain(1, DOMAIN.exchange)},
        {"domain": Domain(DOMAIN.chain_id, bytes(20))},
        {"market": bytes(32)},
    ):
        with pytest.raises(ValidatorError, match="belongs to"):
            opened(path, **others)


@pytest.mark.parametrize("line", ["not JSON", "{}", '{"slot": 900, "digest": "xy"}', "[1]"])
def test_a_damaged_file_is_refused_because_what_was_signed_is_not_known(path: Path, line: str) -> None:
    with opened(path):
        pass
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(ValidatorError, match="damaged"):
        opened(path)
