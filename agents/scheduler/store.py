"""What a plan knows of one device that moves energy in time: battery, vehicle, tank or shiftable load.

All four are the same thing to a plan: a level that charging raises and use lowers, between bounds that change with
time. With level L at the end of a slot, charge c, discharge d and use u in it,

    L[t] = retention · L[t-1] + efficiency · c[t] - d[t] - u[t],    least[t] ≤ L[t] ≤ most[t].

The level is what the device can still give, so all losses of conversion fall on charging. A vehicle is a battery
that cannot charge while it is away and whose level must suffice when it leaves; a tank is charged by a heat pump
(efficiency: heat out per electricity in) and never discharged; a shiftable load is a store that is used up at
the end of its window.
"""

from dataclasses import dataclass

import numpy as np

from matching.book import Ints
from matching.errors import WattbookError

PPM = 1_000_000


class InvalidStoreError(WattbookError):
    """A store's field is outside its limits.

    Attributes:
        field: the name of the field.
    """

    code = "scheduler.store"

    def __init__(self, store: str, field: str, value: object, limit: str) -> None:
        super().__init__(f"store '{store}' field '{field}' is {value!r}: {limit}")
        self.field = field


@dataclass(frozen=True, slots=True)
class Shape:
    """What of a store is in the coefficients of a plan's model, and so cannot change from plan to plan.

    Attributes:
        efficiency_ppm: what charging a Wh adds to the level, millionths of a Wh; above 10⁶ for a heat pump.
        retention_ppm: share of the level that a slot leaves, millionths.
        max_charge_wh, max_discharge_wh: the most that a slot can move at the device's terminals, Wh.
    """

    efficiency_ppm: int
    retention_ppm: int
    max_charge_wh: int
    max_discharge_wh: int

    @property
    def gain(self) -> float:
        """What a plan counts on for a Wh charged: what full power really gives, its loss rounded up to a whole Wh.

        Less power, rounded up to whole Wh, gives at least as much, so no plan is short for rounding.
        """
        if not self.max_charge_wh:
            return 0.0
        return (self.max_charge_wh * self.efficiency_ppm // PPM) / self.max_charge_wh


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """One store over the slots of a plan; arrays are int64 with an entry a slot.

    Attributes:
        name: as people call it, e.g. `the car`.
        goal: what it must be in time, to say when it cannot be, e.g. `charged for its trip`.
        shape: its constants.
        wear_nano_per_wh: what discharging a Wh costs by degradation, nano-credit.
        initial_wh: its level before the first slot.
        charge_limit_wh, discharge_limit_wh: the most it may charge or discharge in each slot.
        use_wh: what leaves it for its own purpose in each slot: a trip, hot water, the washing done.
        least_wh, most_wh: bounds of its level at the end of each slot.

    Raises:
        InvalidStoreError: lengths differ, or an entry is negative or above the shape's limits.
    """

    name: str
    goal: str
    shape: Shape
    wear_nano_per_wh: int
    initial_wh: int
    charge_limit_wh: Ints
    discharge_limit_wh: Ints
    use_wh: Ints
    least_wh: Ints
    most_wh: Ints

    def __post_init__(self) -> None:
        """Check the arrays against one another."""
        slots = len(self.charge_limit_wh)
        for field in ("charge_limit_wh", "discharge_limit_wh", "use_wh", "least_wh", "most_wh"):
            array: Ints = getattr(self, field)
            if array.shape != (slots,):
                raise InvalidStoreError(self.name, field, array.shape, f"must be of shape ({slots},)")
            if array.size and array.min() < 0:
                raise InvalidStoreError(self.name, field, int(array.min()), "must not be negative")
        limits = {"charge_limit_wh": self.shape.max_charge_wh, "discharge_limit_wh": self.shape.max_discharge_wh}
        for field, limit in limits.items():
            highest = int(getattr(self, field).max(initial=0))
            if highest > limit:
                raise InvalidStoreError(self.name, field, highest, f"must be at most {limit}")

    @property
    def slots(self) -> int:
        """Number of slots it covers."""
        return len(self.charge_limit_wh)

    def level_after(self, charge_wh: int, discharge_wh: int) -> int:
        """The level, Wh, that its own meter shows at the end of the plan's first slot: every loss rounded up."""
        kept = self.initial_wh * self.shape.retention_ppm // PPM
        gained = charge_wh * self.shape.efficiency_ppm // PPM
        return kept + gained - discharge_wh - int(self.use_wh[0])


def constant(value: int, slots: int) -> Ints:
    """The same entry for every slot."""
    return np.full(slots, value, dtype=np.int64)
