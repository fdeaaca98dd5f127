"""The scenario that a community file describes."""

import csv
from datetime import UTC, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from agents.devices.battery import Battery
from agents.devices.connection import GridConnection
from agents.devices.electric_vehicle import ElectricVehicle, Stay
from agents.devices.heat_pump import HeatPump
from agents.devices.series import InvalidDeviceError, Series
from agents.devices.shiftable import ShiftableLoad, Window
from agents.devices.utility import fixed
from agents.strategies.pricing import InvalidStrategyError, Thresholds
from matching.book import Ints
from matching.readings import MAX_ENERGY_WH
from matching.tariff import InvalidTariffError, Tariff
from simulation.community import Community, HomeData
from simulation.community_file import (
    BatteryPart,
    CommunityFile,
    CommunityFileError,
    MemberPart,
    Profile,
    load_community,
)
from simulation.datasets import DATASETS
from simulation.scenario import Household, InvalidScenarioError, Scenario


def scenario_from_file(path: Path) -> Scenario:
    """The scenario of a community file.

    Raises:
        CommunityFileError: the file cannot be read, says what it may not, or names data that are not there.
    """
    return build_scenario(load_community(path), path.parent)


def build_scenario(community: CommunityFile, folder: Path) -> Scenario:
    """The scenario that a community describes; CSV files are looked for in `folder`.

    Raises:
        CommunityFileError: a profile names data that are not there, or devices do not fit together.
    """
    slots = _slots(community)
    builder = _Builder(community, folder, slots)
    try:
        return Scenario(
            name=community.name,
            time_zone=community.time_zone,
            slots=slots,
            slot_s=community.slot_s,
            households=tuple(
                builder.household(member, f"members[{number}]") for number, member in enumerate(community.members)
            ),
            utility=fixed(Tariff(**community.utility.model_dump()), len(slots)),
            community_battery=_battery(community.community_battery),
            thresholds=Thresholds(**community.thresholds.model_dump()),
            connection=GridConnection(**community.connection.model_dump()),
        )
    except (InvalidDeviceError, InvalidScenarioError, InvalidStrategyError, InvalidTariffError) as error:
        raise CommunityFileError(f"community '{community.name}': {error}") from error


def _slots(community: CommunityFile) -> Ints:
    """Starts of the slots of the community's local days."""
    zone = ZoneInfo(community.time_zone)
    first = datetime.combine(community.first_day, clock_time(), zone)
    end = datetime.combine(community.first_day + timedelta(days=community.days), clock_time(), zone)
    return np.arange(int(first.timestamp()), int(end.timestamp()), community.slot_s, dtype=np.int64)


def _battery(part: BatteryPart | None) -> Battery | None:
    return None if part is None else Battery(**part.model_dump())


class _Builder:
    """Makes households; knows the slots and where the data are."""

    def __init__(self, community: CommunityFile, folder: Path, slots: Ints) -> None:
        self._zone = ZoneInfo(community.time_zone)
        self._days = [community.first_day + timedelta(days=day) for day in range(-1, community.days + 1)]
        self._slots = slots
        self._slot_s = community.slot_s
        self._folder = folder
        self._datasets: dict[str, Community] = {}

    def household(self, member: MemberPart, path: str) -> Household:
        """The member's devices; `path` is where in the file it stands."""
        nothing = np.zeros(len(self._slots), dtype=np.int64)
        solar = member.photovoltaic
        return Household(
            name=member.name,
            consumption_wh=nothing if member.load is None else self._energy(member.load, f"{path}.load"),
            generation_wh=nothing
            if solar is None
            else self._energy(solar.generation, f"{path}.photovoltaic.generation", generation=True),
            curtailable=solar is not None and solar.curtailable,
            battery=_battery(member.battery),
            vehicle=self._vehicle(member),
            heat_pump=self._heat_pump(member, path),
            shiftable=self._shiftable(member),
        )

    def _vehicle(self, member: MemberPart) -> ElectricVehicle | None:
        part = member.electric_vehicle
        if part is None:
            return None
        stays = []
        for day in self._days:
            arrival, departure = self._interval(day, part.arrival, part.departure)
            stays.append(Stay(arrival, departure, part.arrives_with_wh, part.needed_wh))
        battery = Battery(**part.battery.model_dump())
        return ElectricVehicle(battery, tuple(stays), part.may_discharge)

    def _heat_pump(self, member: MemberPart, path: str) -> HeatPump | None:
        part = member.heat_pump
        if part is None:
            return None
        demand_wh = self._energy(part.demand, f"{path}.heat_pump.demand")
        demand = Series(int(self._slots[0]), self._slot_s, demand_wh)
        return HeatPump(demand=demand, **part.model_dump(exclude={"demand"}))

    def _shiftable(self, member: MemberPart) -> tuple[ShiftableLoad, ...]:
        return tuple(
            ShiftableLoad(
                part.cycle_wh,
                self._slot_s,
                tuple(Window(*self._interval(day, part.earliest, part.latest_end)) for day in self._days[1:-1]),
            )
            for part in member.shiftable_loads
        )

    def _interval(self, day: object, start: str, end: str) -> tuple[int, int]:
        """From `start` on this day to the next time the clock says `end`, Unix seconds UTC."""
        begins = datetime.fromisoformat(f"{day}T{start}").replace(tzinfo=self._zone)
        ends = datetime.fromisoformat(f"{day}T{end}").replace(tzinfo=self._zone)
        if ends <= begins:
            ends += timedelta(days=1)
        return int(begins.timestamp()), int(ends.timestamp())

    def _energy(self, profile: Profile, path: str, *, generation: bool = False) -> Ints:
        if profile.dataset is not None:
            return self._shipped(profile, path, generation=generation)
        if profile.csv is not None:
            return self._column(profile, path)
        return self._repeated(profile, path)

    def _shipped(self, profile: Profile, path: str, *, generation: bool) -> Ints:
        name = str(profile.dataset)
        if name not in DATASETS:
            raise CommunityFileError(f"'{path}.dataset' is '{name}': must be one of {', '.join(DATASETS)}")
        data = self._datasets.setdefault(name, DATASETS[name]())
        homes: dict[str | None, HomeData] = {home.name: home for home in data.homes}
        if profile.home not in homes:
            limit = f"must be one of {', '.join(map(str, homes))}"
            raise CommunityFileError(f"'{path}.home' is '{profile.home}': {limit}")
        home = homes[profile.home]
        first, offset = divmod(int(self._slots[0] - data.slots[0]), data.slot_s)
        end = first + len(self._slots)
        if self._slot_s != data.slot_s or offset or first < 0 or end > len(data.slots):
            begin, stop = (datetime.fromtimestamp(int(s), UTC) for s in (data.slots[0], data.slots[-1]))
            limit = f"has slots of {data.slot_s} s from {begin:%Y-%m-%d %H:%M} to {stop:%Y-%m-%d %H:%M} UTC"
            raise CommunityFileError(f"'{path}.dataset' is '{name}', which {limit}")
        return (home.generation_wh if generation else home.consumption_wh)[first:end]

    def _column(self, profile: Profile, path: str) -> Ints:
        file = self._folder / str(profile.csv)
        try:
            with file.open(newline="") as lines:
                values = [int(row[str(profile.column)]) for row in csv.DictReader(lines)]
        except (OSError, KeyError, ValueError, TypeError) as error:
            raise CommunityFileError(f"'{path}': column '{profile.column}' of {file}: {error!r}") from error
        if len(values) < len(self._slots) or not all(0 <= value <= MAX_ENERGY_WH for value in values):
            limit = f"must have {len(self._slots)} rows from 0 to {MAX_ENERGY_WH}"
            raise CommunityFileError(
                f"'{path}': column '{profile.column}' of {file} has {len(values)} rows: {limit}"
            )
        return np.array(values[: len(self._slots)], dtype=np.int64)

    def _repeated(self, profile: Profile, path: str) -> Ints:
        day = np.array(profile.daily_wh, dtype=np.int64)
        if len(day) * self._slot_s != 86_400:
            limit = f"must have {86_400 // self._slot_s} entries"
            raise CommunityFileError(f"'{path}.daily_wh' has {len(day)} entries: {limit}")
        return day[self._slots % 86_400 // self._slot_s]
