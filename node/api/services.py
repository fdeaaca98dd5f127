"""What the routers work with."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from ledger.eip712 import Domain
from ledger.market import Market
from node.api_keys import ApiKeys, NoApiKeys
from node.approvals import Approvals
from node.certificate_view import CertificateView
from node.claiming import Claim, SoleClaim
from node.clock import Clock
from node.escrow import Escrow
from node.events.streams import Streams
from node.intake import Intake
from node.issuing import Issuing
from node.metering import Metering
from node.ports import Accounts, Lifecycle, MarketState, Onboarding, Tariffs
from node.stating import Stating
from node.store import Store
from node.transactions import Transactions


@dataclass(frozen=True, slots=True)
class Addresses:
    """The contracts' addresses."""

    exchange: bytes
    credit: bytes
    energy: bytes
    certificates: bytes
    devices: bytes


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one node that its API offers to the world."""

    market: Market
    design: str
    domain: Domain
    addresses: Addresses
    store: Store
    clock: Clock
    intake: Intake
    approvals: Approvals
    metering: Metering
    escrow: Escrow
    accounts: Accounts
    tariffs: Tariffs
    market_state: MarketState
    onboarding: Onboarding
    lifecycle: Lifecycle
    transactions: Transactions
    issuing: Issuing
    certificates: CertificateView
    stating: Stating
    streams: Streams
    operator_api_key: str
    api_keys: ApiKeys = NoApiKeys()  # noqa: RUF009 -- it holds nothing
    claim: Claim = SoleClaim("this node")  # noqa: RUF009 -- it never changes


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


Parts = Annotated[Services, Depends(_services)]
"""A handler's parameter of this type is the node's services."""
