"""Requests for certificates on a served node: decided, and issued for without anybody's doing."""

from functools import partial
from pathlib import Path

import pytest

from ledger.certificates import actions
from ledger.deployment import deploy, transact
from ledger.devices import DeviceKind
from node.client import ApiProblemError, WattbookClient
from node.store.records import SlotState
from tests.system.homes import (
    BATTERY,
    CHARGER,
    EFFICIENCY_PPM,
    LENGTH,
    LOAD,
    OWN_LOAD,
    PANELS,
    Meters,
    homes,
    no_last_part_of,
    out_of_reach,
)
from tests.system.street import BUYER, OTHER_BUYER, SLOT, Street, register, street

ROOF, CELLAR = 9, 10
"""Panels that are certified only when their owner asks for it, and a battery, of the second buyer's."""


def roof_on(found: Street) -> int:
    """Enter the panels; returns their first slot, which is still to come."""
    register(found.node, ROOF, found.keys[OTHER_BUYER], DeviceKind.GENERATOR, standing=False)
    device = found.node.store.device(ROOF)
    assert device is not None
    return device.first_slot


def held_wh(client: WattbookClient, kind: str = "generation") -> int:
    return sum(holding.amount_wh for holding in client.holdings() if holding.kind == kind)


def test_requests_are_decided_by_the_evidence_and_issued_for_at_once(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        node, owner, slot = found.node, found.clients[OTHER_BUYER], roof_on(found)
        register(node, CELLAR, found.keys[OTHER_BUYER], DeviceKind.STORAGE, efficiency_ppm=EFFICIENCY_PPM)
        meters, end = Meters(found), node.market.ends_at(slot + LENGTH)
        for each in (slot, slot + LENGTH):
            found.advance(node.market.ends_at(each))
            owner.submit(meters.read(ROOF, each, 600))
        owner.act("request", device=str(ROOF), first_slot=slot, last_slot=slot)
        owner.act("request", device=str(ROOF), first_slot=slot - LENGTH, last_slot=slot)
        call = actions.request(
            node.contracts, device=ROOF, first_slot=slot + LENGTH, last_slot=slot + LENGTH, evidence=b"\1" * 32
        )
        transact(call.contract, found.keys[OTHER_BUYER], call.data)
        owner.act("request", device=str(CELLAR), first_slot=slot, last_slot=slot)
        found.advance(end)
        decisions = [request["decision"] for request in reversed(owner.requests())]
        assert [decision["approved"] for decision in decisions] == [True, False, False, False]
        for decision, why in zip(decisions[1:], ("no reading", "evidence is 0x", "a storage"), strict=True):
            assert why in decision["reason"]
        assert held_wh(owner) == 600
        key = node.services.operator_api_key
        for _ in range(2):
            assert owner.issuer_act("issue", request=1, api_key=key)["amount_wh"] == 600
            found.advance(end)
        assert held_wh(owner) == 600
        with pytest.raises(ApiProblemError) as not_approved:
            owner.issuer_act("issue", request=2, api_key=key)
        assert not_approved.value.code == "request.not_approved"


def test_what_the_operator_approves_is_issued_for_once_it_is_metered_and_holds_up_nothing(tmp_path: Path) -> None:
    with street(tmp_path, automatic_requests=False) as found:
        node, owner, slot = found.node, found.clients[OTHER_BUYER], roof_on(found)
        meters, end = Meters(found), node.market.ends_at(slot + LENGTH)
        readings = [meters.read(ROOF, each, 600) for each in (slot, slot + LENGTH)]
        found.advance(end)
        owner.submit(readings[0])
        for first in (slot + LENGTH, slot, slot):
            owner.act("request", device=str(ROOF), first_slot=first, last_slot=first)
        found.advance(end)
        assert [request["decision"] for request in owner.requests()] == [None] * 3
        key = node.services.operator_api_key
        for number in (1, 2):
            assert owner.decide(number, approved=True, reason="", api_key=key)["decision"]["approved"]
        refused = owner.decide(3, approved=False, reason="asked twice", api_key=key)["decision"]
        assert (refused["approved"], refused["reason"]) == (False, "asked twice")
        assert held_wh(owner) == 0
        for _ in range(2):
            found.advance(end)
            assert held_wh(owner) == 600
        owner.submit(readings[1])
        found.advance(end)
        assert held_wh(owner) == 1_200


def test_what_expires_before_it_is_issued_is_passed_over_and_not_approved_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.opening.deploy", partial(deploy, certificate_lifetime_s=4 * LENGTH))
    with street(tmp_path) as found:
        node, owner, slot = found.node, found.clients[OTHER_BUYER], roof_on(found)
        meters = Meters(found)
        found.advance(node.market.ends_at(slot + LENGTH))
        for each, energy_wh in ((slot, 600), (slot + LENGTH, 500)):
            owner.submit(meters.read(ROOF, each, energy_wh))
        owner.act("request", device=str(ROOF), first_slot=slot, last_slot=slot + LENGTH)
        with out_of_reach(monkeypatch, lambda step: step.name.startswith("issue-")):
            found.advance(node.market.ends_at(slot + LENGTH))
            assert owner.requests()[0]["decision"]["approved"]
            found.advance(slot + 4 * LENGTH)
        assert held_wh(owner) == 0
        owner.act("request", device=str(ROOF), first_slot=slot, last_slot=slot)
        found.advance(slot + 4 * LENGTH)
        assert held_wh(owner) == 500
        again = owner.requests()[0]["decision"]
        assert not again["approved"]
        assert "expired" in again["reason"]


def test_an_approved_request_waits_for_a_slot_that_is_certified_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of two issuances, as of many more in a large market, a part each.
    monkeypatch.setattr("ledger.allocation.parts.MAX_ISSUANCES", 1)
    with homes(tmp_path) as found:
        node, buyer, noon, evening = found.street.node, found.street.clients[BUYER], SLOT, SLOT + LENGTH
        found.slot(noon, {PANELS: 1_000, CHARGER: 500, LOAD: 400})
        end = node.market.ends_at(evening)
        found.street.advance(end)
        for device, energy_wh in {PANELS: 400, LOAD: 600, BATTERY: 300, CHARGER: 0, OWN_LOAD: 0}.items():
            buyer.submit(found.meters.read(device, evening, energy_wh))
        buyer.act("request", device=str(LOAD), first_slot=noon, last_slot=noon)
        with no_last_part_of(evening, monkeypatch):
            found.street.advance(end)
            assert found.state(evening) is SlotState.DELIVERED
            assert buyer.requests()[0]["decision"]["approved"]
            assert held_wh(buyer, "consumption") == 0
            with pytest.raises(ApiProblemError) as refused:
                buyer.issuer_act("issue", request=1, api_key=node.services.operator_api_key)
            assert refused.value.code == "certificates.in_part"
        found.street.advance(end)
        assert found.state(evening) is SlotState.CERTIFIED
        assert held_wh(buyer, "consumption") == 400
