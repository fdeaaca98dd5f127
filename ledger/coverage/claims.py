"""What members consumed and which certificates were retired for it, slot by slot: the input of every figure."""

from dataclasses import dataclass

import numpy as np

from ledger.coverage.errors import InvalidCoverageError
from matching.book import Ints

SLOT_LENGTHS_S = (300, 900, 1_800, 3_600)

MAX_SLOT_WH = 2**31 - 1
"""Most energy of one member in one slot, Wh: as the largest order."""

MAX_SLOTS = 2**19
"""Fifteen years of quarter-hours. With `MAX_SLOT_WH` and the largest emission factor (2,000 mg/Wh < 2**11) it
keeps a member's energy below 2**50 Wh and its emissions below 2**61 mg, so that int64 sums are exact."""

MAX_MEMBERS = 2**12
"""Keeps the energy of all members below 2**62 Wh."""

MAX_SLOT_AT = 253_339_228_800
"""Slots start before the year 9998: calendars end with 9999."""


@dataclass(frozen=True, slots=True, eq=False)
class Claims:
    """Consumption, and the certificates retired for it, of members in consecutive slots.

    A certificate counts for the member and the slot that it was retired for, and nowhere else: what follows from
    these arrays never moves a Wh to another slot.

    Attributes:
        members: their names, each once.
        slots: starts of the slots, Unix seconds UTC, int64 array, one slot length apart: no gaps.
        slot_s: length of a slot, seconds: 300, 900, 1800 or 3600.
        consumption_wh: metered consumption, int64 array (members, slots).
        retired_wh: certificates of generation in the slot, retired for the member's consumption of the slot;
            likewise. More than the consumption is kept and shown as excess, but covers nothing.
        claimed_wh: certificates of the slot that were retired for the member and matched with no consumption,
            likewise: they are shown, and cover nothing. None if it is not known.

    Raises:
        InvalidCoverageError: a field is outside its limits, or the arrays do not fit together.
    """

    members: tuple[str, ...]
    slots: Ints
    slot_s: int
    consumption_wh: Ints
    retired_wh: Ints
    claimed_wh: Ints | None = None

    def __post_init__(self) -> None:
        """Check every field against its limits."""
        if not 1 <= len(self.members) <= MAX_MEMBERS:
            raise InvalidCoverageError("members", f"has {len(self.members)} entries: must be 1 to {MAX_MEMBERS}")
        if len(set(self.members)) != len(self.members):
            raise InvalidCoverageError("members", "names a member twice: each must be named once")
        _check_slots(self.slots, self.slot_s)
        self.check_energy("consumption_wh", self.consumption_wh)
        self.check_energy("retired_wh", self.retired_wh)
        if self.claimed_wh is not None:
            self.check_energy("claimed_wh", self.claimed_wh)

    def check_energy(self, field: str, energy_wh: Ints) -> None:
        """Check that an array is energy of these members in these slots.

        Raises:
            InvalidCoverageError: it is not int64, has another shape, or an entry is outside 0 to `MAX_SLOT_WH`.
        """
        shape = (len(self.members), len(self.slots))
        if energy_wh.dtype != np.int64:
            raise InvalidCoverageError(field, f"is of type {energy_wh.dtype}: must be int64")
        if energy_wh.shape != shape:
            raise InvalidCoverageError(field, f"has the shape {energy_wh.shape}: must be (members, slots) {shape}")
        low, high = int(energy_wh.min()), int(energy_wh.max())
        if low < 0 or high > MAX_SLOT_WH:
            raise InvalidCoverageError(field, f"is {low} to {high} Wh: must be between 0 and {MAX_SLOT_WH}")


def _check_slots(slots: Ints, slot_s: int) -> None:
    if slot_s not in SLOT_LENGTHS_S:
        raise InvalidCoverageError("slot_s", f"is {slot_s}: must be one of {SLOT_LENGTHS_S}")
    if slots.dtype != np.int64 or slots.ndim != 1:
        raise InvalidCoverageError("slots", f"is {slots.ndim}-dimensional {slots.dtype}: must be a row of int64")
    if not 1 <= len(slots) <= MAX_SLOTS:
        raise InvalidCoverageError("slots", f"has {len(slots)} entries: must be 1 to {MAX_SLOTS}")
    first, last = int(slots.min()), int(slots.max())
    if first < 0 or last >= MAX_SLOT_AT:
        raise InvalidCoverageError("slots", f"are {first} to {last}: must be between 0 and {MAX_SLOT_AT - 1}")
    if first % slot_s:
        raise InvalidCoverageError("slots", f"begin at {first}: must be a multiple of {slot_s}")
    (breaks,) = np.nonzero(np.diff(slots) != slot_s)
    if len(breaks):
        at = int(breaks[0])
        problem = f"go from {slots[at]} to {slots[at + 1]}: must be {slot_s} seconds apart"
        raise InvalidCoverageError("slots", problem)
