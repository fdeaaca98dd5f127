"""The meter authority's part: deliver a slot once all its readings are in."""

from collections.abc import Sequence

from ledger.abi import Contract
from ledger.batches import MemberReading, deliver_calldata
from ledger.keys import Key
from ledger.steps import Step, Stepper
from matching.errors import WattbookError

MAX_READINGS = 1_024
"""Most members of one delivery."""

_DELIVERED = 2


class TooManyReadingsError(WattbookError):
    """More members than one delivery can carry."""

    code = "delivery.too_many_readings"


class IncompleteReadingsError(WattbookError):
    """The readings do not cover every member of the market."""

    code = "delivery.incomplete"


class Delivery:
    """Redeems energy tokens and settles imbalances for the slots of one market. Every step can be repeated."""

    def __init__(self, exchange: Contract, market: bytes, meter_authority: Key, stepper: Stepper) -> None:
        self._exchange = exchange
        self._market = market
        self._meter_authority = meter_authority
        self._stepper = stepper

    def deliver(self, slot: int, readings: Sequence[MemberReading]) -> None:
        """Deliver a settled or voided slot with one reading for every member.

        Raises:
            TooManyReadingsError: more than `MAX_READINGS`.
            IncompleteReadingsError: a member on chain has no reading, e.g. because its registration was cut short.
            CallRevertedError: the contract refuses, e.g. because the utility's escrow does not cover its side.
        """
        if len(readings) > MAX_READINGS:
            raise TooManyReadingsError(f"slot {slot} has {len(readings)} readings: at most {MAX_READINGS}")
        members = self._exchange.read("member_count", self._market)
        if len(readings) != members:
            raise IncompleteReadingsError(f"slot {slot} has {len(readings)} readings: must be {members}")
        ordered = sorted(readings, key=lambda reading: reading.account)
        selector = self._exchange.interface.selector("deliver")
        self._stepper.run(
            Step(
                market=self._market,
                slot=slot,
                name="deliver",
                key=self._meter_authority,
                to=self._exchange.address,
                event=self._exchange.interface.topic("Delivered"),
                is_done=lambda: self._exchange.read("slot_state", self._market, slot) == _DELIVERED,
                calldata=lambda: deliver_calldata(selector, self._market, slot, ordered),
            )
        )
