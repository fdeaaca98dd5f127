"""`wattbook validate`: clear a market's slots again and approve their settlements, or refuse."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from ledger.jsonrpc import JsonRpcChain
from matching.errors import WattbookError
from node.cli.common import AsJson, address_of, in_words, parsed_key, print_json
from node.cli.keys import ReadKey
from node.cli.onchain import DEFAULT_RPC, Rpc
from node.logs import log_to

if TYPE_CHECKING:
    from ledger.keys import Key
    from node.validating.validator import Validator, Verdict

REFUSED, NOT_VALIDATED = 1, 2
"""Exit statuses with `--once`, besides 0 if everything that was proposed is approved."""

_PATIENCE_S = 3.0


def validate(
    *,
    node: Annotated[str, typer.Option("--node", envvar="WATTBOOK_URL", help="The operator's node.")],
    key_file: Annotated[
        Path,
        typer.Option(
            "--key",
            help="A file with the validator's private key, in hexadecimal.",
            exists=True,
            dir_okay=False,
        ),
    ],
    api_key: ReadKey = None,
    rpc: Rpc = DEFAULT_RPC,
    exchange: Annotated[
        str | None, typer.Option(help="The Exchange's address; by default as the node says.")
    ] = None,
    design: Annotated[str | None, typer.Option(help="How the market clears, if not at a uniform price.")] = None,
    data: Annotated[
        Path, typer.Option(help="Where the validator keeps what it signed and what it refused.")
    ] = Path("var/validator"),
    once: Annotated[bool, typer.Option("--once", help="Judge what is proposed now, and end.")] = False,
    json: AsJson = False,
) -> None:
    """Clear each slot again from its orders and the chain, and sign its settlement if it is the same.

    With --once, exit status 0 if everything proposed is approved, 1 if something is refused, 2 if nobody can tell.
    """
    key = parsed_key(key_file.read_text(encoding="utf-8").strip())
    address = None if exchange is None else address_of(exchange, "--exchange")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with _validator(node, rpc, key, api_key=api_key, exchange=address, design=design, data=data) as validator:
            if once:
                _end(validator.look(), json=json)
            log_to(sys.stderr)
            validator.run(stop)
    except (WattbookError, OSError) as error:
        typer.echo(f"error: could not validate: {in_words(error)}", err=True)
        raise typer.Exit(NOT_VALIDATED) from error


@contextmanager
def _validator(
    url: str,
    rpc: str,
    key: "Key",
    *,
    api_key: str | None,
    exchange: bytes | None,
    design: str | None,
    data: Path,
) -> "Iterator[Validator]":
    """A validator, wired together.

    Raises:
        WattbookError: it cannot work; see `node.validating`.
    """
    from ledger.deployment import attach
    from ledger.eip712 import Domain
    from node.validating.errors import ValidatorError
    from node.validating.proposal import ProposalClient
    from node.validating.signed import SignedSlots
    from node.validating.validator import Refusals, Validator

    with (
        closing(JsonRpcChain(rpc)) as chain,
        ProposalClient(url, patience_s=_PATIENCE_S, api_key=api_key) as client,
    ):
        answer = client.market()
        if exchange not in (None, answer.domain.exchange):
            raise ValidatorError(f"{url} trades on exchange 0x{answer.domain.exchange.hex()}")
        # Whatever the node says, a signature counts for this exchange on this chain alone, and for a market that
        # names this key. And the first market that is validated with this folder is the only one.
        domain = Domain(chain.chain_id, answer.domain.exchange)
        contracts = attach(chain, domain.exchange)
        with SignedSlots(data / "signed.jsonl", domain=domain, market=answer.id, key=key) as signed:
            yield Validator(
                client=client,
                contracts=contracts,
                market=answer.id,
                design=design,
                key=key,
                signed=signed,
                refusals=Refusals(data / "refused.jsonl"),
            )


def _end(verdicts: "list[Verdict]", *, json: bool) -> NoReturn:
    if json:
        print_json(verdicts)
    else:
        if not verdicts:
            typer.echo("Nothing is proposed that this validator has not approved.")
        for verdict in verdicts:
            typer.echo(
                f"slot {verdict.slot} " + ("approved" if verdict.code is None else f"refused: {verdict.reason}")
            )
    raise typer.Exit(REFUSED if any(verdict.code is not None for verdict in verdicts) else 0)
