"""Guarantees of origin on a served node: homes with a battery, from meters to statements, and mistakes."""

import json
import re
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.deployment import deploy
from ledger.hexcodec import to_data
from ledger.jsonrpc import JsonRpcChain
from ledger.statements.verdict import Outcome
from ledger.statements.verification import verify
from matching.orders import Side
from node.cli.main import app
from node.client import ApiProblemError, UnreachableError, WattbookClient
from node.store.records import CertifiedSlot, SlotState
from tests.system.homes import BATTERY, CHARGER, LENGTH, LOAD, OWN_LOAD, PANELS, homes, no_last_part_of
from tests.system.recourse import served_chain
from tests.system.served import CONSUMER, SELLER, Served, served
from tests.system.street import BUYER, SELLER_OF_SUN, SLOT, street


def test_a_homes_generation_is_consumed_stored_sold_and_shown(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        noon = SLOT
        evening = noon + LENGTH
        found.trade(noon, 300)
        found.trade(evening, 440)
        found.slot(noon, {PANELS: 1_000, OWN_LOAD: 200, CHARGER: 500, LOAD: 400})
        generated = found.certificate(PANELS, noon, CertificateKind.GENERATION)
        claims = sorted((claim["topic"], claim["amount_wh"]) for claim in generated["claims"])
        assert claims == [("matched", 300), ("self_consumed", 200), ("stored", 500)]
        assert generated["holders"] == []

        found.slot(evening, {BATTERY: 440, LOAD: 600})
        stored = found.certificate(BATTERY, evening, CertificateKind.STORED)
        assert (stored["issued_wh"], stored["metered_wh"]) == (440, 440)
        assert stored["sources"] == [{"certificate": generated["id"], "output_uwh": 440 * 10**6}]
        assert [claim["topic"] for claim in stored["claims"]] == ["matched"]

        coverage = found.street.clients[0].coverage(
            first_slot=noon, end_slot=evening + LENGTH, granularity="slot", account=found.address(BUYER)
        )
        scores = [row["score_ppm"] for row in coverage["rows"] if row["scope"] == "member"]
        assert scores == [750_000, 733_333]


def test_a_member_transfers_retires_pairs_and_exports_with_its_own_key(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        noon = SLOT
        found.trade(noon, 300)
        found.slot(noon, {PANELS: 1_000, LOAD: 700})
        seller, buyer = found.street.clients[SELLER_OF_SUN], found.street.clients[BUYER]
        assert sum(holding.amount_wh for holding in seller.holdings() if holding.usable) == 700

        prepared, _ = seller.act("transfer", amount_wh=250, to=found.address(BUYER))
        assert [part["amount_wh"] for part in prepared["parts"]] == [250]
        paired, _ = buyer.act("retire_pairs")
        assert [pair["amount_wh"] for pair in paired["pairs"]] == [250]
        assert found.certificate(LOAD, noon, CertificateKind.CONSUMPTION)["retired_wh"] == 550
        claim = {"purpose": "product", "country": "US", "first_slot": noon, "last_slot": noon, "text": "a cake"}
        retired, _ = seller.act("retire", amount_wh=100, claim=claim)
        texts = found.http.get(
            "/v1/certificates/texts", params={"account": found.address(0)}, headers=found.operator
        ).json()["items"]
        assert texts == [{"text_hash": retired["text_hash"], "text": "a cake", "salt": retired["salt"]}]
        seller.act("export", amount_wh=50, registry="AIB", serial="42")
        claims = found.certificate(PANELS, noon, CertificateKind.GENERATION)["claims"]
        assert sorted(claim["topic"] for claim in claims) == ["exported", "matched", "matched", "retired"]
        with pytest.raises(ApiProblemError) as refused:
            seller.act("transfer", amount_wh=301, to=found.address(BUYER))
        assert refused.value.code == "certificates.not_enough"


def test_a_corrected_reading_is_followed_by_its_certificates_once(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        noon = SLOT
        found.trade(noon, 300)
        found.slot(noon, {PANELS: 1_000, LOAD: 700})
        found.act("readings/corrections", device=str(PANELS), slot=noon, energy_wh=800, reason="wrong transformer")
        end = found.street.node.market.ends_at(noon)
        for _ in range(2):
            found.street.advance(end)
        old, new = (found.certificate(PANELS, noon, CertificateKind.GENERATION, n) for n in (0, 1))
        assert old["withdrawal"]["frozen_wh"] == 700
        assert old["withdrawal"]["reason"] == "corrected: wrong transformer"
        assert (new["issued_wh"], new["correction"]) == (500, {"corrected_wh": 800, "shortfall_wh": 0})
        assert new["revisions"] == [old["id"], new["id"]]
        assert found.street.node.store.open_corrections() == []

        # More was retired than was right: the next slots pay for it.
        found.act("readings/corrections", device=str(PANELS), slot=noon, energy_wh=100, reason="wrong again")
        found.street.advance(end)
        last = found.certificate(PANELS, noon, CertificateKind.GENERATION, 2)
        assert (last["issued_wh"], last["correction"]["shortfall_wh"]) == (0, 200)
        found.slot(noon + LENGTH, {PANELS: 500})
        assert found.certificate(PANELS, noon + LENGTH, CertificateKind.GENERATION)["issued_wh"] == 300


def test_a_correction_that_comes_while_an_earlier_one_is_on_its_way_follows_it(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        found.slot(SLOT, {PANELS: 1_000})
        end = found.street.node.market.ends_at(SLOT)
        found.act("readings/corrections", device=str(PANELS), slot=SLOT, energy_wh=800, reason="wrong transformer")
        found.street.advance(end)
        found.act("readings/corrections", device=str(PANELS), slot=SLOT, energy_wh=700, reason="wrong again")
        # What it would have noted before the earlier one was mined.
        found.street.node.store.note_correction_of(PANELS, SLOT, 0)
        for _ in range(2):
            found.street.advance(end)
        last = found.certificate(PANELS, SLOT, CertificateKind.GENERATION, 2)
        assert (last["issued_wh"], last["correction"]["corrected_wh"]) == (700, 700)
        assert found.street.node.store.open_corrections() == []


def test_a_correction_waits_for_a_slot_of_its_device_that_is_certified_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of two issuances, as of many more in a large market, a part each.
    monkeypatch.setattr("ledger.allocation.parts.MAX_ISSUANCES", 1)
    with homes(tmp_path) as found:
        node, noon, evening = found.street.node, SLOT, SLOT + LENGTH
        found.trade(noon, 300)
        found.trade(evening, 600)
        found.slot(noon, {PANELS: 1_000, OWN_LOAD: 200, CHARGER: 500, LOAD: 400})
        end = node.market.ends_at(evening)
        found.street.advance(end)
        for device, energy_wh in {PANELS: 400, LOAD: 600, BATTERY: 300, CHARGER: 0, OWN_LOAD: 0}.items():
            found.street.clients[0].submit(found.meters.read(device, evening, energy_wh))
        with no_last_part_of(evening, monkeypatch):
            found.street.advance(end)
            assert found.certificate(BATTERY, evening, CertificateKind.STORED)["issued_wh"] == 300
            assert found.state(evening) is SlotState.DELIVERED
            found.act(
                "readings/corrections", device=str(PANELS), slot=noon, energy_wh=900, reason="wrong transformer"
            )
            found.street.advance(end)
            assert len(node.store.open_corrections()) == 1
            first = found.certificate(PANELS, noon, CertificateKind.GENERATION)
            assert first["withdrawal"] is None
            for act, fields in (("withdraw", {"reason": "wrong"}), ("reissue", {"corrected_wh": 900})):
                with pytest.raises(ApiProblemError) as refused:
                    found.street.clients[0].issuer_act(
                        act, id=first["id"], **fields, api_key=node.services.operator_api_key
                    )
                assert refused.value.code == "certificates.in_part"
        for _ in range(2):
            found.street.advance(end)
        assert found.state(evening) is SlotState.CERTIFIED
        assert found.certificate(PANELS, evening, CertificateKind.GENERATION)["issued_wh"] == 400
        last = found.certificate(PANELS, noon, CertificateKind.GENERATION, 1)
        assert last["correction"] == {"corrected_wh": 900, "shortfall_wh": 100}
        assert node.store.open_corrections() == []


def test_a_slot_that_is_metered_after_its_certificates_lifetime_ends_without_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("node.opening.deploy", partial(deploy, certificate_lifetime_s=2 * LENGTH))
    with homes(tmp_path) as found:
        node, late, charged = found.street.node, SLOT, SLOT + LENGTH
        end = node.market.ends_at(charged)
        found.street.advance(end)
        for slot in (late, charged):
            for device in (PANELS, LOAD, BATTERY, CHARGER, OWN_LOAD):
                energy_wh = 500 if device in (PANELS, CHARGER) else 0
                found.street.clients[0].submit(found.meters.read(device, slot, energy_wh))
        found.street.advance(end)
        assert [found.state(slot) for slot in (late, charged)] == [SlotState.CERTIFIED] * 2
        assert node.store.certified(late) == CertifiedSlot((), (), (), ())
        with pytest.raises(ApiProblemError) as none:
            found.certificate(PANELS, late, CertificateKind.GENERATION)
        assert none.value.code == "certificates.unknown"
        assert found.certificate(PANELS, charged, CertificateKind.GENERATION)["issued_wh"] == 500
        # Nor can what was issued be corrected once it has expired.
        found.act("readings/corrections", device=str(PANELS), slot=late, energy_wh=400, reason="wrong transformer")
        found.street.advance(end)
        assert node.store.open_corrections() == []


def test_a_slot_that_expires_when_it_is_certified_in_part_ends_with_that_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.allocation.parts.MAX_ISSUANCES", 1)
    monkeypatch.setattr("node.opening.deploy", partial(deploy, certificate_lifetime_s=4 * LENGTH))
    # An audit misses the other part, and the step that should have certified it.
    with homes(tmp_path, broken=("certify.generation", "store.steps")) as found:
        node, charged, late = found.street.node, SLOT, SLOT + LENGTH
        found.slot(charged, {PANELS: 500, CHARGER: 500})
        found.street.advance(node.market.ends_at(late))
        for device, energy_wh in {PANELS: 400, LOAD: 0, BATTERY: 300, CHARGER: 0, OWN_LOAD: 0}.items():
            found.street.clients[0].submit(found.meters.read(device, late, energy_wh))
        with no_last_part_of(late, monkeypatch):
            found.street.advance(node.market.ends_at(late))
            assert found.state(late) is SlotState.DELIVERED
            found.street.advance(late + 4 * LENGTH)
        found.street.advance(late + 4 * LENGTH)
        assert found.state(late) is SlotState.CERTIFIED
        (issuance,) = node.store.certified(late).issuances
        assert (issuance.device, issuance.certified_wh) == (BATTERY, 300)


def test_a_silent_meter_does_not_hold_up_its_slot_and_its_late_reading_counts(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        node, noon = found.street.node, SLOT
        found.street.advance(node.market.ends_at(noon))
        panels = found.meters.read(PANELS, noon, 900)
        for device in (LOAD, BATTERY, CHARGER, OWN_LOAD):
            found.street.clients[0].submit(found.meters.read(device, noon, 0))
        patience_s = node.config.substitute_after_s
        found.street.advance(node.market.ends_at(noon) + patience_s - 1)
        assert found.state(noon) is not SlotState.CERTIFIED
        found.street.advance(node.market.ends_at(noon) + patience_s)
        assert found.state(noon) is SlotState.CERTIFIED
        assert node.store.readings(noon)[PANELS].energy_wh == 0
        with pytest.raises(ApiProblemError) as none:
            found.certificate(PANELS, noon, CertificateKind.GENERATION)
        assert none.value.code == "certificates.unknown"

        found.street.clients[0].submit(panels)
        found.street.advance(node.market.ends_at(noon) + patience_s)
        assert found.certificate(PANELS, noon, CertificateKind.GENERATION)["issued_wh"] == 900
        revisions = found.http.get(f"/v1/readings/{PANELS}/{noon}").json()
        assert [(each["quality"], each["energy_wh"]) for each in revisions] == [
            ("substitute", 0),
            ("measured", 900),
        ]


def test_a_finished_day_is_anchored_and_again_after_a_correction(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        node = found.node
        day = SLOT // 86_400
        found.trade_and_deliver(400, 400)
        store = node.store
        # The rest of the day nobody metered anything: substitutes stand in, at once, to save time.
        object.__setattr__(node.lifecycle, "_substitute_after_s", 0)
        found.advance((day + 1) * 86_400)
        assert store.anchored_days() == [day]
        with node.services.certificates.history() as history:
            (first,) = history.anchors[1, day]
        assert first.leaves == len(store.day_readings(day)[1])
        node.services.metering.correct(1, SLOT, 300, "wrong transformer")
        for _ in range(2):
            found.advance((day + 1) * 86_400)
        with node.services.certificates.history() as history:
            assert [anchor.revision for anchor in history.anchors[1, day]] == [0, 1]
            assert len(history.anchors[2, day]) == 1
        evidence = tmp_path / "evidence"
        exported = CliRunner().invoke(app, ["readings", "export", str(evidence), "--url", node.url])
        assert exported.output == f"{sum(map(len, store.day_readings(day).values()))} readings in {evidence}.\n"
        where = ("--rpc", node.chain_url, "--exchange", to_data(node.contracts.exchange.address))
        audit = ("audit", *where, "--evidence", str(evidence))
        held = CliRunner().invoke(app, audit)
        assert held.exit_code == 0, held.output
        told = json.loads(CliRunner().invoke(app, [*audit, "--json"]).output)
        pieces = sum(map(len, store.day_readings(day).values()))
        counted = [told[f"evidence_{what}"] for what in ("readings", "days", "devices")]
        assert counted == [pieces, 1, 2]
        assert re.search(rf"evidence readings\W+{pieces}\b", held.output)
        assert re.search(
            r"escrow\W+[\d,]+\.\d{4} EUR\b.*certificates issued\W+[\d.]+ kWh\b", held.output, re.DOTALL
        )
        signed = evidence / "device-2.jsonl"
        signed.write_text(signed.read_text().replace('"energy_wh": 400', '"energy_wh": 401', 1))
        bent = CliRunner().invoke(app, audit)
        assert bent.exit_code == 1
        assert {"evidence.reading", "evidence.root"} <= set(
            re.findall(r"^(evidence\.\w+):", bent.output, re.MULTILINE)
        )


def test_a_statement_is_checked_with_nothing_but_the_chains_endpoint(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        noon = SLOT
        found.trade(noon, 300)
        found.slot(noon, {PANELS: 1_000, LOAD: 700})
        client, end = found.street.clients[BUYER], noon + LENGTH
        made = client.make_statement(
            kind="retirement", account=found.address(BUYER), first_slot=noon, end_slot=end
        )
        assert made["statement"]["total_wh"] == 300
        token, pages = (client.statement_file(made["digest"], form) for form in ("jws", "pdf"))
        chain = JsonRpcChain(found.street.node.chain_url)
        assert [verify(file, chain).outcome for file in (token, pages)] == [Outcome.VALID, Outcome.VALID]
        page = found.http.get(made["verify"])
        assert page.headers["content-type"].startswith("text/html")
        assert "Valid" in page.text
        found.act("readings/corrections", device=str(PANELS), slot=noon, energy_wh=800, reason="wrong transformer")
        found.street.advance(end)
        verdict = verify(token, chain)
        assert verdict.outcome is Outcome.CORRECTED
        assert [each.certificate.device for each in verdict.corrections] == [PANELS]
        chain.close()


@pytest.mark.slow
@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.2])
def test_a_correction_killed_on_its_way_is_followed_once(tmp_path: Path, after_s: float) -> None:
    with served_chain() as (now, rpc_url):
        with served(tmp_path, rpc_url) as node:
            node.onboard()
            for member, side, price in ((SELLER, Side.OFFER, 100_000), (CONSUMER, Side.BID, 200_000)):
                node.place(member, side, 400, price)
            for now.now in (SLOT - 300, SLOT + LENGTH):
                node.advance(now.now)
            for device in (1, 2):
                node.meter(device, 400)
            node.advance(SLOT + LENGTH)
            node.enter("readings/corrections", device="1", slot=SLOT, energy_wh=300, reason="wrong transformer")
            following = threading.Thread(target=lambda: suppressed(node))
            following.start()
            time.sleep(after_s)
        following.join()
        with served(tmp_path, rpc_url) as node:
            for _ in range(2):
                node.advance(SLOT + LENGTH)
            client = WattbookClient(node.url)
            revisions = client.certificate(hex(int(CertificateId(SLOT, 1))))["revisions"]
            assert len(revisions) == 2
            assert client.certificate(revisions[1])["correction"] == {"corrected_wh": 300, "shortfall_wh": 100}


def suppressed(node: Served) -> None:
    """Move on, as far as the node lives to do it."""
    try:
        WattbookClient(node.url, patience_s=0).advance_clock(SLOT + LENGTH, api_key=node.api_key)
    except UnreachableError:
        return
