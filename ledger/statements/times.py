"""Local time, which people read; everything else speaks Unix seconds."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ledger.statements.errors import InvalidStatementError

_DAY_S = 86_400


def zone_of(name: str) -> ZoneInfo:
    """The time zone with this IANA name.

    Raises:
        InvalidStatementError: there is none.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        problem = f"is {name!r}: must be the name of an IANA time zone such as 'Europe/Amsterdam'"
        raise InvalidStatementError("scope.time_zone", problem) from error


def shown(at: int, zone: ZoneInfo) -> str:
    """Such as `2026-03-29 03:00 +02:00`."""
    local = datetime.fromtimestamp(at, tz=UTC).astimezone(zone).isoformat(sep=" ", timespec="minutes")
    return f"{local[:16]} {local[16:]}"


def local_day(at: int, zone: ZoneInfo) -> date:
    """The local calendar day that a second lies in."""
    return datetime.fromtimestamp(at, tz=UTC).astimezone(zone).date()


def day_of(unix_day: int) -> date:
    """The calendar day of a Unix day, UTC."""
    return datetime.fromtimestamp(unix_day * _DAY_S, tz=UTC).date()


def month(year: int, number: int, zone: ZoneInfo) -> tuple[int, int]:
    """First and end second of a local calendar month."""
    start = datetime(year, number, 1, tzinfo=zone)
    end = datetime(year + number // 12, number % 12 + 1, 1, tzinfo=zone)
    return int(start.timestamp()), int(end.timestamp())
