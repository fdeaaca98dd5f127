"""What the subcommands share that need no node: the chain's endpoint, the exchange and a key."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.chain import Chain
from ledger.hexcodec import from_data
from ledger.jsonrpc import JsonRpcChain
from ledger.keys import Key
from matching.errors import WattbookError
from matching.orders import MARKET_BYTES
from node.cli.common import address_of, fail
from node.cli.keys import member_key

if TYPE_CHECKING:
    from ledger.deployment import Contracts

DEFAULT_RPC = "http://127.0.0.1:8545"


def endpoint(url: str | None) -> str | None:
    """The URL of a chain, if it can be one. It is not repeated, as providers' URLs hold secrets."""
    if url is not None and not url.lower().startswith(("http://", "https://")):
        raise typer.BadParameter("must be an http:// or https:// URL")
    return url


Rpc = Annotated[
    str,
    typer.Option("--rpc", envvar="WATTBOOK_RPC", help="The chain's JSON-RPC endpoint.", callback=endpoint),
]
Exchange = Annotated[
    str, typer.Option("--exchange", envvar="WATTBOOK_EXCHANGE", help="The Exchange's address.", show_default=False)
]
MarketName = Annotated[
    str | None,
    typer.Option(
        "--market", help="A market's name, or its id in hexadecimal; by default your own, or the only one."
    ),
]


@dataclass(frozen=True)
class OnChain:
    """The contracts, and the key to act with."""

    chain: Chain
    contracts: "Contracts"
    key: Key

    def market(self, name: str | None) -> bytes:
        """The id of the market that is meant.

        Raises:
            NoMarketError: none was named, and it does not go without saying.
        """
        from ledger.recourse import home_market

        return home_market(self.contracts, self.key.address) if name is None else market_id(name)


@contextmanager
def on_chain(rpc: str, exchange: str, key: str | None, key_file: Path | None) -> Iterator[OnChain]:
    """The way to the contracts with a key; whatever is refused inside ends the command."""
    signer = member_key(key, key_file)
    with looking_at(rpc, exchange) as (chain, contracts):
        yield OnChain(chain, contracts, signer)


@contextmanager
def looking_at(rpc: str, exchange: str) -> "Iterator[tuple[Chain, Contracts]]":
    """The way to the contracts without a key; whatever is refused inside ends the command."""
    # The contracts take a second to import, which the other subcommands should not wait for.
    from ledger.deployment import attach

    address = address_of(exchange, "--exchange")
    try:
        with closing(JsonRpcChain(rpc)) as chain:
            yield chain, attach(chain, address)
    except WattbookError as error:
        fail(error)


def market_id(name: str) -> bytes:
    """The id of a market that is named, or given in hexadecimal."""
    try:
        market = from_data(name) if name.startswith("0x") else name.encode().ljust(MARKET_BYTES, b"\0")
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--market") from error
    if len(market) != MARKET_BYTES:
        raise typer.BadParameter(f"must be {MARKET_BYTES} bytes", param_hint="--market")
    return market
