"""What a household expects of the slots it plans for: its own energy, prices, and its connection's limits."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from matching.book import Ints
from matching.errors import WattbookError

Floats = npt.NDArray[np.float64]


class InvalidOutlookError(WattbookError):
    """An outlook's arrays do not fit together.

    Attributes:
        field: the name of the field.
    """

    code = "scheduler.outlook"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"outlook field '{field}' {problem}")
        self.field = field


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """Forecasts over the slots of a plan, an entry a slot; the first slot is the next to trade.

    Attributes:
        first_slot: start of the first slot, Unix seconds UTC.
        slot_s: length of a slot, seconds.
        zone: where the household is, for times in messages.
        load_wh: what it consumes whatever happens, Wh.
        generation_wh: what its photovoltaic system can give, Wh.
        curtailable: whether it may give less.
        import_price: what a Wh taken from outside costs all in, nano-credit; may be negative.
        export_price: what a Wh given is paid, nano-credit; at most the import price.
        import_limit_wh, export_limit_wh: the connection's limits, Wh a slot.

    Raises:
        InvalidOutlookError: lengths differ, an energy is negative, or exporting pays more than importing costs,
            which would make money without limit.
    """

    first_slot: int
    slot_s: int
    zone: ZoneInfo
    load_wh: Ints
    generation_wh: Ints
    curtailable: bool
    import_price: Floats
    export_price: Floats
    import_limit_wh: Ints
    export_limit_wh: Ints

    def __post_init__(self) -> None:
        """Check the arrays against one another."""
        energies = ("load_wh", "generation_wh", "import_limit_wh", "export_limit_wh")
        for field in (*energies, "import_price", "export_price"):
            array = getattr(self, field)
            if array.shape != (self.slots,):
                raise InvalidOutlookError(field, f"has shape {array.shape}: must have ({self.slots},)")
            if field in energies and array.size and array.min() < 0:
                raise InvalidOutlookError(field, f"has an entry of {array.min()}: must be at least 0")
        if (self.export_price > self.import_price).any():
            slot = int(np.flatnonzero(self.export_price > self.import_price)[0])
            raise InvalidOutlookError("export_price", f"is above the import price in slot {slot}")

    @property
    def slots(self) -> int:
        """Number of slots it covers."""
        return len(self.load_wh)

    def clock(self, position: int) -> str:
        """Local time at which the slot in this position starts, e.g. `21:00`; with the day if it is another."""
        start = datetime.fromtimestamp(self.first_slot, self.zone)
        moment = datetime.fromtimestamp(self.first_slot + position * self.slot_s, self.zone)
        return f"{moment:%H:%M}" if moment.date() == start.date() else f"{moment:%H:%M} on {moment:%A}"
