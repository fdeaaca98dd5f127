"""The issuer's steps: done once however often they are run, and refused in words before anything is sent."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from ledger.certificates import actions
from ledger.certificates.actions import ActionError
from ledger.certificates.claims import Claim, Purpose
from ledger.certificates.days import Day
from ledger.certificates.ids import CertificateIdError, CertificateKind
from ledger.certificates.issuer import (
    MAX_ISSUED_SLOTS,
    AlreadyOtherwiseError,
    Anchor,
    Import,
    IssuerError,
)
from ledger.certificates.selection import Part
from ledger.chain import CallRevertedError
from tests.ledger.certificates.street import DAY, LOAD, PV, WINDMILL, Street, consumption, generation
from tests.ledger.steps import CrashError, FaultyChain, crash_after_sending
from tests.world import MARKET, SLOT, World


@pytest.fixture
def street(world: World) -> Street:
    return Street(world)


def imported(street: Street, **changes: object) -> Import:
    details = Import(
        registry="AIB Hub",
        serial="643002406801000000000000001",
        to=street.member(0).address,
        area=street.abroad,
        slot=SLOT,
        slot_length_s=900,
        amount_wh=1_000,
        technology=20_002,
        fuel=1_050_100,
    )
    return replace(details, **changes)  # type: ignore[arg-type]


def twice(street: Street, action: Callable[[], object]) -> None:
    """Run a step, and see that running it again sends nothing."""
    action()
    head = street.world.chain.head()
    action()
    assert street.world.chain.head() == head
    assert street.journal.unfinished() == []


def state(street: Street, token_id: int) -> dict[str, object]:
    found: dict[str, object] = street.contracts.certificates.read("state_of", token_id)
    return found


def test_a_wrong_certificate_is_withdrawn_and_issued_anew(street: Street) -> None:
    street.certify({PV: 1_000})
    street.act(
        1,
        actions.retire(
            street.contracts, [Part(generation(PV), 300)], Claim(Purpose.CONSUMPTION, "NL", SLOT, SLOT)
        ),
    )
    twice(street, lambda: street.issuer.withdraw(generation(PV), "meter read twice"))
    assert state(street, int(generation(PV)))["withdrawn"]
    twice(street, lambda: street.issuer.reissue(generation(PV), 800))
    assert street.issuer.reissue(generation(PV), 800) == generation(PV, revision=1)
    assert state(street, int(generation(PV, revision=1)))["issued_wh"] == 500
    assert [intent.step.partition("-")[0] for intent in street.journal.intents[1:]] == ["withdraw", "reissue"]


def test_a_certificate_that_was_issued_anew_for_another_amount_is_not_taken_for_this_one(street: Street) -> None:
    street.certify({PV: 1_000})
    street.issuer.withdraw(generation(PV), "meter read twice")
    street.issuer.reissue(generation(PV), 800)
    head = street.world.chain.head()
    with pytest.raises(AlreadyOtherwiseError, match="is issued for 800 Wh metered, not 700"):
        street.issuer.reissue(generation(PV), 700)
    assert street.world.chain.head() == head


def test_nothing_is_withdrawn_that_was_never_issued(street: Street) -> None:
    with pytest.raises(CallRevertedError, match="nothing to withdraw"):
        street.issuer.withdraw(generation(PV), "meter read twice")


def test_an_import_is_issued_once_for_its_serial_number(street: Street) -> None:
    street.world.at(SLOT + 900)
    twice(street, lambda: street.issuer.import_certificate(imported(street)))
    first = street.issuer.import_certificate(imported(street))
    second = street.issuer.import_certificate(imported(street, serial="2"))
    assert (first.kind, first.device, second.device) == (CertificateKind.IMPORTED, 1, 2)
    assert state(street, int(first))["owner"] == street.member(0).address
    assert len(street.journal.intents) == 2


def test_an_import_that_another_program_made_is_found(street: Street) -> None:
    street.world.at(SLOT + 900)
    first = street.issuer.import_certificate(imported(street))
    street.issuer.import_certificate(imported(street, serial="2"))
    street.journal.records.clear()
    assert street.issuer.import_certificate(imported(street)) == first
    (found,) = street.journal.confirmed
    receipt = street.world.chain.receipt(found.intent.transaction_hash)
    assert receipt is not None
    issuance = street.contracts.issuance
    events = [issuance.interface.decode_event(log) for log in receipt.logs if log.address == issuance.address]
    assert [event.arguments["id"] for event in events if event is not None] == [int(first)]


def requested(street: Street, last_slot: int = SLOT) -> int:
    street.world.time.now = max(street.world.time.now, last_slot + 900)
    call = actions.request(
        street.contracts, device=WINDMILL, first_slot=SLOT, last_slot=last_slot, evidence=b"\x01" * 32
    )
    return actions.request_number(street.contracts, street.act(3, call))


def test_a_request_is_decided_once(street: Street) -> None:
    number = requested(street)
    twice(street, lambda: street.issuer.decide(number, approved=True, reason=""))
    with pytest.raises(AlreadyOtherwiseError, match=f"request {number} is approved for good"):
        street.issuer.decide(number, approved=False, reason="no evidence")
    other = requested(street)
    street.issuer.decide(other, approved=False, reason="no evidence")
    with pytest.raises(AlreadyOtherwiseError, match=f"request {other} is refused for good"):
        street.issuer.decide(other, approved=True, reason="")


def test_a_request_that_is_not_there_is_not_decided(street: Street) -> None:
    with pytest.raises(CallRevertedError, match="devices: no such request"):
        street.issuer.decide(1, approved=True, reason="")


def test_a_requested_period_is_issued_in_transactions_of_a_hundred_slots(street: Street) -> None:
    count = MAX_ISSUED_SLOTS + 5
    number = requested(street, SLOT + 900 * (count - 1))
    windmill, amounts = street.devices[WINDMILL], [0, *range(1, count)]
    with pytest.raises(CallRevertedError, match="issuance: not requested"):
        street.issuer.issue(windmill, SLOT, amounts, request=number)
    street.issuer.decide(number, approved=True, reason="")
    before = street.world.chain.head().number
    twice(street, lambda: street.issuer.issue(windmill, SLOT, amounts, request=number))
    assert street.world.chain.head().number == before + 2
    history = street.history()
    issued = [history.records.get(generation(WINDMILL, SLOT + 900 * place)) for place in range(count)]
    assert [0 if record is None else record.issued_wh for record in issued] == amounts


def test_slots_without_generation_are_not_issued_for(street: Street) -> None:
    head = street.world.chain.head()
    street.issuer.issue(street.devices[PV], SLOT, [0] * 96)
    assert street.world.chain.head() == head


def test_a_standing_load_is_issued_consumption(street: Street) -> None:
    street.world.at(SLOT + 1_800)
    twice(street, lambda: street.issuer.issue(street.devices[LOAD], SLOT, [10, 20]))
    assert state(street, int(consumption(LOAD, SLOT + 900)))["issued_wh"] == 20


def test_slots_that_are_certified_already_are_passed_over_and_the_others_issued(street: Street) -> None:
    street.certify({PV: 100})
    street.world.at(SLOT + 2_700)
    twice(street, lambda: street.issuer.issue(street.devices[PV], SLOT, [100, 200]))
    twice(street, lambda: street.issuer.issue(street.devices[PV], SLOT, [100, 200, 300]))
    issued = [state(street, int(generation(PV, SLOT + 900 * place)))["issued_wh"] for place in range(3)]
    assert issued == [100, 200, 300]
    assert len(street.journal.confirmed) == 3


def test_a_day_is_anchored_and_corrected(street: Street) -> None:
    street.world.at((DAY + 1) * 86_400)
    first = [Anchor(PV, b"\x01" * 32, 96), Anchor(LOAD, b"\x02" * 32, 96)]
    twice(street, lambda: street.issuer.anchor(DAY, first))
    twice(street, lambda: street.issuer.anchor(DAY, [first[1], first[0]]))
    corrected = [Anchor(PV, b"\x03" * 32, 95)]
    twice(street, lambda: street.issuer.anchor(DAY, corrected))
    read = street.contracts.devices.read
    assert read("anchor_of", PV, DAY) == corrected[0].commitment
    assert read("anchor_of", LOAD, DAY) == first[1].commitment


def test_a_day_is_anchored_as_it_was_before_once_more(street: Street) -> None:
    street.world.at((DAY + 1) * 86_400)
    first, corrected = [Anchor(PV, b"\x01" * 32, 96)], [Anchor(PV, b"\x03" * 32, 95)]
    for anchors in (first, corrected, first, corrected):
        twice(street, partial(street.issuer.anchor, DAY, anchors))
        assert street.contracts.devices.read("anchor_of", PV, DAY) == anchors[0].commitment
    assert len(street.journal.confirmed) == 4


def test_a_day_is_committed_once_and_for_all(street: Street) -> None:
    street.world.at((DAY + 1) * 86_400)
    day = Day(DAY, {PV: [1] * 96})
    twice(street, lambda: street.issuer.commit_day(day))
    assert street.contracts.issuance.read("day_of", MARKET, DAY)["root"] == day.root
    with pytest.raises(AlreadyOtherwiseError, match=f"day {DAY} is committed to another root"):
        street.issuer.commit_day(Day(DAY, {PV: [2] * 96}))


def test_a_step_that_was_killed_after_sending_goes_on(street: Street, monkeypatch: pytest.MonkeyPatch) -> None:
    street.certify({PV: 1_000})
    faulty = FaultyChain(street.world.chain, crash_after_sending)
    with monkeypatch.context() as patched:
        patched.setattr(street.issuer._stepper, "_chain", faulty)
        with pytest.raises(CrashError):
            street.issuer.withdraw(generation(PV), "meter read twice")
    head = street.world.chain.head()
    street.issuer.withdraw(generation(PV), "meter read twice")
    assert street.world.chain.head() == head
    assert street.journal.unfinished() == []


REFUSED: dict[str, tuple[type[Exception], str, Callable[[Street], object]]] = {
    "no reason to withdraw": (
        IssuerError,
        "'reason' is empty: must say why, in up to 128 bytes",
        lambda s: s.issuer.withdraw(generation(PV), " "),
    ),
    "a long reason to withdraw": (
        IssuerError,
        "'reason' has 130 bytes: must have at most 128",
        lambda s: s.issuer.withdraw(generation(PV), "é" * 65),
    ),
    "no reason to refuse": (
        IssuerError,
        "'reason' is empty",
        lambda s: s.issuer.decide(1, approved=False, reason=""),
    ),
    "a long reason to approve": (
        IssuerError,
        "'reason' has 129 bytes",
        lambda s: s.issuer.decide(1, approved=True, reason="x" * 129),
    ),
    "less than nothing, corrected": (
        IssuerError,
        "'corrected_wh' is -1: must be from 0 to 2147483647",
        lambda s: s.issuer.reissue(generation(PV), -1),
    ),
    "too much, corrected": (
        IssuerError,
        "'corrected_wh' is 2147483648",
        lambda s: s.issuer.reissue(generation(PV), 2**31),
    ),
    "a sixteenth correction": (
        CertificateIdError,
        "'revision' is 16",
        lambda s: s.issuer.reissue(generation(PV, revision=15), 1),
    ),
    "an import of nothing": (
        IssuerError,
        "'amount_wh' is 0: must be from 1",
        lambda s: s.issuer.import_certificate(imported(s, amount_wh=0)),
    ),
    "an import without a serial number": (
        ActionError,
        "import field 'serial' is ''",
        lambda s: s.issuer.import_certificate(imported(s, serial="")),
    ),
    "an import from a registry with a long name": (
        ActionError,
        "import field 'registry' is .*: must have 1 to 32 bytes",
        lambda s: s.issuer.import_certificate(imported(s, registry="x" * 33)),
    ),
    "too much in a slot": (
        IssuerError,
        "'amounts_wh' is 2147483648",
        lambda s: s.issuer.issue(s.devices[PV], SLOT, [1, 2**31]),
    ),
    "nothing to anchor": (
        IssuerError,
        "'anchors' is 0: must be from 1 to 256",
        lambda s: s.issuer.anchor(DAY, []),
    ),
    "an anchor without leaves": (
        IssuerError,
        "'leaves' is 0: must be from 1",
        lambda s: s.issuer.anchor(DAY, [Anchor(PV, b"\x01" * 32, 0)]),
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_is_refused_in_words_before_anything_is_sent(street: Street, what: str) -> None:
    error, message, action = REFUSED[what]
    with pytest.raises(error, match=message):
        action(street)
    assert street.journal.intents == []
