"""Deploys the four contracts and opens a market."""

from dataclasses import asdict, dataclass

import rlp
from eth_hash.auto import keccak

from ledger.abi import Contract, interface
from ledger.chain import Chain, ChainError, Receipt
from ledger.keys import Key
from ledger.transactions import build, wait_for
from matching.tariff import Tariff

CERTIFICATE_LIFETIME_S = 365 * 86_400
WITHDRAWAL_NOTICE_S = 3_600


class DeploymentError(ChainError):
    """The contracts are not where, or not what, they should be."""

    code = "deployment.error"


@dataclass(frozen=True)
class Contracts:
    """The deployed contracts of one exchange."""

    credit: Contract
    exchange: Contract
    energy: Contract
    certificates: Contract


@dataclass(frozen=True, slots=True)
class Roles:
    """Who may do what, by address; what each may do is said at the contracts' functions."""

    owner: bytes
    treasurer: bytes
    operator: bytes
    meter_authority: bytes
    issuer: bytes
    registrar: bytes
    utility: bytes


@dataclass(frozen=True, slots=True)
class MarketTerms:
    """A market's timing, in seconds, and whether one price holds for all fills of a slot."""

    slot_length_s: int = 900
    gate_lead_s: int = 300
    settle_within_s: int = 86_400
    uniform_price: bool = True


def deploy(
    chain: Chain,
    deployer: Key,
    roles: Roles,
    *,
    withdrawal_notice_s: int = WITHDRAWAL_NOTICE_S,
    certificate_lifetime_s: int = CERTIFICATE_LIFETIME_S,
) -> Contracts:
    """Deploy all contracts in four transactions. They know one another by addresses computed beforehand.

    Raises:
        DeploymentError: a deployment failed, or another transaction of the deployer came between.
    """
    nonce = chain.nonce(deployer.address)
    energy = contract_address(deployer.address, nonce + 2)
    certificates = contract_address(deployer.address, nonce + 3)

    def create(name: str, *arguments: object) -> bytes:
        transaction = build(chain, deployer, to=None, data=interface(name).creation(*arguments))
        receipt = confirmed(chain, transaction.raw)
        if receipt.contract_address is None:
            raise DeploymentError(f"{name}: the chain reports no address for it")
        return receipt.contract_address

    credit = create("credit", roles.treasurer)
    exchange = create("exchange", roles.owner, credit, energy, certificates, withdrawal_notice_s)
    create("energy", exchange)
    create("certificates", roles.issuer, roles.registrar, certificate_lifetime_s)
    return attach(chain, exchange)


def attach(chain: Chain, exchange: bytes) -> Contracts:
    """Find the other contracts from the Exchange's address.

    Raises:
        DeploymentError: there is no code at one of the addresses.
    """
    root = Contract(chain, exchange, interface("exchange"))
    if not chain.code(exchange):
        raise DeploymentError(f"no contract at 0x{exchange.hex()} on chain {chain.chain_id}")
    found = {"exchange": root}
    for name in ("credit", "energy", "certificates"):
        address = root.read(name)
        if not chain.code(address):
            raise DeploymentError(f"the exchange names 0x{address.hex()} as its {name}, but there is no contract")
        found[name] = Contract(chain, address, interface(name))
    return Contracts(**found)


def open_market(
    contracts: Contracts, owner: Key, market: bytes, *, roles: Roles, terms: MarketTerms, tariff: Tariff
) -> None:
    """Register a market with its first tariff, unless it is registered.

    Raises:
        DeploymentError: the transaction failed.
        CallRevertedError: the contract refuses the terms.
    """
    if is_open(contracts.exchange, market):
        return
    parties = {
        "operator": roles.operator,
        "meter_authority": roles.meter_authority,
        "registrar": roles.registrar,
        "utility": roles.utility,
    }
    data = contracts.exchange.interface.call(
        "open_market", market, parties | asdict(terms), asdict(tariff) | {"from_slot": 0}
    )
    transact(contracts.exchange, owner, data)


def is_open(exchange: Contract, market: bytes) -> bool:
    """Whether the exchange has this market."""
    numbers = range(1, exchange.read("market_count") + 1)
    return market in (exchange.read("market_of_number", number) for number in numbers)


def transact(contract: Contract, key: Key, data: bytes) -> Receipt:
    """Send one call and wait for it; for set-up work that is safe to look up and repeat.

    Raises:
        DeploymentError: it was mined and failed.
        CallRevertedError: it would fail.
    """
    return confirmed(contract.chain, build(contract.chain, key, to=contract.address, data=data).raw)


def confirmed(chain: Chain, raw: bytes) -> Receipt:
    """Broadcast and wait until mined.

    Raises:
        DeploymentError: it was mined and failed.
    """
    receipt = wait_for(chain, chain.send(raw))
    if not receipt.succeeded:
        raise DeploymentError(f"transaction 0x{receipt.transaction_hash.hex()} reverted")
    return receipt


def contract_address(creator: bytes, nonce: int) -> bytes:
    """Where the contract lands that `creator` creates with this nonce."""
    return keccak(rlp.encode([creator, nonce]))[12:]
