"""`wattbook place` and `wattbook cancel`: many orders at once."""

import json as jsonlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from eth_hash.auto import keccak

from ledger.hexcodec import from_data
from matching.errors import WattbookError
from matching.orders import MAX_TIME, CertificatePreference, Order, Side
from node.cli.common import DEFAULT_URL, PARTLY_REFUSED, AsJson, MemberKey, Url, connected, fail, print_json
from node.cli.keys import ReadKey
from node.cli.preference import PreferenceName

_FIELDS = {"slot", "side", "price", "quantity_wh", "certificates", "expires_at", "salt"}
_SHOWN = 20


class LineError(WattbookError):
    """A line of a file of orders is not an order."""

    code = "file.line"


def place(
    file: Annotated[Path, typer.Argument(help="JSON lines, an order each.", exists=True, dir_okay=False)],
    *,
    key: MemberKey = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Place a file of orders, signed with your key. The same file again changes nothing.

    Each line stands or falls alone. It is a JSON object with `slot` (Unix seconds), `side` ("bid" or "offer"),
    `price` (nano-credit per Wh) and `quantity_wh`; perhaps `certificates` ("bundled", "unbundled" or
    "auto-retire"), `expires_at` and `salt`. Exit status 3 if any were refused.
    """
    with connected(url, key, api_key=api_key) as client:
        market, epoch = client.market().id, client.balance().epoch
        with file.open(encoding="utf-8") as lines:
            orders = [_order(number, fields, client.account, market, epoch) for number, fields in _read(lines)]
        answers = client.place_all(orders)
    refused = [(number, answer) for number, answer in enumerate(answers, start=1) if answer.receipt is None]
    if json:
        print_json(answers)
    else:
        typer.echo(f"{len(answers)} orders: {len(answers) - len(refused)} taken, {len(refused)} refused.")
        for number, answer in refused[:_SHOWN]:
            typer.echo(f"  order {number}: {answer.detail} ({answer.code})", err=True)
        if len(refused) > _SHOWN:
            typer.echo(f"  and {len(refused) - _SHOWN} more", err=True)
    if refused:
        raise typer.Exit(PARTLY_REFUSED)


def cancel(
    orders: Annotated[list[str] | None, typer.Argument(help="Orders, by their hashes.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="Cancel all your open orders.")] = False,
    slot: Annotated[int | None, typer.Option(help="With --all: only those for this slot, Unix seconds.")] = None,
    key: MemberKey = None,
    api_key: ReadKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Cancel orders before their slots' gates close. Exit status 3 if any could not be."""
    if bool(orders) == every:
        raise typer.BadParameter("name orders, or give --all", param_hint="ORDERS, --all")
    with connected(url, key, api_key=api_key) as client:
        try:
            hashes = None if every else [from_data(each) for each in orders or ()]
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="ORDERS") from error
        answers = client.cancel_all(hashes, slot=slot)
    left = [answer for answer in answers if not answer.cancelled]
    if json:
        print_json(answers)
    else:
        typer.echo(f"{len(answers) - len(left)} orders cancelled.")
        for answer in left:
            typer.echo(f"  0x{answer.order_hash.hex()}: {answer.detail} ({answer.code})", err=True)
    if left:
        raise typer.Exit(PARTLY_REFUSED)


def _read(lines: Iterator[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                fields = jsonlib.loads(line)
            except ValueError as error:
                fail(LineError(f"line {number}: {error}"))
            if not isinstance(fields, dict) or not fields.keys() <= _FIELDS:
                fail(LineError(f"line {number}: must be an object of {', '.join(sorted(_FIELDS))}"))
            yield number, fields


def _order(number: int, fields: dict[str, Any], account: bytes, market: bytes, epoch: int) -> Order:
    # Equal lines are several orders, and the same file makes the same ones.
    content = f"{number} {jsonlib.dumps(fields, sort_keys=True)}".encode()
    try:
        return Order(
            account=account,
            market=market,
            slot=fields["slot"],
            side=Side[fields["side"].upper()],
            price=fields["price"],
            quantity_wh=fields["quantity_wh"],
            certificates=_preference(fields.get("certificates", PreferenceName.AUTO_RETIRE)),
            epoch=epoch,
            expires_at=fields.get("expires_at", MAX_TIME),
            salt=int(fields.get("salt", int.from_bytes(keccak(content)[:8]))),
        )
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        fail(LineError(f"line {number}: {error} is missing, or is not as it should be"))
    except WattbookError as error:
        fail(LineError(f"line {number}: {error}"))


def _preference(name: str) -> CertificatePreference:
    """As the commands write it, or as the API does: with an underscore."""
    return PreferenceName(name.replace("_", "-")).preference
