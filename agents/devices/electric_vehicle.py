"""An electric vehicle: a battery that comes and goes, and must have enough when it goes."""

from dataclasses import dataclass

import numpy as np

from agents.devices.battery import Battery
from agents.devices.limits import require, slot_energy_wh
from agents.devices.series import InvalidDeviceError
from matching.book import Ints


@dataclass(frozen=True, slots=True)
class Stay:
    """One stay at the charger.

    Attributes:
        arrival: from when on it can charge, Unix seconds UTC.
        departure: until when, Unix seconds UTC.
        arrives_with_wh: what its battery can give on arrival, Wh.
        needed_wh: what it must be able to give at departure, Wh.

    Raises:
        InvalidDeviceError: a field is outside its limits.
    """

    arrival: int
    departure: int
    arrives_with_wh: int
    needed_wh: int

    def __post_init__(self) -> None:
        """Check every field against its limits."""
        require("departure", self.departure, self.arrival + 1)
        require("arrives_with_wh", self.arrives_with_wh, 0)
        require("needed_wh", self.needed_wh, 0)


@dataclass(frozen=True, slots=True)
class ElectricVehicle:
    """An electric vehicle and its stays at the charger.

    Attributes:
        battery: its battery; `initial_wh` says nothing here, as each stay says what it arrives with.
        stays: in order of time, not overlapping.
        may_discharge: whether its battery may give energy to home and neighbours (V2G).

    Raises:
        InvalidDeviceError: stays overlap, or one starts with or needs more than the battery holds.
    """

    battery: Battery
    stays: tuple[Stay, ...]
    may_discharge: bool = False

    def __post_init__(self) -> None:
        """Check the stays against one another and the battery."""
        ready_at = 0
        for stay in self.stays:
            if stay.arrival < ready_at:
                raise InvalidDeviceError(
                    "arrival", stay.arrival, f"must not be before the departure at {ready_at}"
                )
            ready_at = stay.departure
            require("arrives_with_wh", stay.arrives_with_wh, 0, self.battery.capacity_wh)
            require("needed_wh", stay.needed_wh, 0, self.battery.capacity_wh)

    def stay_in(self, slot: int, slot_s: int) -> Stay | None:
        """The stay that covers the whole of this slot, or None if the vehicle is away in some of it."""
        for stay in self.stays:
            if stay.arrival <= slot and slot + slot_s <= stay.departure:
                return stay
        return None


def uncontrolled(vehicle: ElectricVehicle, slots: Ints, slot_s: int) -> Ints:
    """What the charger takes in each slot if the vehicle charges at full power from its arrival on, Wh.

    It stops when it has what the stay needs, or at departure, with less.

    Args:
        vehicle: the vehicle.
        slots: starts of consecutive slots, Unix seconds UTC.
        slot_s: length of a slot, seconds.
    """
    battery = vehicle.battery
    charged = np.zeros(len(slots), dtype=np.int64)
    most_wh = slot_energy_wh(battery.max_charge_w, slot_s)
    for stay in vehicle.stays:
        stored_wh = stay.arrives_with_wh
        first, end = np.searchsorted(slots, [stay.arrival, stay.departure - slot_s + 1]).tolist()
        for position in range(first, end):
            if stored_wh >= stay.needed_wh:
                break
            missing_wh = -(-(stay.needed_wh - stored_wh) * 1_000_000 // battery.efficiency_ppm)
            taken_wh = min(missing_wh, most_wh, battery.most_charged_wh(stored_wh, slot_s))
            charged[position] = taken_wh
            stored_wh += battery.gained_wh(taken_wh)
    return charged
