"""What people say and see: kWh, ct/kWh, EUR and local time. Everything else in the project speaks integers."""

from datetime import UTC, datetime, tzinfo
from decimal import Decimal, InvalidOperation
from zoneinfo import ZoneInfo

from matching.errors import WattbookError

_WH_PER_KWH = 1_000
_NANO_PER_EUR = 10**9
# 1 ct/kWh is 10**7 nano-credits for 1,000 Wh.
_PRICE_PER_CT = 10_000


class UnitError(WattbookError):
    """A number or a time that a person gave cannot be understood, or is finer than the market's units."""

    code = "cli.units"


def energy_wh(kwh: str, *, least_wh: int = 1) -> int:
    """Wh from kWh.

    Raises:
        UnitError: not a number, not a whole number of Wh, or less than `least_wh`.
    """
    found_wh = _whole("kWh", kwh, _WH_PER_KWH, "three decimals")
    if found_wh < least_wh:
        raise UnitError(f"kWh is {kwh}: must be at least {Decimal(least_wh) / _WH_PER_KWH}")
    return found_wh


def price(ct_per_kwh: str) -> int:
    """Nano-credit per Wh from ct/kWh.

    Raises:
        UnitError: not a number, or with more than four decimals.
    """
    return _whole("price", ct_per_kwh, _PRICE_PER_CT, "four decimals")


def money_nano(eur: str) -> int:
    """Nano-credits from EUR.

    Raises:
        UnitError: not a number, not above zero, or with more than nine decimals.
    """
    amount = _whole("amount", eur, _NANO_PER_EUR, "nine decimals")
    if amount <= 0:
        raise UnitError(f"amount is {eur}: must be above 0")
    return amount


def second(time: str, zone: tzinfo | None = None) -> int:
    """Unix seconds from either Unix seconds or an ISO date and time.

    A time that does not name its zone is of `zone`, by default local.

    Raises:
        UnitError: neither of the two.
    """
    if time.isascii() and time.isdigit():
        return int(time)
    try:
        named = datetime.fromisoformat(time)
    except ValueError as error:
        raise UnitError(f"time is {time!r}: must be an ISO date and time or Unix seconds") from error
    return int((named if named.tzinfo or zone is None else named.replace(tzinfo=zone)).timestamp())


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


def _whole(name: str, text: str, factor: int, precision: str) -> int:
    try:
        value = Decimal(text) * factor
    except InvalidOperation as error:
        raise UnitError(f"{name} is {text!r}: must be a number") from error
    if not value.is_finite() or value != value.to_integral_value():
        raise UnitError(f"{name} is {text}: must have at most {precision}")
    return int(value)
