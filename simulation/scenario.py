"""A scenario: the members of a community, their devices, the utility and the slots of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from agents.devices.battery import Battery
from agents.devices.connection import GridConnection
from agents.devices.electric_vehicle import ElectricVehicle
from agents.devices.heat_pump import HeatPump
from agents.devices.shiftable import ShiftableLoad
from agents.devices.utility import Utility
from agents.strategies.pricing import Thresholds
from matching.book import Ints
from matching.errors import WattbookError
from simulation.results import UTILITY

DEFAULT_THRESHOLDS = Thresholds(buy_price=150_000, sell_price=200_000)
"""Those of the reference community's battery: buys at 15 ct/kWh or less, sells at 20 ct/kWh or more."""

COMMUNITY_BATTERY = "community-battery"
"""Name of the member that the community's battery is."""


class InvalidScenarioError(WattbookError):
    """A scenario's parts do not fit together.

    Attributes:
        field: the name of the field.
    """

    code = "simulation.scenario"

    def __init__(self, field: str, value: object, limit: str) -> None:
        super().__init__(f"scenario field '{field}' is {value!r}: {limit}")
        self.field = field


@dataclass(frozen=True, slots=True, eq=False)
class Household:
    """One member's devices.

    Attributes:
        name: unique in the community.
        consumption_wh: of its fixed loads, an entry a slot of the scenario, Wh.
        generation_wh: of its photovoltaic system, likewise; zeros if it has none.
        curtailable: whether its photovoltaic system may be told to generate less.
        battery: its battery, or None.
        vehicle: its electric vehicle, or None.
        heat_pump: its heat pump or boiler, whose demand starts with the scenario, or None.
        shiftable: its shiftable loads.
    """

    name: str
    consumption_wh: Ints
    generation_wh: Ints
    curtailable: bool = False
    battery: Battery | None = None
    vehicle: ElectricVehicle | None = None
    heat_pump: HeatPump | None = None
    shiftable: tuple[ShiftableLoad, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Scenario:
    """What a run starts from.

    Attributes:
        name: e.g. `groene-mient/battery`.
        time_zone: IANA name of the community's local time.
        slots: starts of consecutive slots, Unix seconds UTC, int64.
        slot_s: length of a slot, seconds.
        households: the members.
        utility: its prices in these slots.
        community_battery: a battery that is a member of its own, or None.
        connection: what the community's connection can carry.
        thresholds: at what prices the storages trade.
        parameters: what else a reader of the results should know, as JSON can hold it.

    Raises:
        InvalidScenarioError: the parts do not fit together.
    """

    name: str
    time_zone: str
    slots: Ints
    slot_s: int
    households: tuple[Household, ...]
    utility: Utility
    community_battery: Battery | None = None
    connection: GridConnection = field(default_factory=GridConnection)
    thresholds: Thresholds = DEFAULT_THRESHOLDS
    parameters: Mapping[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check that names are unique and every array has an entry a slot."""
        names = self.member_names
        for name in names:
            if names.count(name) > 1 or name == UTILITY:
                raise InvalidScenarioError("name", name, f"must be unique and not '{UTILITY}'")
        if not len(self.slots) or (np.diff(self.slots) != self.slot_s).any():
            raise InvalidScenarioError("slots", len(self.slots), f"must be consecutive, {self.slot_s} s apart")
        arrays = {"retail_price": self.utility.retail_price}
        for home in self.households:
            arrays[f"consumption_wh of {home.name}"] = home.consumption_wh
            arrays[f"generation_wh of {home.name}"] = home.generation_wh
        for what, array in arrays.items():
            if array.shape != self.slots.shape or array.dtype != np.int64:
                limit = f"must be int64 with an entry for each of {len(self.slots)} slots"
                raise InvalidScenarioError(what, f"{array.dtype} of shape {array.shape}", limit)

    @property
    def member_names(self) -> tuple[str, ...]:
        """The members' names: the households', then the community battery's if there is one."""
        homes = tuple(home.name for home in self.households)
        return homes if self.community_battery is None else (*homes, COMMUNITY_BATTERY)
