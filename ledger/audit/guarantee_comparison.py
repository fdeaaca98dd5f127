"""Compares replayed devices and certificates with what the contracts' getters say."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from functools import partial
from typing import Any

from ledger import merkle
from ledger.audit.findings import Findings
from ledger.audit.guarantees import CertificateModel, DeviceModel, Guarantees, slot_of
from ledger.audit.questions import Question, Questioner
from ledger.audit.rulebook import hexed
from ledger.certificates.ids import SLOT_UNIT_S
from ledger.deployment import Contracts
from ledger.devices import Device
from ledger.storage import LOTS_AT_ONCE, Storage


class GuaranteeComparison(Questioner):
    """Compares parts of devices and certificates with storage after one block."""

    def __init__(
        self, contracts: Contracts, guarantees: Guarantees, findings: Findings, block_number: int, lifetime_s: int
    ) -> None:
        super().__init__(contracts.devices.chain, findings, block_number)
        self._contracts = contracts
        self._guarantees = guarantees
        self._lifetime_s = lifetime_s

    def everything(self) -> None:
        """All that is still kept."""
        self.ask(self._areas_and_requests())
        self.ask(self._devices())
        self.ask(self._days())
        self.ask(self._serials())
        self._storages()
        self.certificates(self._guarantees.certificates.items())

    def certificates(
        self, certificates: Iterable[tuple[int, CertificateModel]], *, may_be_withdrawn: bool = False
    ) -> None:
        """Records, holdings and claims of certificates, and that what was issued is held or retired.

        Args:
            certificates: by id.
            may_be_withdrawn: whether a later event than those that were replayed may have withdrawn them.
        """
        self.ask(
            question
            for id_, state in certificates
            for question in self._certificate(id_, state, may_be_withdrawn=may_be_withdrawn)
        )

    def _certificate(
        self, certificate: int, state: CertificateModel, *, may_be_withdrawn: bool
    ) -> Iterator[Question]:
        contract, where = self._contracts.certificates, f"certificate {certificate:#x}"
        found = state.all_held_wh + state.all_retired_wh
        self.findings.check("certificate.balance", where, expected=state.issued_wh, found=found)
        record = {
            "owner": state.owner,
            "issued_wh": state.issued_wh,
            "held_by_owner_wh": state.held_wh.get(state.owner, 0),
            "retired_wh": state.all_retired_wh,
            "exists": True,
            "withdrawn": state.is_withdrawn,
            "expires_at": slot_of(certificate) + self._lifetime_s,
        }

        def take(found: dict[str, Any]) -> None:
            # Storage is that of the last block.
            expected = record | {"withdrawn": found["withdrawn"]} if may_be_withdrawn else record
            self.findings.check("storage.record", where, expected=expected, found=found)

        yield Question(contract, "state_of", (certificate,), take)
        for account, amount_wh in sorted(state.held_wh.items()):
            at = f"{where} of {hexed(account)}"
            if account != state.owner:
                yield self.question("storage.held", at, amount_wh, contract, "balanceOf", account, certificate)
        if not state.forgotten_wh:
            for account, amount_wh in sorted(state.retired_wh.items()):
                at, view = f"{where} for {hexed(account)}", "claimedBalanceOf"
                yield self.question("storage.claimed", at, amount_wh, contract, view, account, certificate)

    def _areas_and_requests(self) -> Iterator[Question]:
        devices = self._contracts.devices
        for number, area in enumerate(self._guarantees.areas, start=1):
            yield self.question("storage.area", f"area {number}", asdict(area), devices, "area_of", number)
        for number, request in enumerate(self._guarantees.requests, start=1):
            expected = {
                "device": request.device,
                "first_slot": request.first_slot,
                "last_slot": request.last_slot,
                "decided": request.approved is not None,
                "approved": request.approved is True,
            }
            yield self.question("storage.request", f"request {number}", expected, devices, "request_of", number)

    def _devices(self) -> Iterator[Question]:
        devices, issuance, guarantees = self._contracts.devices, self._contracts.issuance, self._guarantees
        for number, known in guarantees.devices.items():
            where, last = f"device {number}", known.keys[-1]
            details = _details(known.device)
            yield self.question("storage.device", where, details, devices, "device_of", number)
            yield self.question("storage.title", where, _title(known), devices, "word_of", number)
            yield self.question("storage.key", where, len(known.keys), devices, "key_count", number)
            yield self.question("storage.key", where, asdict(last), devices, "key_of", number, last.from_slot)
            owed_wh = guarantees.debts_wh.get(number, 0)
            yield self.question("storage.owed", where, owed_wh, issuance, "debt_of", number)
        for (number, day), anchor in guarantees.anchors.items():
            commitment = merkle.commitment(anchor.root, anchor.leaves)
            where = f"day {day} of device {number}"
            yield self.question("storage.anchor", where, commitment, devices, "anchor_of", number, day)

    def _days(self) -> Iterator[Question]:
        for (market, day), committed in self._guarantees.days.items():
            expected = {"root": committed.root, "leaves": committed.leaves, "total_wh": committed.total_wh}
            issuance = self._contracts.issuance
            yield self.question("storage.day", f"day {day}", expected, issuance, "day_of", market, day)

    def _serials(self) -> Iterator[Question]:
        contracts = self._contracts
        for name, certificate in self._guarantees.import_serials.items():
            serial = name.split("\n", 1)
            yield self.question(
                "storage.import", f"import {name!r}", certificate, contracts.issuance, "import_of", *serial
            )
        for name in self._guarantees.export_serials:
            holder, *serial = name.split("\n", 2)
            yield self.question(
                "storage.export", f"export {name!r}", True, contracts.certificates, "is_exported",
                bytes.fromhex(holder), *serial,
            )  # fmt: skip

    def _storages(self) -> None:
        """The queues first: they say where the lots are."""
        places: dict[int, int] = {}

        def take(number: int, storage: Storage, found: dict[str, int]) -> None:
            places[number] = found["first"]
            expected = (len(storage.lots), storage.carry_uwh, storage.slot + 1)
            queue = (found["end"] - found["first"], found["carry_uwh"], found["after_slot"])
            self.findings.check("storage.lots", f"storage {number}", expected=expected, found=queue)

        storages, issuance = self._guarantees.storages, self._contracts.issuance
        self.ask(
            Question(issuance, "queue_of", (number,), partial(take, number, storage))
            for number, storage in storages.items()
        )
        self.ask(
            question
            for number, storage in storages.items()
            for question in self._lots(number, storage, places[number])
        )

    def _lots(self, number: int, storage: Storage, first: int) -> Iterator[Question]:
        for start in range(0, len(storage.lots), LOTS_AT_ONCE):
            expected: list[dict[str, Any]] = [asdict(lot) for lot in storage.lots[start : start + LOTS_AT_ONCE]]
            yield self.question(
                "storage.lots", f"storage {number}", expected, self._contracts.issuance, "lots_of", number,
                first + start, len(expected),
            )  # fmt: skip


def _details(device: Device) -> dict[str, Any]:
    details = asdict(device)
    del details["device"]
    return details


def _title(known: DeviceModel) -> int:
    """As `contracts/titles.vy` lays it out."""
    device = known.device
    word = int.from_bytes(device.owner, "big") | device.nameplate_w << 160
    word |= device.slot_length_s // SLOT_UNIT_S << 190 | int(device.kind) << 194 | int(device.standing) << 196
    return word | device.area << 197 | device.commissioned_day << 213 | known.closed_day << 229
