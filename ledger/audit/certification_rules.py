"""Replays the certification of slots: what their devices metered, and that certificates follow the trades."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from ledger.allocation import Consumption, Issuance, Match, Move
from ledger.allocation.model import InvalidMeteringError
from ledger.audit.calls import UnreadableCallError
from ledger.audit.device_rules import ISSUER
from ledger.audit.guarantees import DeviceModel
from ledger.audit.history import Occurrence
from ledger.audit.model import SlotModel
from ledger.audit.rulebook import Handler
from ledger.audit.transaction_notes import CertificateBook
from ledger.certificates.ids import CertificateId, CertificateKind
from ledger.chain import ZERO_ADDRESS
from ledger.devices import DeviceKind
from ledger.metered import CERTIFICATE_KINDS, GIVING

Entry = TypeVar("Entry")


class CertificationRules(CertificateBook):
    """Applies certifications in chain order; what they come to is checked when a slot is over (`allocations`)."""

    def certificate_handlers(self) -> dict[str, Handler]:
        """The handlers by event name."""
        return {"Certified": self._certified}

    def _certified(self, occurrence: Occurrence) -> None:
        market, number = (occurrence.event.arguments[name] for name in ("market", "slot"))
        where = f"certification of slot {number}"
        if market in self.model.states:
            state = self.model.states[market]
            state.certified_slot = max(state.certified_slot, number)
        self.check_sender("certify.issuer", where, occurrence, self.guarantees.roles.get(ISSUER))
        try:
            call = self.calls.certification(occurrence)
        except UnreadableCallError as error:  # the transfers that it made are seen, only their reasons are not
            self.findings.require(
                error.rule, where, False, expected="a call that calldata shows", found=str(error)
            )
            self.notes.issued.clear()
            self.notes.handed.clear()
            slot = self._slot(occurrence, has_issuances=True)
            if slot is not None:
                slot.is_certified_unread = True
            return
        sources = [self._metered(where, number, market, each, gives=True) for each in call["issuances"]]
        sinks = [self._metered(where, number, market, each, gives=False) for each in call["consumptions"]]
        self._check_handed(where, call, sources)
        self._check_matched(where, call, sources, sinks)
        self._check_stored(where, sinks)
        slot = self._slot(occurrence, has_issuances=bool(sources))
        if slot is not None:
            self.findings.check("certify.delivered", where, expected="delivered", found=slot.state)
            self._note(where, slot, call)
            left_wh = self.guarantees.metered_wh.get((market, number), {})
            slot.unrecorded_wh = {account: each[0] for account, each in left_wh.items() if each[0]}

    def _slot(self, occurrence: Occurrence, *, has_issuances: bool) -> SlotModel | None:
        """The slot; None if it is over, which is a finding, unless nothing of it is issued to be handed on."""
        market, number = (occurrence.event.arguments[name] for name in ("market", "slot"))
        state = self.model.states.get(market)
        is_over = state is not None and (market, number) not in self.model.slots and state.has_finished(number)
        return None if is_over and not has_issuances else self.slot_of(occurrence, "certify")

    def _metered(
        self, where: str, slot: int, market: bytes, metered: Mapping[str, int], *, gives: bool
    ) -> tuple[int, DeviceModel] | None:
        """The certificate of an entry, and its device, once its amount, market and request are checked."""
        number, amount_wh = metered["device"], metered["amount_wh"]
        known = self.guarantees.devices.get(number)
        if known is None or slot % 300:
            return None  # a finding of the certificate's already
        at = f"{where}, device {number}"
        certificate = int(CertificateId(slot, number, CERTIFICATE_KINDS[known.device.kind]))
        self.findings.check("certify.side", at, expected=gives, found=known.device.kind in GIVING)
        self.findings.check("certificate.market", at, expected=market, found=self.guarantees.market_of(number))
        self.findings.require(
            "issue.request", at, known.device.standing, expected="a standing request", found="none"
        )
        # Of a consumption, 0 stands for one that an earlier certification of the slot has put on chain.
        if amount_wh or gives:
            found = self.notes.issued.pop(certificate, None)
            self.findings.check("certify.issued", at, expected=amount_wh, found=found)
        return certificate, known

    def _check_handed(
        self, where: str, call: Mapping[str, Any], sources: list[tuple[int, DeviceModel] | None]
    ) -> None:
        """Moves and matches leave their owners as the call says, and nothing else does."""
        expected: Counter[tuple[int, bytes, bytes]] = Counter()
        for entries in (call["moves"], call["matches"]):
            for each in entries:
                source = _at(sources, each["issuance"])
                if source is not None:
                    certificate, known = source
                    expected[certificate, known.device.owner, each.get("account", ZERO_ADDRESS)] += each[
                        "amount_wh"
                    ]
        self.findings.check("certify.moves", where, expected=expected, found=self.notes.handed)
        self.notes.handed.clear()

    def _check_matched(
        self,
        where: str,
        call: Mapping[str, Any],
        sources: list[tuple[int, DeviceModel] | None],
        sinks: list[tuple[int, DeviceModel] | None],
    ) -> None:
        expected: Counter[tuple[int, int]] = Counter()
        for each in call["matches"]:
            source, sink = _at(sources, each["issuance"]), _at(sinks, each["consumption"])
            if source is not None and sink is not None:
                expected[source[0], sink[0]] += each["amount_wh"]
        self.findings.check("certify.matches", where, expected=expected, found=self.notes.matched)

    def _check_stored(self, where: str, sinks: list[tuple[int, DeviceModel] | None]) -> None:
        """What charges a storage went into it whole."""
        for sink in sinks:
            state = self.guarantees.certificates.get(sink[0]) if sink is not None else None
            if sink is not None and state is not None and sink[1].device.kind is DeviceKind.CHARGE:
                at = f"{where}, device {sink[1].device.device}"
                self.findings.check("lots.charge", at, expected=0, found=state.all_held_wh)

    def _note(self, where: str, slot: SlotModel, call: Mapping[str, Any]) -> None:
        """Keep what the slot's allocation is to be computed from, and what it is to be."""
        try:
            slot.issuances += [self._issuance(slot, each) for each in call["issuances"]]
            slot.consumptions += [self._consumption(slot, each) for each in call["consumptions"]]
        except (InvalidMeteringError, KeyError) as error:  # each a finding of its own already, but for its form
            self.findings.require("certify.issued", where, False, expected="what devices metered", found=error)
            slot.is_certified_unread = True
            return
        giving, taking = ([each["device"] for each in call[name]] for name in ("issuances", "consumptions"))
        for each in call["moves"]:
            device = _at(giving, each["issuance"])
            if device is not None:
                slot.moves.append(Move(device, each["account"], each["amount_wh"]))
        for each in call["matches"]:
            device, consumption = _at(giving, each["issuance"]), _at(taking, each["consumption"])
            if device is not None and consumption is not None:
                slot.matches.append(Match(device, consumption, each["amount_wh"]))

    def _entry(self, slot: SlotModel, metered: Mapping[str, int]) -> tuple[int, bytes, DeviceKind, int, int, int]:
        device = self.guarantees.devices[metered["device"]].device
        certificate = int(CertificateId(slot.slot, device.device, CERTIFICATE_KINDS[device.kind]))
        state = self.guarantees.certificates[certificate]
        amount_wh = metered["amount_wh"] or state.metered_wh
        return device.device, device.owner, device.kind, device.area, amount_wh, state.issued_wh

    def _issuance(self, slot: SlotModel, metered: Mapping[str, int]) -> Issuance:
        certificate = int(CertificateId(slot.slot, metered["device"], CertificateKind.STORED))
        return Issuance(*self._entry(slot, metered), lots=self.notes.lots.get(certificate, 0))

    def _consumption(self, slot: SlotModel, metered: Mapping[str, int]) -> Consumption:
        return Consumption(*self._entry(slot, metered), storage=self._storage_of(metered["device"]))

    def _storage_of(self, device: int) -> int:
        return self.guarantees.devices[device].device.storage


def _at(entries: Sequence[Entry], place: int) -> Entry | None:
    return entries[place] if place < len(entries) else None
