"""The issuer's part of a slot: certify what its devices metered, and pass the certificates on."""

from collections.abc import Sequence
from functools import partial

from ledger.abi import Contract
from ledger.allocation import Consumption, Issuance, SlotPart
from ledger.certificates.ids import CertificateId
from ledger.deployment import Contracts
from ledger.devices import Device
from ledger.keys import Key
from ledger.metered import CERTIFICATE_KINDS
from ledger.steps import Step, Stepper
from ledger.storage import LOTS_AT_ONCE, Lot, Storage


class Certification:
    """Certifies the slots of one market. Every step can be repeated."""

    def __init__(self, contracts: Contracts, market: bytes, issuer: Key, stepper: Stepper) -> None:
        self._issuance = contracts.issuance
        self._certificates = contracts.certificates
        self._market = market
        self._issuer = issuer
        self._stepper = stepper

    def certify(self, slot: int, parts: Sequence[SlotPart]) -> None:
        """Issue, move and match a slot's certificates, one transaction a part; none if there is no part.

        Raises:
            CallRevertedError: the contract finds something that breaks its rules.
        """
        for number, part in enumerate(parts):
            is_last = number == len(parts) - 1
            self._stepper.run(
                Step(
                    market=self._market,
                    slot=slot,
                    name="certify" if is_last else f"certify-{number}",
                    key=self._issuer,
                    to=self._issuance.address,
                    event=self._issuance.interface.topic("Certified"),
                    is_done=partial(self.is_certified, slot, part),
                    calldata=partial(self._calldata, slot, part),
                )
            )

    def is_certified(self, slot: int, part: SlotPart) -> bool:
        """Whether a part of a slot is on chain."""
        return bool(self._certificates.read("state_of", int(_first(slot, part)))["exists"])

    def _calldata(self, slot: int, part: SlotPart) -> bytes:
        return self._issuance.interface.call("certify", self._market, slot, *part.arguments())


def storage_on_chain(issuance: Contract, device: Device, *, block_number: int | None = None) -> Storage:
    """A storage as the Issuance contract kept it after a block (default: the head)."""
    queue = issuance.read("queue_of", device.device, block_number=block_number)
    lots: list[Lot] = []
    for first in range(queue["first"], queue["end"], LOTS_AT_ONCE):
        found = issuance.read("lots_of", device.device, first, LOTS_AT_ONCE, block_number=block_number)
        lots += [Lot(lot["source"], lot["output_uwh"]) for lot in found]
    return Storage(
        efficiency_ppm=device.efficiency_ppm,
        lots=tuple(lots),
        carry_uwh=queue["carry_uwh"],
        slot=queue["after_slot"] - 1,
    )


def _first(slot: int, part: SlotPart) -> CertificateId:
    """Something that this part issues, and no other."""
    issued: list[Issuance | Consumption] = [*part.issuances, *part.consumptions]
    return CertificateId(slot, issued[0].device, CERTIFICATE_KINDS[issued[0].kind])
