"""`wattbook certificates coverage, statement`: what certificates cover, and statements of it."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from ledger.hexcodec import to_data
from node.cli import tables, units
from node.cli.certificates import certificates_app
from node.cli.common import (
    DEFAULT_URL,
    Account,
    AsJson,
    MemberKey,
    Url,
    chosen_account,
    connected,
    fail,
    print_json,
    require_folder_of,
)
from node.cli.keys import ReadKey

Since = Annotated[
    str, typer.Option("--from", help="Start of the first slot: an ISO date and time, or Unix seconds.")
]
Until = Annotated[str, typer.Option("--until", help="End of the last slot.")]
TimeZone = Annotated[
    str, typer.Option("--time-zone", help="IANA name of the time zone of the calendar, and of --from and --until.")
]
_SIGNED = ("pdf", "jws")
_PPM_PER_TENTH = 1_000
_MG_PER_KG = 10**6


@certificates_app.command("coverage")
def coverage(
    *,
    since: Since,
    until: Until,
    by: Annotated[str, typer.Option(help="slot, day, month or year.")] = "month",
    region: Annotated[str | None, typer.Option(help="With emissions by this region's factors, e.g. NL.")] = None,
    time_zone: TimeZone = "UTC",
    account: Account = None,
    key: MemberKey = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Show the 24/7 score of a member or of the community: slot by slot, nothing netted."""
    address = chosen_account(account, key)
    with connected(url, api_key=api_key) as client:
        first_slot, end_slot = units.period(since, until, units.time_zone(time_zone))
        answer = client.coverage(
            first_slot=first_slot,
            end_slot=end_slot,
            granularity=by,
            time_zone=time_zone,
            region=region,
            account=None if address is None else to_data(address),
        )
        if json:
            print_json(answer)
        else:
            _show(answer["rows"], is_member=address is not None, has_emissions=region is not None)


@certificates_app.command("statement")
def statement(
    *,
    kind: Annotated[str, typer.Option(help="retirement, or disclosure.")] = "disclosure",
    since: Since,
    until: Until,
    time_zone: TimeZone = "UTC",
    factors: Annotated[str | None, typer.Option(help="Emission factors of a disclosure, such as NL/2023.")] = None,
    transactions: Annotated[
        list[str] | None,
        typer.Option("--transaction", help="Of a retirement: only what this one retired; as often as needed."),
    ] = None,
    texts: Annotated[
        list[str] | None,
        typer.Option(
            "--text", help="Of a retirement: a private text to reveal, with its --salt; as often as needed."
        ),
    ] = None,
    salts: Annotated[
        list[str] | None,
        typer.Option("--salt", help="The salt that `retire` printed; one for each --text, in their order."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(help="Where to write it; .pdf, .jws, .csv or .json says as what.", dir_okay=False),
    ] = None,
    account: Account = None,
    key: MemberKey = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Have a statement made and signed: of an account, or without one of the community."""
    address = chosen_account(account, key)
    form = "pdf" if file is None else file.suffix.removeprefix(".")
    if form not in (*_SIGNED, "csv", "json"):
        raise typer.BadParameter("must end with .pdf, .jws, .csv or .json", param_hint="--file")
    require_folder_of(file, "--file")
    if len(texts or ()) != len(salts or ()):
        raise typer.BadParameter("give a --salt for each --text", param_hint="--salt")
    with connected(url, api_key=api_key) as client:
        first_slot, end_slot = units.period(since, until, units.time_zone(time_zone))
        answer = client.make_statement(
            kind=kind,
            account=None if address is None else to_data(address),
            first_slot=first_slot,
            end_slot=end_slot,
            time_zone=time_zone,
            factors=factors,
            transactions=transactions or [],
            texts=[{"text": text, "salt": salt} for text, salt in zip(texts or (), salts or (), strict=True)],
        )
        if file is not None:
            content = client.statement_file(answer["digest"], form)
            try:
                file.write_bytes(content)
            except OSError as error:
                typer.echo(f"Statement {answer['digest']} is made, and is not written.", err=True)
                fail(error)
        if answer["made_at"] < end_slot:
            over_at = units.shown_time(end_slot)
            typer.echo(f"note: the period is not over until {over_at}: what comes is not stated", err=True)
        if json:
            print_json(answer)
            return
        typer.echo(f"Statement {answer['digest']}, {units.shown_energy(answer['statement']['total_wh'])}")
        can_verify = file is not None and form in _SIGNED
        typer.echo(f"Check it at {url}{answer['verify']}" + (f", or verify {file}" if can_verify else ""))


def _show(rows: list[dict[str, Any]], *, is_member: bool, has_emissions: bool) -> None:
    wanted = [row for row in rows if (row["scope"] == "member") == is_member]
    table = Table("period", "of", title="24/7 coverage")
    has_claims = any(row["claimed_wh"] for row in wanted)
    beside = ("claimed",) * has_claims + ("CO2 grid", "CO2 market") * has_emissions
    for name in ("consumed", "matched", "24/7", "annual", *beside):
        table.add_column(name, justify="right")
    for row in wanted:
        claimed = [units.kwh(row["claimed_wh"])] if has_claims else []
        emissions = [_kg(row["location_based_mg"]), _kg(row["market_based_mg"])] if has_emissions else []
        table.add_row(
            row["period"],
            row["scope"],
            units.kwh(row["consumption_wh"]),
            units.kwh(row["matched_wh"]),
            _percent(row["score_ppm"]),
            _percent(row["annual_ppm"]),
            *claimed,
            *emissions,
        )
    told = " claimed: retired by hand, not matched." if has_claims else ""
    table.caption = f"kWh. members: what each can claim; pool: what they could together.{told}"
    tables.console().print(table)


def _percent(ppm: int | None) -> str:
    # Rounded down, so that only full coverage reads as such.
    return "-" if ppm is None else f"{ppm // _PPM_PER_TENTH / 10:.1f} %"


def _kg(mg: int | None) -> str:
    return "-" if mg is None else f"{mg / _MG_PER_KG:,.3f} kg"
