from itertools import pairwise

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from agents.devices.load import Load
from agents.devices.series import NotMeteredError
from agents.meter import Meter
from matching.readings import MAX_ENERGY_WH
from tests.agents.parts import series, slot


def meter(energy_wh: list[int]) -> Meter:
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    return Meter(Load(7, series(energy_wh)), key, chain_id=31337, market=bytes(range(32)))


@given(st.lists(st.integers(0, MAX_ENERGY_WH), min_size=1, max_size=20))
def test_readings_are_signed_and_each_follows_the_one_before(energy_wh: list[int]) -> None:
    device = meter(energy_wh)
    signed = [device.read(slot(index)) for index in range(len(energy_wh))]
    for one in signed:
        one.reading.verify(device.public_key, one.signature)
    for earlier, later in pairwise(signed):
        later.reading.check_follows(earlier.reading)
    assert [one.reading.energy_wh for one in signed] == energy_wh
    assert signed[-1].reading.register_wh == sum(energy_wh)


def test_a_reading_names_chain_market_device_and_slot() -> None:
    reading = meter([5]).read(slot(0)).reading
    assert (reading.chain_id, reading.market, reading.device) == (31337, bytes(range(32)), 7)
    assert (reading.slot, reading.sequence) == (slot(0), 1)


def test_a_meter_reads_the_same_bytes_after_a_restart() -> None:
    before, after = meter([5, 6, 7]), meter([5, 6, 7])
    before.read(slot(0))
    before.read(slot(1))
    assert after.read(slot(1)) == before.read(slot(1))


def test_a_slot_the_meter_did_not_see_is_refused() -> None:
    with pytest.raises(NotMeteredError, match=f"slot {slot(1)}"):
        meter([5]).read(slot(1))
