"""`wattbook api-keys`: keys that let programs act for a party through a node's API."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matching.errors import WattbookError
from node.api_keys import ApiKeyFile, Scope
from node.cli.common import AsJson, fail, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from node.api_keys import ApiKey

Data = Annotated[Path, typer.Option("--data", help="The node's data folder.")]
_DATA = Path("var/node")

api_keys_app = typer.Typer(
    help="Let programs act through a node's API, each within its scope.", no_args_is_help=True
)


@api_keys_app.command()
def new(
    *,
    scope: Annotated[list[Scope], typer.Option(help="What it is good for; may be repeated.")],
    name: Annotated[str, typer.Option(help="Whose it is, to list and revoke it by.")],
    data: Data = _DATA,
) -> None:
    """Make a key and print it, once: nobody can find it out again. A running node takes it at once."""
    try:
        typer.echo(_opened(data).new(name, frozenset(scope), int(time.time())))
    except (WattbookError, OSError) as error:
        fail(error)


@api_keys_app.command("list")
def list_(*, data: Data = _DATA, json: AsJson = False) -> None:
    """All keys by name, without what is secret."""
    try:
        keys = _opened(data).listed()
    except (WattbookError, OSError) as error:
        fail(error)
    if json:
        print_json(
            [{"name": key.name, "scopes": sorted(key.scopes), "created_at": key.created_at} for key in keys]
        )
    else:
        _show(keys)


@api_keys_app.command()
def revoke(name: Annotated[str, typer.Argument(help="The key's name.")], *, data: Data = _DATA) -> None:
    """Take a key back. A running node refuses it at once."""
    try:
        _opened(data).revoke(name)
    except (WattbookError, OSError) as error:
        fail(error)


def _opened(data: Path) -> ApiKeyFile:
    if not data.is_dir():
        fail(f"{data} is no data folder: 'wattbook serve' makes one")
    return ApiKeyFile.of(data)


def _show(keys: "Sequence[ApiKey]") -> None:
    for key in keys:
        made_at = datetime.fromtimestamp(key.created_at, UTC)
        typer.echo(f"{key.name:<24} {', '.join(sorted(key.scopes)):<32} made {made_at:%Y-%m-%d %H:%M} UTC")
