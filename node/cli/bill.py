"""`wattbook bill`: what a month came to for a member."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from node.answers import BillAnswer
from node.cli import units
from node.cli.common import (
    DEFAULT_URL,
    Account,
    AsJson,
    MemberKey,
    Url,
    chosen_account,
    connected,
    print_json,
)
from node.cli.keys import ReadKey

Month = Annotated[
    str | None, typer.Option("--month", help="Such as 2026-03; by default the market's present month.")
]
TimeZone = Annotated[str, typer.Option("--time-zone", help="IANA name of the calendar's time zone.")]


def bill(
    *,
    month: Month = None,
    time_zone: TimeZone = "UTC",
    account: Account = None,
    key: MemberKey = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show what a month came to: an account's bill, or all members'."""
    address = chosen_account(account, key)
    with connected(url, api_key=api_key) as client:
        chosen = month or _month_of(client.market().now, time_zone)
        found = client.bills(chosen, time_zone=time_zone, account=address)
        if json:
            print_json(found)
        elif address is not None and len(found) == 1:
            _show_one(found[0])
        else:
            _show_all(found, chosen)


def _month_of(now: int, time_zone: str) -> str:
    return datetime.fromtimestamp(now, tz=UTC).astimezone(units.time_zone(time_zone)).strftime("%Y-%m")


def _show_one(found: BillAnswer) -> None:
    table = Table(title=_title(f"Bill of 0x{found.account.hex()[:8]}…", found))
    table.add_column("")
    for name in ("energy", "EUR"):
        table.add_column(name, justify="right")
    for words, energy_wh, amount_nano in (
        ("bought from neighbours", found.bought_wh, found.paid_nano),
        ("grid fee for that", None, found.grid_fee_nano),
        ("from the utility", found.from_utility_wh, found.from_utility_nano),
        ("sold to neighbours", found.sold_wh, -found.received_nano),
        ("to the utility", found.to_utility_wh, -found.to_utility_nano),
    ):
        table.add_row(words, "" if energy_wh is None else units.shown_energy(energy_wh), _money(amount_nano))
    table.add_section()
    table.add_row("to pay", "", _money(found.total_nano))
    table.add_row("with the utility alone", "", _money(found.utility_alone_nano))
    table.add_row("saved", "", _money(found.saving_nano))
    Console().print(table)


def _show_all(found: list[BillAnswer], month: str) -> None:
    table = Table("account", title=_title("Bills", found[0]) if found else f"No bills of {month}")
    for name in ("bought", "sold", "to pay", "utility alone", "saved"):
        table.add_column(name, justify="right")
    for each in found:
        table.add_row(
            f"0x{each.account.hex()[:8]}…",
            units.shown_energy(each.bought_wh),
            units.shown_energy(each.sold_wh),
            *(_money(amount) for amount in (each.total_nano, each.utility_alone_nano, each.saving_nano)),
        )
    Console().print(table)


def _title(what: str, of: BillAnswer) -> str:
    if of.is_final:
        return f"{what}, {of.month}"
    return f"{what}, {of.month} so far ({of.open_slots} slots not delivered)"


def _money(amount_nano: int) -> str:
    return units.shown_money(amount_nano).removesuffix(" EUR")
