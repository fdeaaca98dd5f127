"""Replays what storages take and give, lot by lot: first in, first out, and never more than went in."""

from dataclasses import replace

from ledger.audit.guarantees import device_of, revision_of, slot_of
from ledger.audit.history import Occurrence
from ledger.audit.rulebook import Handler
from ledger.audit.transaction_notes import CertificateBook
from ledger.chain import ZERO_ADDRESS
from ledger.devices import Device, DeviceKind
from ledger.storage import NO_ORIGIN, Lot, Storage, StorageError


class LotRules(CertificateBook):
    """Applies the lots of all storages in chain order."""

    def certificate_handlers(self) -> dict[str, Handler]:
        """The handlers by event name."""
        return {"TransferSingle": self._issued, "Stored": self._stored, "Discharged": self._discharged}

    def _issued(self, occurrence: Occurrence) -> None:
        """A slot's charge begins with its consumption certificate, even if all of it pays a debt.

        A correction of it comes late, and goes into the storage as it is then.
        """
        holder, certificate = (occurrence.event.arguments[name] for name in ("_from", "_id"))
        known = self.guarantees.devices.get(device_of(certificate))
        is_first = holder == ZERO_ADDRESS and revision_of(certificate) == 0
        if known is None or known.device.kind is not DeviceKind.CHARGE or not is_first:
            return
        number, slot = known.device.storage, slot_of(certificate)
        where = f"storage {number} in block {occurrence.block}"
        device = self._storage_device(where, number)
        if device is not None:
            self.guarantees.storages[number] = self._ready(where, number, device, slot).begun(slot)

    def _stored(self, occurrence: Occurrence) -> None:
        number, source, amount_wh, output_uwh = (
            occurrence.event.arguments[name] for name in ("storage", "source", "amount_wh", "output_uwh")
        )
        where = f"storage {number} in block {occurrence.block}"
        device = self._storage_device(where, number)
        self._check_charge(where, number, source, amount_wh)
        if device is None:
            return
        self.findings.check("lots.efficiency", where, expected=amount_wh * device.efficiency_ppm, found=output_uwh)
        storage = self.guarantees.storages.get(number) or Storage(device.efficiency_ppm)
        try:
            self.guarantees.storages[number] = storage.charged(storage.slot, source, amount_wh)
        except StorageError as error:
            self.findings.require("lots.charge", where, False, expected="a charge", found=error)

    def _check_charge(self, where: str, number: int, source: int, amount_wh: int) -> None:
        """A lot goes with a claim, or with consumption that nothing was claimed for."""
        if source != NO_ORIGIN:
            self.notes.stored[number, source] -= amount_wh
            return
        for sink, burnt_wh in self.notes.burnt.items():
            known = self.guarantees.devices.get(device_of(sink))
            is_charge = known is not None and known.device.kind is DeviceKind.CHARGE
            if known is not None and is_charge and known.device.storage == number and burnt_wh == amount_wh:
                self.notes.burnt[sink] = 0
                return
        self.findings.require(
            "lots.charge", where, False, expected=f"{amount_wh} Wh of a charge without a claim", found="none"
        )

    def _discharged(self, occurrence: Occurrence) -> None:
        certificate, number, metered_wh, certified_wh, sources, outputs_uwh = (
            occurrence.event.arguments[name]
            for name in ("id", "storage", "metered_wh", "certified_wh", "sources", "outputs_uwh")
        )
        where, slot = f"storage {number} in block {occurrence.block}", slot_of(certificate)
        self.notes.discharged[certificate] = (metered_wh, certified_wh)
        self.notes.lots[certificate] = len(sources)
        device = self._storage_device(where, number)
        if device is None:
            return
        storage = self._ready(where, number, device, slot, after=1)
        try:
            discharge, self.guarantees.storages[number] = storage.discharged(slot, metered_wh)
        except StorageError as error:
            self.findings.require("lots.fifo", where, False, expected="a discharge", found=error)
            return
        taken = tuple(Lot(source, uwh) for source, uwh in zip(sources, outputs_uwh, strict=True))
        self.findings.check("lots.fifo", where, expected=discharge.taken, found=taken)
        self.findings.check("lots.certified", where, expected=discharge.certified_wh, found=certified_wh)

    def _storage_device(self, where: str, number: int) -> Device | None:
        known = self.guarantees.devices.get(number)
        is_storage = known is not None and known.device.kind is DeviceKind.STORAGE
        self.findings.require("lots.storage", where, is_storage, expected="a registered storage", found="none")
        return known.device if known is not None and is_storage else None

    def _ready(self, where: str, number: int, device: Device, slot: int, *, after: int = 0) -> Storage:
        """The storage before this slot; it is `after` the last one's start by so much at least."""
        storage = self.guarantees.storages.get(number) or Storage(device.efficiency_ppm)
        ascends = self.findings.require(
            "lots.slots", where, slot >= storage.slot + after, expected=f"{storage.slot + after} or later",
            found=slot,
        )  # fmt: skip
        return storage if ascends else replace(storage, slot=slot - after)
