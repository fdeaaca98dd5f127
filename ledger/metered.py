"""What a slot's readings come to: for its delivery by member, for its certification by device."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ledger.allocation.model import Consumption, Issuance
from ledger.allocation.parts import SlotPart, parts_of
from ledger.allocation.rule import allocate
from ledger.batches import MemberReading
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.devices import Device, DeviceKind
from ledger.storage import NO_ORIGIN, Storage
from ledger.trades import Trade
from matching.errors import WattbookError

CERTIFICATE_KINDS = {
    DeviceKind.LOAD: CertificateKind.CONSUMPTION,
    DeviceKind.CHARGE: CertificateKind.CONSUMPTION,
    DeviceKind.GENERATOR: CertificateKind.GENERATION,
    DeviceKind.STORAGE: CertificateKind.STORED,
}
"""What is issued for what a device metered."""

GIVING = (DeviceKind.GENERATOR, DeviceKind.STORAGE)
"""The kinds of devices whose meters count what they give."""


class UnknownStorageError(WattbookError):
    """A storage's lots are not given."""

    code = "certificates.unknown_storage"


@dataclass(frozen=True, slots=True)
class SlotCertificates:
    """Everything that a slot's certification needs, and what it leaves behind.

    Attributes:
        issuances: what the devices that give were metered with.
        consumptions: what the devices that take were metered with.
        parts: the certifications to make, in this order; none if nothing has to be.
        storages: the slot's storages after it.
    """

    issuances: tuple[Issuance, ...]
    consumptions: tuple[Consumption, ...]
    parts: tuple[SlotPart, ...]
    storages: Mapping[int, Storage]


def member_readings(
    members: Iterable[bytes], devices: Iterable[Device], metered_wh: Mapping[int, int]
) -> list[MemberReading]:
    """What each member's devices took and gave together, in the members' order.

    Raises:
        KeyError: a device's reading is missing, or its owner is not among the members.
    """
    taken_wh = dict.fromkeys(members, 0)
    given_wh = dict(taken_wh)
    for device in devices:
        totals = given_wh if device.kind in GIVING else taken_wh
        totals[device.owner] += metered_wh[device.device]
    return [MemberReading(member, taken_wh[member], given_wh[member]) for member in taken_wh]


def slot_certificates(
    slot: int,
    devices: Iterable[Device],
    metered_wh: Mapping[int, int],
    trades: Sequence[Trade],
    *,
    storages: Mapping[int, Storage],
    debts_wh: Mapping[int, int],
) -> SlotCertificates:
    """Who gets a slot's certificates, and what the issuer sends for it.

    Args:
        slot: its start.
        devices: those that may be certified in the slot; those without a standing request are left out.
        metered_wh: each device's reading.
        trades: the slot's trades; none if it was voided.
        storages: by device number, every storage that was metered or charged, as the slot before left it.
        debts_wh: what devices have to give back of earlier certificates; none for those not named.

    Raises:
        KeyError: a device's reading is missing.
        UnknownStorageError: a storage is missing.
        SlotOrderError: a storage has a later slot on chain already.
    """
    issuances: list[Issuance] = []
    consumptions: list[Consumption] = []
    after: dict[int, Storage] = {}
    for device in sorted(devices, key=lambda each: each.device):
        amount_wh = metered_wh[device.device]
        if amount_wh == 0 or not device.standing:
            continue
        certified_wh, lots = amount_wh, 0
        if device.kind is DeviceKind.STORAGE:
            discharge, after[device.device] = _storage(storages, device.device).discharged(slot, amount_wh)
            certified_wh, lots = discharge.certified_wh, len(discharge.taken)
        certified_wh -= min(certified_wh, debts_wh.get(device.device, 0))
        where = (device.device, device.owner, device.kind, device.area, amount_wh, certified_wh)
        if device.kind in GIVING:
            issuances.append(Issuance(*where, lots=lots))
        else:
            consumptions.append(Consumption(*where, storage=device.storage))
    parts = parts_of(issuances, consumptions, allocate(issuances, consumptions, trades))
    charges = [each for each in consumptions if each.kind is DeviceKind.CHARGE]
    for number in {charge.storage for charge in charges}:
        after[number] = (after[number] if number in after else _storage(storages, number)).begun(slot)
    for part in parts:
        _store(after, slot, part)
    return SlotCertificates(tuple(issuances), tuple(consumptions), tuple(parts), after)


def _store(storages: dict[int, Storage], slot: int, part: SlotPart) -> None:
    """Put a part's lots into the storages, in the contract's order: the matches', then the rests."""
    kinds = {issuance.device: CERTIFICATE_KINDS[issuance.kind] for issuance in part.issuances}
    rests_wh = {each.device: each.certified_wh for each in part.consumptions if each.kind is DeviceKind.CHARGE}
    storage_of = {each.device: each.storage for each in part.consumptions}
    for match in part.matches:
        if match.consumption in rests_wh:
            number = storage_of[match.consumption]
            source = int(CertificateId(slot, match.device, kinds[match.device]))
            storages[number] = storages[number].charged(slot, source, match.amount_wh)
            rests_wh[match.consumption] -= match.amount_wh
    for device, rest_wh in rests_wh.items():
        if rest_wh:
            number = storage_of[device]
            storages[number] = storages[number].charged(slot, NO_ORIGIN, rest_wh)


def _storage(storages: Mapping[int, Storage], number: int) -> Storage:
    if number not in storages:
        raise UnknownStorageError(f"storage {number}: its lots must be given")
    return storages[number]
