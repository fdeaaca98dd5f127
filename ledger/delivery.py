"""The meter authority's part: deliver a slot once all its readings are in."""

from collections.abc import Sequence

from ledger.batches import MemberReading, deliver_calldata
from ledger.deployment import Contracts
from ledger.keys import Key
from ledger.settlement import SlotPhase
from ledger.steps import Step, Stepper
from matching.errors import WattbookError

READINGS_PER_TRANSACTION = 1_000
"""Most members of one transaction."""


class IncompleteReadingsError(WattbookError):
    """The readings do not cover every member of the market."""

    code = "delivery.incomplete"


class Delivery:
    """Redeems energy tokens and settles imbalances for the slots of one market. Every step can be repeated."""

    def __init__(self, contracts: Contracts, market: bytes, meter_authority: Key, stepper: Stepper) -> None:
        self._exchange = contracts.exchange
        self._escrow = contracts.escrow
        self._market = market
        self._meter_authority = meter_authority
        self._stepper = stepper

    def deliver(self, slot: int, readings: Sequence[MemberReading]) -> None:
        """Deliver a settled or voided slot with one reading for every member.

        More than `READINGS_PER_TRANSACTION` go in chunks; a delivery whose first chunks are in goes on from there.

        Raises:
            IncompleteReadingsError: a member on chain has no reading, e.g. because its registration was cut short.
            CallRevertedError: the contract refuses, e.g. because the utility's escrow does not cover its side.
        """
        members = self._escrow.read("member_count", self._market)
        if len(readings) != members:
            raise IncompleteReadingsError(f"slot {slot} has {len(readings)} readings: must be {members}")
        ordered = sorted(readings, key=lambda reading: reading.account)
        last = max(len(ordered) - 1, 0) // READINGS_PER_TRANSACTION
        for number in range(last + 1):
            start = number * READINGS_PER_TRANSACTION
            chunk = ordered[start : start + READINGS_PER_TRANSACTION]
            self._deliver_chunk(slot, chunk, "deliver" if number == last else f"deliver-{number}", start)

    def _deliver_chunk(self, slot: int, chunk: Sequence[MemberReading], name: str, start: int) -> None:
        def is_done() -> bool:
            if self._exchange.read("slot_of", self._market, slot)["state"] == SlotPhase.DELIVERED:
                return True
            done: int = self._exchange.read("delivered_members", self._market, slot)
            return done > start

        self._stepper.run(
            Step(
                market=self._market,
                slot=slot,
                name=name,
                key=self._meter_authority,
                to=self._exchange.address,
                event=self._exchange.interface.topic("Delivered"),
                topics=(start.to_bytes(32, "big"),),
                is_done=is_done,
                calldata=lambda: deliver_calldata(
                    self._exchange.interface.selector("deliver"), self._market, slot, chunk
                ),
            )
        )
