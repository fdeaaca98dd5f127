"""Replays the certificates' events on the model, and checks them against generation, trades and consumption."""

from collections import defaultdict

from ledger.allocation import BrokenAllocationError, Issuance, Move, allocate
from ledger.audit.findings import Findings
from ledger.audit.history import History, Occurrence
from ledger.audit.model import Model, SlotModel
from ledger.certificates import token_id
from ledger.chain import ZERO_ADDRESS
from ledger.onboarding import Device, Technology
from matching.orders import Side


class CertificateRules:
    """Applies certificate events in chain order; `finish` checks what only the whole history shows."""

    def __init__(self, history: History, model: Model, findings: Findings) -> None:
        self._history = history
        self._model = model
        self._findings = findings

    def apply(self, occurrence: Occurrence) -> None:
        """Check one event and let it take its effect on the model."""
        arguments = occurrence.event.arguments
        match occurrence.event.name:
            case "DeviceRegistered":
                self._device_registered(arguments["device"], arguments["details"])
            case "TransferSingle":
                self._moved(arguments["_from"], arguments["_to"], arguments["_id"], arguments["_value"])
            case "TransferBatch":
                for certificate, amount in zip(arguments["_ids"], arguments["_values"], strict=True):
                    self._moved(arguments["_from"], arguments["_to"], certificate, amount)
            case "ClaimSingle":
                self._model.certificates[arguments["id"]].retired_wh[arguments["claimSubject"]] += arguments[
                    "value"
                ]
            case "Certified":
                self._certified(occurrence)

    def finish(self) -> None:
        """Check every certificate's balance sheet and every slot's retirements against consumption."""
        for certificate, state in self._model.certificates.items():
            where = f"certificate {certificate:#x}"
            held, retired = sum(state.held_wh.values()), sum(state.retired_wh.values())
            self._findings.check("certificate.balance", where, expected=state.issued_wh, found=held + retired)
            self._findings.require(
                "certificate.negative", where, min(state.held_wh.values(), default=0) >= 0,
                expected="no holding below 0", found=dict(state.held_wh),
            )  # fmt: skip
        for slot in self._model.slots.values():
            self._check_retired(slot)

    def _device_registered(self, number: int, details: dict[str, object]) -> None:
        where = f"device {number}"
        self._findings.require(
            "device.once", where, number not in self._model.devices, expected="one registration", found="another"
        )
        self._model.devices[number] = Device(
            device=number,
            owner=bytes(details["owner"]),  # type: ignore[call-overload]  # decoded by the ABI as an address
            technology=Technology(int(str(details["technology"]))),
            nameplate_w=int(str(details["nameplate_w"])),
            meter_key=bytes(details["meter_key"]),  # type: ignore[call-overload]  # bytes32
        )

    def _moved(self, owner: bytes, to: bytes, certificate: int, amount_wh: int) -> None:
        state = self._model.certificates[certificate]
        if owner == ZERO_ADDRESS:
            where = f"certificate {certificate:#x}"
            self._findings.check("certificate.once", where, expected=0, found=state.issued_wh)
            state.issued_wh += amount_wh
        else:
            state.held_wh[owner] -= amount_wh
        if to != ZERO_ADDRESS:
            state.held_wh[to] += amount_wh

    def _certified(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        slot = self._model.slot(arguments["market"], arguments["slot"])
        slot.blocks["certify"], slot.transactions["certify"] = occurrence.block, occurrence.transaction
        where = f"slot {slot.slot}"
        self._findings.check("certify.delivered", where, expected="delivered", found=slot.state)
        issued, moved = self._history.certified(occurrence)
        slot.issuances = [
            Issuance(entry["device"], self._model.devices[entry["device"]].owner, entry["amount_wh"])
            for entry in issued
        ]
        slot.moves = [
            Move(
                device=issued[entry["issuance"]]["device"],
                account=entry["account"],
                amount_wh=entry["amount_wh"],
                retired=entry["retire"],
            )
            for entry in moved
        ]
        self._check_nameplates(slot)
        if self._model.markets[slot.market].uniform_price:
            try:
                expected: object = allocate(slot.issuances, slot.readings, slot.trades)
            except BrokenAllocationError as error:  # what was issued is not what was generated
                expected = error
            self._findings.check("certify.allocation", where, expected=expected, found=slot.moves)
        else:
            self._check_received(slot)

    def _check_received(self, slot: SlotModel) -> None:
        """Other designs' trades are not on chain; but nobody gets certificates of more than it bought."""
        received: dict[bytes, int] = defaultdict(int)
        owners = {issuance.device: issuance.owner for issuance in slot.issuances}
        for move in slot.moves:
            if move.account != owners[move.device]:
                received[move.account] += move.amount_wh
        for account, amount_wh in received.items():
            bought_wh = sum(
                fill.fill_wh
                for fill in slot.fills
                if fill.signed.order.account == account and fill.signed.order.side is Side.BID
            )
            where = f"slot {slot.slot}, account 0x{account.hex()}"
            self._findings.require(
                "certify.bought",
                where,
                amount_wh <= bought_wh,
                expected=f"at most {bought_wh} Wh",
                found=amount_wh,
            )

    def _check_nameplates(self, slot: SlotModel) -> None:
        length_s = self._model.markets[slot.market].slot_length_s
        for issuance in slot.issuances:
            device = self._model.devices[issuance.device]
            most = device.nameplate_w * length_s // 3_600
            where = f"slot {slot.slot}, device {issuance.device}"
            self._findings.require(
                "certify.nameplate", where, issuance.amount_wh <= most, expected=f"at most {most} Wh",
                found=issuance.amount_wh,
            )  # fmt: skip

    def _check_retired(self, slot: SlotModel) -> None:
        if slot.state != "delivered" or ("certify" not in slot.blocks and not _generates(slot)):
            return
        generated: dict[bytes, int] = defaultdict(int)
        for issuance in slot.issuances:
            generated[issuance.owner] += issuance.amount_wh
        retired: dict[bytes, int] = defaultdict(int)
        for issuance in slot.issuances:
            state = self._model.certificates[token_id(issuance.device, slot.slot)]
            for account, amount in state.retired_wh.items():
                retired[account] += amount
        for reading in slot.readings:
            where = f"slot {slot.slot}, account 0x{reading.account.hex()}"
            # A slot whose generation is delivered but not certified yet is not wrong, only unfinished.
            if "certify" in slot.blocks:
                self._findings.check(
                    "certify.generation", where, expected=reading.generation_wh, found=generated[reading.account]
                )
            self._findings.require(
                "retire.consumption", where, retired[reading.account] <= reading.consumption_wh,
                expected=f"at most {reading.consumption_wh} Wh retired", found=retired[reading.account],
            )  # fmt: skip


def _generates(slot: SlotModel) -> bool:
    return any(reading.generation_wh for reading in slot.readings)
