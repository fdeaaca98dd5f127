"""What the history says is what the contracts' views say, whatever happened."""

from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from ledger.certificates import actions
from ledger.certificates.actions import Pair
from ledger.certificates.claims import Claim, Purpose, Topic
from ledger.certificates.days import Day
from ledger.certificates.history import CertificateHistory, read_history
from ledger.certificates.ids import MAX_REVISION, CertificateId, CertificateKind
from ledger.certificates.issuer import Anchor, Import
from ledger.certificates.occurrences import ChangedChainError
from ledger.certificates.records import Correction, Source
from ledger.certificates.selection import Part
from ledger.chain import CallRevertedError
from ledger.devices import DeviceKey, close_device, rotate_key
from tests.ledger.certificates.street import (
    BATTERY,
    CHARGER,
    DAY,
    LOAD,
    OWN_LOAD,
    PV,
    WINDMILL,
    Street,
    assert_agreement,
    consumption,
    device_key,
    generation,
    stored,
)
from tests.world import MARKET, SLOT, World, one_world_for_a_test

CLAIM = Claim(Purpose.DISCLOSURE, "NL", SLOT, SLOT + 900)
NEXT, LATER = SLOT + 900, SLOT + 1_800


@pytest.fixture
def street(world: World) -> Street:
    return Street(world)


def import_of(street: Street, serial: str, amount_wh: int) -> Import:
    to = street.member(0).address
    return Import("AIB Hub", serial, to, street.abroad, SLOT, 900, amount_wh, 20_002, 1_050_100)


def live(street: Street) -> None:
    """A life with everything in it."""
    issuer, contracts, registrar = street.issuer, street.contracts, street.world.keys["registrar"]
    street.certify(
        {PV: 1_000, OWN_LOAD: 200, LOAD: 500, CHARGER: 600},
        moves={(PV, 3): 100, (PV, 0): 150},
        matches={(PV, OWN_LOAD): 200, (PV, CHARGER): 400},
    )
    street.certify({BATTERY: 450, LOAD: 300}, matches={(BATTERY, LOAD): 250}, slot=NEXT)
    street.act(0, actions.retire_pairs(contracts, [Pair(generation(PV), consumption(LOAD), 50)]))
    street.act(0, actions.retire(contracts, [Part(generation(PV), 20)], CLAIM))
    both = [Part(generation(PV), 30), Part(stored(NEXT), 10)]
    owner = street.member(2).address
    street.act(1, actions.transfer(contracts, street.member(1).address, owner, [Part(generation(PV), 60)]))
    street.act(2, actions.retire(contracts, both, replace(CLAIM, beneficiary=street.member(3).address)))
    street.act(2, actions.export(contracts, [Part(stored(NEXT), 5)], registry="AIB Hub", serial="e1"))
    imported = issuer.import_certificate(import_of(street, "i1", 2_000))
    street.act(0, actions.transfer(contracts, street.member(0).address, owner, [Part(imported, 500)]))
    issuer.withdraw(generation(PV), "the meter had stopped")
    issuer.reissue(generation(PV), 250)
    street.certify({PV: 900}, slot=LATER)
    rotate_key(contracts, registrar, PV, device_key(9, from_slot=LATER))
    rotate_key(contracts, registrar, LOAD, DeviceKey.of(None, LATER))
    request = actions.request(contracts, device=WINDMILL, first_slot=SLOT, last_slot=NEXT, evidence=b"\x05" * 32)
    number = actions.request_number(contracts, street.act(3, request))
    issuer.decide(number, approved=True, reason="")
    issuer.issue(street.devices[WINDMILL], SLOT, [70, 0], request=number)
    issuer.decide(actions.request_number(contracts, street.act(3, request)), approved=False, reason="twice")
    street.act(3, request)
    close_device(contracts, registrar, WINDMILL, DAY + 1)
    street.world.at((DAY + 1) * 86_400)
    issuer.anchor(DAY, [Anchor(PV, b"\x01" * 32, 96), Anchor(LOAD, b"\x02" * 32, 96)])
    issuer.anchor(DAY, [Anchor(PV, b"\x03" * 32, 95)])
    day = Day(DAY, {PV: [7] * 96})
    issuer.commit_day(day)
    street.act(0, actions.mint(contracts, MARKET, day, PV, [3, 4]))


def test_the_history_agrees_with_the_contracts_after_a_life_with_everything_in_it(street: Street) -> None:
    live(street)
    history = street.history()
    assert_agreement(street, history)
    kinds = {certificate.kind for certificate in history.records}
    assert kinds == set(CertificateKind)
    assert {each.topic for each in history.retirements()} == set(Topic)


def test_a_record_tells_a_certificates_life(street: Street) -> None:
    live(street)
    history = street.history()
    accounts = [street.member(number).address for number in range(4)]
    old, new = history.records[generation(PV)], history.records[generation(PV, revision=1)]
    assert (old.owner, old.issued_wh, old.retired_wh) == (accounts[1], 1_000, 700)
    assert old.withdrawal is not None
    assert (old.withdrawal.frozen_wh, old.withdrawal.reason) == (300, "the meter had stopped")
    assert [(each.sender, each.receiver, each.amount_wh) for each in old.transfers] == [
        (accounts[1], accounts[3], 100),
        (accounts[1], accounts[0], 150),
        (accounts[1], accounts[2], 60),
    ]
    assert (new.issued_wh, new.correction) == (0, Correction(corrected_wh=250, shortfall_wh=450))
    assert history.records[generation(PV, LATER)].issued_wh == 900 - 450
    assert history.latest_revision(generation(PV)) is new
    assert history.latest_revision(generation(PV, LATER)) is history.records[generation(PV, LATER)]
    assert history.latest_revision(generation(LOAD)) is None


def test_a_retirement_tells_who_held_and_who_claims_and_where_it_happened(street: Street) -> None:
    live(street)
    history = street.history()
    (retired,) = (each for each in history.retirements() if each.amount_wh == 30)
    assert (retired.holder, retired.subject) == (street.member(2).address, street.member(3).address)
    assert retired.claim == replace(CLAIM, beneficiary=street.member(3).address)
    block = street.world.chain.block(retired.point.block)
    assert block is not None
    assert retired.point.transaction in block.transaction_hashes
    assert retired.point.timestamp == block.timestamp
    matched = history.records[consumption(LOAD)].matches
    assert [(each.id, each.amount_wh, each.topic) for each in matched] == [(generation(PV), 50, Topic.MATCHED)]
    assert history.records[consumption(LOAD)].retirements == ()


def test_a_discharge_tells_where_its_energy_came_from(street: Street) -> None:
    live(street)
    record = street.history().records[stored(NEXT)]
    # 400 Wh of the charge had an origin: 360 Wh of output; the 200 Wh after them had none.
    assert (record.metered_wh, record.issued_wh) == (450, 360)
    assert record.sources == (Source(generation(PV), 360_000_000), Source(None, 90_000_000))


def test_imports_requests_days_and_exports_are_told(street: Street) -> None:
    live(street)
    history = street.history()
    (imported,) = (each for each in history.records.values() if each.imported is not None)
    assert imported.imported == import_of(street, "i1", 2_000)
    decisions = [request.decision and request.decision.approved for request in history.requests.values()]
    assert decisions == [True, False, None]
    assert [each.revision for each in history.anchors[PV, DAY]] == [0, 1]
    assert history.days[MARKET, DAY].total_wh == 7 * 96
    assert [exported.serial for exported in history.exports] == ["e1"]
    device = history.devices[LOAD]
    assert device.key_at(SLOT) == device_key(LOAD)
    assert device.key_at(LATER) is None
    assert history.devices[PV].key_at(LATER) == device_key(9, from_slot=LATER)
    assert history.devices[WINDMILL].closed_day == DAY + 1


def test_what_is_usable_is_neither_consumption_nor_withdrawn_nor_expired(street: Street) -> None:
    street.certify({PV: 100, OWN_LOAD: 10})
    street.certify({PV: 200}, slot=NEXT)
    street.certify({PV: 300}, slot=LATER)
    street.issuer.withdraw(generation(PV, LATER), "a test")
    history, owner = street.history(), street.member(1).address
    assert sum(part.amount_wh for part in history.holdings(owner)) == 610
    usable = history.usable(owner, now=SLOT + 1_000, lifetime_s=1_000)
    assert usable == [Part(generation(PV, NEXT), 200)]


def test_a_history_goes_on_where_it_stopped_in_windows_of_any_size(street: Street) -> None:
    live(street)
    head, whole = street.world.chain.head().number, street.history()
    history = CertificateHistory()
    for last in (0, 5, 20, 20, head):
        history.read_on(street.contracts, last, window_blocks=1)
        assert history.next_block == last + 1
    assert history.records == whole.records
    assert history.devices == whole.devices
    assert_agreement(street, history)


def test_a_history_of_an_earlier_block_is_the_state_of_then(street: Street) -> None:
    street.certify({PV: 100})
    then = street.world.chain.head().number
    street.act(1, actions.retire(street.contracts, [Part(generation(PV), 100)], CLAIM))
    history = read_history(street.contracts, then)
    assert history.records[generation(PV)].retired_wh == 0
    assert street.history().records[generation(PV)].retired_wh == 100


def test_a_history_of_blocks_that_are_gone_is_not_gone_on_with(street: Street) -> None:
    snapshot, history = street.world.chain.snapshot(), CertificateHistory()
    street.certify({PV: 100})
    history.read_on(street.contracts)
    street.world.chain.revert(snapshot)
    with pytest.raises(ChangedChainError, match="read the history anew"):
        history.read_on(street.contracts)
    street.certify({PV: 200})
    with pytest.raises(ChangedChainError, match="was re-organised"):
        history.read_on(street.contracts)
    with pytest.raises(ChangedChainError, match="there is no block 9999"):
        CertificateHistory().read_on(street.contracts, 9_999)


def test_text_that_is_not_utf8_does_not_keep_anybody_from_reading(street: Street) -> None:
    street.certify({PV: 100})
    call = actions.export(street.contracts, [Part(generation(PV), 1)], registry="zz", serial="qq")
    street.act(1, replace(call, data=call.data.replace(b"zz", b"\xff\xfe")))
    assert street.history().exports[0].registry == "\\xff\\xfe"


# ---------------------------------------------------------------------------------------- random lives

AMOUNTS = st.integers(1, 400)
MEMBERS = st.integers(0, 3)
SLOTS = st.integers(0, 4).map(lambda place: SLOT + 900 * place)
IDS = st.one_of(
    st.builds(generation, st.just(PV), SLOTS, st.integers(0, 2)),
    st.builds(stored, SLOTS),
    st.builds(consumption, st.just(LOAD), SLOTS, st.integers(0, 1)),
)


class RandomActs:
    """What may happen to a street; much of it the contracts refuse."""

    def __init__(self, street: Street) -> None:
        self._street = street

    def certify(self, slot: int, pv: int, load: int, charge: int, give: int) -> None:
        metered = {PV: pv, LOAD: load, CHARGER: charge, BATTERY: give}
        matches = {(PV, LOAD): min(pv, load) // 2, (PV, CHARGER): min(pv // 4, charge)}
        matches = {devices: wh for devices, wh in matches.items() if wh}
        self._street.certify(metered, moves={(PV, 3): pv // 8 + 1}, matches=matches, slot=slot)

    def transfer(self, holder: int, to: int, certificate: CertificateId, wh: int) -> None:
        street = self._street
        giver, taker = street.member(holder).address, street.member(to).address
        street.act(holder, actions.transfer(street.contracts, giver, taker, [Part(certificate, wh)]))

    def retire(self, holder: int, certificate: CertificateId, wh: int) -> None:
        self._street.act(holder, actions.retire(self._street.contracts, [Part(certificate, wh)], CLAIM))

    def retire_pair(self, slot: int, wh: int) -> None:
        pair = Pair(generation(PV, slot), consumption(LOAD, slot), wh)
        self._street.act(0, actions.retire_pairs(self._street.contracts, [pair]))

    def withdraw(self, certificate: CertificateId) -> None:
        self._street.issuer.withdraw(certificate, "a random reason")

    def reissue(self, certificate: CertificateId, wh: int) -> None:
        self._street.issuer.reissue(certificate, wh)


ACTS = st.one_of(
    st.tuples(st.just("certify"), SLOTS, AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS),
    st.tuples(st.just("transfer"), MEMBERS, MEMBERS, IDS, AMOUNTS),
    st.tuples(st.just("retire"), MEMBERS, IDS, AMOUNTS),
    st.tuples(st.just("retire_pair"), SLOTS, AMOUNTS),
    st.tuples(st.just("withdraw"), IDS),
    st.tuples(st.just("reissue"), IDS, AMOUNTS),
)


@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(acts=st.lists(ACTS, min_size=10, max_size=25))
def test_the_history_agrees_with_the_contracts_after_any_life(world: World, acts: list[tuple[Any, ...]]) -> None:
    with one_world_for_a_test(world) as lent:
        street = Street(lent)
        street.certify({PV: 400, LOAD: 300, CHARGER: 200}, matches={(PV, CHARGER): 100}, moves={(PV, 0): 50})
        random = RandomActs(street)
        for name, *arguments in acts:
            # What the rules do not allow leaves no trace.
            with suppress(CallRevertedError, actions.ActionError):
                getattr(random, name)(*arguments)
        assert_agreement(street, street.history())


def test_the_last_revision_is_the_newest(street: Street) -> None:
    street.certify({PV: 100})
    current = generation(PV)
    for _ in range(MAX_REVISION):
        street.issuer.withdraw(current, "a test")
        current = street.issuer.reissue(current, 100)
    street.issuer.withdraw(current, "a test")
    record = street.history().latest_revision(generation(PV))
    assert record is not None
    assert record.id == generation(PV, revision=MAX_REVISION)
