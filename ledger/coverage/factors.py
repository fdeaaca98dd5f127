"""Emission factors: hourly ones of a grid, and annual ones of countries and regions, from the packaged files.

Factors are integers in mg CO2 per Wh, which is g per kWh. The files, their sources and what was done to them are
described in `ledger/coverage/data/README.md`. A file with any defect is refused as a whole.
"""

import csv
import io
import lzma
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum
from importlib.resources import files

import numpy as np

from ledger.coverage.claims import MAX_SLOT_AT, Claims
from ledger.coverage.errors import InvalidFactorsError, UnknownFactorError
from ledger.coverage.periods import Granularity, periods_of
from matching.book import Ints

HOUR_S = 3_600

MAX_FACTOR_MG_PER_WH = 2_000
"""No grid emits more: its dirtiest fuels, oil shale and lignite, stay below 1,500 g/kWh. More is another unit."""

HOURLY_FIELDS = ["start_at", "mg_per_wh"]
ANNUAL_FIELDS = ["region", "year", "basis", "gas", "value", "unit", "source"]

_MG_PER_WH = {"g/kWh": Decimal(1), "lb/MWh": Decimal("0.45359237")}
"""What one of a unit is in mg/Wh; a pound is 453.59237 g by definition."""

_GASES = ("CO2", "CO2e")
_LONGEST_VALUE = 12


class Basis(StrEnum):
    """What a factor is the mean of: all generation of the grid, or what is left of it without tracked energy."""

    GRID_AVERAGE = "grid_average"
    RESIDUAL_MIX = "residual_mix"


@dataclass(frozen=True, slots=True, eq=False)
class HourlyFactors:
    """Grid-average factors of consecutive hours.

    Attributes:
        start_at: start of the first hour, Unix seconds UTC.
        mg_per_wh: read-only int64 array, one entry an hour.
    """

    start_at: int
    mg_per_wh: Ints

    def at(self, claims: Claims) -> Ints:
        """The factor of each slot's hour, int64 array (slots), mg/Wh.

        Raises:
            UnknownFactorError: a slot lies outside of these hours.
        """
        first, last, end_at = int(claims.slots[0]), int(claims.slots[-1]), self.start_at + self._length_s
        if first < self.start_at or last >= end_at:
            raise UnknownFactorError(
                f"slots are {first} to {last}: hourly factors are known from {self.start_at} to before {end_at}"
            )
        factors: Ints = self.mg_per_wh[(claims.slots - self.start_at) // HOUR_S]
        return factors

    @property
    def _length_s(self) -> int:
        return len(self.mg_per_wh) * HOUR_S


@dataclass(frozen=True, slots=True)
class AnnualFactor:
    """A published factor of one region and calendar year.

    Attributes:
        region: ISO 3166-1 alpha-2 country, or `US-` and an eGRID subregion.
        year: the calendar year of the data, not of the publication.
        basis: what it is the mean of.
        gas: `CO2` alone, or `CO2e`: methane and nitrous oxide included.
        mg_per_wh: the published value, rounded half to even to a whole mg/Wh.
        source: short name of the publication; in full in the data's README.
    """

    region: str
    year: int
    basis: Basis
    gas: str
    mg_per_wh: int
    source: str


def fontana_carbon() -> HourlyFactors:
    """Carbon intensity of the grid for the Fontana community, hour by hour of its year."""
    packed = files("ledger.coverage").joinpath("data/fontana_carbon.csv.xz").read_bytes()
    return parse_hourly(lzma.decompress(packed).decode())


def annual_factors() -> tuple[AnnualFactor, ...]:
    """The packaged annual factors."""
    return parse_annual(files("ledger.coverage").joinpath("data/annual_factors.csv").read_text("utf-8"))


def annual_factor(factors: Iterable[AnnualFactor], region: str, year: int, basis: Basis) -> AnnualFactor:
    """The factor of this region, year and basis.

    Raises:
        UnknownFactorError: there is none. The factor of another year is never taken instead.
    """
    years = []
    for factor in factors:
        if (factor.region, factor.basis) == (region, basis):
            if factor.year == year:
                return factor
            years.append(factor.year)
    known = f"known of {sorted(years)}" if years else "known of no year"
    raise UnknownFactorError(f"no {basis} factor of region {region!r} for {year}: {known}")


def factors_by_year(
    factors: Iterable[AnnualFactor], region: str, basis: Basis, claims: Claims, time_zone: str
) -> Ints:
    """For each slot the factor of the local calendar year it starts in, int64 array (slots), mg/Wh.

    Raises:
        UnknownFactorError: there is none for one of the years.
        InvalidCoverageError: there is no such time zone.
    """
    known = tuple(factors)
    by_slot = np.empty(len(claims.slots), dtype=np.int64)
    for period in periods_of(claims, time_zone, Granularity.YEAR):
        by_slot[period.first : period.end] = annual_factor(known, region, int(period.name), basis).mg_per_wh
    return by_slot


def parse_hourly(text: str) -> HourlyFactors:
    """Factors from a CSV text of `HOURLY_FIELDS`: Unix seconds UTC of each hour's start, and whole mg/Wh.

    Raises:
        InvalidFactorsError: other fields or units, a gap, a repeated hour, or a value out of range.
    """
    factors: list[int] = []
    start_at = 0
    for line, row in _rows(text, HOURLY_FIELDS):
        at = _whole(line, "start_at", row["start_at"], 0, MAX_SLOT_AT - HOUR_S)
        if not factors:
            start_at = at
            if at % HOUR_S:
                raise InvalidFactorsError(f"line {line}: start_at is {at}: must be the start of an hour")
        if at != start_at + len(factors) * HOUR_S:
            expected = start_at + len(factors) * HOUR_S
            raise InvalidFactorsError(f"line {line}: start_at is {at}: must be {expected}, hours without gaps")
        factors.append(_whole(line, "mg_per_wh", row["mg_per_wh"], 0, MAX_FACTOR_MG_PER_WH))
    mg_per_wh = np.array(factors, dtype=np.int64)
    mg_per_wh.setflags(write=False)
    return HourlyFactors(start_at, mg_per_wh)


def parse_annual(text: str) -> tuple[AnnualFactor, ...]:
    """Factors from a CSV text of `ANNUAL_FIELDS`, with the values as they were published, in their own unit.

    Raises:
        InvalidFactorsError: other fields, an unknown unit, basis or gas, a value out of range, or the same region,
            year and basis twice.
    """
    factors: dict[tuple[str, int, Basis], AnnualFactor] = {}
    for line, row in _rows(text, ANNUAL_FIELDS):
        if not row["region"] or not row["source"]:
            raise InvalidFactorsError(f"line {line}: region and source must not be empty")
        basis = Basis(_known(line, "basis", row["basis"], tuple(Basis)))
        unit = _known(line, "unit", row["unit"], tuple(_MG_PER_WH))
        factor = AnnualFactor(
            region=row["region"],
            year=_whole(line, "year", row["year"], 1990, 2100),
            basis=basis,
            gas=_known(line, "gas", row["gas"], _GASES),
            mg_per_wh=_converted(line, row["value"], unit),
            source=row["source"],
        )
        key = (factor.region, factor.year, factor.basis)
        if key in factors:
            raise InvalidFactorsError(f"line {line}: a second {basis} factor of {factor.region} for {factor.year}")
        factors[key] = factor
    return tuple(factors.values())


def _rows(text: str, fields: list[str]) -> Iterable[tuple[int, dict[str, str]]]:
    """The rows after the header with their line numbers; at least one."""
    reader = csv.reader(io.StringIO(text, newline=""))
    header = next(reader, [])
    if header != fields:
        raise InvalidFactorsError(f"line 1: fields and units are {header}: must be {fields}")
    empty = True
    for row in reader:
        if len(row) != len(fields):
            raise InvalidFactorsError(f"line {reader.line_num}: {len(row)} fields: must be {len(fields)}")
        empty = False
        yield reader.line_num, dict(zip(fields, row, strict=True))
    if empty:
        raise InvalidFactorsError("the file has no factors")


def _whole(line: int, field: str, value: str, low: int, high: int) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= len(str(high)) and low <= int(value) <= high):
        raise InvalidFactorsError(f"line {line}: {field} is {value!r}: must be a whole number, {low} to {high}")
    return int(value)


def _known(line: int, field: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise InvalidFactorsError(f"line {line}: {field} is {value!r}: must be one of {', '.join(known)}")
    return value


def _converted(line: int, value: str, unit: str) -> int:
    if not (value.isascii() and value.replace(".", "", 1).isdigit() and len(value) <= _LONGEST_VALUE):
        raise InvalidFactorsError(f"line {line}: value is {value!r}: must be a decimal number such as 379.89")
    mg_per_wh = Decimal(value) * _MG_PER_WH[unit]
    if mg_per_wh > MAX_FACTOR_MG_PER_WH:
        limit = f"{MAX_FACTOR_MG_PER_WH} mg/Wh"
        raise InvalidFactorsError(f"line {line}: value is {value} {unit}: must be at most {limit}")
    return int(mg_per_wh.quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
