"""Devices and certificates in plain Python: what replaying their events leads to. Energy in Wh.

Like `ledger.audit.model`, of a few plain types, so that `ledger.audit.codec` can write it down and read it back.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ledger.certificates.ids import SLOT_UNIT_S, CertificateKind
from ledger.devices import Device, DeviceKey, DeviceKind
from ledger.storage import Storage

DAY_S = 86_400
_MASK_64 = 2**64 - 1


@dataclass
class AreaModel:
    """Where devices are; `market` is zero abroad."""

    market: bytes
    zone: str


@dataclass
class DeviceModel:
    """A device, its meter's keys one after another, and the Unix day that it is closed from; 0 if it is open."""

    device: Device
    registered_at: int
    keys: list[DeviceKey] = field(default_factory=list)
    closed_day: int = 0

    def is_in_use(self, slot: int) -> bool:
        """Whether what it meters in a slot may be certified."""
        day = slot // DAY_S
        return self.device.commissioned_day <= day and (not self.closed_day or day < self.closed_day)

    def key_at(self, slot: int) -> DeviceKey | None:
        """The key that signs at a Unix second; None if there is none."""
        valid = [key for key in self.keys if key.from_slot <= slot]
        return valid[-1] if valid and valid[-1].is_valid else None


@dataclass
class RequestModel:
    """What an owner asked for; `approved` is None until it is decided."""

    device: int
    first_slot: int
    last_slot: int
    approved: bool | None = None


@dataclass
class AnchorModel:
    """What the evidence of a device's day is anchored to; `revision` counts corrections."""

    revision: int
    root: bytes
    leaves: int


@dataclass
class DayModel:
    """A market's day of which certificates are minted, and how much of it was."""

    root: bytes
    leaves: int
    total_wh: int
    minted_wh: int = 0


@dataclass
class ImportModel:
    """Whom another registry's certificate was imported for, and where and by which slots it was measured."""

    owner: bytes
    area: int
    slot_length_s: int


@dataclass
class CertificateModel:
    """One certificate id.

    Attributes:
        owner: its device's owner, or whom it was imported for.
        issued_wh: what its owner got.
        metered_wh: what it was issued for: what went to pay a debt is in it.
        held_wh: by account; of consumption what is not claimed yet. If the id is withdrawn, it is frozen.
        retired_wh: by account.
        forgotten_wh: what was retired for accounts that are no longer kept.
    """

    owner: bytes
    issued_wh: int
    metered_wh: int
    held_wh: dict[bytes, int] = field(default_factory=dict)
    retired_wh: dict[bytes, int] = field(default_factory=dict)
    forgotten_wh: int = 0
    is_withdrawn: bool = False

    @property
    def all_held_wh(self) -> int:
        """What all accounts hold."""
        return sum(self.held_wh.values())

    @property
    def all_retired_wh(self) -> int:
        """What was retired for all accounts."""
        return sum(self.retired_wh.values()) + self.forgotten_wh


@dataclass(frozen=True)
class Title:
    """What of a certificate's device, or import, decides what may be done with it."""

    owner: bytes
    area: int
    slot_length_s: int
    kind: DeviceKind | None
    """None of an import."""


@dataclass
class Guarantees:
    """Devices and certificates.

    Attributes:
        roles: their holders, by number; None where that is not known. `offers` likewise.
        areas: number one is the first.
        by_owner: numbers of each account's devices.
        requests: number one is the first.
        anchors: by device and Unix day.
        days: by market and Unix day.
        metered_wh: by market and slot, what of each member's metered consumption and generation is not certified,
            of slots whose certificates are not expired.
        certificates: those of which something is held or withdrawn, until they expire.
        spent: by id, what was issued and what for, of certificates of which everything is retired.
        debts_wh: by device.
        debts_since_wh: by id of a certificate that waits to be issued anew, what its device owed when it was
            withdrawn, and after each change since.
        gone_wh: by the id of revision 0, what later revisions have less, as it was retired, or given for a debt.
        import_serials: ids by registry and serial number.
        export_serials: holder, registry and serial number of each export.
        late: ids of which more was issued than their slots were delivered with: their evidence is to be anchored.
        approvals: whom each account lets move what it holds.
    """

    roles: dict[int, bytes | None] = field(default_factory=dict)
    offers: dict[int, bytes] = field(default_factory=dict)
    areas: list[AreaModel] = field(default_factory=list)
    devices: dict[int, DeviceModel] = field(default_factory=dict)
    by_owner: dict[bytes, list[int]] = field(default_factory=dict)
    requests: list[RequestModel] = field(default_factory=list)
    anchors: dict[tuple[int, int], AnchorModel] = field(default_factory=dict)
    days: dict[tuple[bytes, int], DayModel] = field(default_factory=dict)
    metered_wh: dict[tuple[bytes, int], dict[bytes, list[int]]] = field(default_factory=dict)
    certificates: dict[int, CertificateModel] = field(default_factory=dict)
    spent: dict[int, tuple[int, int]] = field(default_factory=dict)
    debts_wh: dict[int, int] = field(default_factory=dict)
    debts_since_wh: dict[int, list[int]] = field(default_factory=dict)
    gone_wh: dict[int, int] = field(default_factory=dict)
    storages: dict[int, Storage] = field(default_factory=dict)
    imports: dict[int, ImportModel] = field(default_factory=dict)
    import_serials: dict[str, int] = field(default_factory=dict)
    export_serials: list[str] = field(default_factory=list)
    late: list[int] = field(default_factory=list)
    approvals: dict[bytes, list[bytes]] = field(default_factory=dict)

    def area(self, number: int) -> AreaModel | None:
        """The area of this number, if there is one."""
        return self.areas[number - 1] if 0 < number <= len(self.areas) else None

    def market_of(self, device: int) -> bytes | None:
        """The market that a device is in."""
        known = self.devices.get(device)
        area = self.area(known.device.area) if known else None
        return area.market if area else None

    def same_zone(self, one: int, other: int) -> bool:
        """Whether two areas lie in one zone."""
        areas = self.area(one), self.area(other)
        return one == other or (None not in areas and len({area.zone for area in areas if area}) == 1)

    def title(self, certificate: int) -> Title | None:
        """What its device or import says of a certificate; None if there is neither."""
        number = device_of(certificate)
        if kind_of(certificate) == CertificateKind.IMPORTED:
            imported = self.imports.get(number)
            return Title(imported.owner, imported.area, imported.slot_length_s, None) if imported else None
        known = self.devices.get(number)
        if known is None:
            return None
        device = known.device
        return Title(device.owner, device.area, device.slot_length_s, device.kind)

    def devices_of(self, owner: bytes, market: bytes, slot: int) -> Iterator[Device]:
        """An account's devices in a market that were there in a slot, and may be certified."""
        for number in self.by_owner.get(owner, []):
            known = self.devices[number]
            was_there = known.registered_at < slot + known.device.slot_length_s
            if was_there and self.market_of(number) == market and known.is_in_use(slot):
                yield known.device

    def owes(self, device: int, amount_wh: int) -> None:
        """From now on, a device owes so much."""
        self.debts_wh[device] = amount_wh
        for certificate, debts_wh in self.debts_since_wh.items():
            if device_of(certificate) == device:
                debts_wh.append(amount_wh)

    def was_issued(self, certificate: int) -> bool:
        """Whether anything was issued under this id; not known of expired ones."""
        return certificate in self.certificates or certificate in self.spent

    def certificate(self, certificate: int) -> CertificateModel | None:
        """The certificate, to be changed; brought back if all of it was retired."""
        if certificate in self.spent:
            issued_wh, metered_wh = self.spent.pop(certificate)
            title = self.title(certificate)
            owner = title.owner if title else bytes(20)
            restored = CertificateModel(owner, issued_wh, metered_wh, forgotten_wh=issued_wh)
            self.certificates[certificate] = restored
        return self.certificates.get(certificate)

    def metered_of(self, certificate: int) -> int | None:
        """What a certificate was issued for; None if nothing was issued, or it is expired."""
        if certificate in self.spent:
            return self.spent[certificate][1]
        known = self.certificates.get(certificate)
        return known.metered_wh if known else None


def kind_of(certificate: int) -> int:
    """What a certificate stands for; see `CertificateKind`."""
    return certificate >> 136


def device_of(certificate: int) -> int:
    """Whose energy a certificate stands for; of an import its number."""
    return certificate >> 72 & _MASK_64


def slot_of(certificate: int) -> int:
    """When it was metered."""
    return (certificate >> 8 & _MASK_64) * SLOT_UNIT_S


def revision_of(certificate: int) -> int:
    """How often it was corrected before."""
    return certificate & 255


def first_revision(certificate: int) -> int:
    """The id that the same energy was first certified under."""
    return certificate & ~255
