"""What the operator enters and takes back over HTTP: devices, keys, imports; and what figures come of it."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.evidence.tree import DAY_S
from ledger.hexcodec import to_data
from matching.readings import SignedReading
from node.client import ApiProblemError
from node.store.records import SlotState
from tests.system.homes import BATTERY, CHARGER, LENGTH, LOAD, OWN_LOAD, PANELS, Homes, homes
from tests.system.street import BUYER, OTHER_BUYER, SELLER_OF_SUN, SLOT, meter_key

SPARE = 99
"""The number of a meter key that no device has."""


def enter(found: Homes, path: str, **fields: Any) -> httpx.Response:
    return found.http.post(f"/v1/{path}", json=fields, headers=found.operator)


def refusal(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def key_fields(number: int) -> dict[str, str]:
    return {"public_key": to_data(meter_key(number).public_key().public_bytes_raw())}


def load(found: Homes, number: int, key: int) -> dict[str, Any]:
    """A load of the second buyer's, whose meter has that device's key."""
    return {
        "device": str(number),
        "account": found.address(OTHER_BUYER),
        "kind": "load",
        "metering_point": f"cellar {number}",
        "key": key_fields(key),
    }


def signed_by(signed: SignedReading, number: int) -> SignedReading:
    return SignedReading(signed.reading, meter_key(number).sign(signed.reading.signing_bytes()))


def test_a_meter_key_is_one_devices_as_long_as_it_is_valid(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        now = found.street.node.clock.now()
        taken = (409, "device.key_taken")
        assert refusal(enter(found, "devices", **load(found, 7, PANELS))) == taken
        assert enter(found, "devices", **load(found, 7, 7)).is_success
        change = {"from_slot": now // LENGTH * LENGTH + 2 * LENGTH}
        assert refusal(enter(found, "devices/7/keys", **change, key=key_fields(PANELS))) == taken
        # A key that is to be another device's later is taken as well.
        assert enter(found, f"devices/{OWN_LOAD}/keys", **change, key=key_fields(SPARE)).is_success
        assert refusal(enter(found, "devices", **load(found, 8, SPARE))) == taken
        # One that has ended by then is free.
        assert enter(found, "devices/7/keys", **change, key=key_fields(OWN_LOAD)).is_success
        assert refusal(enter(found, "devices", **load(found, 8, OWN_LOAD))) == taken
        assert len(found.street.clients[0].devices()) == 6
        for device in (7, 7):
            assert enter(found, "devices", **load(found, device, 7)).is_success


def test_a_storage_and_what_charges_it_may_have_one_meter(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        storage = load(found, 7, 7) | {
            "kind": "storage",
            "nameplate_w": 5_000,
            "efficiency_ppm": 900_000,
            "metering_point": "battery",
        }
        charge = load(found, 8, 7) | {
            "kind": "charge",
            "nameplate_w": 5_000,
            "storage": "7",
            "metering_point": "battery",
        }
        assert enter(found, "devices", **storage).is_success
        assert enter(found, "devices", **charge).is_success


def test_a_new_key_signs_from_its_slot_on_and_the_old_one_until_then(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        client, at = found.street.clients[0], SLOT + LENGTH
        change = {"from_slot": at, "key": key_fields(SPARE)}
        for _ in range(2):
            answer = enter(found, f"devices/{PANELS}/keys", **change)
            assert [each["from_slot"] for each in answer.json()["keys"]] == [0, at]
        found.slot(SLOT, {PANELS: 300})
        found.street.advance(at + LENGTH)
        reading = found.meters.read(PANELS, at, 200)
        with pytest.raises(ApiProblemError) as old:
            client.submit(reading)
        assert old.value.code == "evidence.signature"
        client.submit(signed_by(reading, SPARE))
        for device in (LOAD, BATTERY, CHARGER, OWN_LOAD):
            client.submit(found.meters.read(device, at, 0))
        found.street.advance(at + LENGTH)
        assert found.certificate(PANELS, at, CertificateKind.GENERATION)["issued_wh"] == 200
        late = enter(found, f"devices/{PANELS}/keys", from_slot=at, key=key_fields(7))
        assert refusal(late) == (409, "device.past_change")
        assert refusal(enter(found, "devices/77/keys", **change)) == (404, "device.unknown")


def test_a_closed_device_is_neither_waited_for_nor_certified(tmp_path: Path) -> None:
    day = SLOT // DAY_S + 1
    last = day * DAY_S - LENGTH
    with homes(tmp_path, slot=last) as found:
        for _ in range(2):
            assert enter(found, f"devices/{PANELS}/close", day=day).json()["closed_day"] == day
        assert refusal(enter(found, f"devices/{PANELS}/close", day=day + 1)) == (409, "device.foreign")
        assert refusal(enter(found, f"devices/{LOAD}/close", day=day - 1)) == (409, "device.past_change")
        found.slot(last, {PANELS: 300})
        first = day * DAY_S
        found.street.advance(first + LENGTH)
        with pytest.raises(ApiProblemError) as closed:
            found.street.clients[0].submit(found.meters.read(PANELS, first, 100))
        assert closed.value.code == "reading.unexpected"
        for device in (LOAD, BATTERY, CHARGER, OWN_LOAD):
            found.street.clients[0].submit(found.meters.read(device, first, 0))
        found.street.advance(first + LENGTH)
        assert found.state(first) is SlotState.CERTIFIED
        assert found.certificate(PANELS, last, CertificateKind.GENERATION)["issued_wh"] == 300


def test_an_imported_certificate_is_held_used_and_exported_once(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        found.slot(SLOT, {PANELS: 1_000})
        buyer = found.street.clients[BUYER]
        details = {
            "registry": "AIB Hub",
            "serial": "643002406801",
            "to": found.address(BUYER),
            "area": found.http.get(f"/v1/devices/{PANELS}").json()["area"],
            "slot": SLOT,
            "slot_length_s": LENGTH,
            "amount_wh": 5_000,
            "technology": "T020002",
            "fuel": "F01050100",
        }
        first, again = (found.act("certificates/import", **details) for _ in range(2))
        assert first == again
        assert (first["kind"], first["issued_wh"]) == ("imported", 5_000)
        assert [holding.amount_wh for holding in buyer.holdings()] == [5_000]
        wrong = enter(found, "certificates/import", **details | {"serial": "2", "amount_wh": 0})
        assert refusal(wrong) == (422, "request.invalid")
        assert found.http.post("/v1/certificates/import", json=details).status_code == 401

        buyer.act("export", amount_wh=2_000, registry="AIB Hub", serial="77")
        exported = found.http.get(f"/v1/certificates/{first['id']}").json()
        assert [(claim["topic"], claim["amount_wh"]) for claim in exported["claims"]] == [("exported", 2_000)]
        with pytest.raises(ApiProblemError) as twice:
            buyer.act("export", amount_wh=100, registry="AIB Hub", serial="77")
        assert twice.value.code == "chain.reverted"
        assert sum(holding.amount_wh for holding in buyer.holdings()) == 3_000


def test_emissions_are_consumption_times_the_factors_of_its_year(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        found.trade(SLOT, 300)
        found.slot(SLOT, {PANELS: 1_000, OWN_LOAD: 200, LOAD: 700})
        period: dict[str, str | int] = {
            "first_slot": SLOT,
            "end_slot": SLOT + LENGTH,
            "region": "NL",
            "granularity": "slot",
        }
        rows = found.http.get("/v1/carbon", params=period).json()["rows"]
        by_member = {row["member"]: row for row in rows if row["scope"] == "member"}
        # 2023 in the Netherlands: 255 mg/Wh for the grid, 380 mg/Wh for what nobody claimed.
        figures = {name: (row["location_based_mg"], row["market_based_mg"]) for name, row in by_member.items()}
        assert figures[found.address(BUYER)] == (700 * 255, (700 - 300) * 380)
        assert figures[found.address(SELLER_OF_SUN)] == (200 * 255, 0)
        assert figures[found.address(OTHER_BUYER)] == (0, 0)
        (total,) = (row for row in rows if row["scope"] == "members")
        assert (total["location_based_mg"], total["market_based_mg"]) == (900 * 255, 400 * 380)
        unknown = found.http.get("/v1/carbon", params=period | {"region": "XX"})
        assert refusal(unknown) == (404, "coverage.unknown_factor")


def test_a_day_of_25_hours_has_its_score(tmp_path: Path) -> None:
    # Clocks in Amsterdam went back on 29 October 2023: that day began at 22:00 UTC and had 100 quarter-hours.
    begins, ends = 1_698_530_400, 1_698_620_400
    of_day = begins + 7 * LENGTH
    with homes(tmp_path, slot=begins - LENGTH) as found:
        traded = {begins - LENGTH: (100, 100), begins: (300, 400)}
        for slot, (sold_wh, _) in traded.items():
            found.trade(slot, sold_wh)
        for slot, (_, used_wh) in traded.items():
            found.slot(slot, {PANELS: 1_000, LOAD: used_wh})
        for slot in range(begins + LENGTH, of_day, LENGTH):
            found.slot(slot, {})
        found.slot(of_day, {LOAD: 200})
        rows = found.street.clients[0].coverage(
            first_slot=begins - LENGTH,
            end_slot=ends + LENGTH,
            granularity="day",
            time_zone="Europe/Amsterdam",
            account=found.address(BUYER),
        )["rows"]
        before, day, after = (row for row in rows if row["scope"] == "member")
        assert (day["period"], day["start_at"], day["end_at"]) == ("2023-10-29", begins, ends)
        assert day["end_at"] - day["start_at"] == 25 * 3_600
        assert [row["consumption_wh"] for row in (before, day, after)] == [100, 600, 0]
        assert (before["score_ppm"], day["score_ppm"]) == (1_000_000, 500_000)


def test_a_storages_certificate_is_corrected_up_to_what_its_lots_gave(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        evening = SLOT + LENGTH
        found.slot(SLOT, {PANELS: 1_000, CHARGER: 500})
        found.trade(evening + LENGTH, 300)
        found.slot(evening, {})
        night = evening + LENGTH
        found.slot(night, {BATTERY: 440, LOAD: 600})
        assert found.certificate(BATTERY, night, CertificateKind.STORED)["retired_wh"] == 300
        for number, (energy_wh, issued_wh) in enumerate(((400, 100), (430, 100), (500, 100)), start=1):
            found.act(
                "readings/corrections",
                device=str(BATTERY),
                slot=night,
                energy_wh=energy_wh,
                reason=f"no. {number}",
            )
            found.street.advance(night + LENGTH)
            latest = found.certificate(BATTERY, night, CertificateKind.STORED, number)
            assert latest["issued_wh"] == issued_wh
            assert latest["correction"] == {"corrected_wh": 400, "shortfall_wh": 0}
        assert found.street.node.store.open_corrections() == []


def test_a_standing_device_is_certified_with_its_slot_and_not_before(tmp_path: Path) -> None:
    with homes(tmp_path) as found:
        node, owner = found.street.node, found.street.clients[SELLER_OF_SUN]
        end = node.market.ends_at(SLOT)
        found.street.advance(end)
        for device, energy_wh in ((PANELS, 900), (OWN_LOAD, 100)):
            owner.submit(found.meters.read(device, SLOT, energy_wh))
        for device in (PANELS, OWN_LOAD):
            owner.act("request", device=str(device), first_slot=SLOT, last_slot=SLOT)
        found.street.advance(end)
        for request in (1, 2):
            assert refusal(enter(found, "certificates/issue", request=request)) == (409, "request.too_early")
        for device in (LOAD, BATTERY, CHARGER):
            owner.submit(found.meters.read(device, SLOT, 0))
        found.street.advance(end)
        assert found.state(SLOT) is SlotState.CERTIFIED
        for _ in range(2):
            assert found.act("certificates/issue", request=1)["amount_wh"] == 900
            assert found.act("certificates/issue", request=2)["amount_wh"] == 100
        generated = found.certificate(PANELS, SLOT, CertificateKind.GENERATION)
        assert (generated["issued_wh"], generated["revisions"]) == (900, [hex(int(CertificateId(SLOT, PANELS)))])
