"""One 24/7 score: what a node's coverage says is what a signed disclosure says, and what the chain bears out."""

from pathlib import Path

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ledger.certificates.ids import CertificateKind
from ledger.devices import DeviceKind
from ledger.jsonrpc import JsonRpcChain
from ledger.statements.verdict import Outcome
from ledger.statements.verification import verify
from node.client import ApiProblemError
from tests.system.homes import BATTERY, CHARGER, LENGTH, LOAD, OWN_LOAD, PANELS, Homes, homes
from tests.system.street import BUYER, SELLER_OF_SUN, SLOT, register

NOON, EVENING = SLOT, SLOT + LENGTH
OTHER_LOAD = 6
FIGURES = ("consumption_wh", "retired_wh", "matched_wh", "claimed_wh", "score_ppm")


def score(found: Homes, member: int | None, first_slot: int = NOON, end_slot: int = EVENING) -> tuple[int, ...]:
    """The figures of a member, or of the community, which coverage and a valid disclosure agree on."""
    client, account = found.street.clients[0], None if member is None else found.address(member)
    covered = client.coverage(first_slot=first_slot, end_slot=end_slot, granularity="year", account=account)
    scope = "members" if member is None else "member"
    (row,) = (each for each in covered["rows"] if each["scope"] == scope)
    made = client.make_statement(kind="disclosure", first_slot=first_slot, end_slot=end_slot, account=account)
    chain = JsonRpcChain(found.street.node.chain_url)
    try:
        verdict = verify(client.statement_file(made["digest"], "jws"), chain)
    finally:
        chain.close()
    assert (verdict.outcome, verdict.reasons) == (Outcome.VALID, ())
    disclosed = made["statement"]["disclosure"]
    figures = tuple(row[name] for name in FIGURES)
    assert tuple(disclosed[name] for name in FIGURES) == figures
    assert disclosed["annual_ppm"] == row["annual_ppm"]
    if member is None:
        (pool,) = (each for each in covered["rows"] if each["scope"] == "pool")
        assert disclosed["pool_score_ppm"] == pool["score_ppm"]
    return figures


def correct(found: Homes, device: int, slot: int, energy_wh: int) -> None:
    """Put a reading right, and let certificates follow."""
    wrong = {"device": str(device), "slot": slot, "energy_wh": energy_wh}
    found.act("readings/corrections", **wrong, reason="wrong transformer")
    for _ in range(2):
        found.street.advance(found.street.node.services.clock.now())
    assert found.street.node.store.open_corrections() == []


def test_what_charges_a_battery_is_no_final_consumption(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        found.trade(NOON, 300)
        found.trade(EVENING, 440)
        found.slot(NOON, {PANELS: 1_000, OWN_LOAD: 200, CHARGER: 500, LOAD: 400})
        found.slot(EVENING, {BATTERY: 440, LOAD: 600})
        end = EVENING + LENGTH
        assert score(found, SELLER_OF_SUN, end_slot=end) == (200, 200, 200, 0, 1_000_000)
        assert score(found, BUYER, end_slot=end) == (1_000, 740, 740, 0, 740_000)
        assert score(found, None, end_slot=end) == (1_200, 940, 940, 0, 783_333)
        # Nor is it once it was corrected: what charged the battery was delivered as something else than it took.
        correct(found, CHARGER, NOON, 600)
        correct(found, OWN_LOAD, NOON, 150)
        assert score(found, SELLER_OF_SUN, end_slot=end) == (150, 200, 150, 0, 1_000_000)


def test_a_corrected_load_counts_as_corrected(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        found.trade(NOON, 300)
        found.slot(NOON, {PANELS: 300, LOAD: 400})
        assert score(found, BUYER) == (400, 300, 300, 0, 750_000)
        correct(found, LOAD, NOON, 900)
        assert score(found, BUYER) == (900, 300, 300, 0, 333_333)
        correct(found, LOAD, NOON, 200)
        assert score(found, BUYER) == (200, 300, 200, 0, 1_000_000)
        assert score(found, None) == (200, 300, 200, 0, 1_000_000)

        # The load owes 100 Wh of certificates now: its next is of that much less, which all the same it consumed.
        evening = {"first_slot": EVENING, "end_slot": EVENING + LENGTH}
        found.slot(EVENING, {OWN_LOAD: 50, LOAD: 150})
        assert found.certificate(LOAD, EVENING, CertificateKind.CONSUMPTION)["issued_wh"] == 50
        assert score(found, BUYER, **evening) == (150, 0, 0, 0, 0)
        correct(found, LOAD, EVENING, 260)
        assert score(found, BUYER, **evening)[0] == 260
        # Nothing was matched with the other, and it was not on chain: it is, as it was delivered, and corrected.
        for energy_wh in (80, 20, 0):
            correct(found, OWN_LOAD, EVENING, energy_wh)
            assert score(found, SELLER_OF_SUN, **evening)[0] == energy_wh
        assert found.certificate(OWN_LOAD, EVENING, CertificateKind.CONSUMPTION)["issued_wh"] == 50


def test_a_late_reading_takes_its_substitutes_place(tmp_path: Path) -> None:
    with homes(tmp_path, automatic_requests=False) as found:
        node, buyer, operator = found.street.node, found.street.clients[BUYER], found.operator["X-API-Key"]
        register(node, OTHER_LOAD, found.street.keys[BUYER], DeviceKind.LOAD)
        found.street.advance(node.market.ends_at(NOON))
        late = [found.meters.read(LOAD, NOON, 700), found.meters.read(OWN_LOAD, NOON, 90)]
        for device in (PANELS, BATTERY, CHARGER):
            found.street.clients[0].submit(found.meters.read(device, NOON, 0))
        buyer.submit(found.meters.read(OTHER_LOAD, NOON, 300))
        patient = node.market.ends_at(NOON) + node.config.substitute_after_s
        found.street.advance(patient)
        assert node.store.readings(NOON)[LOAD].energy_wh == 0
        assert score(found, BUYER)[0] == 300
        buyer.act("request", device=str(LOAD), first_slot=NOON, last_slot=NOON)
        assert buyer.decide(1, approved=True, reason="", api_key=operator)["decision"]["approved"]
        for reading in late:
            buyer.submit(reading)
        # The correction comes first: what is issued for the request is not what the slot was delivered with.
        with pytest.raises(ApiProblemError) as early:
            buyer.issuer_act("issue", request=1, api_key=operator)
        assert early.value.code == "request.too_early"
        for _ in range(2):
            found.street.advance(patient)
        assert score(found, BUYER)[0] == 300 + 700
        assert score(found, None)[0] == 300 + 700 + 90
        # Of 0 Wh there is no certificate to correct: the chain has what all loads of the member took instead.
        for load, issued_wh in ((LOAD, 700), (OTHER_LOAD, 300)):
            assert found.certificate(load, NOON, CertificateKind.CONSUMPTION)["issued_wh"] == issued_wh
        found.act("readings/corrections", device=str(LOAD), slot=NOON, energy_wh=650, reason="wrong transformer")
        found.street.advance(patient)
        assert score(found, BUYER)[0] == 300 + 650


def test_what_is_retired_by_hand_is_claimed_and_not_matched_whatever_its_purpose(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        found.trade(NOON, 100)
        found.slot(NOON, {PANELS: 1_000, LOAD: 400})
        claimed_wh = 0
        # For consumption too: 900 Wh of it in all, where 400 were consumed, and whatever the zone.
        purposes = {"product": 100, "cancellation": 200, "disclosure": 50, "consumption": 550}
        for purpose, amount_wh in purposes.items():
            claim = {
                "purpose": purpose, "country": "US", "first_slot": NOON, "last_slot": NOON,
                "beneficiary": found.address(BUYER),
            }  # fmt: skip
            found.street.clients[SELLER_OF_SUN].act("retire", amount_wh=amount_wh, claim=claim)
            claimed_wh += amount_wh
            assert score(found, BUYER) == (400, 100, 100, claimed_wh, 250_000)
        assert score(found, None) == (400, 100, 100, 900, 250_000)


ENERGY = st.integers(0, 900)
METERED = st.fixed_dictionaries(dict.fromkeys((PANELS, LOAD, OWN_LOAD, CHARGER, BATTERY), ENERGY))
CORRECTIONS = st.lists(st.tuples(st.sampled_from((LOAD, OWN_LOAD, CHARGER, PANELS)), ENERGY), max_size=3)


@pytest.mark.slow
def test_whatever_is_metered_and_corrected_coverage_and_disclosure_agree(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        slots = range(NOON, NOON + 6 * LENGTH, LENGTH)
        for number, slot in enumerate(slots, 1):
            found.trade(slot, 100 * number)
        left = iter(slots)

        @settings(
            max_examples=len(slots), deadline=None, database=None, phases=(Phase.generate,), derandomize=True
        )
        @given(METERED, CORRECTIONS)
        def check(metered_wh: dict[int, int], corrections: list[tuple[int, int]]) -> None:
            slot = next(left)
            found.slot(slot, metered_wh)
            for device, energy_wh in corrections:
                correct(found, device, slot, energy_wh)
            truth_wh = metered_wh | dict(corrections)
            end = slot + LENGTH
            own, bought = (score(found, member, slot, end) for member in (SELLER_OF_SUN, BUYER))
            assert (own[0], bought[0]) == (truth_wh[OWN_LOAD], truth_wh[LOAD])
            both = score(found, None, slot, end)
            assert both[:4] == tuple(map(sum, zip(own[:4], bought[:4], strict=True)))

        check()
