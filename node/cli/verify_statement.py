"""`wattbook certificates verify`: what a statement is worth, by the chain alone."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from ledger.hexcodec import to_data
from ledger.jsonrpc import JsonRpcChain
from matching.errors import WattbookError
from node.cli.common import AsJson, address_of, in_words, print_json, require_folder_of
from node.cli.onchain import DEFAULT_RPC, Rpc

if TYPE_CHECKING:
    from ledger.statements.verdict import Verdict

UNCHECKABLE = 5
"""Exit status if no verdict was possible; the others are `Outcome.exit_status`."""


def verify_statement(
    file: Annotated[
        Path, typer.Argument(help="A signed statement, or a PDF with one.", exists=True, dir_okay=False)
    ],
    *,
    rpc: Rpc = DEFAULT_RPC,
    exchange: Annotated[
        str | None,
        typer.Option(
            help="The Exchange's address, as the community publishes it. Without it, the contracts that the "
            "statement names are checked for their code only, which anybody can deploy."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option(help="A file to write the verdict to, as a page of its own.", dir_okay=False)
    ] = None,
    json: AsJson = False,
) -> None:
    """Make a statement anew from the chain and compare; nobody else is asked.

    Exit status 0 if it is valid, 3 if it was corrected since, 4 if it is forged, 5 if it cannot be checked.
    """
    require_folder_of(html, "--html")
    address = None if exchange is None else address_of(exchange, "--exchange")
    # The contracts take a second to import, which the other subcommands should not wait for.
    from ledger.statements.page import to_html
    from ledger.statements.verification import verify

    try:
        with closing(JsonRpcChain(rpc)) as chain:
            verdict = verify(file.read_bytes(), chain, exchange=address)
        if html is not None:
            html.write_text(to_html(verdict), encoding="utf-8")
    except (WattbookError, OSError) as error:
        typer.echo(f"error: could not check: {in_words(error)}", err=True)
        raise typer.Exit(UNCHECKABLE) from error
    if json:
        print_json(_summary(verdict))
    else:
        _show(verdict)
    raise typer.Exit(verdict.outcome.exit_status)


def _summary(verdict: "Verdict") -> dict[str, Any]:
    signed = verdict.signed
    return {
        "outcome": verdict.outcome.value,
        "reasons": list(verdict.reasons),
        "corrections": [
            {
                "certificate": f"{int(each.certificate):#x}",
                "reason": each.reason,
                "issued_wh": each.issued_wh,
                "successor": None if each.successor is None else f"{int(each.successor):#x}",
                "corrected_wh": each.corrected_wh,
                "shortfall_wh": each.shortfall_wh,
                "block": each.block,
                "transaction": to_data(each.transaction),
            }
            for each in verdict.corrections
        ],
        "pages": None if verdict.pages is None else verdict.pages.value,
        "head": verdict.head,
        "statement": None if signed is None else to_data(signed.digest),
        "kind": None if signed is None else signed.statement.kind.value,
        "exchange": None if signed is None else to_data(signed.statement.chain.exchange),
        "issuer": None if signed is None else to_data(signed.statement.issuer),
        "total_wh": None if signed is None else signed.statement.total_wh,
    }


def _show(verdict: "Verdict") -> None:
    from ledger.statements import words
    from ledger.statements.verdict import Outcome

    console = Console()
    colours = {Outcome.VALID: "green", Outcome.CORRECTED: "yellow", Outcome.FORGED: "red"}
    console.print(f"[{colours.get(verdict.outcome, 'magenta')}]{verdict.outcome.value.capitalize()}[/]")
    for reason in verdict.reasons:
        console.print(f"  {reason}", soft_wrap=True, markup=False, highlight=False)
    for each in verdict.corrections:
        corrected = "not corrected yet" if each.corrected_wh is None else words.energy(each.corrected_wh)
        shortfall = f", shortfall {words.energy(each.shortfall_wh)}" if each.shortfall_wh else ""
        console.print(
            f"  {each.certificate}: {words.energy(each.issued_wh)} -> {corrected}{shortfall} ({each.reason})",
            soft_wrap=True, markup=False, highlight=False,
        )  # fmt: skip
    if verdict.signed is not None:
        statement = verdict.signed.statement
        lines = (
            f"{words.TITLES[statement.kind]} {to_data(verdict.signed.digest)}",
            f"about {words.subject(statement)}, {words.period(statement.scope)}",
            words.energy(statement.total_wh),
            f"issuer {to_data(statement.issuer)}, Exchange {to_data(statement.chain.exchange)}",
        )
        for line in lines:
            console.print(f"  {line}", soft_wrap=True, markup=False, highlight=False)
