"""Puts a node together: the only place where all parts meet."""

import socket
import threading
from collections.abc import Iterator
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
from ledger.deployment import Contracts
from ledger.devchain import DevChain
from ledger.devchain import rpc as devchain_rpc
from ledger.market import Market
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
from node.claiming import Claim, NotClaimedError, Turn, claim_of, claimed
from node.clock import Clock, RealClock, SteppedClock, remembered_clock
from node.config import Config
from node.corrections import Corrections
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
from node.limits import admission
from node.measured_steps import MeasuredStepper
from node.metering import Metering
from node.metrics import Metrics, NodeState
from node.opening import Site, open_site
from node.registration import Registration
from node.server import running_server
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


@dataclass(frozen=True)
class _Parts:
    """What moving slots on and answering have in common."""

    store: Store
    claim: Claim
    clock: Clock
    metrics: Metrics
    view: ChainView
    escrow: Escrow
    approvals: Approvals
    certificates: CertificateView
    stepper: Stepper
    turn: Turn
    issuer: Issuer
    certifying: Certifying
    issuing: Issuing
    metering: Metering


@contextmanager
def open_node(config: Config) -> Iterator[Node]:
    """Open the data folder, the chain and the store, deploying contracts and opening the market if need be.

    Raises:
        WattbookError: the data folder, the chain or the store is in use, foreign or out of reach.
    """
    with ExitStack() as stack:
        clock = _BeforeStoreClock(config)
        site = open_site(config, clock.now, stack)
        store, claim = _store_and_claim(site, stack)
        clock.settle(store)
        parts = _parts(site, store, claim, clock.settled)
        lifecycle, registration = _lifecycle(site, parts), _registration(site, parts)
        intake = _intake(site, parts)
        stack.callback(intake.close)
        state = NodeState(store, site.chain, site.market, parts.clock, parts.view, _addresses(config))
        parts.metrics.registry.register(state)
        yield Node(
            config=config,
            chain=site.chain,
            contracts=site.contracts,
            market=site.market,
            first_slot=site.deployment.first_slot,
            store=store,
            clock=parts.clock,
            lifecycle=lifecycle,
            registration=registration,
            services=_services(site, parts, intake, lifecycle, registration),
            metrics=parts.metrics,
        )


def _store_and_claim(site: Site, stack: ExitStack) -> tuple[Store, Claim]:
    config = site.config
    store = opened_store(config.store_url or site.folder.store_url, domain=site.domain, market=site.market.id)
    stack.callback(store.close)
    claim = claim_of(store, f"{socket.gethostname()}:{config.port}")
    stack.callback(claim.release)
    return store, claim


def _parts(site: Site, store: Store, claim: Claim, clock: Clock) -> _Parts:
    config, contracts, market = site.config, site.contracts, site.market
    view, certificates, metrics = ChainView(contracts, market), CertificateView(contracts), Metrics()
    stepper, turn = _stepper(config, claimed(site.chain, claim), store, metrics), Turn(claim)
    issuer = Issuer(contracts, market.id, config.parties.issuer, stepper)
    certification = Certification(contracts, market.id, config.parties.issuer, stepper)
    certifying = Certifying(store, certificates, market, certification)
    return _Parts(
        store=store,
        claim=claim,
        clock=clock,
        metrics=metrics,
        view=view,
        escrow=Escrow(store, view, view),
        approvals=Approvals(store, site.domain, market.id, partial(read_validators, contracts, market.id)),
        certificates=certificates,
        stepper=stepper,
        turn=turn,
        issuer=issuer,
        certifying=certifying,
        issuing=Issuing(store, certificates, certifying, issuer, turn),
        metering=Metering(
            market=market,
            domain=site.domain,
            store=store,
            clock=clock,
            authority=MeterAuthority(config.parties.meter_authority),
            largest_load_wh=config.limits.quantity_wh,
        ),
    )


def _lifecycle(site: Site, parts: _Parts) -> Lifecycle:
    return Lifecycle(
        store=parts.store,
        market=site.market,
        clock=parts.clock,
        first_slot=site.deployment.first_slot,
        accounts=parts.view,
        posted=partial(read_posted, site.contracts, site.market.id),
        steps=_steps(site, parts),
        approvals=parts.approvals,
        design=Design(site.deployment.design, parts.store.devices),
        metering=parts.metering,
        substitute_after_s=site.config.substitute_after_s,
        chores=_chores(site, parts),
        turn=parts.turn,
    )


def _steps(site: Site, parts: _Parts) -> Steps:
    contracts, market, parties, stepper = site.contracts, site.market.id, site.config.parties, parts.stepper
    return Steps(
        stepper=stepper,
        settlement=Settlement(contracts.exchange, market, parties.operator, stepper),
        defence=Defence(contracts, market, parties.operator, stepper),
        delivery=Delivery(contracts, market, parties.meter_authority, stepper),
        certifying=parts.certifying,
    )


def _chores(site: Site, parts: _Parts) -> Chores:
    config, contracts = site.config, site.contracts
    store, certificates, issuer = parts.store, parts.certificates, parts.issuer
    return Chores(
        repeat=parts.issuing.repeat,
        due=(
            Corrections(store, certificates, parts.certifying, issuer).follow,
            Deciding(store, certificates, issuer, is_automatic=config.automatic_requests).decide_open,
            parts.issuing.issue_approved,
            Anchoring(store, contracts, issuer, parts.clock).anchor_days,
            CertificateTelling(store, contracts, confirmations=_confirmations(config)).tell,
        ),
    )


def _registration(site: Site, parts: _Parts) -> Registration:
    return Registration(
        contracts=site.contracts,
        market=site.market,
        zone=site.config.zone,
        registrar=site.config.parties.registrar,
        treasurer=site.config.parties.treasurer,
        store=parts.store,
        clock=parts.clock,
    )


def _intake(site: Site, parts: _Parts) -> Intake:
    return Intake(
        market=site.market,
        domain=site.domain,
        operator=site.config.parties.operator,
        store=parts.store,
        clock=parts.clock,
        escrow=parts.escrow,
        limits=site.config.limits,
        design=site.deployment.design,
        admit=admission(site.config.account_rate),
    )


def _services(
    site: Site, parts: _Parts, intake: Intake, lifecycle: Lifecycle, registration: Registration
) -> Services:
    config, contracts, store, clock = site.config, site.contracts, parts.store, parts.clock
    return Services(
        market=site.market,
        design=site.deployment.design,
        domain=site.domain,
        addresses=Addresses(
            exchange=contracts.exchange.address,
            credit=contracts.credit.address,
            energy=contracts.energy.address,
            certificates=contracts.certificates.address,
            devices=contracts.devices.address,
        ),
        store=store,
        clock=clock,
        intake=intake,
        approvals=parts.approvals,
        metering=parts.metering,
        escrow=parts.escrow,
        accounts=parts.view,
        tariffs=parts.view,
        market_state=parts.view,
        onboarding=registration,
        lifecycle=lifecycle,
        transactions=Transactions(site.chain, _by_name(contracts), store, clock),
        issuing=parts.issuing,
        certificates=parts.certificates,
        stating=Stating(
            contracts=contracts,
            store=store,
            clock=clock,
            issuer=config.parties.issuer,
            secret=site.folder.statement_secret(),
            confirmations=_confirmations(config),
        ),
        streams=Streams(store),
        operator_api_key=site.folder.operator_api_key(),
        api_keys=ApiKeyFile.of(config.data),
        claim=parts.claim,
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


def _addresses(config: Config) -> dict[str, bytes]:
    """The addresses of the parties that act on chain day by day."""
    return {name: address for name, address in asdict(config.parties.roles).items() if name != "owner"}


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
