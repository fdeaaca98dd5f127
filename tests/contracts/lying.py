"""The contracts on a token that only says whether it transferred, to test what they make of its answer."""

from dataclasses import asdict, replace

from ledger.abi import Contract, interface
from ledger.deployment import WITHDRAWAL_NOTICE_S, ChallengeTerms, Roles, confirmed, contract_address, open_market
from ledger.transactions import build
from tests.contracts.sources import deployed
from tests.world import MARKET, ROLE_NAMES, TARIFF, TERMS, World

TOKEN = """
# pragma version ==0.4.3
# pragma evm-version london

honest: public(bool)

@external
def set_honest(honest: bool):
    self.honest = honest

@external
def transfer(to: address, amount: uint256) -> bool:
    return self.honest

@external
def transferFrom(owner: address, to: address, amount: uint256) -> bool:
    return self.honest
"""


def lying_world(world: World) -> World:
    """The same people and one member in new contracts, whose token says no until it is told otherwise."""
    key = world.strangers[0]
    token = deployed(world.chain, key, TOKEN)
    nonce = world.chain.nonce(key.address)
    exchange, escrow, markets, challenges = (contract_address(key.address, nonce + place) for place in range(4))
    others = (bytes(20), bytes(20), challenges)
    arguments = {
        "exchange": (escrow, markets),
        "escrow": (token.address, exchange, markets, WITHDRAWAL_NOTICE_S),
        "markets": (world.keys["owner"].address, exchange, escrow, *others),
        "challenges": (token.address, exchange, escrow, markets, *asdict(ChallengeTerms()).values()),
    }
    found = {"credit": token}
    for name, values in arguments.items():
        data = interface(name).creation(*values)
        address = confirmed(world.chain, build(world.chain, key, to=None, data=data).raw).contract_address
        assert address is not None
        found[name] = Contract(world.chain, address, interface(name))
    lying = replace(world, contracts=replace(world.contracts, **found))
    roles = Roles(**{name: world.keys[name].address for name in ROLE_NAMES})
    open_market(lying.contracts, world.keys["owner"], MARKET, roles=roles, terms=TERMS, tariff=TARIFF)
    lying.act("registrar", "register", MARKET, [world.members[0].address])
    return lying


def tell(lying: World, *, honest: bool) -> None:
    """Let the token say yes, or no, from now on."""
    lying.send("treasurer", lying.contracts.credit, "set_honest", honest)
