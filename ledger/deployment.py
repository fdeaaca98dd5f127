"""Deploys the contracts and opens a market."""

from collections.abc import Sequence
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

_DEPLOYMENT_ORDER = (
    "credit",
    "exchange",
    "escrow",
    "energy",
    "devices",
    "issuance",
    "certificates",
    "markets",
    "challenges",
)


class DeploymentError(ChainError):
    """The contracts are not where, or not what, they should be."""

    code = "deployment.error"


@dataclass(frozen=True)
class Contracts:
    """The deployed contracts of one exchange."""

    credit: Contract
    exchange: Contract
    escrow: Contract
    energy: Contract
    devices: Contract
    issuance: Contract
    certificates: Contract
    markets: Contract
    challenges: Contract


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
    """A market's timing, in seconds, and how its fills are priced.

    Attributes:
        uniform_price: whether one price holds for all fills of a slot.
        grid_limits: whether what lines can carry may keep an order out that is better than the price.
    """

    slot_length_s: int = 900
    gate_lead_s: int = 300
    settle_within_s: int = 86_400
    uniform_price: bool = True
    grid_limits: bool = False


@dataclass(frozen=True, slots=True)
class ChallengeTerms:
    """What a challenge costs and pays, in nano-credits, and how long it takes, in seconds.

    Attributes:
        stake: what the challenger loses if the operator answers.
        penalty: what the operator's bond pays, at most, if it does not.
        claim_period_s: how long after its start a slot can be challenged.
        response_s: how long the operator has to answer.
    """

    stake: int = 10 * 10**9
    penalty: int = 1_000 * 10**9
    claim_period_s: int = 7 * 86_400
    response_s: int = 86_400


def deploy(
    chain: Chain,
    deployer: Key,
    roles: Roles,
    *,
    withdrawal_notice_s: int = WITHDRAWAL_NOTICE_S,
    certificate_lifetime_s: int = CERTIFICATE_LIFETIME_S,
    challenge_terms: ChallengeTerms = ChallengeTerms(),
) -> Contracts:
    """Deploy all contracts, one transaction each. They know one another by addresses computed beforehand.

    Raises:
        DeploymentError: a deployment failed, or another transaction of the deployer came between.
    """
    nonce = chain.nonce(deployer.address)
    address = {
        name: contract_address(deployer.address, nonce + place) for place, name in enumerate(_DEPLOYMENT_ORDER)
    }
    arguments: dict[str, tuple[object, ...]] = {
        "credit": (roles.treasurer,),
        "exchange": (address["escrow"], address["markets"]),
        "escrow": (address["credit"], address["exchange"], address["markets"], withdrawal_notice_s),
        "energy": (address["exchange"],),
        "devices": (roles.issuer, roles.registrar),
        "issuance": (address["devices"], address["certificates"]),
        "certificates": (address["devices"], address["issuance"], certificate_lifetime_s),
        "markets": (
            roles.owner,
            *(address[name] for name in ("exchange", "escrow", "energy", "certificates", "challenges")),
        ),
        "challenges": (
            *(address[name] for name in ("credit", "exchange", "escrow", "markets")),
            *asdict(challenge_terms).values(),
        ),
    }
    for name in _DEPLOYMENT_ORDER:
        transaction = build(chain, deployer, to=None, data=interface(name).creation(*arguments[name]))
        receipt = confirmed(chain, transaction.raw)
        if receipt.contract_address != address[name]:
            raise DeploymentError(f"{name} is not at 0x{address[name].hex()}: the deployer sent something else")
    return attach(chain, address["exchange"])


def attach(chain: Chain, exchange: bytes) -> Contracts:
    """Find the other contracts from the Exchange's address.

    Raises:
        DeploymentError: there is no code at one of the addresses.
    """
    found: dict[str, Contract] = {}

    def find(name: str, at: bytes) -> Contract:
        if not chain.code(at):
            raise DeploymentError(f"no contract at 0x{at.hex()} on chain {chain.chain_id}, where {name} should be")
        found[name] = Contract(chain, at, interface(name))
        return found[name]

    root = find("exchange", exchange)
    escrow = find("escrow", root.read("escrow"))
    find("credit", escrow.read("credit"))
    markets = find("markets", root.read("markets"))
    for name in ("energy", "certificates", "challenges"):
        find(name, markets.read(name))
    for name in ("devices", "issuance"):
        find(name, found["certificates"].read(name))
    return Contracts(**found)


def open_market(
    contracts: Contracts,
    owner: Key,
    market: bytes,
    *,
    roles: Roles,
    terms: MarketTerms,
    tariff: Tariff,
    validators: Sequence[bytes] = (),
    approvals_needed: int = 0,
) -> None:
    """Register a market with its first tariff, unless it is registered.

    `approvals_needed` of the `validators` must sign each settlement.

    Raises:
        DeploymentError: the transaction failed.
        CallRevertedError: the contract refuses the terms.
    """
    if is_open(contracts.markets, market):
        return
    parties = {
        "operator": roles.operator,
        "meter_authority": roles.meter_authority,
        "registrar": roles.registrar,
        "utility": roles.utility,
    }
    data = contracts.markets.interface.call(
        "open_market",
        market,
        parties | asdict(terms),
        asdict(tariff) | {"from_slot": 0},
        sorted(validators),
        approvals_needed,
    )
    transact(contracts.markets, owner, data)


def is_open(markets: Contract, market: bytes) -> bool:
    """Whether there is this market."""
    numbers = range(1, markets.read("market_count") + 1)
    return market in (markets.read("market_of_number", number) for number in numbers)


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
