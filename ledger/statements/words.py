"""How a statement's values are shown to people: kWh, kg CO2, percent, local time, names of codes."""

from datetime import timedelta

from ledger import eecs
from ledger.certificates.ids import CertificateId
from ledger.hexcodec import to_data
from ledger.statements.codec import to_plain
from ledger.statements.model import Device, Origin, Scope, Statement
from ledger.statements.times import day_of, local_day, shown, zone_of

NOT_STATED = "not stated"

ORIGINS = {
    Origin.SELF_CONSUMED: "own generation",
    Origin.BOUGHT: "bought",
    Origin.STORAGE: "from storage",
    Origin.IMPORTED: "imported",
}

TITLES = {"retirement": "Retirement statement", "disclosure": "Disclosure of energy and its certificates"}


def energy(amount_wh: int) -> str:
    """Such as `1,234.567 kWh`: exact."""
    return f"{amount_wh // 1_000:,}.{amount_wh % 1_000:03d} kWh"


def mass(amount_mg: int) -> str:
    """Such as `1,234.567 kg CO2`, rounded up to the gram."""
    grams = -(-amount_mg // 1_000)
    return f"{grams // 1_000:,}.{grams % 1_000:03d} kg CO2"


def percent(ppm: int | None) -> str:
    """Such as `98.76 %`, rounded down; a dash for None."""
    return "-" if ppm is None else f"{ppm // 10_000}.{ppm % 10_000 // 100:02d} %"


def source(technology: str, fuel: str) -> str:
    """Technology by name, with both codes, such as `Solar: photovoltaic (T010100, F01040100)`."""
    if not technology:
        return "as it was charged: see below"
    return f"{eecs.technology_name(eecs.technology_number(technology))} ({technology}, {fuel})"


def in_operation_since(device: Device) -> str:
    """The ISO date; day 0 is what a device was registered with whose date was not given."""
    return day_of(device.commissioned_day).isoformat() if device.commissioned_day else NOT_STATED


def place(device: Device) -> str:
    """Such as `52.37 N, 4.90 E`; zero and zero is what a device was registered with whose place was not given."""
    north, east = device.latitude, device.longitude
    if not north and not east:
        return NOT_STATED
    return f"{_degrees(north)} {'N' if north >= 0 else 'S'}, {_degrees(east)} {'E' if east >= 0 else 'W'}"


def certificate(which: CertificateId) -> str:
    """Its id in hexadecimal."""
    return str(to_plain(which))


def subject(statement: Statement) -> str:
    """Whom it is about."""
    scope = statement.scope
    if scope.account is not None:
        return f"account {to_data(scope.account)}"
    market = scope.market or b""
    name = market.rstrip(b"\0").decode("ascii", "replace")
    return f"community {name}" if name.isprintable() else f"community {to_data(market)}"


def period(scope: Scope) -> str:
    """Such as `2026-03-01 to 2026-03-31 (Europe/Amsterdam)`; with times if they are not whole local days."""
    zone = zone_of(scope.time_zone)
    first, last = local_day(scope.first_slot, zone), local_day(scope.end_slot - 1, zone)
    is_whole = local_day(scope.first_slot - 1, zone) < first and local_day(
        scope.end_slot, zone
    ) == last + timedelta(days=1)
    if is_whole:
        return f"{first} to {last} ({scope.time_zone})"
    return f"{shown(scope.first_slot, zone)} to {shown(scope.end_slot, zone)} ({scope.time_zone})"


def _degrees(hundredths: int) -> str:
    return f"{abs(hundredths) // 100}.{abs(hundredths) % 100:02d}"
