"""The readings (RD) of an OCMF message: times, registers in mWh exactly, and the state of meter and clock.

A field that is missing has the value of the reading before it, as the format has it, except for the time (TM) and
the value (RV): a reading without value only tells of an event.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from ledger.evidence.errors import MessageFieldError
from ledger.evidence.evidence import MWH_PER_WH, Clock
from matching.readings import MAX_REGISTER_WH

MAX_READINGS = 1_000
"""Most readings in one message."""

MAX_REGISTER_MWH = MAX_REGISTER_WH * MWH_PER_WH

TRANSACTION_REASONS = frozenset("BCXELRAPST")
EXCEPTION = "X"
"""Reason of a reading from which on time or energy are no longer usable."""

METER_STATES = frozenset("NGTDRMXIOSEF")
GOOD = "G"

_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2}),([0-9]{3})"
    r"([+-])([0-9]{2}):?([0-9]{2}) ([UISR])"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_UNIT_EXPONENTS = {"kWh": 6, "Wh": 3}
"""How many decimal places a unit is above the mWh."""

_MAX_DIGITS = 40
_MAX_CODE = 50
"""Longest OBIS code or other name in a reading, characters."""

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of one register.

    Attributes:
        at_ms: when, Unix milliseconds UTC.
        clock: status of the clock that says so.
        reason: TX, one letter, why it was read; None outside of transactions.
        register_mwh: the register, mWh; None if the reading only tells of an event.
        obis: RI, which register, as written; None with no value.
        current: RT, "AC" or "DC"; None if not given.
        errors: EF, "E" for energy and "t" for time that are not to be used.
        state: ST, the meter's state, "G" for good.
    """

    at_ms: int
    clock: Clock
    reason: str | None
    register_mwh: int | None
    obis: str | None
    current: str | None
    errors: str
    state: str


def readings(value: object) -> tuple[Reading, ...]:
    """The readings of a payload's RD.

    Raises:
        MessageFieldError: it is no array of 1 to `MAX_READINGS` readings, or a field is outside its limits.
    """
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_READINGS:
        raise MessageFieldError("RD", value, f"must be an array of 1 to {MAX_READINGS} readings")
    found: list[Reading] = []
    inherited: Fields = {}
    for index, fields in enumerate(value):
        if not isinstance(fields, dict):
            raise MessageFieldError(f"RD[{index}]", fields, "must be an object")
        inherited = inherited | fields
        found.append(_reading(f"RD[{index}].", inherited | {key: fields.get(key) for key in ("TM", "RV")}))
    return tuple(found)


def register_mwh(field: str, value: object, unit: object) -> int:
    """A reading value in whole mWh, exactly: a JSON number read as `int` or `Decimal`, and `kWh` or `Wh`.

    Raises:
        MessageFieldError: no such number or unit, negative, above `MAX_REGISTER_MWH`, or finer than one mWh.
    """
    if not isinstance(unit, str) or unit not in _UNIT_EXPONENTS:
        raise MessageFieldError(field.removesuffix("RV") + "RU", unit, "must be kWh or Wh")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise MessageFieldError(field, value, "must be a number")
    limit = f"must be between 0 and {MAX_REGISTER_MWH} mWh, in whole mWh"
    negative, digits, exponent = Decimal(value).as_tuple()
    if not isinstance(exponent, int) or len(digits) > _MAX_DIGITS or abs(exponent) > _MAX_DIGITS or negative:
        raise MessageFieldError(field, value, limit)
    # Integers throughout: the decimal context would round what has more digits than its precision.
    number = int("".join(map(str, digits)))
    places = exponent + _UNIT_EXPONENTS[unit]
    scale: int = 10 ** abs(places)
    mwh, finer = (number * scale, 0) if places >= 0 else divmod(number, scale)
    if finer or mwh > MAX_REGISTER_MWH:
        raise MessageFieldError(field, value, limit)
    return mwh


def _reading(prefix: str, fields: Fields) -> Reading:
    at_ms, clock = _time(prefix + "TM", fields["TM"])
    value = fields["RV"]
    reason = _name(prefix, fields, "TX")
    if reason is not None and reason not in TRANSACTION_REASONS:
        raise MessageFieldError(prefix + "TX", reason, f"must be one of {''.join(sorted(TRANSACTION_REASONS))}")
    state = _name(prefix, fields, "ST")
    if state is None or state not in METER_STATES:
        raise MessageFieldError(prefix + "ST", state, f"must be one of {''.join(sorted(METER_STATES))}")
    errors = _name(prefix, fields, "EF") or ""
    if not set(errors) <= {"E", "t"}:
        raise MessageFieldError(prefix + "EF", errors, "must be of the letters E and t")
    current = _name(prefix, fields, "RT")
    if current not in {None, "AC", "DC"}:
        raise MessageFieldError(prefix + "RT", current, "must be AC or DC")
    obis = _name(prefix, fields, "RI")
    if value is not None and not obis:
        raise MessageFieldError(prefix + "RI", obis, "must be given with a value")
    register = None if value is None else register_mwh(prefix + "RV", value, fields.get("RU"))
    return Reading(at_ms, clock, reason, register, obis, current, errors, state)


def _name(prefix: str, fields: Fields, key: str) -> str | None:
    value = fields.get(key)
    if value is not None and (not isinstance(value, str) or len(value) > _MAX_CODE):
        raise MessageFieldError(prefix + key, value, f"must be a string of at most {_MAX_CODE} characters")
    return value


def _time(field: str, value: object) -> tuple[int, Clock]:
    found = _TIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise MessageFieldError(field, value, "must be such as 2018-07-24T13:22:04,000+0200 S")
    sign = -1 if found[8] == "-" else 1
    year, month, day, hour, minute, second, millisecond = map(int, found.groups()[:7])
    try:
        zone = timezone(sign * timedelta(hours=int(found[9]), minutes=int(found[10])))
        moment = datetime(year, month, day, hour, minute, second, millisecond * 1_000, tzinfo=zone)
        at_ms = (moment - _EPOCH) // _MILLISECOND
    except (ValueError, OverflowError) as error:
        raise MessageFieldError(field, value, f"must be a time: {error}") from error
    if at_ms < 0:
        raise MessageFieldError(field, value, "must not be before 1970")
    return at_ms, Clock(found[11])
