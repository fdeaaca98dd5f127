"""`wattbook audit`: re-verify a market's whole history."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from ledger.hexcodec import from_data, to_data
from ledger.jsonrpc import JsonRpcChain
from matching.errors import WattbookError
from node.cli import units
from node.cli.common import AsJson, in_words, print_json, store_option
from node.cli.keys import ReadKey

if TYPE_CHECKING:
    from ledger.chain import Chain
    from node.auditing import NodeAudit

FINDINGS, NOT_AUDITED = 1, 2
"""Exit statuses, besides 0 if everything holds."""


def audit(
    *,
    rpc: Annotated[
        str, typer.Option(envvar="WATTBOOK_RPC", help="The chain's JSON-RPC endpoint.")
    ] = "http://127.0.0.1:8545",
    exchange: Annotated[
        str | None,
        typer.Option(help="The Exchange's address; default: as in the data folder, or as the node says."),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="A node's data folder, to hold its store against the chain too.")
    ] = None,
    node: Annotated[
        str | None, typer.Option(help="A node's URL, to fetch its orders and clear every slot again.")
    ] = None,
    api_key: ReadKey = None,
    checkpoint: Annotated[
        Path | None, typer.Option(help="A file to go on from, if it exists, and to write how far the audit came.")
    ] = None,
    store: Annotated[
        str | None,
        store_option("The PostgreSQL database of a node's store, to hold it against the chain too."),
    ] = None,
    evidence: Annotated[
        Path | None,
        typer.Option(help="A folder of `wattbook readings export`, to hold what meters signed against the chain."),
    ] = None,
    json: AsJson = False,
) -> None:
    """Recompute signers, limits, conservation, balances and certificates from the chain alone.

    Exit status 0 if everything holds, 1 if anything is wrong, 2 if it could not be audited.
    """
    if data is not None and not data.is_dir():
        raise typer.BadParameter(f"{data} is no folder", param_hint="--data")
    compared = data or (store if node is None else None)
    if compared is not None and (node, checkpoint, evidence) != (None, None, None):
        raise typer.BadParameter("a store is compared as a whole: without --node, --checkpoint and --evidence")
    if evidence is not None and not evidence.is_dir():
        raise typer.BadParameter(f"{evidence} is no folder", param_hint="--evidence")
    if checkpoint is not None and not checkpoint.parent.is_dir():
        raise typer.BadParameter(f"{checkpoint.parent} is no folder", param_hint="--checkpoint")
    address = None if exchange is None else _address(exchange)
    try:
        with closing(JsonRpcChain(rpc)) as chain:
            audited = _audited(
                chain, address, compared, node, api_key=api_key, checkpoint=checkpoint, evidence=evidence
            )
    except (WattbookError, OSError) as error:
        _could_not(error)
    summary = _summary(audited)
    if json:
        print_json(summary)
    else:
        _show(summary)
    if audited.findings:
        raise typer.Exit(FINDINGS)


def _audited(
    chain: "Chain",
    exchange: bytes | None,
    store: Path | str | None,
    node: str | None,
    *,
    api_key: str | None,
    checkpoint: Path | None,
    evidence: Path | None,
) -> "NodeAudit":
    from ledger.audit.evidence_files import read_evidence
    from node.auditing import audit_chain, audit_folder, audit_shared, audit_url

    files = None if evidence is None else read_evidence(evidence)
    if isinstance(store, Path):
        return audit_folder(chain, store, exchange=exchange)
    if store is not None:
        return audit_shared(chain, store, exchange=exchange)
    if node is not None:
        return audit_url(chain, exchange, node, api_key=api_key, checkpoint=checkpoint, evidence=files)
    if exchange is None:
        raise typer.BadParameter("name the exchange, a node, a data folder or a store", param_hint="--exchange")
    return audit_chain(chain, exchange, checkpoint=checkpoint, evidence=files)


def _could_not(error: Exception) -> NoReturn:
    typer.echo(f"error: could not audit: {in_words(error)}", err=True)
    raise typer.Exit(NOT_AUDITED)


def _address(text: str) -> bytes:
    try:
        address = from_data(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--exchange") from error
    if len(address) != 20:
        raise typer.BadParameter("must be 0x and 40 hexadecimal digits", param_hint="--exchange")
    return address


def _summary(audited: "NodeAudit") -> dict[str, Any]:
    report, model, totals = audited.chain, audited.chain.model, audited.chain.totals
    evidence = audited.evidence
    is_on_chain = all(market.uniform_price for market in model.markets.values())
    return {
        "exchange": to_data(report.exchange),
        "chain_id": report.chain_id,
        "first_block": report.first_block,
        "last_block": report.last_block,
        "resumed_from": report.resumed_from,
        "compared_with_store": audited.with_store,
        "compared_with_node": audited.with_node,
        "evidence_readings": None if evidence is None else evidence.readings,
        "evidence_days": None if evidence is None else len(evidence.days),
        "evidence_devices": None if evidence is None else len(evidence.devices),
        "checks": audited.checks,
        "markets": len(model.markets),
        "accounts": len(model.accounts),
        "slots": totals.slots,
        "filled_orders": totals.filled_orders,
        # Who traded with whom follows from the chain where there is one price; otherwise only the node knows.
        "trades": totals.trades if is_on_chain else None,
        "traded_wh": totals.traded_wh,
        "escrow_nano": str(model.credits_nano),
        "bonds_nano": str(sum(state.bond_nano for state in model.states.values())),
        "certificates_issued_wh": totals.issued_wh,
        "certificates_retired_wh": totals.retired_wh,
        "notes": list(report.notes),
        "findings": [
            {"rule": f.rule, "where": f.where, "expected": f.expected, "found": f.found} for f in audited.findings
        ],
    }


def _show(summary: dict[str, Any]) -> None:
    from ledger.audit.rules import NODE_RULES, RULES

    console = Console()
    table = Table(title=f"Audit of {summary['exchange']}", show_header=False)
    for name, value in summary.items():
        if name not in ("findings", "exchange", "notes") and value is not None:
            table.add_row(*_in_words(name, value))
    table.columns[1].justify = "right"
    console.print(table)
    for note in summary["notes"]:
        console.print(f"[yellow]note:[/] {note}", soft_wrap=True)
    for finding in summary["findings"]:
        meaning = (RULES | NODE_RULES).get(finding["rule"])
        console.print(f"[red]{finding['rule']}[/]: {finding['where']}", soft_wrap=True)
        if meaning is not None:
            console.print(f"    {meaning}", soft_wrap=True, markup=False, highlight=False)
        console.print(f"    expected {finding['expected']}", soft_wrap=True, markup=False)
        console.print(f"    found    {finding['found']}", soft_wrap=True, markup=False)
    console.print(
        "[green]Everything holds.[/]" if not summary["findings"] else "[red]The history does not hold.[/]"
    )


def _in_words(name: str, value: Any) -> tuple[str, str]:
    """What is told, as people say it: its name without its unit, its value with people's."""
    for suffix, shown in (("_wh", units.shown_energy), ("_nano", units.shown_money)):
        if name.endswith(suffix):
            return name.removesuffix(suffix).replace("_", " "), shown(int(value))
    if isinstance(value, bool):
        return name.replace("_", " "), "yes" if value else "no"
    return name.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value)
