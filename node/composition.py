"""Puts a node together: the only place where all parts meet."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, fields
from functools import partial

import structlog
from fastapi import APIRouter

from ledger.abi import Contract
from ledger.certificates.certification import Certification
from ledger.certificates.issuer import Issuer
from ledger.chain import Chain
from ledger.defence import Defence
from ledger.delivery import Delivery
from ledger.deployment import Contracts, attach
from ledger.devchain import DevChain
from ledger.devchain import rpc as devchain_rpc
from ledger.eip712 import Domain
from ledger.market import Market, read_market
from ledger.posted import read_posted
from ledger.settlement import Settlement
from ledger.steps import Stepper
from ledger.validators import read_validators
from node.anchoring import Anchoring
from node.api.app import create_app
from node.api.measuring import metrics_app, metrics_router
from node.api.services import Addresses, Services
from node.api_keys import ApiKeyFile
from node.approvals import Approvals
from node.authority import MeterAuthority
from node.certificate_view import CertificateView
from node.certifying import Certifying
from node.chainview import ChainView
from node.claiming import FolderLock, NotClaimedError, Turn, claim_of, claimed
from node.clock import Clock, RealClock, SteppedClock, remembered_clock
from node.config import Config
from node.corrections import Corrections
from node.datadir import DataFolder
from node.deciding import Deciding
from node.design import Design
from node.escrow import Escrow
from node.events.certificates import CertificateTelling
from node.events.streams import Streams
from node.explorer import Explorer, create_router
from node.explorer.names import names_of_parties, with_members
from node.failpoints import for_steps, opened_store
from node.intake import Intake
from node.issuing import Issuing
from node.lifecycle import Chores, Lifecycle, Steps
from node.limits import Rate
from node.measured_steps import MeasuredStepper
from node.metering import Metering
from node.metrics import Metrics, NodeState
from node.opening import find_or_open_market, open_chain, require_chain, require_same, require_validators
from node.parties import Parties
from node.registration import Registration
from node.server import require_usable, running_server
from node.stating import Stating
from node.store import Store
from node.transactions import Transactions

# Late readings make slots due without the clock's doing; this is how long they wait at most.
_LONGEST_WAIT_S = 5

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Node:
    """A node, wired together and ready to serve."""

    config: Config
    chain: Chain
    contracts: Contracts
    market: Market
    first_slot: int
    store: Store
    clock: Clock
    lifecycle: Lifecycle
    registration: Registration
    services: Services
    metrics: Metrics

    @property
    def url(self) -> str:
        """Where the API is served."""
        return f"{self.config.front.scheme}://{self.config.host}:{self.config.port}"

    @property
    def chain_url(self) -> str:
        """Where the chain's JSON-RPC is served."""
        return self.config.rpc_url or f"http://{self.config.host}:{self.config.chain_port}"


@contextmanager
def open_node(config: Config) -> Iterator[Node]:
    """Open the data folder, the chain and the store, deploying contracts and opening the market if need be.

    Raises:
        WattbookError: the data folder, the chain or the store is in use, foreign or out of reach.
    """
    folder = DataFolder(config.data)
    known = folder.deployment()
    if known is not None:
        require_same(config, known)
    require_usable(config.front)
    with ExitStack() as stack:
        clock = _BeforeStoreClock(config)
        chain = open_chain(config, folder, clock.now, stack)
        if known is not None:
            require_chain(config, chain, known)
        if config.store_url is None:
            stack.callback(FolderLock(folder.lock).release)
        deployment = find_or_open_market(config, folder, chain, clock.now())
        contracts = attach(chain, deployment.exchange)
        market = read_market(contracts, deployment.market)
        if config.validators:
            require_validators(config, read_validators(contracts, market.id))
        domain = Domain(chain.chain_id, deployment.exchange)
        store = opened_store(config.store_url or folder.store_url, domain=domain, market=market.id)
        stack.callback(store.close)
        claim = claim_of(store, f"{socket.gethostname()}:{config.port}")
        stack.callback(claim.release)
        clock.settle(store)
        view = ChainView(contracts, market)
        escrow = Escrow(store, view, view)
        approvals = Approvals(store, domain, market.id, partial(read_validators, contracts, market.id))
        metrics = Metrics()
        stepper, turn = _stepper(config, claimed(chain, claim), store, metrics), Turn(claim)
        issuer = Issuer(contracts, market.id, config.parties.issuer, stepper)
        certificates = CertificateView(contracts)
        certification = Certification(contracts, market.id, config.parties.issuer, stepper)
        certifying = Certifying(store, certificates, market, certification)
        issuing = Issuing(store, certificates, certifying, issuer, turn)
        metering = Metering(
            market=market,
            domain=domain,
            store=store,
            clock=clock.settled,
            authority=MeterAuthority(config.parties.meter_authority),
            largest_load_wh=config.limits.quantity_wh,
        )
        lifecycle = Lifecycle(
            store=store,
            market=market,
            clock=clock.settled,
            first_slot=deployment.first_slot,
            accounts=view,
            posted=partial(read_posted, contracts, market.id),
            steps=_steps(config.parties, contracts, market, stepper, certifying),
            approvals=approvals,
            design=Design(deployment.design, store.devices),
            metering=metering,
            substitute_after_s=config.substitute_after_s,
            chores=Chores(
                repeat=issuing.repeat,
                due=(
                    Corrections(store, certificates, certifying, issuer).follow,
                    Deciding(store, certificates, issuer, is_automatic=config.automatic_requests).decide_open,
                    issuing.issue_approved,
                    Anchoring(store, contracts, issuer, clock.settled).anchor_days,
                    CertificateTelling(store, contracts, confirmations=_confirmations(config)).tell,
                ),
            ),
            turn=turn,
        )
        registration = Registration(
            contracts=contracts,
            market=market,
            zone=config.zone,
            registrar=config.parties.registrar,
            treasurer=config.parties.treasurer,
            store=store,
            clock=clock.settled,
        )
        yield Node(
            config=config,
            chain=chain,
            contracts=contracts,
            market=market,
            first_slot=deployment.first_slot,
            store=store,
            clock=clock.settled,
            lifecycle=lifecycle,
            registration=registration,
            services=Services(
                market=market,
                design=deployment.design,
                domain=domain,
                addresses=Addresses(
                    exchange=contracts.exchange.address,
                    credit=contracts.credit.address,
                    energy=contracts.energy.address,
                    certificates=contracts.certificates.address,
                    devices=contracts.devices.address,
                ),
                store=store,
                clock=clock.settled,
                intake=Intake(
                    market=market,
                    domain=domain,
                    operator=config.parties.operator,
                    store=store,
                    clock=clock.settled,
                    escrow=escrow,
                    limits=config.limits,
                    design=deployment.design,
                    admit=admission(config.account_rate),
                ),
                approvals=approvals,
                metering=metering,
                escrow=escrow,
                accounts=view,
                tariffs=view,
                market_state=view,
                onboarding=registration,
                lifecycle=lifecycle,
                transactions=Transactions(chain, _by_name(contracts), store, clock.settled),
                issuing=issuing,
                certificates=certificates,
                stating=Stating(
                    contracts=contracts,
                    store=store,
                    clock=clock.settled,
                    issuer=config.parties.issuer,
                    secret=folder.statement_secret(),
                    confirmations=_confirmations(config),
                ),
                streams=Streams(store),
                operator_api_key=folder.operator_api_key(),
                api_keys=ApiKeyFile.of(config.data),
                claim=claim,
            ),
            metrics=_watched(metrics, NodeState(store, chain, market, clock.settled, view, _addresses(config))),
        )


@contextmanager
def serving(node: Node) -> Iterator[None]:
    """Serve the API, the embedded chain and the slot clock in threads, until the block is left."""
    with ExitStack() as stack:
        if isinstance(node.chain, DevChain):
            stack.enter_context(
                running_server(
                    devchain_rpc.create_app(node.chain, private_methods=False),
                    node.config.host,
                    node.config.chain_port,
                )
            )
        config = node.config
        app = create_app(node.services, _explorer(node), open_to=config.web, metrics=node.metrics)
        if config.open_metrics:
            app.include_router(metrics_router(node.metrics))
        stack.enter_context(running_server(app, config.host, config.port, config.front))
        # Before the server waits for whoever is still being answered.
        stack.callback(node.services.streams.close)
        if config.metrics_port is not None:
            stack.enter_context(running_server(metrics_app(node.metrics), config.host, config.metrics_port))
        if not isinstance(node.clock, SteppedClock):
            stack.enter_context(_ticking(node))
        yield


class _BeforeStoreClock:
    """The clock, from before there is a store to remember it in; the embedded chain takes its time from here."""

    def __init__(self, config: Config) -> None:
        self._start = config.stepped_from
        self.settled: Clock = RealClock() if self._start is None else SteppedClock(self._start, lambda _: None)

    def now(self) -> int:
        return self.settled.now()

    def settle(self, store: Store) -> None:
        if self._start is not None:
            self.settled = remembered_clock(store, self._start)


def _explorer(node: Node) -> APIRouter:
    explorer, parties = Explorer(node.chain, lambda _: None), names_of_parties(node.config.parties)
    return create_router(lambda: explorer.naming(with_members(parties, node.store.members()).get))


def _by_name(contracts: Contracts) -> dict[str, Contract]:
    return {each.name: getattr(contracts, each.name) for each in fields(contracts)}


def _stepper(config: Config, chain: Chain, store: Store, metrics: Metrics) -> Stepper:
    return MeasuredStepper(
        for_steps(chain, store),
        store,
        metrics,
        confirmations=_confirmations(config),
        max_fee_wei=config.max_fee_wei,
    )


def _confirmations(config: Config) -> int:
    """How many blocks on top of one make it final; the embedded chain's all are."""
    return 0 if config.rpc_url is None else config.confirmations


def _watched(metrics: Metrics, state: NodeState) -> Metrics:
    metrics.registry.register(state)
    return metrics


def _addresses(config: Config) -> dict[str, bytes]:
    """The addresses of the parties that act on chain day by day."""
    return {name: address for name, address in asdict(config.parties.roles).items() if name != "owner"}


def admission(per_s: float | None) -> Callable[[bytes], None]:
    """What holds each account to a rate; None is none.

    The function raises `TooManyRequestsError` for an account that comes too often.
    """
    if per_s is None:
        return lambda _: None
    rate = Rate(per_s)
    return lambda account: rate.take(account, f"0x{account.hex()}")


def _steps(
    parties: Parties, contracts: Contracts, market: Market, stepper: Stepper, certifying: Certifying
) -> Steps:
    return Steps(
        stepper=stepper,
        settlement=Settlement(contracts.exchange, market.id, parties.operator, stepper),
        defence=Defence(contracts, market.id, parties.operator, stepper),
        delivery=Delivery(contracts, market.id, parties.meter_authority, stepper),
        certifying=certifying,
    )


@contextmanager
def _ticking(node: Node) -> Iterator[None]:
    """Move slots on as time goes by."""
    stop = threading.Event()

    def tick() -> None:
        while not stop.is_set():
            try:
                node.lifecycle.advance()
            except NotClaimedError:
                pass  # another node does it, and this one asks again until that one ends
            except Exception:
                # Whatever it is, the next slots need their clock. It is logged, and /ready tells of it.
                log.exception("slots could not be moved on")
            due_in_s = node.lifecycle.next_due_at() - node.clock.now()
            stop.wait(min(max(due_in_s, 0), _LONGEST_WAIT_S))

    thread = threading.Thread(target=tick, name="slot clock")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
