"""An honest history of guarantees of origin with every event in it: homes, a battery, corrections, a lazy day.

Four members. The first has a load and a battery, the second panels and a load, the third a load, and the fourth
panels for which it asks period by period. Everything happens on one day, but for what is minted of the next.
"""

from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger.batches import FilledOrder, MemberReading
from ledger.certificates.days import Day
from ledger.devices import device_of
from ledger.evidence.compact import of_reading
from ledger.evidence.evidence import DeviceTerms, Evidence, Method
from ledger.evidence.keys import KeyAlgorithm, MeterKey, MeterKeys
from ledger.evidence.substitutes import Substitute, of_substitute
from ledger.evidence.tree import DayTree
from ledger.metered import member_readings, slot_certificates
from ledger.storage import Storage
from ledger.trades import trades_of
from matching.orders import CertificatePreference
from matching.readings import Reading, SignedReading
from tests.contracts.devices import (
    CHARGE,
    CONSUMPTION,
    GENERATOR,
    IMPORTED,
    LOAD,
    STORAGE,
    ZONE,
    add_area,
    claim,
    details,
    on_devices,
    on_issuance,
    send,
    token_id,
)
from tests.world import MARKET, World

DAY_S = 86_400
PRICE = 150_000
HOME, PANELS, KITCHEN, BATTERY, CHARGER, SHOP, ROOF = range(21, 28)
EFFICIENCY_PPM = 900_000
NO_MARKET, ABROAD_ZONE = bytes(32), "10YFR-RTE------C"


@dataclass
class Town:
    """The world, and what of its history is not on chain.

    Attributes:
        day: the Unix day on which everything happens.
        slots: the first six of its slots.
        evidence: of the panels' days, as it is after the corrections.
        authority: whose key signs substitute values.
    """

    world: World
    day: int
    meters: dict[int, list[tuple[int, Ed25519PrivateKey]]] = field(default_factory=dict)
    storages: dict[int, Storage] = field(default_factory=dict)
    debts_wh: dict[int, int] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)
    authority: Ed25519PrivateKey = field(
        default_factory=lambda: Ed25519PrivateKey.from_private_bytes(b"\x99" * 32)
    )

    @property
    def slots(self) -> list[int]:
        return [self.day * DAY_S + 900 * place for place in range(6)]

    def member(self, number: int) -> bytes:
        return self.world.members[number].address

    @property
    def authority_keys(self) -> MeterKeys:
        return MeterKeys(((0, MeterKey(KeyAlgorithm.ED25519, raw_public(self.authority))),))


def tell(world: World) -> Town:
    """Let everything happen once."""
    town = Town(world, world.time.now // DAY_S + 1)
    register_all(town)
    for place in range(4):
        certify_slot(town, place)
    correct_downwards(town)
    for place in (4, 5):
        certify_slot(town, place)
    correct_upwards(town)
    requests(town)
    imports(town)
    holders(town)
    exports(town)
    correct_what_was_bought(town)
    lazy_day(town)
    anchor_evidence(town)
    on_devices(world, "registrar", "close_device", KITCHEN, town.day + 30)
    return town


# ------------------------------------------------------------------------------------------------- devices


def raw_public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def meter_key(device: int, turn: int = 0) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([device, turn]) * 16)


def register_all(town: Town) -> None:
    world = town.world
    area = add_area(world)
    kinds = {
        HOME: (0, LOAD), PANELS: (1, GENERATOR), KITCHEN: (1, LOAD), BATTERY: (0, STORAGE), CHARGER: (0, CHARGE),
        SHOP: (2, LOAD), ROOF: (3, GENERATOR),
    }  # fmt: skip
    for device, (owner, kind) in kinds.items():
        key = {"algorithm": 0, "key": raw_public(meter_key(device)), "from_slot": 0}
        storage = BATTERY if kind == CHARGE else 0
        described = details(
            town.member(owner), device, kind=kind, area=area, standing=device != ROOF, storage=storage, key=key
        )
        on_devices(world, "registrar", "register_device", device, described)
        town.meters[device] = [(0, meter_key(device))]
    on_devices(world, "registrar", "add_area", NO_MARKET, ZONE)
    on_devices(world, "registrar", "add_area", NO_MARKET, ABROAD_ZONE)
    rotated = {"algorithm": 0, "key": raw_public(meter_key(PANELS, 1)), "from_slot": town.slots[3]}
    on_devices(world, "registrar", "rotate_key", PANELS, rotated)
    town.meters[PANELS].append((town.slots[3], meter_key(PANELS, 1)))
    town.storages[BATTERY] = Storage(EFFICIENCY_PPM)


# --------------------------------------------------------------------------------------------------- slots

METERED: list[dict[int, int]] = [
    {PANELS: 900, KITCHEN: 100, HOME: 400, CHARGER: 100, SHOP: 80, ROOF: 300},
    {HOME: 50, CHARGER: 200, SHOP: 70},
    {BATTERY: 150, HOME: 60, SHOP: 80, ROOF: 200},
    {PANELS: 500, HOME: 300},
    {PANELS: 400, KITCHEN: 50},
    {PANELS: 100},
]
"""What each device was metered with, slot by slot, Wh."""

TRADES: list[tuple[int, int, int, CertificatePreference] | None] = [
    (1, 0, 600, CertificatePreference.AUTO_RETIRE),
    None,
    (0, 2, 80, CertificatePreference.BUNDLED),
    (1, 0, 300, CertificatePreference.AUTO_RETIRE),
    None,
    None,
]
"""Seller, buyer, Wh, and what the buyer wants with the certificates."""


def certify_slot(town: Town, place: int) -> None:
    """Trade, deliver and certify by the rules that the node follows."""
    world, slot = town.world, town.slots[place]
    metered_wh = dict.fromkeys(town.meters, 0) | METERED[place]
    contracts = world.contracts
    devices = [device_of(each, contracts.devices.read("device_of", each)) for each in town.meters]
    fills: list[FilledOrder] = []
    trade = TRADES[place]
    if trade is not None:
        seller, buyer, quantity_wh, preference = trade
        bid = world.bid(buyer, quantity_wh, 200_000, slot=slot, certificates=preference)
        offer = world.offer(seller, quantity_wh, 100_000, slot=slot, certificates=preference)
        fills = sorted(
            [FilledOrder(bid, quantity_wh), FilledOrder(offer, quantity_wh)], key=lambda each: each.signed.hash
        )
    world.commit(slot, size=len(fills))
    world.settle(fills, PRICE, slot=slot)
    members = [key.address for key in world.members]
    readings: list[MemberReading] = member_readings(members, devices, metered_wh)
    world.deliver(readings, slot=slot)
    found = slot_certificates(
        slot, devices, metered_wh, trades_of(fills), storages=town.storages, debts_wh=town.debts_wh
    )
    town.storages.update(found.storages)
    for part in found.parts:
        on_issuance(world, "issuer", "certify", MARKET, slot, *part.arguments())


# ------------------------------------------------------------------------------------- corrections, requests


def correct_downwards(town: Town) -> None:
    """More was matched than was right: the panels owe 100 Wh."""
    certificate = token_id(PANELS, town.slots[3])
    send(town.world, "issuer", "withdraw", certificate, "meter read twice")
    on_issuance(town.world, "issuer", "reissue", certificate, 200, [])
    town.debts_wh[PANELS] = 100


def correct_upwards(town: Town) -> None:
    """By then the debt is paid."""
    town.debts_wh[PANELS] = 0
    certificate = token_id(PANELS, town.slots[5])
    send(town.world, "issuer", "withdraw", certificate, "register read late")
    on_issuance(town.world, "issuer", "reissue", certificate, 150, [])


def correct_what_was_bought(town: Town) -> None:
    """The third member, which holds 50 Wh of the fourth's roof, gets them back; the amount was right after all."""
    certificate = token_id(ROOF, town.slots[0])
    send(town.world, "issuer", "withdraw", certificate, "to be read again")
    on_issuance(town.world, "issuer", "reissue", certificate, 300, [(town.member(2), 50)])


def requests(town: Town) -> None:
    """The fourth member asks for its panels' slots; the issuer approves one request and refuses another."""
    world, owner = town.world, town.world.members[3]
    first, _, third, *_ = town.slots
    on_devices(world, owner, "request", ROOF, first, third, b"\x05" * 32)
    on_devices(world, owner, "request", ROOF, first, first, b"\x06" * 32)
    on_devices(world, "issuer", "decide", 1, True, "")
    on_devices(world, "issuer", "decide", 2, False, "asked for before")
    on_issuance(world, "issuer", "issue", 1, ROOF, first, [300, 0, 200])
    on_issuance(world, "issuer", "issue", 0, SHOP, first, [80, 70])


def import_details(town: Town, serial: str, **changes: object) -> dict[str, object]:
    return {
        "registry": "Elsewhere",
        "serial": serial,
        "to": town.member(2),
        "area": 2,
        "slot": town.slots[1],
        "slot_length_s": 900,
        "amount_wh": 1_000,
        "technology": 20_101,
        "fuel": 1_020_100,
        **changes,
    }


def imports(town: Town) -> None:
    contracts = town.world.contracts
    abroad = contracts.devices.read("area_number", NO_MARKET, ZONE)
    on_issuance(town.world, "issuer", "import_certificate", import_details(town, "E-1", area=abroad))
    further = contracts.devices.read("area_number", NO_MARKET, ABROAD_ZONE)
    changes = {"area": further, "slot": town.slots[0], "amount_wh": 500}
    on_issuance(town.world, "issuer", "import_certificate", import_details(town, "E-2", **changes))


# ------------------------------------------------------------------------------------------------- holders


def holders(town: Town) -> None:
    """They transfer, let others transfer, retire with a claim, alone and for somebody, and against consumption."""
    world = town.world
    _, second, third, fourth = world.members
    first_slot, second_slot = town.slots[:2]
    sunny, roof = token_id(PANELS, first_slot), token_id(ROOF, first_slot)
    corrected = token_id(PANELS, town.slots[5], revision=1)
    send(world, second, "safeTransferFrom", second.address, third.address, sunny, 50, b"")
    two = [sunny, corrected]
    send(world, second, "safeBatchTransferFrom", second.address, fourth.address, two, [10, 40], b"")
    send(world, fourth, "setApprovalForAll", second.address, True)
    send(world, second, "safeTransferFrom", fourth.address, third.address, roof, 100, b"")
    send(world, fourth, "setApprovalForAll", second.address, False)
    send(world, third, "retire", [sunny], [20], claim(first_slot=first_slot, last_slot=first_slot))
    for_another = claim(beneficiary=fourth.address, purpose=3, text_hash=b"\x08" * 32)
    send(world, second, "retire", [sunny, token_id(PANELS, town.slots[4])], [5, 25], for_another)
    pairs = [
        (roof, token_id(SHOP, first_slot, kind=CONSUMPTION), 50),
        (token_id(1, second_slot, kind=IMPORTED), token_id(SHOP, second_slot, kind=CONSUMPTION), 70),
    ]
    send(world, third, "retire_pairs", pairs)


def exports(town: Town) -> None:
    second = town.world.members[1]
    for serial, slot in (("X-1", town.slots[4]), ("X-2", town.slots[0])):
        send(town.world, second, "export", [token_id(PANELS, slot)], [15], "Elsewhere", serial)


def committed_day(town: Town) -> Day:
    """What the panels generated on the day after."""
    sunny = [350, 0, 0, 0, 0, 500, *([0] * 90)]
    return Day(town.day + 1, {PANELS: sunny, ROOF: [1, *([0] * 95)]})


def lazy_day(town: Town) -> None:
    """One slot is delivered; nothing of the day is certified, and some of it minted by anybody."""
    world, day = town.world, committed_day(town)
    slot = day.day * DAY_S
    world.commit(slot)
    world.settle([], PRICE, slot=slot)
    readings = [
        MemberReading(key.address, 0, 350 if number == 1 else 0) for number, key in enumerate(world.members)
    ]
    world.deliver(readings, slot=slot)
    world.time.now = (day.day + 1) * DAY_S
    on_issuance(world, "issuer", "commit_day", MARKET, day.day, day.root, day.leaves, day.total_wh)
    proof = day.proof(PANELS)
    arguments = (MARKET, day.day, PANELS, list(proof.amounts_wh), [0, 5], proof.index, list(proof.path))
    on_issuance(world, world.strangers[5], "mint", *arguments)


# ------------------------------------------------------------------------------------------------ evidence


def terms_of(town: Town, device: int) -> DeviceTerms:
    spans = tuple((start, MeterKey(KeyAlgorithm.ED25519, raw_public(key))) for start, key in town.meters[device])
    return DeviceTerms(
        chain_id=town.world.chain.chain_id,
        market=MARKET,
        device=device,
        slot_length_s=900,
        nameplate_w=4_000,
        keys=MeterKeys(spans),
        authority=town.authority_keys,
    )


def evidence_of(
    town: Town, device: int, amounts_wh: dict[int, int], substitutes: dict[int, int]
) -> list[Evidence]:
    """What the meter signed of each slot; of those that were corrected what the authority did."""
    terms, register_wh, found = terms_of(town, device), 0, list[Evidence]()
    for sequence, slot in enumerate(town.slots, start=1):
        if slot in substitutes:
            value = Substitute(
                terms.chain_id, MARKET, device, slot, substitutes[slot], Method.HISTORICAL, "read again"
            )
            found.append(of_substitute(value.sign(town.authority), terms))
            continue
        energy_wh = amounts_wh.get(slot, 0)
        register_wh += energy_wh
        reading = Reading(terms.chain_id, MARKET, device, slot, energy_wh, register_wh, sequence)
        key = [key for start, key in town.meters[device] if start <= slot][-1]
        found.append(of_reading(SignedReading(reading, key.sign(reading.signing_bytes())), terms))
    return found


def anchor_evidence(town: Town) -> None:
    """Both panels' day, and once it is corrected, again."""
    world, slots = town.world, town.slots
    for substitutes in ({}, {slots[3]: 200, slots[5]: 150}):
        anchors, town.evidence = [], []
        for device in (PANELS, ROOF):
            metered = {slot: METERED[place].get(device, 0) for place, slot in enumerate(slots)}
            evidence = evidence_of(town, device, metered, substitutes if device == PANELS else {})
            tree = DayTree(device, town.day, evidence)
            anchors.append((device, tree.root, tree.size))
            town.evidence += evidence
        on_devices(world, "issuer", "anchor", town.day, anchors)
