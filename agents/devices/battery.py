"""A battery: a home's, or a community's, which is then a member of its own.

The state is what the battery can still give at its terminals, Wh. All that its round trip loses is lost while
charging: `x` Wh taken in become `x * efficiency_ppm // 1,000,000` Wh of state, and each Wh of state gives one Wh.
The remainder of the division is lost too, so energy adds up to the Wh.
"""

from dataclasses import dataclass

from agents.devices.limits import MILLION, require, slot_energy_wh


@dataclass(frozen=True, slots=True)
class Battery:
    """A battery's parameters.

    Attributes:
        capacity_wh: the most it can give when full, Wh.
        max_charge_w: power limit when charging, W.
        max_discharge_w: power limit when discharging, W.
        efficiency_ppm: of the round trip, millionths.
        initial_wh: what it can give at the start, Wh.
        degradation_nano_per_wh: what each Wh given costs in lifetime, nano-credit.

    Raises:
        InvalidDeviceError: a field is outside its limits.
    """

    capacity_wh: int
    max_charge_w: int
    max_discharge_w: int
    efficiency_ppm: int = MILLION
    initial_wh: int = 0
    degradation_nano_per_wh: int = 0

    def __post_init__(self) -> None:
        """Check every field against its limits."""
        require("capacity_wh", self.capacity_wh, 1)
        require("max_charge_w", self.max_charge_w, 0)
        require("max_discharge_w", self.max_discharge_w, 0)
        require("efficiency_ppm", self.efficiency_ppm, 1, MILLION)
        require("initial_wh", self.initial_wh, 0, self.capacity_wh)
        require("degradation_nano_per_wh", self.degradation_nano_per_wh, 0)

    def most_charged_wh(self, stored_wh: int, slot_s: int) -> int:
        """The most it can take in during a slot, Wh at its terminals."""
        room_wh = (self.capacity_wh - stored_wh) * MILLION // self.efficiency_ppm
        return min(room_wh, slot_energy_wh(self.max_charge_w, slot_s))

    def most_discharged_wh(self, stored_wh: int, slot_s: int) -> int:
        """The most it can give during a slot, Wh."""
        return min(stored_wh, slot_energy_wh(self.max_discharge_w, slot_s))

    def gained_wh(self, charged_wh: int) -> int:
        """What charging adds to the state, Wh; the rest of `charged_wh` is lost."""
        return charged_wh * self.efficiency_ppm // MILLION
