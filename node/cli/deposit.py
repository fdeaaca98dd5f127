"""`wattbook deposit`: the operator enters money that has arrived."""

from pathlib import Path
from typing import Annotated

import typer

from node.cli import units
from node.cli.common import DEFAULT_URL, AsJson, Url, chosen_account, connected, print_json
from node.cli.keys import GivenApiKey


def deposit(
    *,
    account: Annotated[str, typer.Option(help="The member's account.")],
    eur: Annotated[str, typer.Option(help="How much, EUR.")],
    reference: Annotated[str, typer.Option(help="Names the payment, e.g. as the bank does; each is taken once.")],
    api_key: GivenApiKey = None,
    data: Annotated[
        Path, typer.Option(help="The node's data folder, where the API key is if none is given.")
    ] = Path("var/node"),
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Put money that has arrived into a member's escrow."""
    used_key = api_key or _kept_key(data / "operator-api-key")
    member = chosen_account(account, None)
    assert member is not None  # noqa: S101 - an account was given
    with connected(url, api_key=used_key) as client:
        amount_nano = units.money_nano(eur)
        client.deposit(member, amount_nano, reference, api_key=used_key)
    if json:
        print_json({"account": member, "amount_nano": amount_nano, "reference": reference})
    else:
        typer.echo(f"{units.shown_money(amount_nano)} for 0x{member.hex()}")


def _kept_key(path: Path) -> str:
    if not path.is_file():
        raise typer.BadParameter(
            f"{path} is not there: give the operator's API key, or name the node's data folder with --data",
            param_hint="--api-key",
        )
    return path.read_text(encoding="utf-8")
