"""What a storage's discharge is certified for: a queue of lots, first in, first out, as the contract keeps it.

Energy that charges a storage goes in as a lot, together with the certificate that was matched with it, or without
one if none was. A lot counts the output that it stands for, the charge times the storage's efficiency, so that
nothing is lost to rounding: one Wh charged at an efficiency in millionths (ppm) is that many µWh of output.

A discharge takes lots from the front. Of what it takes, the part with an origin is certified in whole Wh; the
fraction of a Wh is carried to the next discharge. `contracts/lots.vy` computes the same.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from matching.errors import WattbookError

UWH_PER_WH = 1_000_000
MAX_EFFICIENCY_PPM = 1_000_000
MAX_LOTS_PER_DISCHARGE = 64
"""Lots that one discharge takes from; energy beyond them counts as without origin, and their successors stay."""

LOTS_AT_ONCE = 64
"""Lots that the Issuance contract tells of in one answer, at most."""

NO_ORIGIN = 0
"""The source of a lot that no certificate was matched with."""


class StorageError(WattbookError):
    """A storage is charged or discharged in a way that it cannot be."""

    code = "storage.invalid"


class SlotOrderError(WattbookError):
    """A storage's slots are not certified in ascending order."""

    code = "storage.slot_order"


@dataclass(frozen=True, slots=True)
class Lot:
    """Stored energy of one origin: its certificate's id, or `NO_ORIGIN`, and the µWh of output left of it."""

    source: int
    output_uwh: int


@dataclass(frozen=True, slots=True)
class Discharge:
    """What became of one slot's discharge.

    Attributes:
        metered_wh: what the storage gave.
        certified_wh: what of it certificates are issued for.
        taken: the lots' parts that it consists of, those without origin included, first in, first out.
    """

    metered_wh: int
    certified_wh: int
    taken: tuple[Lot, ...]


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage as its certificates know it, at one moment.

    Attributes:
        efficiency_ppm: output by input, round trip, in millionths.
        lots: what it holds, first in first.
        carry_uwh: output with an origin that was taken and not yet certified, below one Wh.
        slot: the last slot in which it was charged or discharged; -1 before the first.
    """

    efficiency_ppm: int
    lots: tuple[Lot, ...] = ()
    carry_uwh: int = 0
    slot: int = -1

    def __post_init__(self) -> None:
        """Check the efficiency."""
        if not 1 <= self.efficiency_ppm <= MAX_EFFICIENCY_PPM:
            raise StorageError(f"efficiency_ppm is {self.efficiency_ppm}: must be 1 to {MAX_EFFICIENCY_PPM}")

    def begun(self, slot: int) -> "Storage":
        """The storage as a slot's charge begins, even if nothing of it becomes a lot.

        Raises:
            SlotOrderError: `slot` is before the storage's last one.
        """
        self._check_slot(slot, first=self.slot)
        return replace(self, slot=slot)

    def charged(self, slot: int, source: int, amount_wh: int) -> "Storage":
        """The storage after `amount_wh` went in, with the certificate `source` or with `NO_ORIGIN`.

        Raises:
            SlotOrderError: `slot` is before the storage's last one.
            StorageError: the amount is not above zero.
        """
        if amount_wh <= 0:
            raise StorageError(f"amount_wh of a charge is {amount_wh}: must be above 0")
        lot = Lot(source, amount_wh * self.efficiency_ppm)
        return replace(self.begun(slot), lots=(*self.lots, lot))

    def discharged(self, slot: int, metered_wh: int) -> tuple[Discharge, "Storage"]:
        """What a discharge is certified for, and the storage after it.

        A slot's discharge comes before its charging: nothing is charged and discharged within one slot.

        Raises:
            SlotOrderError: `slot` is not after the storage's last one.
            StorageError: the amount is not above zero.
        """
        if metered_wh <= 0:
            raise StorageError(f"metered_wh of a discharge is {metered_wh}: must be above 0")
        self._check_slot(slot, first=self.slot + 1)
        wanted_uwh = metered_wh * UWH_PER_WH
        taken: list[Lot] = []
        left = list(self.lots)
        while wanted_uwh > 0 and len(taken) < min(len(self.lots), MAX_LOTS_PER_DISCHARGE):
            position = len(taken)
            part_uwh = min(wanted_uwh, left[position].output_uwh)
            wanted_uwh -= part_uwh
            taken.append(Lot(left[position].source, part_uwh))
            left[position] = replace(left[position], output_uwh=left[position].output_uwh - part_uwh)
        with_origin_uwh = self.carry_uwh + sum(lot.output_uwh for lot in taken if lot.source != NO_ORIGIN)
        certified_wh, carry_uwh = divmod(with_origin_uwh, UWH_PER_WH)
        after = replace(
            self, lots=tuple(lot for lot in left if lot.output_uwh > 0), carry_uwh=carry_uwh, slot=slot
        )
        return Discharge(metered_wh, certified_wh, tuple(taken)), after

    def _check_slot(self, slot: int, *, first: int) -> None:
        if slot < first:
            raise SlotOrderError(f"slot is {slot}: must be {first} or later, as the storage's slots only ascend")


def check_slot_order(slot: int, storages: Collection[int], uncertified: Iterable[int]) -> None:
    """Check that a slot in which these storages were metered may be certified.

    Lots are first in, first out, so what a storage was charged with in an earlier slot has to be on chain before.

    Args:
        slot: the slot to be certified.
        storages: the storages whose charge or discharge the slot's certification would carry.
        uncertified: slots that are not certified yet, and not known to have nothing to certify.

    Raises:
        SlotOrderError: one of them is earlier.
    """
    earliest = min(uncertified, default=slot)
    if storages and earliest < slot:
        raise SlotOrderError(
            f"slot {slot} has storages ({min(storages)} first): slot {earliest} must be certified before"
        )
