"""Every reason to refuse a reading; a refusal changes nothing."""

from collections.abc import Callable
from functools import partial

import pytest

from ledger.evidence.evidence import Quality
from ledger.evidence.substitutes import DAY_S
from matching.errors import WattbookError
from matching.readings import SignedReading
from node.api.services import Services
from node.clock import SteppedClock
from tests.node.ocmf_meter import OCMF_METER_KEY, REGISTER, ocmf
from tests.node.parts import LOAD, SLOT, SOLAR, device, reading

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


def test_a_substitute_stands_in_and_a_reading_that_is_there_stays(services: Services) -> None:
    found = services.metering.substitute(SOLAR, SLOT)
    assert (found.evidence.quality, found.energy_wh, found.revision) == (Quality.SUBSTITUTE, 0, 0)
    assert services.metering.substitute(SOLAR, SLOT) == found
    first = services.metering.submit(reading(LOAD))
    assert services.metering.substitute(LOAD, SLOT) == first


def test_a_silent_load_consumes_as_a_day_before(services: Services, clock: SteppedClock) -> None:
    services.metering.submit(reading(LOAD, energy_wh=123, register_wh=123, sequence=1))
    clock.advance_to(SLOT + 2 * DAY_S)
    for slot in range(SLOT + 900, SLOT + DAY_S, 900):
        assert services.metering.substitute(LOAD, slot).energy_wh == 0
    assert services.metering.substitute(LOAD, SLOT + DAY_S).energy_wh == 123


def test_a_late_reading_corrects_its_substitute_whether_it_comes_before_or_after_the_next(
    services: Services, clock: SteppedClock
) -> None:
    clock.advance_to(SLOT + 4_500)
    services.metering.submit(reading())
    for slot in (NEXT, NEXT + 900):
        services.metering.substitute(SOLAR, slot)
    early = services.metering.submit(reading(slot=NEXT, register_wh=10_500, sequence=42))
    services.metering.submit(reading(slot=NEXT + 1_800, register_wh=11_000, sequence=44))
    late = services.metering.submit(reading(slot=NEXT + 900, register_wh=10_750, sequence=43))
    assert [record.revision for record in (early, late)] == [1, 1]
    assert services.store.readings(NEXT)[SOLAR].energy_wh == 0
    assert services.metering.submit(reading(slot=NEXT, register_wh=10_500, sequence=42)) == early


@pytest.mark.parametrize(
    ("register_wh", "sequence", "code"), [(10_501, 42, "evidence.register"), (10_500, 43, "evidence.sequence")]
)
def test_a_late_reading_that_does_not_fit_what_came_before_is_refused(
    services: Services, register_wh: int, sequence: int, code: str
) -> None:
    services.metering.submit(reading())
    stand_in = services.metering.substitute(SOLAR, NEXT)
    with pytest.raises(WattbookError) as refusal:
        services.metering.submit(reading(slot=NEXT, register_wh=register_wh, sequence=sequence))
    assert refusal.value.code == code
    assert services.store.reading(SOLAR, NEXT) == stand_in


def test_a_late_reading_that_does_not_fit_what_came_after_is_refused(
    services: Services, clock: SteppedClock
) -> None:
    clock.advance_to(SLOT + 4_500)
    services.metering.submit(reading())
    services.metering.substitute(SOLAR, NEXT)
    services.metering.submit(reading(slot=NEXT + 900, register_wh=10_750, sequence=43))
    with pytest.raises(WattbookError) as refusal:
        services.metering.submit(reading(slot=NEXT, energy_wh=251, register_wh=10_501, sequence=42))
    assert refusal.value.code == "evidence.register"


def test_the_authority_corrects_what_is_there_and_nothing_else(services: Services) -> None:
    services.metering.submit(reading())
    corrected = services.metering.correct(SOLAR, SLOT, 200, "wrong transformer")
    assert (corrected.revision, corrected.energy_wh) == (1, 200)
    for slot, energy_wh, code in ((NEXT, 1, "reading.nothing_to_correct"), (SLOT, 1_001, "evidence.nameplate")):
        with pytest.raises(WattbookError) as refusal:
            services.metering.correct(SOLAR, slot, energy_wh, "wrong transformer")
        assert refusal.value.code == code
    following = services.metering.submit(reading(slot=NEXT, register_wh=10_500, sequence=42))
    assert following.revision == 0


@pytest.fixture
def ocmf_device(services: Services) -> int:
    services.store.add_device(device(9, key=OCMF_METER_KEY, register=REGISTER))
    return 9


def test_ocmf_messages_complete_slots_and_are_taken_once(
    services: Services, clock: SteppedClock, ocmf_device: int
) -> None:
    clock.advance_to(SLOT + 3_600)
    messages = [ocmf(n + 1, SLOT + 900 * n, f"{10 + n / 10:.4f}") for n in range(3)]
    completed = [services.metering.submit_ocmf(ocmf_device, message) for message in messages]
    assert [[record.energy_wh for record in records] for records in completed] == [[], [100], [100]]
    assert services.metering.submit_ocmf(ocmf_device, messages[1]) == []
    # After a start, where the messages have got to is read from the store.
    services.metering._journals.clear()
    (third,) = services.metering.submit_ocmf(ocmf_device, ocmf(4, SLOT + 2_700, "10.3005"))
    assert (third.evidence.slot, third.energy_wh) == (SLOT + 1_800, 100)


def test_an_ocmf_meter_goes_on_after_its_silence_was_covered(
    services: Services, clock: SteppedClock, ocmf_device: int
) -> None:
    clock.advance_to(SLOT + 4_500)
    for n in range(2):
        services.metering.submit_ocmf(ocmf_device, ocmf(n + 1, SLOT + 900 * n, f"{10 + n / 10:.4f}"))
    services.metering.substitute(ocmf_device, SLOT + 900)
    services.metering._journals.clear()
    assert services.metering.submit_ocmf(ocmf_device, ocmf(3, SLOT + 1_800, "10.4000")) == []
    (record,) = services.metering.submit_ocmf(ocmf_device, ocmf(4, SLOT + 2_700, "10.5000"))
    assert (record.evidence.slot, record.energy_wh) == (SLOT + 1_800, 100)


def test_a_compact_reading_of_an_ocmf_meter_and_the_reverse_are_refused(
    services: Services, ocmf_device: int
) -> None:
    with pytest.raises(WattbookError) as refusal:
        services.metering.submit_ocmf(SOLAR, ocmf(1, SLOT, "10.0000"))
    assert refusal.value.code in ("evidence.signature", "evidence.device")
