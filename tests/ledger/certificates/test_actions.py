"""What holders do with their certificates, and what they are told before anything is sent."""

from collections.abc import Callable

import pytest

from ledger.certificates import actions
from ledger.certificates.actions import ActionError, Call, Pair
from ledger.certificates.claims import Claim, ClaimError, Purpose, Topic
from ledger.certificates.days import Day
from ledger.certificates.selection import MAX_IDS, Part, bundle
from ledger.chain import CallRevertedError
from tests.ledger.certificates.street import DAY, LOAD, OWN_LOAD, PV, WINDMILL, Street, consumption, generation
from tests.world import MARKET, SLOT, World

CLAIM = Claim(Purpose.CONSUMPTION, "NL", SLOT, SLOT)


@pytest.fixture
def street(world: World) -> Street:
    return Street(world)


def held(street: Street, member: int, slot: int = SLOT) -> int:
    wh: int = street.contracts.certificates.read(
        "balanceOf", street.member(member).address, int(generation(PV, slot))
    )
    return wh


def test_an_amount_is_transferred_in_one_batch_the_oldest_certificates_first(street: Street) -> None:
    for number in range(3):
        street.certify({PV: 100}, slot=SLOT + 900 * number)
    owner, to = street.member(1).address, street.member(3).address
    usable = street.history().usable(owner, now=street.world.time.now, lifetime_s=10**9)
    before = street.world.chain.head().number
    street.act(1, actions.transfer(street.contracts, owner, to, bundle(usable, 250)))
    assert street.world.chain.head().number == before + 1
    assert [held(street, 3, SLOT + 900 * number) for number in range(3)] == [100, 100, 50]
    street.act(3, actions.transfer(street.contracts, to, owner, [Part(generation(PV), 40)]))
    assert [held(street, member) for member in (1, 3)] == [40, 60]


def test_certificates_are_retired_for_what_the_claim_says(street: Street) -> None:
    for number in range(2):
        street.certify({PV: 100}, slot=SLOT + 900 * number)
    beneficiary = street.member(3).address
    claim = Claim(Purpose.PRODUCT, "DE", SLOT, SLOT + 900, beneficiary=beneficiary, text_hash=b"\x01" * 32)
    parts = [Part(generation(PV), 60), Part(generation(PV, SLOT + 900), 70)]
    street.act(1, actions.retire(street.contracts, parts, claim))
    street.act(1, actions.retire(street.contracts, [Part(generation(PV), 10)], CLAIM))
    history, owner = street.history(), street.member(1).address
    first, second, third = sorted(history.retirements(), key=lambda each: -each.amount_wh)
    assert (first.amount_wh, second.amount_wh, third.amount_wh) == (70, 60, 10)
    assert first.claim == second.claim == claim
    assert third.claim == Claim(Purpose.CONSUMPTION, "NL", SLOT, SLOT, beneficiary=owner)
    assert [each.holder for each in (first, second, third)] == [owner] * 3
    assert history.records[generation(PV)].claimed == {beneficiary: 60, owner: 10}


def test_certificates_are_retired_against_consumption_in_pairs(street: Street) -> None:
    street.certify({PV: 100, LOAD: 80, OWN_LOAD: 50}, moves={(PV, 0): 60})
    street.act(0, actions.retire_pairs(street.contracts, [Pair(generation(PV), consumption(LOAD), 60)]))
    street.act(1, actions.retire_pairs(street.contracts, [Pair(generation(PV), consumption(OWN_LOAD), 40)]))
    record = street.history().records[generation(PV)]
    assert [each.topic for each in record.retirements] == [Topic.MATCHED, Topic.SELF_CONSUMED]
    assert [each.consumption for each in record.retirements] == [consumption(LOAD), consumption(OWN_LOAD)]


def test_certificates_are_exported_under_a_serial_number_of_the_other_registry(street: Street) -> None:
    street.certify({PV: 100})
    call = actions.export(street.contracts, [Part(generation(PV), 30)], registry="AIB Hub", serial="7/8")
    street.act(1, call)
    (exported,) = street.history().exports
    assert (exported.registry, exported.serial, exported.parts) == ("AIB Hub", "7/8", (Part(generation(PV), 30),))
    with pytest.raises(CallRevertedError, match="certificates: exported"):
        street.act(1, call)


def test_a_period_is_requested_by_the_devices_owner(street: Street) -> None:
    street.world.at(SLOT + 900)
    call = actions.request(
        street.contracts, device=WINDMILL, first_slot=SLOT - 900, last_slot=SLOT, evidence=b"\x01" * 32
    )
    assert actions.request_number(street.contracts, street.act(3, call)) == 1
    with pytest.raises(CallRevertedError, match="devices: not the owner"):
        street.act(0, call)


def test_anybody_mints_slots_of_a_committed_day(street: Street) -> None:
    day = Day(DAY, {PV: [0] * 40 + [5, 6] + [0] * 54, WINDMILL: [1] * 96})
    street.world.at((DAY + 1) * 86_400)
    street.issuer.commit_day(day)
    street.act(0, actions.mint(street.contracts, MARKET, day, PV, [41, 40]))
    start = DAY * 86_400
    assert [held(street, 1, start + 900 * place) for place in (40, 41, 42)] == [5, 6, 0]
    with pytest.raises(CallRevertedError, match="issuance: no standing request"):
        street.act(0, actions.mint(street.contracts, MARKET, day, WINDMILL, [0]))


Build = Callable[[Street], Call]

REFUSED: dict[str, tuple[type[Exception], str, Build]] = {
    "nothing is transferred": (
        ActionError,
        "'ids' has 0 entries: must have 1 to 128",
        lambda s: actions.transfer(s.contracts, b"\x01" * 20, b"\x02" * 20, []),
    ),
    "too much is transferred": (
        ActionError,
        "'ids' has 129 entries",
        lambda s: actions.transfer(
            s.contracts, b"\x01" * 20, b"\x02" * 20, [Part(generation(PV), 1)] * (MAX_IDS + 1)
        ),
    ),
    "no Wh are transferred": (
        ActionError,
        "'amount_wh' is 0: must be at least 1",
        lambda s: actions.transfer(s.contracts, b"\x01" * 20, b"\x02" * 20, [Part(generation(PV), 0)]),
    ),
    "nobody gets it": (
        ActionError,
        "'to' is 0x0000000000000000000000000000000000000000",
        lambda s: actions.transfer(s.contracts, b"\x01" * 20, bytes(20), [Part(generation(PV), 1)]),
    ),
    "consumption is transferred": (
        ActionError,
        "consumption of device 2 .*: consumption stays",
        lambda s: actions.transfer(s.contracts, b"\x01" * 20, b"\x02" * 20, [Part(consumption(LOAD), 1)]),
    ),
    "consumption is retired": (
        ActionError,
        "consumption stays",
        lambda s: actions.retire(s.contracts, [Part(consumption(LOAD), 1)], CLAIM),
    ),
    "a claim says nothing": (
        ClaimError,
        "'country' is ''",
        lambda s: actions.retire(s.contracts, [Part(generation(PV), 1)], Claim(1, "", SLOT, SLOT)),
    ),
    "no pair": (ActionError, "'pairs' has 0 entries", lambda s: actions.retire_pairs(s.contracts, [])),
    "a pair of two slots": (
        ActionError,
        f"'id' is generation of device 1 in slot {SLOT}.*: must be of generation, and of slot {SLOT + 900}",
        lambda s: actions.retire_pairs(s.contracts, [Pair(generation(PV), consumption(LOAD, SLOT + 900), 1)]),
    ),
    "a pair of two generations": (
        ActionError,
        "'consumption' is generation of device 1",
        lambda s: actions.retire_pairs(s.contracts, [Pair(generation(PV), generation(PV), 1)]),
    ),
    "a pair of two consumptions": (
        ActionError,
        "'id' is consumption of device 2",
        lambda s: actions.retire_pairs(s.contracts, [Pair(consumption(LOAD), consumption(LOAD), 1)]),
    ),
    "an empty pair": (
        ActionError,
        "'amount_wh' is 0",
        lambda s: actions.retire_pairs(s.contracts, [Pair(generation(PV), consumption(LOAD), 0)]),
    ),
    "an export to no registry": (
        ActionError,
        "export field 'registry' is '': must have 1 to 32 bytes",
        lambda s: actions.export(s.contracts, [Part(generation(PV), 1)], registry="", serial="1"),
    ),
    "an export with a long serial": (
        ActionError,
        "export field 'serial' is .*: must have 1 to 64 bytes",
        lambda s: actions.export(s.contracts, [Part(generation(PV), 1)], registry="AIB", serial="é" * 33),
    ),
    "an export of consumption": (
        ActionError,
        "consumption stays",
        lambda s: actions.export(s.contracts, [Part(consumption(LOAD), 1)], registry="AIB", serial="1"),
    ),
    "a period that ends before it begins": (
        ActionError,
        f"'last_slot' is {SLOT - 900}: must be from {SLOT}",
        lambda s: actions.request(
            s.contracts, device=PV, first_slot=SLOT, last_slot=SLOT - 900, evidence=bytes(32)
        ),
    ),
    "a period of more than a year": (
        ActionError,
        "less than 366 days later",
        lambda s: actions.request(
            s.contracts, device=PV, first_slot=0, last_slot=366 * 86_400, evidence=bytes(32)
        ),
    ),
    "evidence that is no hash": (
        ActionError,
        "'evidence' has 3 bytes: must be 32",
        lambda s: actions.request(s.contracts, device=PV, first_slot=0, last_slot=0, evidence=b"abc"),
    ),
    "a slot in which nothing was generated": (
        ActionError,
        "'places' has 1: must be one of the 96 slots in which device 1 generated",
        lambda s: actions.mint(s.contracts, MARKET, Day(DAY, {PV: [1] + [0] * 95}), PV, [1]),
    ),
    "a slot of another day": (
        ActionError,
        "'places' has 96",
        lambda s: actions.mint(s.contracts, MARKET, Day(DAY, {PV: [1] * 96}), PV, [96]),
    ),
    "no slot": (
        ActionError,
        "'places' has 0 entries: must have 1 to 96",
        lambda s: actions.mint(s.contracts, MARKET, Day(DAY, {PV: [1] * 96}), PV, []),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_in_words(street: Street, what: str) -> None:
    error, message, build = REFUSED[what]
    with pytest.raises(error, match=message):
        build(street)
