"""What Python says of a slot's certificates and storages, and what the contracts make of the same slot."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

import pytest
from eth_hash.auto import keccak

from ledger.allocation import SlotPart, parts
from ledger.certificates.certification import storage_on_chain
from ledger.certificates.ids import CertificateId
from ledger.devices import Area, Device, DeviceKey, DeviceKind, register_area, register_device
from ledger.evidence.keys import KeyAlgorithm
from ledger.metered import CERTIFICATE_KINDS, SlotCertificates, slot_certificates
from ledger.storage import MAX_LOTS_PER_DISCHARGE, Storage
from matching.orders import CertificatePreference
from tests.ledger.allocation.slots import ANNA, BERT, CORA, account, gas_of, given_back, trade
from tests.world import MARKET, SLOT, World

MEMBERS = (ANNA, BERT, CORA)
EFFICIENCIES_PPM = {ANNA: 1_000_000, BERT: 900_001, CORA: 333_333}
SOLAR, SUN = 10_101, 1_040_100
SLOTS = 12
FIXED_GAS = 65_000
"""Of a certification of nothing: the transaction, and the memory that the contract sets aside."""

MOST_WH = {DeviceKind.LOAD: 90, DeviceKind.GENERATOR: 120, DeviceKind.STORAGE: 20, DeviceKind.CHARGE: 40}


def device(owner: int, kind: DeviceKind, area: int) -> Device:
    number = 10 * owner + kind
    generates, stores = kind is DeviceKind.GENERATOR, kind is DeviceKind.STORAGE
    return Device(
        device=number,
        owner=account(owner),
        area=area,
        kind=kind,
        nameplate_w=10_000,
        slot_length_s=900,
        metering_point=keccak(b"%d" % number),
        key=DeviceKey(KeyAlgorithm.ED25519, keccak(b"key %d" % number)),
        technology=SOLAR if generates else 0,
        fuel=SUN if generates else 0,
        storage=10 * owner + DeviceKind.STORAGE if kind is DeviceKind.CHARGE else 0,
        efficiency_ppm=EFFICIENCIES_PPM[owner] if stores else 0,
    )


@dataclass
class Street:
    """Three homes, each with a load, panels and a storage, the third in another zone; slot after slot."""

    world: World
    devices: list[Device] = field(default_factory=list)
    storages: dict[int, Storage] = field(default_factory=dict)
    slot: int = SLOT

    def __post_init__(self) -> None:
        registrar = self.world.keys["registrar"]
        for owner, zone in zip(MEMBERS, ("ZONE-1", "ZONE-1", "ZONE-2"), strict=True):
            area = register_area(self.world.contracts, registrar, Area(MARKET, zone))
            for kind in (DeviceKind.LOAD, DeviceKind.GENERATOR, DeviceKind.STORAGE, DeviceKind.CHARGE):
                self.devices.append(device(owner, kind, area))
                register_device(self.world.contracts, registrar, self.devices[-1])
            self.storages[10 * owner + DeviceKind.STORAGE] = Storage(EFFICIENCIES_PPM[owner])

    def debts_wh(self) -> dict[int, int]:
        return {each.device: self.world.contracts.issuance.read("debt_of", each.device) for each in self.devices}

    def certify(self, random: Random) -> SlotCertificates:
        """A slot with any readings and trades, on chain."""
        metered_wh = {
            each.device: random.choice((0, random.randint(1, MOST_WH[each.kind]))) for each in self.devices
        }
        preferences = tuple(CertificatePreference)
        trades = [
            trade(
                number,
                *random.sample(MEMBERS, 2),
                random.randint(1, 20),
                offered=random.choice(preferences),
                wanted=random.choice(preferences),
            )
            for number in range(random.randint(0, 6))
        ]
        self.slot += 900
        found = slot_certificates(
            self.slot,
            self.devices,
            metered_wh,
            trades,
            storages=self.storages,
            debts_wh=self.debts_wh(),
        )
        self.world.time.now = self.slot + 900
        issuance = self.world.contracts.issuance
        for part in found.parts:
            sent = self.world.send("issuer", issuance, "certify", MARKET, self.slot, *part.arguments())
            assert sent.gas_used <= FIXED_GAS + gas_of(part)
        self.storages |= found.storages
        return found

    def check(self, found: SlotCertificates) -> None:
        """Whether the chain has what Python says."""
        self.check_storages()
        self.check_issuances(found)
        self.check_consumptions(found)

    def check_storages(self) -> None:
        for number, storage in self.storages.items():
            (device,) = (each for each in self.devices if each.device == number)
            assert storage_on_chain(self.world.contracts.issuance, device) == storage

    def check_issuances(self, found: SlotCertificates) -> None:
        read = self.world.contracts.certificates.read
        for issuance in found.issuances:
            token = int(CertificateId(self.slot, issuance.device, CERTIFICATE_KINDS[issuance.kind]))
            moves = [each for part in found.parts for each in part.moves if each.device == issuance.device]
            matches = [each for part in found.parts for each in part.matches if each.device == issuance.device]
            retired_wh = sum(match.amount_wh for match in matches)
            assert read("issued_of", token) == issuance.certified_wh
            assert read("retired_of", token) == retired_wh
            for move in moves:
                assert read("balanceOf", move.account, token) == move.amount_wh
            left_wh = issuance.certified_wh - retired_wh - sum(move.amount_wh for move in moves)
            assert read("balanceOf", issuance.owner, token) == left_wh

    def check_consumptions(self, found: SlotCertificates) -> None:
        read = self.world.contracts.certificates.read
        on_chain = {each.device for part in found.parts for each in part.consumptions}
        for consumption in found.consumptions:
            token = int(CertificateId(self.slot, consumption.device, CERTIFICATE_KINDS[consumption.kind]))
            is_on_chain = consumption.device in on_chain
            assert read("issued_of", token) == (consumption.certified_wh if is_on_chain else 0)
            matched_wh = sum(
                match.amount_wh
                for part in found.parts
                for match in part.matches
                if match.consumption == consumption.device
            )
            is_used_up = consumption.kind is DeviceKind.CHARGE
            left_wh = 0 if is_used_up or not is_on_chain else consumption.certified_wh - matched_wh
            assert read("balanceOf", consumption.owner, token) == left_wh

    def correct(self, found: SlotCertificates) -> None:
        """Withdraw what was issued, and issue a tenth of it instead: whoever retired more owes it from now on."""
        for issuance in found.issuances:
            if issuance.kind is DeviceKind.GENERATOR:
                token = int(CertificateId(self.slot, issuance.device, CERTIFICATE_KINDS[issuance.kind]))
                self.world.send("issuer", self.world.contracts.certificates, "withdraw", token, "meter was wrong")
                self.world.send(
                    "issuer", self.world.contracts.issuance, "reissue", token, issuance.amount_wh // 10 + 1, []
                )


@pytest.fixture
def street(world: World) -> Iterator[Street]:
    return Street(world)


@pytest.mark.parametrize("seed", range(3))
def test_chain_and_python_agree_slot_after_slot(street: Street, seed: int) -> None:
    random = Random(seed)
    certified_wh = 0
    for _ in range(SLOTS):
        found = street.certify(random)
        street.check(found)
        certified_wh += sum(each.certified_wh for each in found.issuances if each.kind is DeviceKind.STORAGE)
    assert certified_wh > 0


@pytest.mark.parametrize("limit", [1, 2])
def test_chain_and_python_agree_on_slots_in_several_parts(
    street: Street, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(parts, "MAX_ISSUANCES", limit)
    random = Random(limit)
    most_parts = 0
    for _ in range(SLOTS):
        found = street.certify(random)
        street.check(found)
        most_parts = max(most_parts, len(found.parts))
    assert most_parts > 1


def test_a_discharge_of_many_lots_needs_no_more_gas_than_it_is_reckoned_with(street: Street) -> None:
    storage, charge = (10 * ANNA + kind for kind in (DeviceKind.STORAGE, DeviceKind.CHARGE))
    generator, lots = 10 * ANNA + DeviceKind.GENERATOR, MAX_LOTS_PER_DISCHARGE
    charged = ([(generator, lots)], [(charge, lots)], [], [(0, 0, 1)] * lots)
    issuance = street.world.contracts.issuance
    street.world.time.now = SLOT + 2 * 900
    street.world.send("issuer", issuance, "certify", MARKET, SLOT, *charged)
    discharge = ([(storage, lots)], [], [], [])
    sent = street.world.send("issuer", issuance, "certify", MARKET, SLOT + 900, *discharge)
    reckoned = gas_of(SlotPart((given_back(ANNA, lots, lots=lots),), (), (), ()))
    assert sent.gas_used <= FIXED_GAS + reckoned
    assert sent.gas_used > reckoned - parts.GAS[DeviceKind.STORAGE]


def test_chain_and_python_agree_on_who_pays_debts(street: Street) -> None:
    random = Random(5)
    paid = 0
    for _ in range(SLOTS):
        paid += any(street.debts_wh().values())
        found = street.certify(random)
        street.check(found)
        if random.random() < 0.6:
            street.correct(found)
    assert paid > 0
