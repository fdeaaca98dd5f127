"""`wattbook archive` and `wattbook rebuild`: what the chain does not know, kept apart, and a store made anew."""

import time
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from ledger.jsonrpc import JsonRpcChain
from matching.errors import WattbookError
from node.cli.audit import FINDINGS, NOT_AUDITED
from node.cli.common import AsJson, fail, in_words, print_json, store_option


def archive(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    *,
    data: Annotated[Path, typer.Option(help="The node's data folder; it may be running.")] = Path("var/node"),
    store: Annotated[
        str | None,
        store_option("The PostgreSQL database of the node's store; else the file in --data."),
    ] = None,
) -> None:
    """Write signed orders and readings, names, devices and keys: all that a store has and the chain has not."""
    from node.archive import archive_node

    if store is None and not data.is_dir():
        raise typer.BadParameter(f"{data} is no folder", param_hint="--data")
    try:
        orders = archive_node(data, folder, made_at=int(time.time()), store_url=store)
    except (WattbookError, OSError) as error:
        fail(error)
    typer.echo(f"{orders} orders in {folder}. It names members and devices: keep it to yourself.")


def rebuild(
    *,
    orders: Annotated[Path, typer.Option(help="The folder that `wattbook archive` wrote.", file_okay=False)],
    data: Annotated[Path, typer.Option(help="A new data folder.")],
    rpc: Annotated[
        str, typer.Option(envvar="WATTBOOK_RPC", help="The chain's JSON-RPC endpoint.")
    ] = "http://127.0.0.1:8545",
    store: Annotated[
        str | None,
        store_option("An empty PostgreSQL database to make the store in; else a file in --data."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Make a node's store anew from the chain and an archive, and hold it against the chain.

    Exit status 0 if everything holds, 1 if anything is wrong, 2 if it could not be made.
    """
    from node.archive import Archive
    from node.rebuild import LOST
    from node.rebuild import rebuild as rebuilt_from

    try:
        archived = Archive(orders)
        with closing(JsonRpcChain(rpc)) as chain:
            found = rebuilt_from(chain, archived, data, store_url=store)
    except (WattbookError, OSError) as error:
        typer.echo(f"error: could not rebuild: {in_words(error)}", err=True)
        raise typer.Exit(NOT_AUDITED) from error
    if json:
        print_json(
            {
                "slots": found.slots,
                "orders": found.orders,
                "findings": [{"rule": it.rule, "where": it.where} for it in found.findings],
                "lost": list(LOST),
            }
        )
    else:
        typer.echo(f"{found.slots} slots and {found.orders} orders in {data}. Lost for good:")
        for each in LOST:
            typer.echo(f"  {each}")
        for it in found.findings:
            typer.echo(f"{it.rule}: {it.where}: expected {it.expected}, found {it.found}", err=True)
    if found.findings:
        raise typer.Exit(FINDINGS)
