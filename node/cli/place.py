"""`wattbook place` and `wattbook cancel`: many orders at once."""

import json as jsonlib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from eth_hash.auto import keccak

from ledger.hexcodec import from_data, to_data
from matching.errors import WattbookError
from matching.orders import MAX_TIME, CertificatePreference, Order, Side
from node.cli.common import DEFAULT_URL, PARTLY_REFUSED, AsJson, MemberKey, Url, connected, fail, print_json
from node.cli.keys import ReadKey
from node.cli.preference import PreferenceName

_FIELDS = {"slot", "side", "price", "quantity_wh", "certificates", "expires_at", "salt"}
_SHOWN, _BAD_SHOWN = 20, 10
# Of its digits, as `wattbook orders` shows them, and among so many of the latest orders.
_PREFIX = re.compile(r"0x[0-9a-fA-F]{8,64}")
_LATEST = 1_000
_FULL = len("0x") + 64


class LineError(WattbookError):
    """A line of a file of orders is not an order, or the file is no text."""

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

    A file with a line that is no order is refused as a whole; of the others, each is taken or refused by itself. A
    line is a JSON object with `slot` (Unix seconds), `side` ("bid" or "offer"),
    `price` (nano-credit per Wh) and `quantity_wh`; perhaps `certificates` ("bundled", "unbundled" or
    "auto-retire"), `expires_at` and `salt`; empty lines count for nothing. Exit status 3 if any were refused.
    """
    with connected(url, key, api_key=api_key) as client:
        market, epoch = client.market().id, client.balance().epoch
        orders = _orders(file, client.account, market, epoch)
        answers = client.place_all(list(orders.values()))
    refused = [(number, answer) for number, answer in zip(orders, answers, strict=True) if answer.receipt is None]
    if json:
        print_json(answers)
    else:
        typer.echo(f"{_counted(len(answers))}: {len(answers) - len(refused)} taken, {len(refused)} refused.")
        for number, answer in refused[:_SHOWN]:
            typer.echo(f"  line {number}: {answer.detail} ({answer.code})", err=True)
        if len(refused) > _SHOWN:
            typer.echo(f"  and {len(refused) - _SHOWN} more", err=True)
    if refused:
        raise typer.Exit(PARTLY_REFUSED)


def cancel(
    orders: Annotated[
        list[str] | None,
        typer.Argument(
            help="Orders, by their hashes, or so much of one as only one of your latest 1,000 begins with: 0x "
            "and 8 digits at least."
        ),
    ] = None,
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
        cancelled_before: set[bytes] = set()
        hashes = None
        if orders:
            latest = client.orders(account=client.account, limit=_LATEST)
            cancelled_before = {each.hash for each in latest if each.status == "cancelled"}
            hashes = [_found(name, [each.hash for each in latest]) for name in orders]
        answers = client.cancel_all(hashes, slot=slot)
    left = [answer for answer in answers if not answer.cancelled]
    again = [answer for answer in answers if answer.cancelled and answer.order_hash in cancelled_before]
    if json:
        print_json(answers)
    else:
        typer.echo(f"{_counted(len(answers) - len(left) - len(again))} cancelled.")
        for answer in again:
            typer.echo(f"  0x{answer.order_hash.hex()} was cancelled before.")
        for answer in left:
            typer.echo(f"  0x{answer.order_hash.hex()}: {answer.detail} ({answer.code})", err=True)
    if left:
        raise typer.Exit(PARTLY_REFUSED)


def _counted(orders: int) -> str:
    return "1 order" if orders == 1 else f"{orders} orders"


def _found(name: str, known: Iterable[bytes]) -> bytes:
    """The hash that a member means."""
    if not _PREFIX.fullmatch(name):
        reason = f"{name!r:.80} must be 0x and 64 hexadecimal digits, or at least the first 8 of them"
        raise typer.BadParameter(reason, param_hint="ORDERS")
    if len(name) == _FULL:
        return from_data(name)
    meant = {each for each in known if to_data(each).startswith(name.lower())}
    if len(meant) != 1:
        which = "several of your latest orders begin" if meant else "none of your latest orders begins"
        fail(f"{which} with {name}")
    return meant.pop()


def _orders(file: Path, account: bytes, market: bytes, epoch: int) -> dict[int, Order]:
    """The orders of a file by their lines; the command ends, and names the lines, if some are none."""
    found, wrong = {}, []
    try:
        # Editors on Windows begin a file with a mark, which is no part of its first line.
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        fail(LineError(f"{file} is not UTF-8 text: byte {error.start + 1}"))
    except OSError as error:
        fail(error)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found[number] = _order(number, _fields(line), account, market, epoch)
            except WattbookError as error:
                wrong.append(f"line {number}: {error}")
    if wrong:
        _refuse(wrong)
    return found


def _refuse(wrong: list[str]) -> NoReturn:
    for each in wrong[:_BAD_SHOWN]:
        typer.echo(each, err=True)
    if len(wrong) > _BAD_SHOWN:
        typer.echo(f"and {len(wrong) - _BAD_SHOWN} more", err=True)
    fail(
        LineError(
            f"{len(wrong)} of the file's lines {'is' if len(wrong) == 1 else 'are'} no order: none was placed"
        )
    )


def _fields(line: str) -> dict[str, Any]:
    try:
        fields = jsonlib.loads(line)
    except (ValueError, RecursionError) as error:
        raise LineError(str(error)) from error
    if not isinstance(fields, dict) or not fields.keys() <= _FIELDS:
        raise LineError(f"must be an object of {', '.join(sorted(_FIELDS))}")
    return fields


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
    except (KeyError, AttributeError, TypeError, ValueError, OverflowError) as error:
        raise LineError(f"{error} is missing, or is not as it should be") from error


def _preference(name: str) -> CertificatePreference:
    """As the commands write it, or as the API does: with an underscore."""
    return PreferenceName(name.replace("_", "-")).preference
