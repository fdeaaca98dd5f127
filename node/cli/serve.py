"""`wattbook serve`: run a node."""

import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.endpoint import shown_url
from ledger.steps import MAX_CONFIRMATIONS
from ledger.validators import MAX_VALIDATORS
from matching.errors import WattbookError
from node.cli import serve_options as options
from node.cli.common import AsJson, address_of, fail, print_json
from node.cli.keystore import PasswordFile
from node.cli.onchain import endpoint
from node.logs import LogFormat, log_to

if TYPE_CHECKING:
    from node.composition import Node


def serve(
    *,
    data: Annotated[Path, typer.Option(help="The node's data folder; made if absent.")] = Path("var/node"),
    store: options.StoreUrl = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the API.")] = 8000,
    chain_port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the embedded chain's JSON-RPC.")
    ] = 8545,
    rpc: Annotated[
        str | None,
        typer.Option(help="JSON-RPC endpoint of a chain to use instead of the embedded one.", callback=endpoint),
    ] = None,
    confirmations: options.Confirmations = MAX_CONFIRMATIONS,
    max_fee: options.MaxFee = None,
    parties: options.PartiesFile = None,
    keystore: options.KeystoreFolder = None,
    password_file: PasswordFile = None,
    market: options.MarketName = None,
    design: Annotated[
        str | None,
        typer.Option(help="How a new market clears: uniform, discriminatory, continuous or preferences."),
    ] = None,
    validators: Annotated[
        str, typer.Option(help="Addresses that validate a new market's settlements, separated by commas.")
    ] = "",
    approvals: Annotated[int, typer.Option(min=0, help="How many of them must approve each settlement.")] = 0,
    zone: Annotated[
        str | None,
        typer.Option(help="EIC code, or the grid operator's name, of the zone that the market lies in."),
    ] = None,
    silent_hours: Annotated[
        float, typer.Option(min=0, help="How long a slot waits for silent meters before substitutes stand in.")
    ] = 6.0,
    requests_by_hand: Annotated[
        bool, typer.Option("--requests-by-hand", help="Let the operator decide requests for certificates.")
    ] = False,
    stepped_from: Annotated[
        int | None, typer.Option(help="Move the clock by hand, beginning at this Unix second.")
    ] = None,
    tls_cert: options.TlsCertificate = None,
    tls_key: options.TlsKey = None,
    proxy_headers: options.Proxies = None,
    allow_origin: options.Origins = None,
    address_rate: options.AddressRate = 100.0,
    account_rate: options.AccountRate = 50.0,
    closed_reads: options.ClosedReads = False,
    metrics_port: options.MetricsPort = None,
    open_metrics: options.OpenMetrics = False,
    log_format: Annotated[LogFormat, typer.Option(help="How the log looks, on standard error.")] = LogFormat.TEXT,
    json: AsJson = False,
) -> None:
    """Run a node: its API, its slots and, unless told another, its own chain."""
    # The chain takes a second to import, which the other subcommands should not wait for.
    from sqlalchemy.exc import DatabaseError

    from node.api.web import Web
    from node.composition import open_node, serving
    from node.config import DEFAULT_ZONE, Config
    from node.server import Front, require_free

    accounts = _validators(validators, approvals)
    log_to(sys.stderr, log_format)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        config = Config(
            data=data,
            store_url=store,
            host=host,
            port=port,
            chain_port=chain_port,
            rpc_url=rpc,
            stepped_from=stepped_from,
            market_name=market,
            design=design,
            validators=accounts,
            approvals=approvals,
            zone=DEFAULT_ZONE if zone is None else zone,
            substitute_after_s=round(silent_hours * 3_600),
            automatic_requests=not requests_by_hand,
            confirmations=confirmations,
            max_fee_wei=options.in_wei(max_fee),
            front=Front(tls_cert, tls_key, tuple(proxy_headers or ())),
            web=Web(tuple(allow_origin or ()), options.rate(address_rate), closed_reads, log_requests=True),
            account_rate=options.rate(account_rate),
            metrics_port=metrics_port,
            open_metrics=open_metrics,
            parties=options.chosen_parties(parties, keystore, password_file),
        )
        require_free(
            host, *(each for each in (port, metrics_port, None if rpc else chain_port) if each is not None)
        )
        with open_node(config) as node, serving(node):
            _tell(node, everybody_has_keys=parties is None and keystore is None, json=json)
            stop.wait()
    except (WattbookError, OSError) as error:
        fail(error)
    except DatabaseError as error:
        # SQLAlchemy's own message goes on with the statement.
        fail(f"the store cannot be used: {error.orig}")


def _tell(node: "Node", *, everybody_has_keys: bool, json: bool) -> None:
    config = node.config
    if json:
        print_json(
            {
                "url": node.url,
                "rpc_url": node.chain_url,
                "chain_id": node.chain.chain_id,
                "exchange": node.contracts.exchange.address,
                "market": node.market.id,
            }
        )
        return
    typer.echo(f"API        {node.url}/docs")
    typer.echo(f"JSON-RPC   {shown_url(node.chain_url)}, chain id {node.chain.chain_id}")
    typer.echo(f"Exchange   0x{node.contracts.exchange.address.hex()}")
    typer.echo(f"Operator's API key in {config.data / 'operator-api-key'}. Ctrl-C stops.")
    if config.metrics_port is not None:
        typer.echo(f"Metrics    http://{config.host}:{config.metrics_port}/metrics")
    if everybody_has_keys:
        typer.echo("All keys are development keys: everybody knows them.")


def _validators(text: str, approvals: int) -> tuple[bytes, ...]:
    accounts = tuple(address_of(part.strip(), "--validators") for part in text.split(",") if part.strip())
    if len(set(accounts)) < len(accounts):
        raise typer.BadParameter("the same address twice", param_hint="--validators")
    if len(accounts) > MAX_VALIDATORS:
        raise typer.BadParameter(f"at most {MAX_VALIDATORS}", param_hint="--validators")
    if not accounts and approvals:
        raise typer.BadParameter("must be 0, as nobody validates", param_hint="--approvals")
    if accounts and not 1 <= approvals <= len(accounts):
        raise typer.BadParameter(f"must be 1 to {len(accounts)}, all of them", param_hint="--approvals")
    return accounts
