"""Anchoring: once a UTC day is over and all its slots are delivered, the roots of its evidence go on chain."""

import structlog

from ledger.certificates.issuer import MAX_ANCHORS, Anchor, Issuer
from ledger.deployment import Contracts
from ledger.evidence.tree import DAY_S, DayTree
from node.clock import Clock
from node.store import Store
from node.store.records import ReadingRecord, SlotState

log = structlog.get_logger(__name__)

_NOT_DELIVERED = tuple(state for state in SlotState if state not in (SlotState.DELIVERED, SlotState.CERTIFIED))


class Anchoring:
    """Anchors days. Every step can be repeated; a day whose readings were corrected is anchored anew."""

    def __init__(self, store: Store, contracts: Contracts, issuer: Issuer, clock: Clock) -> None:
        self._store = store
        self._devices = contracts.devices
        self._issuer = issuer
        self._clock = clock

    def anchor_days(self) -> None:
        """Anchor every day that is over, whose slots are delivered, and that is not anchored as it is now.

        Raises:
            ChainError: a day's anchors are not on chain; the rest of the days wait for the next call.
        """
        waiting = self._store.slots(states=_NOT_DELIVERED, limit=1)
        today = self._clock.now() // DAY_S
        before = min([today, *(record.slot // DAY_S for record in waiting)])
        for day in self._store.days_to_anchor(before):
            readings = self._store.day_readings(day)
            self._anchor(day, trees(day, readings))
            corrections = sum(record.revision for records in readings.values() for record in records)
            self._store.note_anchored(day, corrections)
            log.info("day anchored", day=day, devices=len(readings))

    def _anchor(self, day: int, found: list[DayTree]) -> None:
        left = [tree for tree in found if self._devices.read("anchor_of", tree.device, day) != tree.commitment]
        for start in range(0, len(left), MAX_ANCHORS):
            part = left[start : start + MAX_ANCHORS]
            self._issuer.anchor(day, [Anchor(tree.device, tree.root, tree.size) for tree in part])


def trees(day: int, readings: dict[int, list[ReadingRecord]]) -> list[DayTree]:
    """The evidence trees of a day, one for each device, by its number."""
    return [
        DayTree(device, day, [record.evidence for record in records])
        for device, records in sorted(readings.items())
    ]
