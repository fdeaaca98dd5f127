"""`wattbook devices`: what consumes and generates, and whose meters sign for it."""

from datetime import UTC
from typing import Annotated, Any

import typer
from rich.table import Table

from node.cli import tables, units
from node.cli.common import (
    DEFAULT_URL,
    Account,
    AsJson,
    MemberKey,
    Url,
    chosen_account,
    connected,
    print_answer,
    print_json,
)
from node.cli.keys import ApiKey, ReadKey

devices_app = typer.Typer(
    help="Devices: list them, register one, change its meter's key, close it.", no_args_is_help=True
)

_DAY_S = 86_400
_PER_DEGREE = 100
Number = Annotated[int, typer.Argument(min=0, help="The device's number.")]


@devices_app.command("list")
def show_list(
    *,
    account: Account = None,
    key: MemberKey = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show all devices, or one account's."""
    address = chosen_account(account, key)
    with connected(url, api_key=api_key) as client:
        found = client.devices(address)
        if json:
            print_json(found)
        else:
            _show(found)


@devices_app.command("register")
def register(
    number: Number,
    *,
    account: Annotated[str, typer.Option(help="Its owner, a member.")],
    kind: Annotated[str, typer.Option(help="load, generator, storage or charge.")],
    point: Annotated[str, typer.Option(help="The metering point's id.")],
    meter_key: Annotated[str, typer.Option(help="The meter's public key, hexadecimal.")],
    algorithm: Annotated[str, typer.Option(help="What the meter signs with.")] = "ed25519",
    watts: Annotated[int, typer.Option(min=0, help="Nameplate, W; 0 for a load without limit.")] = 0,
    technology: Annotated[str | None, typer.Option(help="EECS technology code.")] = None,
    fuel: Annotated[str | None, typer.Option(help="EECS energy source code.")] = None,
    zone: Annotated[str | None, typer.Option(help="EIC code of its zone; by default the market's.")] = None,
    storage: Annotated[int, typer.Option(min=0, help="Of a charge: the storage that it charges.")] = 0,
    efficiency: Annotated[float, typer.Option(min=0, max=100, help="Of a storage: round trip, per cent.")] = 0,
    standing: Annotated[bool, typer.Option("--standing/--by-request", help="Certify all it meters?")] = True,
    latitude: Annotated[float, typer.Option(min=-90, max=90, help="Where it is, degrees north.")] = 0,
    longitude: Annotated[float, typer.Option(min=-180, max=180, help="Where it is, degrees east.")] = 0,
    commissioned: Annotated[str, typer.Option(help="The day (UTC) it went into service: an ISO date.")] = "0",
    support: Annotated[
        str, typer.Option(help="Public support that it received: none, investment, production or both.")
    ] = "none",
    name: Annotated[str, typer.Option(help="Free text.")] = "",
    api_key: ApiKey,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Enter a member's device; the operator's API key is needed."""
    with connected(url, api_key=api_key) as client:
        answer = client.device_act(
            "",
            api_key=api_key,
            device=str(number),
            account=account,
            kind=kind,
            metering_point=point,
            key={"algorithm": algorithm, "public_key": meter_key},
            nameplate_w=watts,
            technology=technology,
            fuel=fuel,
            zone=zone,
            storage=str(storage),
            efficiency_ppm=round(efficiency * 10_000),
            standing=standing,
            latitude=round(latitude * _PER_DEGREE),
            longitude=round(longitude * _PER_DEGREE),
            commissioned_day=_unix_day(commissioned),
            support=support,
            name=name,
        )
        first = units.shown_time(answer["first_slot"])
        print_answer(
            answer, f"Device {number} is registered; its readings are awaited from {first} on.", json=json
        )


@devices_app.command("rotate-key")
def rotate_key(
    number: Number,
    *,
    meter_key: Annotated[
        str | None, typer.Option(help="The new public key; without one, no key is valid.")
    ] = None,
    algorithm: Annotated[str, typer.Option(help="What the meter signs with.")] = "ed25519",
    since: Annotated[str, typer.Option("--from", help="The first slot it signs for, which is still to come.")],
    api_key: ApiKey,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Let another key sign for a device's meter from a slot on."""
    key = None if meter_key is None else {"algorithm": algorithm, "public_key": meter_key}
    with connected(url, api_key=api_key) as client:
        from_slot = units.second(since)
        answer = client.device_act(f"/{number}/keys", api_key=api_key, from_slot=from_slot, key=key)
        print_answer(answer, f"Device {number} has {len(answer['keys'])} keys, one after another.", json=json)


@devices_app.command("close")
def close(
    number: Number,
    *,
    day: Annotated[str, typer.Option(help="The first day (UTC) without it: an ISO date, or Unix seconds.")],
    api_key: ApiKey,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Meter and certify nothing more of a device from a day on."""
    with connected(url, api_key=api_key) as client:
        answer = client.device_act(f"/{number}/close", api_key=api_key, day=_unix_day(day))
        print_answer(answer, f"Device {number} is closed from {day} on.", json=json)


def _unix_day(text: str) -> int:
    return units.second(text, UTC) // _DAY_S


def _show(found: list[dict[str, Any]]) -> None:
    table = Table("device", "kind", "technology", title="Devices" if found else "No devices")
    table.add_column("W", justify="right")
    table.add_column("owner", overflow="ellipsis", max_width=14, no_wrap=True)
    table.add_column("name", overflow="fold")
    for each in found:
        closed = "" if each["closed_day"] is None else " (closed)"
        table.add_row(
            each["device"],
            each["kind"] + closed,
            each["technology"] or "",
            f"{each['nameplate_w']:,}",
            each["account"],
            each["name"],
        )
    tables.console().print(table)
