"""A heat pump or an electric boiler, with a storage tank between it and what it heats."""

from dataclasses import dataclass

import numpy as np

from agents.devices.limits import MILLION, require, slot_energy_wh
from agents.devices.series import InvalidDeviceError, Series
from matching.book import Ints


@dataclass(frozen=True, slots=True, eq=False)
class HeatPump:
    """A heat pump and its tank; a boiler is one with a coefficient of performance of 1.

    Attributes:
        max_w: electric power, W.
        performance_ppm: heat given for electricity taken (coefficient of performance), millionths.
        tank_wh: heat the tank holds, Wh.
        standing_loss_ppm: what of the tank's heat is lost in a slot, millionths, rounded down.
        demand: heat taken from the tank in each slot, Wh.
        initial_wh: heat in the tank at the start, Wh.

    Raises:
        InvalidDeviceError: a field is outside its limits.
    """

    max_w: int
    performance_ppm: int
    tank_wh: int
    demand: Series
    standing_loss_ppm: int = 0
    initial_wh: int = 0

    def __post_init__(self) -> None:
        """Check every field against its limits."""
        require("max_w", self.max_w, 1)
        require("performance_ppm", self.performance_ppm, 1)
        require("tank_wh", self.tank_wh, 0)
        require("standing_loss_ppm", self.standing_loss_ppm, 0, MILLION)
        require("initial_wh", self.initial_wh, 0, self.tank_wh)

    def heat_wh(self, taken_wh: int) -> int:
        """Heat made of this much electricity, Wh, rounded down."""
        return taken_wh * self.performance_ppm // MILLION

    def kept_wh(self, stored_wh: int) -> int:
        """Heat still in the tank after a slot's standing loss, Wh."""
        return stored_wh - stored_wh * self.standing_loss_ppm // MILLION


def thermostat(pump: HeatPump) -> Ints:
    """What the pump takes in each slot of its demand if it keeps the tank as full as it can, Wh.

    Raises:
        InvalidDeviceError: tank and pump at full power cannot meet the demand of some slot.
    """
    most_wh = slot_energy_wh(pump.max_w, pump.demand.slot_s)
    taken = np.zeros_like(pump.demand.energy_wh)
    stored_wh = pump.initial_wh
    for position, demand_wh in enumerate(pump.demand.energy_wh.tolist()):
        stored_wh = pump.kept_wh(stored_wh)
        room_wh = pump.tank_wh - stored_wh + demand_wh
        taken_wh = min(most_wh, -(-room_wh * MILLION // pump.performance_ppm))
        heat_wh = min(room_wh, pump.heat_wh(taken_wh))
        stored_wh += heat_wh - demand_wh
        if stored_wh < 0:
            slot = pump.demand.first_slot + position * pump.demand.slot_s
            raise InvalidDeviceError("demand", demand_wh, f"{-stored_wh} Wh more than can be had in slot {slot}")
        taken[position] = taken_wh
    return taken
