"""Replays the certificates' events on the model, and checks them against generation, trades and consumption."""

from ledger.allocation import BrokenAllocationError, Issuance, Move, allocate
from ledger.audit.calls import Calls, UnreadableCallError
from ledger.audit.findings import Findings
from ledger.audit.history import Occurrence
from ledger.audit.model import CertificateModel, Model, SlotModel
from ledger.audit.rulebook import Rulebook, Terms, hexed, where_of
from ledger.certificates import SLOT_UNIT_S, token_id
from ledger.chain import ZERO_ADDRESS
from ledger.onboarding import Device, Technology
from matching.orders import Side

# As in the contract.
ISSUER, REGISTRAR = 0, 1


def device_of(certificate: int) -> int:
    """Whose generation a certificate stands for."""
    return certificate >> 72 & 2**64 - 1


def slot_of(certificate: int) -> int:
    """The slot of the generation."""
    return (certificate >> 8 & 2**64 - 1) * SLOT_UNIT_S


class CertificateRules(Rulebook):
    """Applies the events of the Certificates contract in chain order."""

    def __init__(self, calls: Calls, terms: Terms, model: Model, findings: Findings) -> None:
        super().__init__(calls, terms, model, findings)
        self.handlers = {
            "RoleOffered": self._role_offered,
            "RoleTaken": self._role_taken,
            "DeviceRegistered": self._device_registered,
            "TransferSingle": self._transferred,
            "TransferBatch": self._transferred_batch,
            "ClaimSingle": self._claimed,
            "Certified": self._certified,
        }

    # Roles and devices

    def _role_offered(self, occurrence: Occurrence) -> None:
        role, account = occurrence.event.arguments["role"], occurrence.event.arguments["account"]
        where = f"certificates' role {role}, block {occurrence.block}"
        self.check_sender("certificates.holder", where, occurrence, self.model.roles.get(role))
        self.model.role_offers[role] = account

    def _role_taken(self, occurrence: Occurrence) -> None:
        role, account = occurrence.event.arguments["role"], occurrence.event.arguments["account"]
        where = f"certificates' role {role}, block {occurrence.block}"
        offered = self.model.role_offers.pop(role, ZERO_ADDRESS)
        self.findings.check("certificates.offered", where, expected=offered, found=account)
        self.check_sender("certificates.accepts", where, occurrence, account)
        self.model.roles[role] = account

    def _device_registered(self, occurrence: Occurrence) -> None:
        number, details = (occurrence.event.arguments[name] for name in ("device", "details"))
        where = f"device {number}"
        self.check_sender("device.registrar", where, occurrence, self.model.roles.get(REGISTRAR))
        self.findings.require(
            "device.once", where, number not in self.model.devices, expected="one registration", found="another"
        )
        known = self.findings.require(
            "device.technology", where, details["technology"] in list(Technology), expected="a known technology",
            found=details["technology"],
        )  # fmt: skip
        self.model.devices[number] = Device(
            device=number,
            owner=details["owner"],
            technology=Technology(details["technology"]) if known else Technology.SOLAR,
            nameplate_w=details["nameplate_w"],
            meter_key=details["meter_key"],
        )
        self.model.device_markets[number] = details["market"]

    # Holdings

    def _transferred(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        self._move(occurrence, arguments["_from"], arguments["_to"], arguments["_id"], arguments["_value"])

    def _transferred_batch(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        for certificate, amount_wh in zip(arguments["_ids"], arguments["_values"], strict=True):
            self._move(occurrence, arguments["_from"], arguments["_to"], certificate, amount_wh)

    def _move(self, occurrence: Occurrence, owner: bytes, to: bytes, certificate: int, amount_wh: int) -> None:
        state = self.model.certificates.setdefault(certificate, CertificateModel())
        where = f"certificate {certificate:#x}"
        if owner == ZERO_ADDRESS:
            self.findings.check("certificate.once", where, expected=0, found=state.issued_wh)
            device = self.model.devices.get(device_of(certificate))
            self.findings.check("certificate.device", where, expected=device and device.owner, found=to)
            state.issued_wh += amount_wh
        else:
            state.held_wh[owner] = state.held_wh.get(owner, 0) - amount_wh
            self.findings.require(
                "certificate.negative", where, state.held_wh[owner] >= 0, expected="no holding below 0",
                found=state.held_wh[owner],
            )  # fmt: skip
            last = slot_of(certificate) + self.terms.certificate_lifetime_s - 1
            self.findings.require(
                "certificate.expired", where, occurrence.timestamp <= last, expected=f"by {last}",
                found=occurrence.timestamp,
            )  # fmt: skip
        if to != ZERO_ADDRESS:
            state.held_wh[to] = state.held_wh.get(to, 0) + amount_wh

    def _claimed(self, occurrence: Occurrence) -> None:
        arguments = occurrence.event.arguments
        certificate, account, amount_wh = (arguments[name] for name in ("id", "claimSubject", "value"))
        state = self.model.certificates.setdefault(certificate, CertificateModel())
        state.retired_wh[account] = state.retired_wh.get(account, 0) + amount_wh
        market = self.model.device_markets.get(device_of(certificate), b"")
        claimable = self.model.claimable_wh.get((market, slot_of(certificate)), {})
        if account in claimable:  # an outsider's consumption is not known here
            claimable[account] -= amount_wh
            self.findings.require(
                "retire.consumption", f"slot {slot_of(certificate)}, account {hexed(account)}",
                claimable[account] >= 0, expected="no more than was consumed",
                found=f"{-claimable[account]} Wh more",
            )  # fmt: skip

    # Certification

    def _certified(self, occurrence: Occurrence) -> None:
        slot = self.slot_of(occurrence, None)
        if slot is None:
            return
        where = where_of(slot)
        self.findings.require(
            "certify.once", where, "certify" not in slot.blocks, expected="one certification", found="another"
        )
        slot.blocks["certify"], slot.transactions["certify"] = occurrence.block, occurrence.transaction
        self.check_sender("certify.issuer", where, occurrence, self.model.roles.get(ISSUER))
        self.findings.check("certify.delivered", where, expected="delivered", found=slot.state)
        try:
            issued, moved = self.calls.certified(occurrence)
        except UnreadableCallError as error:  # the transfers that it made are seen, only their reasons are not
            self.findings.require(
                error.rule, where, False, expected="a call that calldata shows", found=str(error)
            )
            return
        slot.issuances = [
            Issuance(entry["device"], self.model.devices[entry["device"]].owner, entry["amount_wh"])
            for entry in issued
            if entry["device"] in self.model.devices
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
        self._check_issuances(slot)
        if not slot.is_unread:
            self._check_generation(slot)
            self._check_allocation(slot)

    def _check_issuances(self, slot: SlotModel) -> None:
        length_s = self.model.markets[slot.market].slot_length_s
        for issuance in slot.issuances:
            issued = self.model.certificates.get(token_id(issuance.device, slot.slot), CertificateModel())
            where = f"{where_of(slot)}, device {issuance.device}"
            self.findings.check("certify.issued", where, expected=issuance.amount_wh, found=issued.issued_wh)
            most = self.model.devices[issuance.device].nameplate_w * length_s // 3_600
            self.findings.require(
                "certify.nameplate", where, issuance.amount_wh <= most, expected=f"at most {most} Wh",
                found=issuance.amount_wh,
            )  # fmt: skip

    def _check_generation(self, slot: SlotModel) -> None:
        generated: dict[bytes, int] = {}
        for issuance in slot.issuances:
            generated[issuance.owner] = generated.get(issuance.owner, 0) + issuance.amount_wh
        metered = {reading.account: reading.generation_wh for reading in slot.readings}
        for account in sorted(generated.keys() | metered.keys()):
            self.findings.check(
                "certify.generation", f"{where_of(slot)}, account {hexed(account)}",
                expected=metered.get(account, 0), found=generated.get(account, 0),
            )  # fmt: skip

    def _check_allocation(self, slot: SlotModel) -> None:
        if not slot.uniform_price:
            self._check_received(slot)
            return
        try:
            expected: object = allocate(slot.issuances, slot.readings, slot.trades)
        except BrokenAllocationError as error:  # what was issued is not what was generated
            expected = error
        self.findings.check("certify.allocation", where_of(slot), expected=expected, found=slot.moves)

    def _check_received(self, slot: SlotModel) -> None:
        """Other designs' trades are not on chain; but nobody gets certificates of more than it bought."""
        received: dict[bytes, int] = {}
        owners = {issuance.device: issuance.owner for issuance in slot.issuances}
        for move in slot.moves:
            if move.account != owners.get(move.device):
                received[move.account] = received.get(move.account, 0) + move.amount_wh
        for account, amount_wh in received.items():
            bought_wh = sum(
                fill.fill_wh
                for fill in slot.fills
                if fill.signed.order.account == account and fill.signed.order.side is Side.BID
            )
            self.findings.require(
                "certify.bought", f"{where_of(slot)}, account {hexed(account)}", amount_wh <= bought_wh,
                expected=f"at most {bought_wh} Wh", found=amount_wh,
            )  # fmt: skip
