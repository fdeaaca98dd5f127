"""`wattbook chain`: a development chain alone, for wallets, scripts and nodes to attach to."""

import signal
import socket
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.hexcodec import to_data
from matching.errors import WattbookError
from node.cli.common import AsJson, fail, print_json
from node.cli.explore import blocks, show

if TYPE_CHECKING:
    from ledger.devchain import DevChain

MAX_ACCOUNTS = 1_000
MAX_CHAIN_ID = 2**53 - 1
"""The largest that a program in JavaScript can tell from its neighbours."""

_WEI_DIGITS = 18
_WARNING = (
    "Everybody knows these accounts and their keys. Whatever is sent to them on a public network is lost: use them"
    " here only."
)


chain_app = typer.Typer(
    help="Run a development chain alone, or look into any chain.",
    invoke_without_command=True,
    add_completion=False,
)
for _command in (show, blocks):
    chain_app.command()(_command)


@chain_app.callback()
def chain(
    context: typer.Context,
    *,
    state_dir: Annotated[Path, typer.Option(help="Where the chain lives; made if absent.")] = Path("var/chain"),
    accounts: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MAX_ACCOUNTS,
            help="How many development accounts own money on a new chain.",
            show_default="40",
        ),
    ] = None,
    chain_id: Annotated[
        int | None, typer.Option(min=1, max=MAX_CHAIN_ID, help="Chain id of a new chain.", show_default="31337")
    ] = None,
    block_time: Annotated[
        float | None,
        typer.Option(min=0.1, help="Also mine an empty block each so many seconds.", metavar="SECONDS"),
    ] = None,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[str, typer.Option(metavar="PORT", help="Port; 0 for any free one.")] = "8545",
    cors_origin: Annotated[
        list[str] | None, typer.Option(help="Let web pages of this origin in, '*' for all; may be repeated.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option(help="Write the chain to this state file, and end.", metavar="FILE")
    ] = None,
    import_: Annotated[
        Path | None,
        typer.Option("--import", help="Begin a new chain with this state file, then serve it.", metavar="FILE"),
    ] = None,
    json: AsJson = False,
) -> None:
    """Run a development chain alone: JSON-RPC over HTTP, and everything it has mined is kept on disk."""
    if context.invoked_subcommand is not None:
        return
    # The chain takes a second to import, which the other subcommands should not wait for.
    from ledger.devchain.rpc.server import listening
    from ledger.devchain.transfer import export_state, import_state

    try:
        with ExitStack() as stack:
            # First of all, so that a port in use is known before anything is written.
            listener = None if export else stack.enter_context(listening(host, _number(port)))
            if import_ is not None:
                import_state(import_, state_dir)
            if export is not None:
                contents = export_state(state_dir, export)
                typer.echo(f"Wrote {contents.blocks} blocks, head {to_data(contents.head_hash)}, to {export}")
            if listener is not None:
                _serve(
                    listener,
                    state_dir,
                    chain_id=chain_id,
                    accounts=accounts,
                    block_time_s=block_time,
                    cors_origins=cors_origin or (),
                    json=json,
                )
    except (WattbookError, OSError) as error:
        fail(error)


def _serve(
    listener: socket.socket,
    state_dir: Path,
    *,
    chain_id: int | None,
    accounts: int | None,
    block_time_s: float | None,
    cors_origins: Sequence[str],
    json: bool,
) -> None:
    """Open the chain and serve it until a signal comes."""
    from ledger.devchain import DevChain, dev_accounts
    from ledger.devchain.heartbeat import mining_every
    from ledger.devchain.rpc import create_app
    from ledger.devchain.rpc.server import address_of, serving

    stop = threading.Event()
    with ExitStack() as stack:
        opened = DevChain.open(
            state_dir,
            clock=lambda: int(time.time()),
            chain_id=chain_id,
            accounts=None if accounts is None else dev_accounts(accounts),
        )
        stack.enter_context(closing(opened))
        if block_time_s is not None:
            stack.enter_context(mining_every(opened, block_time_s))
        stack.enter_context(serving(create_app(opened, cors_origins=cors_origins), listener))
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        _tell(opened, state_dir, address_of(listener), json=json)
        stop.wait()


def _tell(opened: "DevChain", state_dir: Path, address: str, *, json: bool) -> None:
    """The banner, in the form and with the last line that users of other development chains know."""
    from eth_utils.address import to_checksum_address

    from ledger.devchain.accounts import DERIVATION_PATH, MNEMONIC

    names = [to_checksum_address(account.address) for account in opened.accounts]
    keys = [to_data(account.private_key) for account in opened.accounts]
    head, first = opened.head(), opened.block(0)
    if json:
        print_json(
            {
                "url": f"http://{address}",
                "chain_id": opened.chain_id,
                "state_dir": str(state_dir.resolve()),
                "head": {"number": head.number, "hash": head.hash},
                "accounts": [{"address": name, "private_key": key} for name, key in zip(names, keys, strict=True)],
            }
        )
        return
    balances = [_coins(opened.balance(account.address)) for account in opened.accounts]
    _section("Available Accounts", _numbered(map("{} ({} ETH)".format, names, balances)))
    _section("Private Keys", _numbered(keys))
    typer.echo(_WARNING)
    _section("Wallet", [f"Mnemonic:          {MNEMONIC}", f"Derivation path:   {DERIVATION_PATH}/"])
    _section("Chain ID", [str(opened.chain_id)])
    _section("Base Fee", [str(opened.next_base_fee_wei())])
    _section("Genesis Timestamp", [str(0 if first is None else first.timestamp)])
    _section("State", [f"Directory:         {state_dir.resolve()}", f"Head:              {head.number}"])
    typer.echo(f"URL: http://{address}. Ctrl-C stops; started again, the chain goes on from here.")
    typer.echo(f"Listening on {address}")


def _number(port: str) -> int:
    # Not typer's own check, which takes several lines to say it.
    if not (port.isascii() and port.isdigit()):
        fail(f"port is {port!r:.80}: must be a number")
    return int(port[:9])


def _section(title: str, lines: Iterable[str]) -> None:
    typer.echo("\n".join([title, "=" * len(title), *lines, ""]))


def _numbered(lines: Iterable[str]) -> list[str]:
    return [f"({number}) {line}" for number, line in enumerate(lines)]


def _coins(wei: int) -> str:
    whole, rest = divmod(wei, 10**_WEI_DIGITS)
    return f"{whole}.{rest:0{_WEI_DIGITS}}"
