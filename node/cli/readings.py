"""`wattbook readings`: hand in files of meter readings, and get what auditors need of them."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli.common import DEFAULT_URL, PARTLY_REFUSED, AsJson, Url, connected, fail, print_json
from node.cli.keys import ApiKey, ReadKey

readings_app = typer.Typer(help="Meter readings.", no_args_is_help=True)

_FORMS = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".ocmf": "ocmf"}
_SHOWN = 20


@readings_app.callback()
def readings() -> None:
    """Meter readings."""


@readings_app.command("export")
def export_evidence(
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    *,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
) -> None:
    """Write what the meters signed, of all days that are anchored on chain: for `wattbook audit --evidence`."""
    if folder.exists():
        raise typer.BadParameter(f"{folder} exists: name a new folder", param_hint="FOLDER")
    with connected(url, api_key=api_key) as client:
        pieces = client.export_evidence(folder)
    typer.echo(f"{pieces} readings in {folder}.")


@readings_app.command("import")
def import_readings(
    file: Annotated[Path, typer.Argument(help="CSV, JSON lines, or OCMF lines.", exists=True, dir_okay=False)],
    *,
    form: Annotated[
        str | None, typer.Option("--format", help="csv, jsonl or ocmf; else the name says it.")
    ] = None,
    device: Annotated[int | None, typer.Option(min=0, help="Whose messages a file of OCMF lines holds.")] = None,
    api_key: ApiKey,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Hand in a file; each row stands or falls alone. Exit status 3 if rows were refused."""
    wanted = form or _FORMS.get(file.suffix)
    if wanted is None:
        raise typer.BadParameter(f"cannot be told from {file.name}: csv, jsonl or ocmf", param_hint="--format")
    with connected(url, api_key=api_key) as client:
        rows = client.import_readings(file, wanted, api_key=api_key, device=device)
    if rows and "problem" in rows[-1]:
        fail(rows[-1]["problem"]["detail"])
    refused = [row for row in rows if row["outcome"] == "refused"]
    if json:
        print_json(rows)
    else:
        known = sum(row["outcome"] == "known" for row in rows)
        typer.echo(
            f"{len(rows)} rows: {len(rows) - known - len(refused)} taken, {known} known, {len(refused)} refused."
        )
        for row in refused[:_SHOWN]:
            typer.echo(f"  line {row['line']}: {row['message']} ({row['code']})", err=True)
        if len(refused) > _SHOWN:
            typer.echo(f"  and {len(refused) - _SHOWN} more", err=True)
    if refused:
        raise typer.Exit(PARTLY_REFUSED)
