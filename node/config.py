"""What a node is told at its start."""

from dataclasses import dataclass, field
from pathlib import Path

from ledger.deployment import MarketTerms
from ledger.steps import MAX_CONFIRMATIONS
from matching.tariff import Tariff
from node.api.web import Web
from node.intake import Limits
from node.parties import Parties, development_parties
from node.server import Front

DEFAULT_TARIFF = Tariff(retail_price=220_000, feed_in_price=90_000, grid_fee=10_000)

DEFAULT_ZONE = "local"
"""The zone of a community that has not said in which one it lies."""

SUBSTITUTE_AFTER_S = 6 * 3_600
"""How long a slot waits for silent meters, unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """What a node is told at its start.

    Attributes:
        data: its data folder.
        store_url: the PostgreSQL database that it keeps its store in, perhaps with other nodes; None for a file in
            the data folder.
        rpc_url: the chain's JSON-RPC endpoint; None for the embedded chain.
        confirmations: how many blocks on top of a step's block of that chain make it final; the embedded chain
            never re-organises.
        stepped_from: None for the time of day; else the clock is moved by hand, and this is where it begins.
        market_name: of a new market, None for `community`; its UTF-8 bytes, at most 32, are the market's id. An
            existing one's must be the same, or None.
        terms, tariff: of a new market; an existing one keeps its own. Whether its price is uniform follows from
            the design.
        validators, approvals: the validators' addresses of a new market, and how many of them must sign each
            settlement; none and 0 if nobody has to.
        design: of a new market, None for uniform; an existing one's must be the same, or None.
        zone: EIC code, or the grid operator's name, of the bidding zone or grid area that devices are in for which
            no other is named.
        substitute_after_s: how long a slot that is over waits for silent meters, seconds.
        automatic_requests: whether requests for certificates are decided by policy, and not by the operator.
        front: TLS, and the proxies that are trusted.
        web: who may use the API from where, and how often.
        account_rate: orders and cancellations a second of one account; None for as many as come.
        metrics_port: where Prometheus asks, at the same host; None for nowhere.
        open_metrics: whether it may also ask where the API is.
        max_fee_wei: the most that a slot's step pays for a unit of gas; None for as much as it takes.
    """

    data: Path
    store_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8000
    chain_port: int = 8545
    rpc_url: str | None = None
    confirmations: int = MAX_CONFIRMATIONS
    stepped_from: int | None = None
    market_name: str | None = None
    terms: MarketTerms = field(default_factory=MarketTerms)
    tariff: Tariff = DEFAULT_TARIFF
    design: str | None = None
    validators: tuple[bytes, ...] = ()
    approvals: int = 0
    zone: str = DEFAULT_ZONE
    substitute_after_s: int = SUBSTITUTE_AFTER_S
    automatic_requests: bool = True
    front: Front = field(default_factory=Front)
    web: Web = field(default_factory=Web)
    account_rate: float | None = None
    metrics_port: int | None = None
    open_metrics: bool = False
    max_fee_wei: int | None = None
    limits: Limits = field(default_factory=Limits)
    parties: Parties = field(default_factory=development_parties)
