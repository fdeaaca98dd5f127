"""Opens the chain that a node works on and, at the first start, its market there."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, fields, replace

from ledger.chain import Chain
from ledger.deployment import Contracts, attach, deploy, open_market
from ledger.devchain import DevAccount, DevChain, dev_accounts
from ledger.eip712 import Domain
from ledger.jsonrpc import JsonRpcChain
from ledger.market import Market, read_market
from ledger.validators import Validators, read_validators
from matching import uniform
from matching.orders import MARKET_BYTES
from node.claiming import FolderLock
from node.config import Config
from node.datadir import DataFolder, DataFolderError, Deployment
from node.design import require_known
from node.parties import Parties, development_parties
from node.server import require_usable
from node.store.beginning import beginning

_NAME = "community"
"""Of a new market for which no name is given."""


@dataclass(frozen=True)
class Site:
    """A market on its chain, and what was asked of the node that works there."""

    config: Config
    folder: DataFolder
    chain: Chain
    deployment: Deployment
    contracts: Contracts
    market: Market
    domain: Domain


def open_site(config: Config, now: Callable[[], int], stack: ExitStack) -> Site:
    """Open the data folder, the chain and, if there is none yet, the market; the stack closes them.

    Args:
        config: what is asked for.
        now: the time of an embedded chain.
        stack: holds what is open.

    Raises:
        WattbookError: the data folder or the chain is in use, foreign or out of reach.
    """
    folder = DataFolder(config.data)
    known = folder.deployment()
    if known is not None:
        _require_same(config, known, str(config.data))
    require_usable(config.front)
    chain = _open_chain(config, folder, now, stack)
    if known is not None:
        _require_chain(chain, known, str(config.data))
    if config.store_url is None:
        stack.callback(FolderLock(folder.lock).release)
    deployment = _find_or_open_market(config, folder, chain, now())
    contracts = attach(chain, deployment.exchange)
    market = read_market(contracts, deployment.market)
    if config.validators:
        _require_validators(config, read_validators(contracts, market.id))
    domain = Domain(chain.chain_id, deployment.exchange)
    return Site(config, folder, chain, deployment, contracts, market, domain)


def _open_chain(config: Config, folder: DataFolder, now: Callable[[], int], stack: ExitStack) -> Chain:
    """The chain that the node is told of, closed with the stack; else its own.

    Raises:
        ChainUnavailableError: it does not answer.
        DirectoryInUseError: another process has the folder open.
    """
    if config.rpc_url is not None:
        remote = JsonRpcChain(config.rpc_url)
        stack.callback(remote.close)
        return remote
    chain = DevChain.open(folder.chain, clock=now, accounts=_accounts(config.parties))
    stack.callback(chain.close)
    return chain


def _accounts(parties: Parties) -> tuple[DevAccount, ...]:
    """Who owns native money on an embedded chain: the parties, and everybody if their keys are everybody's."""
    if parties == development_parties():
        return dev_accounts()
    keys = (getattr(parties, party.name) for party in fields(parties))
    return tuple(DevAccount(key.address, key.secret) for key in keys)


def _require_same(config: Config, known: Deployment, where: str) -> None:
    """Refuse to go on with a market in another way than it was begun; `where` says what tells of it.

    Raises:
        DataFolderError: the clock is of another kind, or another name or design is asked for.
    """
    if known.stepped and config.stepped_from is None:
        raise DataFolderError(
            f"{where} holds a market whose clock is moved by hand (as by the demonstration): start with"
            " --stepped-from again, and it goes on from where it stood"
        )
    if config.stepped_from is not None and not known.stepped:
        raise DataFolderError(f"{where} holds a market whose clock is the time of day: leave out --stepped-from")
    if config.market_name is not None and _market_id(config.market_name) != known.market:
        name = known.market.rstrip(b"\0").decode(errors="replace")
        raise DataFolderError(f"{where} holds the market '{name}': it cannot be '{config.market_name}'")
    if config.design not in (None, known.design):
        raise DataFolderError(f"{where} holds a market of design {known.design}: it cannot be {config.design}")


def _require_chain(chain: Chain, known: Deployment, where: str) -> None:
    """Refuse another chain than the one that the market is on.

    Raises:
        DataFolderError: it has another id, or there is no such contract.
    """
    if chain.chain_id != known.chain_id:
        raise DataFolderError(
            f"{where} holds a market on chain {known.chain_id}: the chain here has id {chain.chain_id}"
        )
    if not chain.code(known.exchange):
        raise DataFolderError(
            f"{where} holds a market of the exchange 0x{known.exchange.hex()}: this chain has none"
        )


def _market_id(name: str) -> bytes:
    return name.encode().ljust(MARKET_BYTES, b"\0")


def _require_validators(config: Config, found: Validators) -> None:
    """Refuse to go on as if a market had validators that it was not opened with.

    Raises:
        DataFolderError: it has others, or needs more or fewer of their approvals.
    """
    if found != Validators(tuple(sorted(config.validators)), config.approvals):
        where = config.data if config.store_url is None else "the store"
        raise DataFolderError(
            f"{where} holds a market with {len(found.accounts)} validators, {found.approvals_needed} of them"
            " needed: they are named when a market is opened, and only they pass their seats on"
        )


def _find_or_open_market(config: Config, folder: DataFolder, chain: Chain, now: int) -> Deployment:
    """Where the market is, as the folder or else a shared store says; opened now if neither does.

    Raises:
        DataFolderError: what the store says is on another chain, of another kind, or not the folder's market.
        StoreUnavailableError: the shared store's database does not answer.
    """
    known = folder.deployment()
    if config.store_url is None:
        return known or _open_market(config, folder, chain, now)
    with beginning(config.store_url) as shared:
        text = shared.whereabouts()
        if text is not None:
            found = Deployment.decoded(text, "the store")
            if known not in (None, found):
                raise DataFolderError(f"{config.data} is of another market than the store: use another folder")
            if known is None:
                folder.write_deployment(found)
            known = found
        deployment = _checked(config, chain, known, "the store") or _open_market(config, folder, chain, now)
        if text is None:
            shared.write_whereabouts(deployment.encoded())
    return deployment


def _checked(config: Config, chain: Chain, known: Deployment | None, where: str) -> Deployment | None:
    if known is not None:
        _require_same(config, known, where)
        _require_chain(chain, known, where)
    return known


def _open_market(config: Config, folder: DataFolder, chain: Chain, now: int) -> Deployment:
    """Deploy and open a new market. Killed before the end, it begins again with new contracts."""
    design = uniform.DESIGN if config.design is None else config.design
    require_known(design)
    roles = config.parties.roles
    contracts = deploy(chain, config.parties.deployer, roles)
    market = _market_id(_NAME if config.market_name is None else config.market_name)
    terms = replace(config.terms, uniform_price=design == uniform.DESIGN)
    open_market(
        contracts,
        config.parties.owner,
        market,
        roles=roles,
        terms=terms,
        tariff=config.tariff,
        validators=config.validators,
        approvals_needed=config.approvals,
    )
    length = config.terms.slot_length_s
    first_slot = (now + config.terms.gate_lead_s) // length * length + length
    deployment = Deployment(
        chain_id=chain.chain_id,
        exchange=contracts.exchange.address,
        market=market,
        first_slot=first_slot,
        design=design,
        stepped=config.stepped_from is not None,
    )
    folder.write_deployment(deployment)
    return deployment
