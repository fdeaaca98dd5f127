"""`wattbook challenges`: what the operators were challenged with, and what came of it."""

from typing import TYPE_CHECKING, Annotated

import typer

from node.cli import tables, units
from node.cli.common import AsJson, print_json
from node.cli.onchain import DEFAULT_RPC, Exchange, Rpc, looking_at, market_id

if TYPE_CHECKING:
    from ledger.disputes import Dispute


def challenges(
    *,
    exchange: Exchange,
    market: Annotated[
        str | None, typer.Option("--market", help="A market's name, or its id in hexadecimal; by default all.")
    ] = None,
    rpc: Rpc = DEFAULT_RPC,
    json: AsJson = False,
) -> None:
    """Show the challenges on chain, decided ones too, the latest first; takes no key."""
    from ledger.disputes import read_disputes

    with looking_at(rpc, exchange) as (_, contracts):
        found = read_disputes(contracts, None if market is None else market_id(market))
        if json:
            print_json(found)
        else:
            _show(found)


def _show(found: "list[Dispute]") -> None:
    table = tables.table(
        "Challenges" if found else "No challenges", ("number", "order", "slot", "is said to be", "outcome")
    )
    for each in found:
        table.add_row(
            str(each.number),
            tables.short(each.order),
            units.shown_time(each.slot),
            each.kind.name.lower().replace("_", " "),
            _outcome(each),
        )
    tables.console().print(table)


def _outcome(dispute: "Dispute") -> str:
    if dispute.paid_nano is not None:
        return f"upheld, paid {units.shown_money(dispute.paid_nano)}"
    return f"open until {units.shown_time(dispute.due_at)}" if dispute.outcome == "open" else "answered"
