"""What the subcommands share: options, the way to the node, and how refusals and results are shown."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from enum import Enum
from json import dumps
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from ledger.chain import CallRevertedError
from ledger.hexcodec import from_data, to_data
from ledger.keys import Key
from matching.errors import WattbookError
from node.cli.refused import in_peoples_units
from node.client import ApiProblemError, WattbookClient
from node.reasons import SENTENCES

DEFAULT_URL = "http://127.0.0.1:8000"
_PATIENCE_S = 3.0
_KEY_BYTES = 32
_ADDRESS_BYTES = 20

Url = Annotated[str, typer.Option("--url", envvar="WATTBOOK_URL", help="Where the node is.")]
PARTLY_REFUSED = 3
"""Exit status if some of many were refused; 1 is that nothing was done, 2 that a command was used wrongly."""

MemberKey = Annotated[
    str | None,
    typer.Option("--key", envvar="WATTBOOK_KEY", help="Your private key, in hexadecimal.", show_envvar=True),
]
Account = Annotated[
    str | None, typer.Option("--account", help="An account's address; yours if you give a key and not this.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="Show at most so many, the latest first.")]


def store_option(explained: str) -> Any:
    """The option that names a store in PostgreSQL, whatever a command does with it."""
    return typer.Option("--store", envvar="WATTBOOK_STORE", metavar="URL", help=explained, show_default=False)


AsJson = Annotated[bool, typer.Option("--json", help="Print integers in JSON, for programs.")]


def fail(error: object) -> NoReturn:
    """Say in one line what went wrong, and end with status 1."""
    typer.echo(f"error: {in_words(error)}", err=True)
    raise typer.Exit(1)


def in_words(error: object) -> str:
    """What went wrong, as people say it."""
    if isinstance(error, CallRevertedError) and error.reason in SENTENCES:
        return f"{SENTENCES[error.reason]} ({error.reason})"
    if isinstance(error, ApiProblemError):
        return in_peoples_units(error)
    return _unusable(error) if isinstance(error, OSError) else str(error)


def require_folder_of(file: Path | None, option: str) -> None:
    """Refuse a file that is to be written if its folder is not there, before anything is done for it."""
    if file is not None and not file.parent.is_dir():
        raise typer.BadParameter(f"{file.parent} is not a folder", param_hint=option)


def _unusable(error: OSError) -> str:
    """What stands in the way of a file or a folder, without the system's numbers."""
    if error.filename is None or error.strerror is None:
        return str(error)
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename} is not a folder, or is in one that is not"
    return f"{error.filename} cannot be used: {error.strerror.lower()}"


@contextmanager
def connected(
    url: str, key: str | None = None, *, api_key: str | None, patience_s: float = _PATIENCE_S
) -> Iterator[WattbookClient]:
    """A client of the node, with these keys if given; whatever is refused inside ends the command."""
    signer = None if key is None else parsed_key(key)
    try:
        with WattbookClient(url, signer, patience_s=patience_s, api_key=api_key) as client:
            yield client
    except WattbookError as error:
        fail(error)


def chosen_account(account: str | None, key: str | None) -> bytes | None:
    """The account that was named, or else the key's, or None."""
    if account is None:
        return None if key is None else parsed_key(key).address
    return address_of(account, "--account")


def address_of(text: str, option: str) -> bytes:
    """The 20 bytes of an address."""
    try:
        address = from_data(text)
    except ValueError:
        address = b""
    if len(address) != _ADDRESS_BYTES:
        raise typer.BadParameter(f"must be 0x and {2 * _ADDRESS_BYTES} hexadecimal digits", param_hint=option)
    return address


def print_json(value: object) -> None:
    """Print a value for programs: bytes in hexadecimal, money as decimal strings."""
    typer.echo(dumps(_plain(value), indent=2))


def print_answer(answer: object, words: str, *, json: bool) -> None:
    """Print what the node answered for programs, or in words for people."""
    if json:
        print_json(answer)
    else:
        typer.echo(words)


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        return {
            field.name: str(getattr(value, field.name))
            if field.name.endswith("_nano")
            else _plain(getattr(value, field.name))
            for field in fields(value)
        }
    if isinstance(value, bytes):
        return to_data(value)
    if isinstance(value, Enum):
        return value.name.lower()
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value


def parsed_key(text: str, option: str = "--key") -> Key:
    """A private key from its hexadecimal digits. The text is a secret: no message may repeat it."""
    try:
        key = Key(from_data(text if text.startswith("0x") else "0x" + text))
        key.address  # noqa: B018 -- a number outside the curve's order shows only now
    except ValueError:
        raise typer.BadParameter("must be a private key", param_hint=option) from None
    if len(key.secret) != _KEY_BYTES:
        raise typer.BadParameter(f"must be {2 * _KEY_BYTES} hexadecimal digits", param_hint=option)
    return key
