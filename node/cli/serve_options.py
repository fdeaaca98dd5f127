"""What `wattbook serve` can be told besides its market: keys, the web, the chain's price, and whoever watches."""

from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.steps import MAX_CONFIRMATIONS
from matching.orders import MARKET_BYTES
from node.cli.common import store_option
from node.cli.keystore import given_password, opened_keystore

if TYPE_CHECKING:
    from node.parties import Parties

_KEYS, _WEB, _WATCH, _CHAIN = "Keys", "The web", "Whoever watches", "The chain"
_WEI_PER_GWEI = 10**9


def _addresses(proxies: list[str] | None) -> list[str] | None:
    for each in proxies or ():
        try:
            ip_network(each, strict=False)
        except ValueError:
            raise typer.BadParameter(f"{each} is not an IP address, nor a network of them") from None
    return proxies


def _market_name(name: str | None) -> str | None:
    if name is not None and len(name.encode()) > MARKET_BYTES:
        raise typer.BadParameter(f"must be at most {MARKET_BYTES} bytes")
    return name


MarketName = Annotated[
    str | None,
    typer.Option(
        "--market", help="Name of a new market, at most 32 bytes; by default community.", callback=_market_name
    ),
]
PartiesFile = Annotated[
    Path | None,
    typer.Option(
        "--parties",
        help="JSON file with the parties' keys, unencrypted: for development; else the keys everybody knows.",
        rich_help_panel=_KEYS,
    ),
]
KeystoreFolder = Annotated[
    Path | None,
    typer.Option(
        "--keystore",
        envvar="WATTBOOK_KEYSTORE",
        help="Folder with the parties' keys, encrypted: see 'wattbook keys'.",
        rich_help_panel=_KEYS,
    ),
]
TlsCertificate = Annotated[
    Path | None,
    typer.Option("--tls-cert", help="Certificate with its chain, PEM: serve HTTPS.", rich_help_panel=_WEB),
]
TlsKey = Annotated[
    Path | None, typer.Option("--tls-key", help="The certificate's private key, PEM.", rich_help_panel=_WEB)
]
Proxies = Annotated[
    list[str] | None,
    typer.Option(
        "--proxy-headers",
        metavar="ADDRESS",
        help="Believe the X-Forwarded headers of the proxy at this address; may be repeated.",
        rich_help_panel=_WEB,
        callback=_addresses,
    ),
]
Origins = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-origin",
        metavar="ORIGIN",
        help="Let web pages of this origin use the API, '*' for all; may be repeated.",
        rich_help_panel=_WEB,
    ),
]
AddressRate = Annotated[
    float,
    typer.Option(
        "--address-rate", min=0, help="Requests a second of one address; 0 for no limit.", rich_help_panel=_WEB
    ),
]
AccountRate = Annotated[
    float,
    typer.Option(
        "--account-rate", min=0, help="Orders a second of one account; 0 for no limit.", rich_help_panel=_WEB
    ),
]
ClosedReads = Annotated[
    bool, typer.Option("--closed-reads", help="Let only holders of an API key read.", rich_help_panel=_WEB)
]
StoreUrl = Annotated[
    str | None,
    store_option(
        "PostgreSQL database to keep the store in, which several nodes may share; else a file in --data. "
        "Passwords on a command line are seen by others: use the variable."
    ),
]
Confirmations = Annotated[
    int,
    typer.Option(
        "--confirmations",
        min=0,
        max=MAX_CONFIRMATIONS,
        help="Blocks on top of one that make it final; with --rpc.",
        rich_help_panel=_CHAIN,
    ),
]
MaxFee = Annotated[
    float | None,
    typer.Option(
        "--max-fee",
        min=0,
        metavar="GWEI",
        help="Pay at most so much for a unit of gas; slots wait while the chain asks for more.",
        rich_help_panel=_CHAIN,
    ),
]
MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=1,
        max=65535,
        help="Port for Prometheus, to be kept off the net.",
        rich_help_panel=_WATCH,
    ),
]
OpenMetrics = Annotated[
    bool, typer.Option("--open-metrics", help="Serve /metrics where the API is.", rich_help_panel=_WATCH)
]


def chosen_parties(parties: Path | None, keystore: Path | None, password_file: Path | None) -> "Parties":
    """The parties' keys, from wherever they are said to be.

    Raises:
        WattbookError: they are not there, or the password is wrong.
        OSError: the password's file cannot be read.
    """
    from node.parties import development_parties, read_parties

    if parties is not None and keystore is not None:
        raise typer.BadParameter("there are two sources of keys: give one", param_hint="--parties / --keystore")
    if keystore is not None:
        return opened_keystore(keystore).unlock(given_password(password_file))
    return development_parties() if parties is None else read_parties(parties)


def in_wei(gwei: float | None) -> int | None:
    """A price of gas in the chain's unit."""
    return None if gwei is None else round(gwei * _WEI_PER_GWEI)


def rate(per_s: float) -> float | None:
    """A rate as the node takes it: 0 means none."""
    return per_s or None
