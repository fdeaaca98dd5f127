"""`wattbook keys`: the parties' encrypted private keys."""

import json as json_text
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from matching.errors import WattbookError
from node.cli.common import AsJson, fail, parsed_key, print_json, require_folder_of
from node.private_files import read_private

if TYPE_CHECKING:
    from node.keystore import Keystore

PASSWORD_VARIABLE = "WATTBOOK_KEYSTORE_PASSWORD"  # noqa: S105 -- where the password is, and not the password
_DEFAULT = Path("var/keystore")

KeystoreFolder = Annotated[
    Path, typer.Option("--keystore", envvar="WATTBOOK_KEYSTORE", help="The folder of encrypted keys.")
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        envvar="WATTBOOK_PASSWORD_FILE",
        help=f"A file that holds the keystore's password; else ${PASSWORD_VARIABLE} counts, else you are asked.",
        dir_okay=False,
    ),
]

keys_app = typer.Typer(help="Keep the parties' private keys, encrypted.", no_args_is_help=True)


def given_password(password_file: Path | None, *, is_new: bool = False) -> str:
    """The keystore's password: from the file, the environment, or whoever sits there, who types a new one twice.

    Raises:
        ExposedFileError: others can read the file.
        OSError: it cannot be read.
    """
    if password_file is not None:
        return read_private(password_file).removesuffix("\n")
    if PASSWORD_VARIABLE in os.environ:
        return os.environ[PASSWORD_VARIABLE]
    answer: str = typer.prompt("Password of the keystore", hide_input=True, confirmation_prompt=is_new, err=True)
    return answer


@keys_app.command()
def new(
    parties: Annotated[list[str] | None, typer.Argument(help="Whose; by default all who have none yet.")] = None,
    *,
    keystore: KeystoreFolder = _DEFAULT,
    password_file: PasswordFile = None,
) -> None:
    """Make new keys."""
    from node.keystore import PARTIES

    try:
        store = _opened(keystore)
        has_keys = store.addresses()
        chosen = parties or [party for party in PARTIES if party not in has_keys]
        password = _password_of(store, password_file)
        for party in chosen:
            _tell(party, store.create(party, password))
    except (WattbookError, OSError) as error:
        fail(error)


@keys_app.command("import")
def import_(
    source: Annotated[Path, typer.Argument(help="JSON file with the parties' keys, as --parties takes it.")],
    *,
    party: Annotated[
        str | None, typer.Option(help="The file holds this party's key alone, in hexadecimal.")
    ] = None,
    keystore: KeystoreFolder = _DEFAULT,
    password_file: PasswordFile = None,
) -> None:
    """Encrypt keys that you have. The file stays where it is: delete it once you have a copy of the keystore."""
    from node.keystore import PARTIES
    from node.parties import read_parties

    try:
        if party is None:
            read = read_parties(source)
            keys = {name: getattr(read, name) for name in PARTIES}
        else:
            keys = {party: parsed_key(source.read_text(encoding="utf-8").strip(), "SOURCE")}
        store = _opened(keystore)
        password = _password_of(store, password_file)
        for name, key in keys.items():
            store.add(name, key, password)
            _tell(name, key.address)
    except (WattbookError, OSError, UnicodeDecodeError) as error:
        fail("a key file must be text" if isinstance(error, UnicodeDecodeError) else error)


@keys_app.command("list")
def list_(*, keystore: KeystoreFolder = _DEFAULT, json: AsJson = False) -> None:
    """Whose keys there are, and their addresses. Needs no password."""
    from node.keystore import PARTIES, public_parties

    try:
        found = public_parties(opened_keystore(keystore).addresses())
    except (WattbookError, OSError) as error:
        fail(error)
    if json:
        print_json(found)
        return
    for party in PARTIES:
        typer.echo(f"{party:<16} {found.get(party, 'no key')}")


@keys_app.command()
def export_public(
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Where to write it; else printed.")] = None,
    *,
    keystore: KeystoreFolder = _DEFAULT,
) -> None:
    """The parties' addresses as JSON, for auditors, members and whoever funds the accounts."""
    from node.keystore import public_parties

    require_folder_of(output, "--output")
    try:
        text = json_text.dumps(public_parties(opened_keystore(keystore).addresses()), indent=2)
        if output is None:
            typer.echo(text)
        else:
            output.write_text(text + "\n", encoding="utf-8")
    except (WattbookError, OSError) as error:
        fail(error)


def _opened(folder: Path) -> "Keystore":
    from node.keystore import Keystore

    return Keystore(folder)


def opened_keystore(folder: Path) -> "Keystore":
    """A keystore that there is."""
    if not folder.is_dir():
        raise typer.BadParameter(
            f"{folder} is not a folder of keys: see 'wattbook keys new'", param_hint="--keystore"
        )
    return _opened(folder)


def _password_of(store: "Keystore", password_file: Path | None) -> str:
    """The password; if there are keys already, the one that opens them."""
    has_keys = list(store.addresses())
    password = given_password(password_file, is_new=not has_keys)
    if has_keys:
        store.key(has_keys[0], password)
    return password


def _tell(party: str, address: bytes) -> None:
    from node.keystore import public_parties

    typer.echo(f"{party:<16} {public_parties({party: address})[party]}")
