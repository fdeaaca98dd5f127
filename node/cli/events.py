"""`wattbook events`: follow what happens."""

from itertools import islice
from json import dumps
from typing import Annotated

import typer

from node.cli import units
from node.cli.common import DEFAULT_URL, Account, AsJson, MemberKey, Url, chosen_account, connected
from node.cli.keys import GivenApiKey
from node.client import EventAnswer

# A node that is being restarted, or moved, is waited for.
_PATIENCE_S = 3_600.0


def events(
    *,
    account: Account = None,
    after: Annotated[
        int | None, typer.Option("--after", min=0, help="Begin behind this event's number; 0: with the oldest.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", min=1, help="End after so many.")] = None,
    key: MemberKey = None,
    api_key: GivenApiKey = None,
    url: Url = DEFAULT_URL,
    json: AsJson = False,
) -> None:
    """Follow what happens, line by line, until you stop it: in the market, and to your orders if you give a key.

    With --json, each line is an object; `number` of the last one is for --after.
    """
    with connected(url, key, patience_s=_PATIENCE_S, api_key=api_key) as client:
        found = client.events(chosen_account(account, key), after=after)
        for event in islice(found, count):
            typer.echo(_as_json(event) if json else _in_words(event))


def _as_json(event: EventAnswer) -> str:
    return dumps({"number": event.number, "kind": event.kind, **event.details})


def _in_words(event: EventAnswer) -> str:
    slot, details = units.shown_time(event.slot), event.details
    what, _, happened = event.kind.partition("_")
    match what:
        case "order":
            text = (
                f"{details['side']} of {units.shown_energy(details['quantity_wh'])} at "
                f"{units.shown_price(details['price'])} {happened}: order {details['order']}"
            )
        case "store":
            return f"{event.number:>6}  the node's store was {happened}: read anew what you follow"
        case "certificate":
            text = (
                f"{units.shown_energy(details['amount_wh'])} of {details['certificate_kind']} of device "
                f"{details['device']}: {details['from'] or 'issued'} -> {details['to'] or 'used up'}"
            )
        case _:
            text = happened
            if details.get("price") is not None:
                text += (
                    f" at {units.shown_price(details['price'])}, {units.shown_energy(details['bought_wh'])} traded"
                )
    return f"{event.number:>6}  {slot}  {what} {text}"
