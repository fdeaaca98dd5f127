"""What a device's meter counted, slot by slot."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from matching.errors import WattbookError
from matching.readings import MAX_ENERGY_WH

Ints = npt.NDArray[np.int64]


class InvalidDeviceError(WattbookError):
    """A device's field is outside its limits.

    Attributes:
        field: the name of the field.
    """

    code = "device.invalid"

    def __init__(self, field: str, value: object, limit: str) -> None:
        super().__init__(f"device field '{field}' is {value!r}: {limit}")
        self.field = field


class NotMeteredError(WattbookError):
    """A reading was asked for a slot in which the device has no metered energy."""

    code = "device.not-metered"


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """Metered energy of consecutive slots.

    Attributes:
        first_slot: start of the first slot, Unix seconds UTC.
        slot_s: length of a slot, seconds.
        energy_wh: one-dimensional int64 array, Wh, one entry a slot; kept as a read-only copy.

    Raises:
        InvalidDeviceError: the array has another shape or type, or an entry is outside 0 … `MAX_ENERGY_WH`.
    """

    first_slot: int
    slot_s: int
    energy_wh: Ints

    def __post_init__(self) -> None:
        """Check the array and freeze a copy of it."""
        energy = np.array(self.energy_wh)
        if energy.ndim != 1 or energy.dtype != np.int64:
            raise InvalidDeviceError(
                "energy_wh", f"{energy.ndim}-dimensional {energy.dtype}", "must be one-dimensional int64"
            )
        if energy.size and not 0 <= int(energy.min()) <= int(energy.max()) <= MAX_ENERGY_WH:
            worst = int(energy.min()) if energy.min() < 0 else int(energy.max())
            raise InvalidDeviceError("energy_wh", worst, f"must be between 0 and {MAX_ENERGY_WH}")
        if self.slot_s < 1:
            raise InvalidDeviceError("slot_s", self.slot_s, "must be at least 1")
        energy.setflags(write=False)
        object.__setattr__(self, "energy_wh", energy)

    def index(self, slot: int) -> int | None:
        """Position of this slot in the array, or None if it is not a slot of the series."""
        index, offset = divmod(slot - self.first_slot, self.slot_s)
        return index if offset == 0 and 0 <= index < len(self.energy_wh) else None

    def at(self, slot: int) -> int | None:
        """Energy metered in this slot, Wh, or None if it is not a slot of the series."""
        index = self.index(slot)
        return None if index is None else int(self.energy_wh[index])


class Device(Protocol):
    """What forecasts and meters need of a device."""

    @property
    def number(self) -> int:
        """The device's number in its market."""

    @property
    def metered(self) -> Series:
        """What its meter counts."""
