"""The Merkle tree over one device's evidence of one day, whose root the chain keeps."""

import struct
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass

from ledger import merkle
from ledger.evidence.errors import DuplicateLeafError, ForeignLeafError
from ledger.evidence.evidence import Evidence

LEAF_TAG = b"wattbook.evidence/1"
"""First bytes of every leaf, so that a leaf of another tree of ours is never one of this."""

DAY_S = 86_400

_LEAF = struct.Struct(f">{len(LEAF_TAG)}sQQIB32s")

LEAF_BYTES = _LEAF.size


def day_of(slot: int) -> int:
    """The UTC day that a slot starts in, counted from 1970-01-01."""
    return slot // DAY_S


def leaf(evidence: Evidence) -> bytes:
    """The 72 bytes of a leaf: tag 19, device 8, slot 8, energy_wh 4, quality 1, source hash 32; big-endian."""
    return _LEAF.pack(
        LEAF_TAG, evidence.device, evidence.slot, evidence.energy_wh, evidence.quality, evidence.source_hash
    )


@dataclass(frozen=True, slots=True)
class Proof:
    """That a leaf is in a tree: its place, the tree's number of leaves, and the hashes from the bottom up."""

    index: int
    size: int
    siblings: tuple[bytes, ...]


class DayTree:
    """The tree of one device's day: a leaf for each slot that has evidence, in ascending order of slots.

    Attributes:
        device: the device's number.
        day: the UTC day, counted from 1970-01-01.
        size: number of leaves.
        root: the tree's root, 32 bytes; `merkle.EMPTY_ROOT` without leaves.
        commitment: keccak-256 of root and size: what the chain keeps.
    """

    def __init__(self, device: int, day: int, evidence: Iterable[Evidence]) -> None:
        """Build the tree, of checked evidence in any order.

        Raises:
            ForeignLeafError: evidence is of another device or day.
            DuplicateLeafError: two pieces of evidence are of the same slot.
        """
        self.device = device
        self.day = day
        ordered = sorted(evidence, key=lambda item: item.slot)
        for item in ordered:
            if (item.device, day_of(item.slot)) != (device, day):
                raise ForeignLeafError(
                    f"slot {item.slot} of device {item.device} does not belong to day {day} of device {device}"
                )
        self._slots = [item.slot for item in ordered]
        for earlier, later in zip(self._slots, self._slots[1:], strict=False):
            if earlier == later:
                raise DuplicateLeafError(f"slot {later} of device {device} has evidence twice")
        self._leaves = [leaf(item) for item in ordered]
        self.size = len(self._leaves)
        self.root = merkle.root(self._leaves)
        self.commitment = merkle.commitment(self.root, self.size)

    def prove(self, evidence: Evidence) -> Proof:
        """The proof that this evidence is in the tree.

        Raises:
            ForeignLeafError: it is not.
        """
        wanted = leaf(evidence)
        index = bisect_left(self._slots, evidence.slot)
        if index == self.size or self._leaves[index] != wanted:
            raise ForeignLeafError(
                f"evidence of device {evidence.device}, slot {evidence.slot} is not in the tree of device "
                f"{self.device}, day {self.day}"
            )
        return Proof(index, self.size, tuple(merkle.path(self._leaves, index)))


def verify(evidence: Evidence, proof: Proof, commitment: bytes) -> bool:
    """Whether the evidence is in the tree that this is the commitment of."""
    root = merkle.root_by_path(leaf(evidence), proof.index, proof.size, proof.siblings)
    return root is not None and merkle.commitment(root, proof.size) == commitment
