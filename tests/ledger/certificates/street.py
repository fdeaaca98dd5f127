"""Devices of all kinds on a world's chain, and what happens to their certificates. For tests only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger import merkle
from ledger.allocation import Consumption, Issuance, Match, Move, SlotPart
from ledger.certificates.actions import Call, carry_out
from ledger.certificates.certification import Certification
from ledger.certificates.history import CertificateHistory, read_history
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.certificates.issuer import Issuer
from ledger.chain import Receipt
from ledger.deployment import Contracts
from ledger.devices import (
    NO_MARKET,
    Area,
    Device,
    DeviceKey,
    DeviceKind,
    closed_day,
    metering_point,
    register_area,
    register_device,
    registered_area,
    registered_device,
    valid_key,
)
from ledger.eecs import PHOTOVOLTAIC, SOLAR, fuel_number, technology_number
from ledger.evidence.keys import KeyAlgorithm
from ledger.keys import Key
from ledger.steps import Stepper
from tests.ledger.journal import MemoryJournal
from tests.world import MARKET, SLOT, World

ZONE = "10YNL----------L"
DAY = SLOT // 86_400
LENGTH_S = 900

PV, LOAD, OWN_LOAD, BATTERY, CHARGER, WINDMILL = 1, 2, 3, 4, 5, 6
"""Devices: member 0 has a load; member 1 photovoltaic modules and a load; member 2 a battery; member 3 a windmill,
whose certificates it asks for period by period."""

EFFICIENCY_PPM = 900_000


def device_key(number: int, from_slot: int = 0) -> DeviceKey:
    return DeviceKey(KeyAlgorithm.ED25519, bytes([number]) * 32, from_slot)


def device(number: int, owner: bytes, area: int, kind: DeviceKind, **more: object) -> Device:
    fields: dict[str, object] = {
        "device": number,
        "owner": owner,
        "area": area,
        "kind": kind,
        "nameplate_w": 0 if kind is DeviceKind.LOAD else 8_000,
        "slot_length_s": LENGTH_S,
        "metering_point": metering_point(f"meter {number}"),
        "key": device_key(number),
        "latitude": 5_209,
        "longitude": 434,
    }
    if kind is DeviceKind.GENERATOR:
        fields |= {"technology": technology_number(PHOTOVOLTAIC), "fuel": fuel_number(SOLAR)}
    return Device(**fields | more)  # type: ignore[arg-type]


@dataclass
class Street:
    """The devices, and the issuer at work."""

    world: World
    journal: MemoryJournal = field(default_factory=MemoryJournal)
    devices: dict[int, Device] = field(default_factory=dict)

    def __post_init__(self) -> None:
        world, registrar = self.world, self.world.keys["registrar"]
        self.area = register_area(self.contracts, registrar, Area(MARKET, ZONE))
        self.abroad = register_area(self.contracts, registrar, Area(NO_MARKET, ZONE))
        owners = [key.address for key in world.members]
        for each in (
            device(PV, owners[1], self.area, DeviceKind.GENERATOR),
            device(LOAD, owners[0], self.area, DeviceKind.LOAD),
            device(OWN_LOAD, owners[1], self.area, DeviceKind.LOAD),
            device(BATTERY, owners[2], self.area, DeviceKind.STORAGE, efficiency_ppm=EFFICIENCY_PPM),
            device(CHARGER, owners[2], self.area, DeviceKind.CHARGE, storage=BATTERY),
            device(
                WINDMILL,
                owners[3],
                self.area,
                DeviceKind.GENERATOR,
                standing=False,
                technology=technology_number("T020001"),
                fuel=fuel_number("F01050100"),
            ),
        ):
            register_device(self.contracts, registrar, each)
            self.devices[each.device] = each
        stepper = Stepper(world.chain, self.journal, patience_s=0)
        issuer = world.keys["issuer"]
        self.issuer = Issuer(self.contracts, MARKET, issuer, stepper)
        self.certification = Certification(self.contracts, MARKET, issuer, stepper)

    @property
    def contracts(self) -> Contracts:
        return self.world.contracts

    def certify(
        self,
        metered_wh: Mapping[int, int],
        *,
        moves: Mapping[tuple[int, int], int] | None = None,
        matches: Mapping[tuple[int, int], int] | None = None,
        slot: int = SLOT,
    ) -> None:
        """Certify what devices metered; moves from (device, to member), matches of (device, with device)."""
        self.world.time.now = max(self.world.time.now, slot + LENGTH_S)
        giving, taking = [], []
        for number, amount_wh in sorted(metered_wh.items()):
            each = self.devices[number]
            common = (each.device, each.owner, each.kind, each.area, amount_wh, amount_wh)
            if each.kind in (DeviceKind.GENERATOR, DeviceKind.STORAGE):
                giving.append(Issuance(*common))
            else:
                taking.append(Consumption(*common, storage=each.storage))
        part = SlotPart(
            tuple(giving),
            tuple(taking),
            tuple(Move(number, self.member(to).address, wh) for (number, to), wh in (moves or {}).items()),
            tuple(Match(number, with_device, wh) for (number, with_device), wh in (matches or {}).items()),
        )
        self.certification.certify(slot, [part])

    def member(self, number: int) -> Key:
        return self.world.members[number]

    def act(self, member: int, call: Call) -> Receipt:
        return carry_out(call, self.member(member))

    def history(self, last_block: int | None = None) -> CertificateHistory:
        return read_history(self.contracts, last_block)

    def accounts(self) -> list[bytes]:
        return [key.address for key in (*self.world.members, *self.world.strangers)]


def generation(number: int, slot: int = SLOT, revision: int = 0) -> CertificateId:
    return CertificateId(slot, number, CertificateKind.GENERATION, revision)


def stored(slot: int) -> CertificateId:
    return CertificateId(slot, BATTERY, CertificateKind.STORED)


def consumption(number: int, slot: int = SLOT, revision: int = 0) -> CertificateId:
    return CertificateId(slot, number, CertificateKind.CONSUMPTION, revision)


def assert_agreement(street: Street, history: CertificateHistory) -> None:
    """Everything that the contracts' views tell, the history tells too."""
    read, issued = street.contracts.certificates.read, street.contracts.issuance.read
    for certificate, record in history.records.items():
        state = read("state_of", int(certificate))
        assert state["exists"], certificate
        found = (record.owner, record.issued_wh, record.held[record.owner], record.retired_wh)
        said = tuple(state[name] for name in ("owner", "issued_wh", "held_by_owner_wh", "retired_wh"))
        assert found == said, certificate
        assert state["withdrawn"] == (record.withdrawal is not None)
        assert state["expires_at"] == record.expires_at(read("lifetime_s"))
        for account in {*street.accounts(), *record.held, *record.claimed}:
            assert record.held[account] == read("balanceOf", account, int(certificate))
            assert record.claimed[account] == read("claimedBalanceOf", account, int(certificate))
        frozen_wh = 0 if record.withdrawal is None else record.withdrawal.frozen_wh
        held_wh = sum(record.held.values())
        assert held_wh + record.retired_wh == record.issued_wh
        assert frozen_wh in (0, held_wh)
    for number in history.devices:
        assert history.debts[number] == issued("debt_of", number)
    _assert_devices_agree(street, history)
    for (market, day), committed in history.days.items():
        assert issued("day_of", market, day) == {
            "root": committed.root,
            "leaves": committed.leaves,
            "total_wh": committed.total_wh,
        }


def _assert_devices_agree(street: Street, history: CertificateHistory) -> None:
    contracts, read = street.contracts, street.contracts.devices.read
    assert len(history.areas) == read("area_count")
    assert all(registered_area(contracts, number) == area for number, area in history.areas.items())
    for number, known in history.devices.items():
        assert registered_device(contracts, number) == known.device
        assert read("key_count", number) == len(known.keys)
        assert all(valid_key(contracts, number, key.from_slot) == key for key in known.keys)
        assert closed_day(contracts, number) == known.closed_day
    assert len(history.requests) == read("request_count")
    for number, request in history.requests.items():
        decision = request.decision
        assert read("request_of", number) == {
            "device": request.device,
            "first_slot": request.first_slot,
            "last_slot": request.last_slot,
            "decided": decision is not None,
            "approved": decision is not None and decision.approved,
        }
    for (number, day), anchored in history.anchors.items():
        commitment = merkle.commitment(anchored[-1].root, anchored[-1].leaves)
        assert read("anchor_of", number, day) == commitment
        assert [each.revision for each in anchored] == list(range(len(anchored)))
