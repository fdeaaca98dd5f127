"""`wattbook audit`: re-verify a market's whole history."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ledger.hexcodec import from_data, to_data
from ledger.jsonrpc import JsonRpcChain
from matching.errors import WattbookError
from node.cli.common import AsJson, fail, print_json

if TYPE_CHECKING:
    from node.auditing import NodeAudit


def audit(
    *,
    rpc: Annotated[
        str, typer.Option(envvar="WATTBOOK_RPC", help="The chain's JSON-RPC endpoint.")
    ] = "http://127.0.0.1:8545",
    exchange: Annotated[
        str | None, typer.Option(help="The Exchange's address; default: as in the data folder.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="A node's data folder, to hold its store against the chain too.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Recompute signers, limits, conservation, balances and certificates from the chain alone.

    Exit status 0 if everything holds, 1 if anything is wrong.
    """
    from node.auditing import audit_chain, audit_folder

    if data is not None and not data.is_dir():
        raise typer.BadParameter(f"{data} is no folder", param_hint="--data")
    address = None if exchange is None else _address(exchange)
    try:
        with closing(JsonRpcChain(rpc)) as chain:
            if data is not None:
                audited = audit_folder(chain, data, exchange=address)
            elif address is not None:
                audited = audit_chain(chain, address)
            else:
                raise typer.BadParameter("name the exchange or a data folder", param_hint="--exchange")
    except WattbookError as error:
        fail(error)
    summary = _summary(audited)
    if json:
        print_json(summary)
    else:
        _show(summary)
    if audited.findings:
        raise typer.Exit(1)


def _address(text: str) -> bytes:
    try:
        address = from_data(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--exchange") from error
    if len(address) != 20:
        raise typer.BadParameter("must be 0x and 40 hexadecimal digits", param_hint="--exchange")
    return address


def _summary(audited: "NodeAudit") -> dict[str, Any]:
    model = audited.chain.model
    slots = model.slots.values()
    is_on_chain = all(market.uniform_price for market in model.markets.values())
    certificates = model.certificates.values()
    return {
        "exchange": to_data(audited.chain.exchange),
        "chain_id": audited.chain.chain_id,
        "last_block": audited.chain.last_block,
        "compared_with_store": audited.with_store,
        "checks": audited.checks,
        "accounts": len(model.accounts),
        "slots": len(slots),
        "filled_orders": sum(len(slot.fills) for slot in slots),
        # Who traded with whom follows from the chain where there is one price; otherwise only the node knows.
        "trades": sum(len(slot.trades) for slot in slots) if is_on_chain else None,
        "traded_wh": sum(slot.bought_wh for slot in slots),
        "escrow_nano": str(model.credits_nano),
        "certificates_issued_wh": sum(certificate.issued_wh for certificate in certificates),
        "certificates_retired_wh": sum(sum(certificate.retired_wh.values()) for certificate in certificates),
        "findings": [
            {"rule": f.rule, "where": f.where, "expected": f.expected, "found": f.found} for f in audited.findings
        ],
    }


def _show(summary: dict[str, Any]) -> None:
    console = Console()
    table = Table(title=f"Audit of {summary['exchange']}", show_header=False)
    for name, value in summary.items():
        if name not in ("findings", "exchange") and value is not None:
            shown = f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
            table.add_row(name.replace("_", " "), shown)
    table.columns[1].justify = "right"
    console.print(table)
    for finding in summary["findings"]:
        console.print(f"[red]{finding['rule']}[/]: {finding['where']}", soft_wrap=True)
        console.print(f"    expected {finding['expected']}", soft_wrap=True, markup=False)
        console.print(f"    found    {finding['found']}", soft_wrap=True, markup=False)
    console.print(
        "[green]Everything holds.[/]" if not summary["findings"] else "[red]The history does not hold.[/]"
    )
