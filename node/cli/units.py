"""What people say and see: kWh, ct/kWh, EUR and local time. Everything else in the project speaks integers."""

from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from matching.errors import WattbookError
from matching.orders import MAX_PRICE

_WH_PER_KWH = 1_000
_NANO_PER_EUR = 10**9
# 1 ct/kWh is 10**7 nano-credits for 1,000 Wh.
_PRICE_PER_CT = 10_000
# Nobody means more, and what is not bounded takes all memory as an integer: 1e999999999 is a number.
_END = 10**9
_END_S = 253_402_300_800
"""The year 10000, which no calendar here has."""


class UnitError(WattbookError):
    """A number or a time that a person gave cannot be understood, or is finer than the market's units."""

    code = "cli.units"


def energy_wh(kwh: str, *, least_wh: int = 1) -> int:
    """Wh from kWh.

    Raises:
        UnitError: not a number, not a whole number of Wh, less than `least_wh`, or a TWh or more.
    """
    least = f"at least {Decimal(least_wh) / _WH_PER_KWH}"
    found_wh = _whole("kWh", kwh, _WH_PER_KWH, "three decimals", least)
    if found_wh < least_wh:
        raise UnitError(f"kWh is {kwh}: must be {least}")
    return found_wh


def price(ct_per_kwh: str) -> int:
    """Nano-credit per Wh from ct/kWh.

    Raises:
        UnitError: not a number, below zero, above what an order can name, or with more than four decimals.
    """
    found = _whole("price", ct_per_kwh, _PRICE_PER_CT, "four decimals", "at least 0")
    if found > MAX_PRICE:
        raise UnitError(f"price is {ct_per_kwh}: must be at most {Decimal(MAX_PRICE) / _PRICE_PER_CT}")
    return found


def money_nano(eur: str) -> int:
    """Nano-credits from EUR.

    Raises:
        UnitError: not a number, not above zero, beyond a billion, or with more than nine decimals.
    """
    amount = _whole("amount", eur, _NANO_PER_EUR, "nine decimals", "above 0")
    if amount <= 0:
        raise UnitError(f"amount is {eur}: must be above 0")
    return amount


def second(time: str, zone: tzinfo | None = None) -> int:
    """Unix seconds from either Unix seconds or an ISO date and time.

    A time that does not name its zone is of `zone`, by default local.

    Raises:
        UnitError: neither of the two, or not of the years that calendars have.
    """
    try:
        if time.isascii() and time.isdigit():
            at = int(time)
        else:
            named = datetime.fromisoformat(time)
            at = int((named if named.tzinfo or zone is None else named.replace(tzinfo=zone)).timestamp())
    except (ValueError, OverflowError) as error:
        raise UnitError(f"time is {time!r:.80}: must be an ISO date and time or Unix seconds") from error
    if not 0 <= at < _END_S:
        raise UnitError(f"time is {time:.80}: must be in the years 1970 to 9999")
    return at


def period(since: str, until: str, zone: tzinfo | None = None) -> tuple[int, int]:
    """The Unix seconds from which and until when a period lasts; see `second`.

    Raises:
        UnitError: one of them is no time, or they are the wrong way round.
    """
    first, end = second(since, zone), second(until, zone)
    if end <= first:
        raise UnitError(f"--until must be after --from: {until} is not after {since}")
    return first, end


def time_zone(name: str) -> tzinfo:
    """The time zone of an IANA name.

    Raises:
        UnitError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UnitError(f"--time-zone is {name!r}: must be an IANA name, such as Europe/Amsterdam") from error


def kwh(energy_wh: int) -> str:
    """Such as `1.500`."""
    return f"{Decimal(energy_wh) / _WH_PER_KWH:,.3f}"


def ct_per_kwh(price: int) -> str:
    """Such as `14.50`."""
    return f"{Decimal(price) / _PRICE_PER_CT:,.2f}"


def eur(amount_nano: int) -> str:
    """Such as `12.3457`."""
    return f"{Decimal(amount_nano) / _NANO_PER_EUR:,.4f}"


def shown_energy(energy_wh: int) -> str:
    """Such as `1.500 kWh`."""
    return f"{kwh(energy_wh)} kWh"


def shown_price(price: int) -> str:
    """Such as `14.50 ct/kWh`."""
    return f"{ct_per_kwh(price)} ct/kWh"


def shown_money(amount_nano: int) -> str:
    """Such as `12.3457 EUR`."""
    return f"{eur(amount_nano)} EUR"


def shown_time(at: int) -> str:
    """Local date and time, such as `2025-06-15 17:15 CEST`."""
    return datetime.fromtimestamp(at, tz=UTC).astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _whole(name: str, text: str, factor: int, precision: str, least: str) -> int:
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise UnitError(f"{name} is {text!r:.80}: must be a number") from error
    if not number.is_finite():
        raise UnitError(f"{name} is {text:.80}: must be a number")
    if number < 0:
        raise UnitError(f"{name} is {text:.80}: must be {least}")
    if number >= _END:
        raise UnitError(f"{name} is {text:.80}: must be less than {_END:,}")
    value = number * factor
    if value != value.to_integral_value():
        raise UnitError(f"{name} is {text:.80}: must have at most {precision}")
    return int(value)
