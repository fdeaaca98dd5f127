"""What a slot's readings come to: for its delivery, for its certification, and for its storages."""

from dataclasses import replace

import pytest
from eth_hash.auto import keccak

from ledger.allocation import Match, Move
from ledger.batches import MemberReading
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.devices import Device, DeviceKey, DeviceKind
from ledger.evidence.keys import KeyAlgorithm
from ledger.metered import SlotCertificates, UnknownStorageError, member_readings, slot_certificates
from ledger.storage import NO_ORIGIN, Lot, SlotOrderError, Storage
from ledger.trades import Trade
from tests.ledger.allocation.slots import ANNA, BERT, CORA, account, trade

SLOT = 1_700_000_100
SOLAR, SUN = 10_101, 1_040_100
HALF = 500_000
# Anna has all there is, Bert a load only.
LOAD, PANELS, BATTERY, CHARGER, BERTS_LOAD = 1, 2, 3, 4, 5


def device(number: int, owner: int, kind: DeviceKind, **more: int) -> Device:
    generates = kind is DeviceKind.GENERATOR
    return Device(
        device=number,
        owner=account(owner),
        area=1,
        kind=kind,
        nameplate_w=10_000,
        slot_length_s=900,
        metering_point=keccak(b"%d" % number),
        key=DeviceKey(KeyAlgorithm.ED25519, keccak(b"key %d" % number)),
        technology=SOLAR if generates else 0,
        fuel=SUN if generates else 0,
        **more,  # type: ignore[arg-type]
    )


DEVICES = [
    device(CHARGER, ANNA, DeviceKind.CHARGE, storage=BATTERY),
    device(LOAD, ANNA, DeviceKind.LOAD),
    device(PANELS, ANNA, DeviceKind.GENERATOR),
    device(BATTERY, ANNA, DeviceKind.STORAGE, efficiency_ppm=HALF),
    device(BERTS_LOAD, BERT, DeviceKind.LOAD),
]
EMPTY = {BATTERY: Storage(HALF)}
NOTHING = dict.fromkeys((LOAD, PANELS, BATTERY, CHARGER, BERTS_LOAD), 0)


def certificates(
    metered_wh: dict[int, int],
    trades: list[Trade] | None = None,
    *,
    slot: int = SLOT,
    storages: dict[int, Storage] = EMPTY,
    debts_wh: dict[int, int] | None = None,
) -> SlotCertificates:
    return slot_certificates(
        slot, DEVICES, NOTHING | metered_wh, trades or [], storages=storages, debts_wh=debts_wh or {}
    )


def source(number: int, kind: CertificateKind = CertificateKind.GENERATION) -> int:
    return int(CertificateId(SLOT, number, kind))


def test_a_members_devices_are_summed_up_for_its_delivery() -> None:
    metered = {LOAD: 10, PANELS: 20, BATTERY: 3, CHARGER: 4, BERTS_LOAD: 5}
    assert member_readings([account(CORA), account(ANNA), account(BERT)], DEVICES, metered) == [
        MemberReading(account(CORA), 0, 0),
        MemberReading(account(ANNA), consumption_wh=14, generation_wh=23),
        MemberReading(account(BERT), 5, 0),
    ]


def test_a_missing_reading_is_not_taken_for_zero() -> None:
    with pytest.raises(KeyError):
        member_readings([account(ANNA), account(BERT)], DEVICES, {LOAD: 10})
    with pytest.raises(KeyError):
        slot_certificates(SLOT, DEVICES, {LOAD: 10}, [], storages=EMPTY, debts_wh={})


def test_a_slot_in_which_nothing_was_generated_or_charged_needs_no_certification() -> None:
    assert certificates({LOAD: 10, BERTS_LOAD: 20}).parts == ()


def test_a_slots_certificates_cover_the_home_then_its_storage_then_go_to_the_buyer() -> None:
    found = certificates({LOAD: 10, PANELS: 100, CHARGER: 30, BERTS_LOAD: 25}, [trade(0, ANNA, BERT, 60)])
    (part,) = found.parts
    assert part.matches == (Match(PANELS, LOAD, 10), Match(PANELS, CHARGER, 30), Match(PANELS, BERTS_LOAD, 25))
    assert part.moves == (Move(PANELS, account(BERT), 35),)
    assert part.arguments()[:2] == ([(PANELS, 100)], [(LOAD, 10), (CHARGER, 30), (BERTS_LOAD, 25)])
    assert found.storages == {BATTERY: Storage(HALF, (Lot(source(PANELS), 30 * HALF),), slot=SLOT)}


def test_what_charged_a_storage_without_certificates_is_a_lot_without_origin_behind_those_with_one() -> None:
    found = certificates({PANELS: 10, CHARGER: 30})
    assert found.storages[BATTERY].lots == (Lot(source(PANELS), 10 * HALF), Lot(NO_ORIGIN, 20 * HALF))


def test_what_a_storage_gives_is_certified_by_its_lots_and_sold_with_their_origin() -> None:
    charged = Storage(HALF, (Lot(source(PANELS), 6_500_000), Lot(NO_ORIGIN, 2_000_000)), slot=SLOT - 900)
    found = certificates({BATTERY: 8, BERTS_LOAD: 20}, [trade(0, ANNA, BERT, 8)], storages={BATTERY: charged})
    (part,) = found.parts
    assert (part.issuances[0].amount_wh, part.issuances[0].certified_wh) == (8, 6)
    assert part.arguments()[0] == [(BATTERY, 8)]  # the contract finds out itself what its lots give
    assert part.matches == (Match(BATTERY, BERTS_LOAD, 6),)
    assert found.storages[BATTERY] == Storage(HALF, (Lot(NO_ORIGIN, 500_000),), 500_000, SLOT)


def test_what_is_charged_in_a_slot_is_not_given_back_in_it() -> None:
    found = certificates({PANELS: 10, CHARGER: 10, BATTERY: 4})
    assert [issuance.certified_wh for issuance in found.issuances] == [10, 0]
    assert found.storages[BATTERY].lots == (Lot(source(PANELS), 10 * HALF),)


def test_a_storage_that_charged_from_a_neighbours_keeps_its_origin_as_stored() -> None:
    neighbour = device(9, BERT, DeviceKind.STORAGE, efficiency_ppm=HALF)
    found = slot_certificates(
        SLOT,
        [*DEVICES, neighbour],
        NOTHING | {9: 5, CHARGER: 5},
        [trade(0, BERT, ANNA, 5)],
        storages={BATTERY: Storage(HALF), 9: Storage(HALF, (Lot(1, 5_000_000),))},
        debts_wh={},
    )
    assert found.storages[BATTERY].lots == (Lot(source(9, CertificateKind.STORED), 5 * HALF),)


def test_a_device_that_owes_certificates_gives_what_is_left() -> None:
    found = certificates({PANELS: 100, LOAD: 100}, debts_wh={PANELS: 30, BATTERY: 5})
    assert found.parts[0].arguments() == ([(PANELS, 100)], [(LOAD, 100)], [], [(0, 0, 70)])
    found = certificates({PANELS: 100, LOAD: 100}, debts_wh={PANELS: 300})
    assert found.parts[0].arguments() == ([(PANELS, 100)], [], [], [])


def test_a_load_that_owes_is_covered_as_far_as_it_does_not() -> None:
    found = certificates({PANELS: 100, LOAD: 100}, debts_wh={LOAD: 40})
    assert found.parts[0].arguments() == ([(PANELS, 100)], [(LOAD, 100)], [], [(0, 0, 60)])
    found = certificates({LOAD: 30}, debts_wh={LOAD: 40})
    assert found.parts[0].arguments() == ([], [(LOAD, 30)], [], [])


def test_a_charge_that_pays_a_debt_is_no_lot_and_has_its_place_in_the_storages_slots() -> None:
    found = certificates({CHARGER: 30}, debts_wh={CHARGER: 30})
    assert found.parts[0].arguments() == ([], [(CHARGER, 30)], [], [])
    assert found.storages == {BATTERY: Storage(HALF, slot=SLOT)}
    with pytest.raises(SlotOrderError):
        certificates({CHARGER: 30}, debts_wh={CHARGER: 30}, storages={BATTERY: Storage(HALF, slot=SLOT + 900)})


def test_only_devices_with_a_standing_request_are_certified_slot_by_slot() -> None:
    devices = [replace(each, standing=each.device != PANELS) for each in DEVICES]
    found = slot_certificates(SLOT, devices, NOTHING | {PANELS: 9, LOAD: 9}, [], storages=EMPTY, debts_wh={})
    assert found.issuances == found.parts == ()


def test_a_storages_slots_are_certified_in_their_order() -> None:
    later = {BATTERY: Storage(HALF, slot=SLOT + 900)}
    with pytest.raises(SlotOrderError):
        certificates({CHARGER: 10}, storages=later)
    with pytest.raises(SlotOrderError):
        certificates({BATTERY: 10}, storages=later)


def test_storages_must_be_given() -> None:
    for metered in ({BATTERY: 10}, {CHARGER: 10}):
        with pytest.raises(UnknownStorageError, match="storage 3: its lots must be given"):
            certificates(metered, storages={})
