"""Certifying: a delivered slot's certificates, from the node's store and the chain's state before them."""

from collections.abc import Mapping, Sequence

import structlog

from ledger.allocation import SlotPart
from ledger.certificates.certification import Certification, storage_on_chain
from ledger.devices import DeviceKind
from ledger.market import Market
from ledger.metered import slot_certificates
from ledger.storage import check_slot_order
from matching.errors import WattbookError
from node.certificate_view import CertificateView
from node.fills import trades_of
from node.metered import metered_wh
from node.store import Store
from node.store.records import (
    CertificateMoveRecord,
    CertifiedSlot,
    ConsumptionRecord,
    DeviceRecord,
    IssuanceRecord,
    MatchRecord,
    SlotState,
)

_UNCERTIFIED = tuple(state for state in SlotState if state is not SlotState.CERTIFIED)

log = structlog.get_logger(__name__)


class SlotInPartError(WattbookError):
    """A slot is certified in part, and nothing is put right until the rest of it is."""

    code = "certificates.in_part"


class Certifying:
    """Certifies the slots of one market, each any number of times."""

    def __init__(self, store: Store, view: CertificateView, market: Market, certification: Certification) -> None:
        self._store = store
        self._view = view
        self._issuance = view.contracts.issuance
        self._market = market
        self._certification = certification

    def certify(self, slot: int) -> CertifiedSlot:
        """Issue and pass on a delivered slot's certificates; returns what is on chain then.

        Of a slot that is delivered after its certificates' lifetime, or certified in part by then, nothing more is
        issued: what its storages took has no origin.

        Raises:
            SlotOrderError: storages were metered in it, and an earlier slot is not certified.
            CallRevertedError: the contract refuses.
        """
        block, is_expired = self._block_before(slot), self._view.is_expired(slot)
        if is_expired:
            log.warning("certificates are expired", slot=slot)
            if block is None:
                return CertifiedSlot()
        devices = {each.device: each for each in self._store.devices() if each.is_metered(slot)}
        metered = {number: wh for number, wh in metered_wh(self._store, slot).items() if number in devices}
        storages = _storages(devices, metered)
        check_slot_order(slot, storages, self._uncertified_before(slot) if storages else ())
        certificates = slot_certificates(
            slot,
            [device.details for device in devices.values()],
            metered,
            trades_of(self._store, slot),
            storages={
                number: storage_on_chain(self._issuance, devices[number].details, block_number=block)
                for number in storages
            },
            debts_wh=self._debts_wh(devices, block),
        )
        parts = certificates.parts
        if is_expired:
            parts = tuple(part for part in parts if self._certification.is_certified(slot, part))
        else:
            self._certification.certify(slot, parts)
        return _certified(slot, parts)

    def check_whole(self) -> None:
        """Check that no slot is certified in part.

        The rest of such a slot is computed from what devices owed, and storages held, before it began.

        Raises:
            SlotInPartError: one is.
        """
        for record in self._store.slots(states=(SlotState.DELIVERED,)):
            if self._block_before(record.slot) is not None:
                raise SlotInPartError(f"slot {record.slot} is certified in part: the rest of it must be before")

    def _uncertified_before(self, slot: int) -> list[int]:
        return [record.slot for record in self._store.slots(states=_UNCERTIFIED) if record.slot < slot]

    def _block_before(self, slot: int) -> int | None:
        """The block before the slot's certification began, if it did; None for the head.

        A certification takes lots and pays debts: computed again after that, it would come to something else.
        """
        delivered = self._store.confirmed([slot]).get((slot, "deliver"))
        first = 0 if delivered is None or delivered.block_number is None else delivered.block_number
        events = self._issuance.events(
            ["Certified"],
            first_block=first,
            last_block=self._issuance.chain.head().number,
            topics=[self._market.id, slot.to_bytes(32, "big")],
        )
        return events[0].log.block_number - 1 if events else None

    def _debts_wh(self, devices: Mapping[int, DeviceRecord], block: int | None) -> dict[int, int]:
        if self._issuance.read("indebted_count", block_number=block) == 0:
            return {}
        return {number: self._issuance.read("debt_of", number, block_number=block) for number in devices}


def _storages(devices: Mapping[int, DeviceRecord], metered: Mapping[int, int]) -> list[int]:
    """The storages that gave or took something, by number."""
    found = set()
    for number, device in devices.items():
        if metered[number] and device.details.kind is DeviceKind.STORAGE:
            found.add(number)
        elif metered[number] and device.details.kind is DeviceKind.CHARGE:
            found.add(device.details.storage)
    return sorted(found)


def _certified(slot: int, parts: Sequence[SlotPart]) -> CertifiedSlot:
    """What the parts put on chain, in their order."""
    moves = [move for part in parts for move in part.moves]
    matches = [match for part in parts for match in part.matches]
    return CertifiedSlot(
        issuances=tuple(
            IssuanceRecord(slot, each.device, each.amount_wh, each.certified_wh)
            for part in parts
            for each in part.issuances
        ),
        consumptions=tuple(
            ConsumptionRecord(slot, each.device, each.amount_wh) for part in parts for each in part.consumptions
        ),
        moves=tuple(
            CertificateMoveRecord(slot, number, move.device, move.account, move.amount_wh)
            for number, move in enumerate(moves)
        ),
        matches=tuple(
            MatchRecord(slot, number, match.device, match.consumption, match.amount_wh)
            for number, match in enumerate(matches)
        ),
    )
