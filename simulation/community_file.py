"""A community in a YAML or TOML file: what one may write there, and clear errors for what one may not.

The JSON schema of the file is `docs/community.schema.json`; `python -m simulation.community_file` prints it.
`simulation.community_scenario` makes a scenario of the file.
"""

import json
import tomllib
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from matching.errors import WattbookError
from matching.orders import MAX_PRICE
from matching.readings import MAX_ENERGY_WH

MILLION = 1_000_000
MAX_POWER_W = 10**9

Energy = Annotated[int, Field(ge=0, le=MAX_ENERGY_WH, strict=True)]
Power = Annotated[int, Field(ge=0, le=MAX_POWER_W, strict=True)]
Price = Annotated[int, Field(ge=0, le=MAX_PRICE, strict=True)]
Millionths = Annotated[int, Field(ge=0, le=MILLION, strict=True)]
ClockTime = Annotated[
    str,
    Field(
        strict=True,
        pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$",
        description="Local time, HH:MM, in quotes: YAML reads 18:00 without them as a number",
    ),
]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.-]{0,63}$")]


class CommunityFileError(WattbookError):
    """A community file cannot be read or says what it may not; names the path, the value and the limit."""

    code = "simulation.community-file"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Profile(_Part):
    """Energy of each slot: of a data set that is shipped, of a CSV file's column, or of one day, repeated."""

    dataset: Annotated[str | None, Field(description="A data set that is shipped: fontana or groene-mient")] = None
    home: Annotated[str | None, Field(description="The home of the data set")] = None
    csv: Annotated[str | None, Field(description="A CSV file, beside the community file, one row a slot, Wh")] = (
        None
    )
    column: Annotated[str | None, Field(description="The column of the CSV file")] = None
    daily_wh: Annotated[
        tuple[Energy, ...] | None, Field(description="Wh of each slot of a day of 24 hours, from midnight UTC on")
    ] = None

    @field_validator("daily_wh")
    @classmethod
    def _not_empty(cls, value: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if value is not None and not value:
            raise ValueError("must have an entry for each slot of a day")
        return value

    def model_post_init(self, _context: object) -> None:
        """Check that it names exactly one source, in full."""
        ways = ((self.dataset, self.home), (self.csv, self.column), (self.daily_wh,))
        named = [way for way in ways if any(part is not None for part in way)]
        if len(named) != 1 or any(part is None for part in named[0]):
            raise ValueError("must be either dataset and home, or csv and column, or daily_wh")


class BatteryPart(_Part):
    """A battery; see `agents.devices.battery`."""

    capacity_wh: Annotated[Energy, Field(ge=1)]
    max_charge_w: Power
    max_discharge_w: Power
    efficiency_ppm: Annotated[Millionths, Field(ge=1)] = MILLION
    initial_wh: Energy = 0
    degradation_nano_per_wh: Price = 0


class PhotovoltaicPart(_Part):
    """A photovoltaic system."""

    generation: Profile
    curtailable: bool = False


class VehiclePart(_Part):
    """An electric vehicle that is at home from `arrival` to `departure`, local time, every night."""

    battery: BatteryPart
    arrival: ClockTime
    departure: ClockTime
    arrives_with_wh: Energy
    needed_wh: Energy
    may_discharge: bool = False


class HeatPumpPart(_Part):
    """A heat pump or boiler with its storage tank; see `agents.devices.heat_pump`."""

    max_w: Annotated[Power, Field(ge=1)]
    performance_ppm: Annotated[int, Field(ge=1, le=20 * MILLION, strict=True)] = MILLION
    tank_wh: Energy
    standing_loss_ppm: Millionths = 0
    initial_wh: Energy = 0
    demand: Profile


class ShiftablePart(_Part):
    """A load that runs once a day, somewhere between `earliest` and `latest_end`, local time."""

    cycle_wh: Annotated[tuple[Energy, ...], Field(min_length=1)]
    earliest: ClockTime
    latest_end: ClockTime


class MemberPart(_Part):
    """A member and its devices."""

    name: Name
    load: Profile | None = None
    photovoltaic: PhotovoltaicPart | None = None
    battery: BatteryPart | None = None
    electric_vehicle: VehiclePart | None = None
    heat_pump: HeatPumpPart | None = None
    shiftable_loads: tuple[ShiftablePart, ...] = ()


class UtilityPart(_Part):
    """The utility's prices, nano-credit per Wh (22 ct/kWh = 220,000)."""

    retail_price: Price
    feed_in_price: Price
    grid_fee: Price = 0


class ThresholdsPart(_Part):
    """At what prices storages trade, nano-credit per Wh."""

    buy_price: Price = 150_000
    sell_price: Price = 200_000


class ConnectionPart(_Part):
    """What the community's connection to the grid can carry."""

    max_import_w: Power | None = None
    max_export_w: Power | None = None


class CommunityFile(_Part):
    """A community and the days of a run."""

    name: Name
    time_zone: str
    first_day: date
    days: Annotated[int, Field(ge=1, le=3_660, strict=True)]
    slot_s: Annotated[int, Field(json_schema_extra={"enum": [300, 900, 1800, 3600]}, strict=True)] = 900
    utility: UtilityPart
    thresholds: ThresholdsPart = Field(default_factory=ThresholdsPart)
    connection: ConnectionPart = Field(default_factory=ConnectionPart)
    members: Annotated[tuple[MemberPart, ...], Field(min_length=1, max_length=10_000)]
    community_battery: BatteryPart | None = None

    @field_validator("slot_s")
    @classmethod
    def _slot_length(cls, value: int) -> int:
        if value not in (300, 900, 1_800, 3_600):
            raise ValueError("must be 300, 900, 1800 or 3600 seconds")
        return value

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("must be an IANA time zone, e.g. Europe/Amsterdam") from error
        return value


def load_community(path: Path) -> CommunityFile:
    """The community in a file, whose name ends in .yaml, .yml or .toml.

    Raises:
        CommunityFileError: it cannot be read, or says what it may not.
    """
    try:
        text = path.read_text()
        record = _parsed(text, path.suffix)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, tomllib.TOMLDecodeError) as error:
        raise CommunityFileError(f"community file {path} cannot be read: {error}") from error
    return community_from(record, str(path))


def community_from(record: object, name: str) -> CommunityFile:
    """The community that this record describes; `name` stands in the errors.

    Raises:
        CommunityFileError: it says what it may not.
    """
    try:
        return CommunityFile.model_validate(record)
    except ValidationError as error:
        problems = [_problem(found) for found in _innermost(error.errors(include_url=False))]
        raise CommunityFileError(f"community file {name}: " + "; ".join(problems)) from error


def schema() -> dict[str, Any]:
    """The file's JSON schema."""
    return CommunityFile.model_json_schema() | {"$schema": "https://json-schema.org/draft/2020-12/schema"}


def schema_text() -> str:
    """The JSON schema as `docs/community.schema.json` holds it."""
    return json.dumps(schema(), indent=1, sort_keys=True) + "\n"


def _parsed(text: str, suffix: str) -> object:
    if suffix == ".toml":
        return tomllib.loads(text)
    if suffix in (".yaml", ".yml"):
        return yaml.safe_load(text)
    raise CommunityFileError(f"a community file ends in .yaml, .yml or .toml, not in '{suffix}'")


def _innermost(errors: Sequence[Any]) -> list[Any]:
    """The errors without those about a list or an object that only repeat what is wrong inside it."""
    places = [error["loc"] for error in errors]
    return [
        error
        for error in errors
        if not any(place[: len(error["loc"])] == error["loc"] and place != error["loc"] for place in places)
    ]


def _problem(found: Any) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"]).lstrip(".")
    limit = found["msg"].removeprefix("Value error, ")
    if found["type"] == "missing":
        return f"'{path}' is missing"
    if found["type"] == "extra_forbidden":
        return f"'{path}' is not a field: remove it or correct its name"
    return f"'{path or 'the file'}' is {found['input']!r}: {limit[:1].lower() + limit[1:]}"


if __name__ == "__main__":
    print(schema_text(), end="")
