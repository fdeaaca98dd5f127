"""Every reason to refuse a reading; a refusal changes nothing."""

from collections.abc import Callable
from functools import partial

import pytest

from matching.errors import WattbookError
from matching.readings import SignedReading
from node.api.services import Services
from node.clock import SteppedClock
from tests.node.parts import LOAD, SLOT, SOLAR, reading

NEXT = SLOT + 900


@pytest.fixture(autouse=True)
def _after_two_slots(clock: SteppedClock) -> None:
    clock.advance_to(SLOT + 1_800)


REFUSED: dict[str, tuple[str, Callable[[], SignedReading]]] = {
    "another chain": ("evidence.device", partial(reading, slot=NEXT, chain_id=1)),
    "another market": ("evidence.device", partial(reading, slot=NEXT, market=b"\1" * 32)),
    "an unknown device": ("reading.unknown_device", partial(reading, 7, slot=NEXT, signer=SOLAR)),
    "another meter's signature": ("evidence.signature", partial(reading, slot=NEXT, signer=LOAD)),
    "a slot that does not exist": ("evidence.slot", partial(reading, slot=SLOT + 1)),
    "a slot that is not over": ("reading.too_early", partial(reading, slot=SLOT + 1_800)),
    "a slot before the device's first": ("reading.unexpected", partial(reading, slot=SLOT - 1_800)),
    "a second reading of a slot": ("reading.conflict", partial(reading, energy_wh=249)),
    "a sequence that leaves one out": (
        "evidence.sequence",
        partial(reading, slot=NEXT, register_wh=10_500, sequence=43),
    ),
    "a sequence that stands still": (
        "evidence.sequence",
        partial(reading, slot=NEXT, register_wh=10_500, sequence=41),
    ),
    "a register that does not go on": (
        "evidence.register",
        partial(reading, slot=NEXT, register_wh=10_501, sequence=42),
    ),
    "a slot before the last one read": (
        "evidence.slot",
        partial(reading, slot=SLOT - 900, register_wh=10_500, sequence=42),
    ),
    "more than the device can generate": (
        "evidence.nameplate",
        partial(reading, slot=NEXT, energy_wh=1_001, register_wh=11_251, sequence=42),
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_reading_is_refused_with_a_stable_code_and_nothing_changes(services: Services, reason: str) -> None:
    first = services.metering.submit(reading())
    code, make = REFUSED[reason]
    with pytest.raises(WattbookError) as refusal:
        services.metering.submit(make())
    assert refusal.value.code == code
    assert services.store.latest_readings() == [first]


def test_the_same_reading_again_is_harmless(services: Services) -> None:
    first = services.metering.submit(reading())
    services.metering.submit(reading(slot=NEXT, register_wh=10_500, sequence=42))
    assert services.metering.submit(reading()) == first


def test_a_reading_may_be_all_that_the_device_can_generate(services: Services) -> None:
    full = reading(energy_wh=1_000, register_wh=1_000)
    assert services.metering.submit(full).evidence.energy_wh == 1_000


def test_a_loads_energy_is_not_limited_by_its_nameplate(services: Services) -> None:
    much = reading(LOAD, energy_wh=50_000, register_wh=50_000)
    assert services.metering.submit(much).evidence.energy_wh == 50_000
