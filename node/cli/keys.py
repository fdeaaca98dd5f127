"""The keys that commands work with: a member's own, and the operator's API key."""

from pathlib import Path
from typing import Annotated

import typer

from ledger.keys import Key
from node.cli.common import parsed_key

KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        envvar="WATTBOOK_KEY_FILE",
        help="A file that holds your private key, in hexadecimal; else --key counts.",
        exists=True,
        dir_okay=False,
    ),
]
_API_KEY = typer.Option("--api-key", envvar="WATTBOOK_API_KEY", help="The operator's API key.", show_envvar=True)
ApiKey = Annotated[str, _API_KEY]
GivenApiKey = Annotated[str | None, _API_KEY]
ReadKey = Annotated[
    str | None,
    typer.Option(
        "--api-key",
        envvar="WATTBOOK_API_KEY",
        help="An API key, for a node whose reads are closed.",
        show_envvar=True,
    ),
]


def given_key(key: str | None, key_file: Path | None) -> Key | None:
    """The key from the file if there is one, else the one given, or None."""
    if key_file is not None:
        return parsed_key(key_file.read_text(encoding="utf-8").strip(), "--key-file")
    return None if key is None else parsed_key(key)


def member_key(key: str | None, key_file: Path | None) -> Key:
    """The same, where there must be one."""
    found = given_key(key, key_file)
    if found is None:
        raise typer.BadParameter("there must be a key to sign with", param_hint="--key-file")
    return found
