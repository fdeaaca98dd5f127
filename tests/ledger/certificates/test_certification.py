"""A slot's certification as a step: issued, moved and matched once, however often it is run."""

from dataclasses import replace

import pytest

from ledger.allocation import Consumption, Issuance, SlotPart
from ledger.certificates.certification import storage_on_chain
from ledger.chain import CallRevertedError
from ledger.storage import LOTS_AT_ONCE
from tests.ledger.certificates.street import BATTERY, CHARGER, LOAD, OWN_LOAD, PV, Street, consumption, generation
from tests.world import MARKET, SLOT, World


@pytest.fixture
def street(world: World) -> Street:
    return Street(world)


def held(street: Street, member: int, token_id: int) -> int:
    wh: int = street.contracts.certificates.read("balanceOf", street.member(member).address, token_id)
    return wh


def test_a_slot_is_certified_once(street: Street) -> None:
    for _ in range(2):
        street.certify(
            {PV: 1_000, OWN_LOAD: 300, LOAD: 500},
            moves={(PV, 3): 100},
            matches={(PV, OWN_LOAD): 300, (PV, LOAD): 400},
        )
    token = int(generation(PV))
    assert [held(street, member, token) for member in (1, 3, 0)] == [200, 100, 0]
    assert held(street, 0, int(consumption(LOAD))) == 100
    assert [intent.step for intent in street.journal.intents] == ["certify"]
    assert len(street.journal.confirmed) == 1


def test_nothing_is_sent_for_a_slot_without_parts(street: Street) -> None:
    before = street.world.chain.head()
    street.certification.certify(SLOT, [])
    assert street.world.chain.head() == before


def part(street: Street, generator: int, amount_wh: int, *loads: Consumption) -> SlotPart:
    each = street.devices[generator]
    issued = Issuance(each.device, each.owner, each.kind, each.area, amount_wh, amount_wh)
    return SlotPart((issued,), loads, (), ())


def test_a_large_slot_is_certified_part_by_part_and_goes_on_where_it_stopped(street: Street) -> None:
    each = street.devices[LOAD]
    load = Consumption(each.device, each.owner, each.kind, each.area, 500, 500)
    first = part(street, PV, 1_000, load)
    only_load = replace(first, issuances=())
    second = replace(first, consumptions=())
    street.world.at(SLOT + 900)
    parts = [only_load, second]
    street.certification.certify(SLOT, parts[:1])
    for _ in range(2):
        street.certification.certify(SLOT, parts)
    assert held(street, 1, int(generation(PV))) == 1_000
    assert held(street, 0, int(consumption(LOAD))) == 500
    certified = street.contracts.issuance.events(
        ["Certified"], first_block=0, last_block=street.world.chain.head().number
    )
    assert len(certified) == 2


def test_what_breaks_a_rule_is_refused_before_it_is_sent(street: Street) -> None:
    with pytest.raises(CallRevertedError, match="issuance: nameplate"):
        street.certify({PV: 2_001})
    assert street.journal.intents == []


def test_a_storage_of_more_lots_than_one_answer_tells_of_is_read_whole(street: Street) -> None:
    lots = LOTS_AT_ONCE + 2
    source, sink = (PV, lots), (CHARGER, lots)
    street.world.at(SLOT + 900)
    street.world.send(
        "issuer", street.contracts.issuance, "certify", MARKET, SLOT, [source], [sink], [], [(0, 0, 1)] * lots
    )
    found = storage_on_chain(street.contracts.issuance, street.devices[BATTERY])
    assert [lot.source for lot in found.lots] == [int(generation(PV))] * lots
    assert found.slot == SLOT
