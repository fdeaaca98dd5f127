"""`wattbook demo`: one real sunny day of 17 homes, traded over HTTP and settled on the embedded chain."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from matching.errors import WattbookError
from node.cli.common import AsJson, fail, print_json


def demo(
    *,
    data: Annotated[Path, typer.Option(help="The demonstration's data folder; made if absent.")] = Path(
        "var/demo"
    ),
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API.")] = 8000,
    chain_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the chain's JSON-RPC.")] = 8545,
    first_slot: Annotated[
        int, typer.Option(min=0, max=95, help="Begin with this quarter hour of the day, from 0.")
    ] = 0,
    slots: Annotated[int | None, typer.Option(min=1, help="Trade only so many quarter hours.")] = None,
    pace: Annotated[float, typer.Option(min=0, help="Seconds for a quarter hour after the day.")] = 15.0,
    serve: Annotated[bool, typer.Option("--serve/--exit", help="Go on after the day, or exit.")] = True,
    json: AsJson = False,
) -> None:
    """Trade one real sunny day of 17 homes, then go on serving. Started again, it goes on where it stopped."""
    # The chain and the data take seconds to import, which the other subcommands should not wait for.
    from node.demo.run import DemoOptions, run_demo
    from node.logs import log_to

    data.mkdir(parents=True, exist_ok=True)
    options = DemoOptions(
        data=data,
        host=host,
        port=port,
        chain_port=chain_port,
        first_slot=first_slot,
        slots=slots,
        pace_s=pace,
        serve=serve,
    )
    try:
        with (data / "node.log").open("a", encoding="utf-8") as log:
            log_to(log)
            outcome = run_demo(options, Console(stderr=json))
    except KeyboardInterrupt:
        typer.echo("Stopped. The same command goes on from here.", err=True)
        raise typer.Exit(130) from None
    except (WattbookError, OSError) as error:
        fail(error)
    if json:
        print_json(outcome.day)
    if outcome.audit.findings:
        raise typer.Exit(1)
