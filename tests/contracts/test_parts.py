"""The contracts name one another from the start, and none of them takes ether."""

from dataclasses import asdict

import pytest

from ledger.abi import interface
from ledger.deployment import ChallengeTerms, DeploymentError, confirmed, transact
from ledger.transactions import build
from tests.world import MARKET, SLOT, TERMS, World, refused

PARTS = {
    "exchange": ("escrow", "markets"),
    "escrow": ("credit", "exchange", "markets", "withdrawal_notice_s"),
    "markets": ("owner", "exchange", "escrow", "energy", "certificates", "challenges"),
}


@pytest.mark.parametrize(
    ("contract", "missing"),
    [
        ("exchange", "escrow"),
        ("exchange", "markets"),
        ("escrow", "credit"),
        ("escrow", "exchange"),
        ("escrow", "markets"),
        ("markets", "exchange"),
        ("markets", "escrow"),
        ("markets", "challenges"),
    ],
)
def test_a_contract_needs_the_others(world: World, contract: str, missing: str) -> None:
    arguments: dict[str, object] = dict.fromkeys(PARTS[contract], world.strangers[0].address)
    arguments[missing] = bytes(20)
    if contract == "escrow":
        arguments["withdrawal_notice_s"] = 3_600
    with refused(f"{contract}: {missing}"):
        build(world.chain, world.strangers[0], to=None, data=interface(contract).creation(*arguments.values()))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"credit": bytes(20)}, "challenges: credit"),
        ({"stake": 0}, "challenges: stake"),
        ({"response_s": 0}, "challenges: response time"),
        ({"stake": 1, "penalty": 0, "claim_period_s": 0, "response_s": 1}, None),
    ],
)
def test_a_challenge_costs_something_and_leaves_time_to_answer(
    world: World, changes: dict[str, object], reason: str | None
) -> None:
    parts = dict.fromkeys(("credit", "exchange", "escrow", "markets"), world.strangers[0].address)
    arguments = {**parts, **asdict(ChallengeTerms()), **changes}
    data = interface("challenges").creation(*arguments.values())
    if reason is None:
        build(world.chain, world.strangers[0], to=None, data=data)
    else:
        with refused(reason):
            build(world.chain, world.strangers[0], to=None, data=data)


@pytest.mark.parametrize(
    ("contract", "names"),
    [
        ("exchange", ("escrow", "markets")),
        ("escrow", ("credit", "exchange", "markets")),
        ("markets", ("exchange", "escrow", "energy", "certificates", "challenges")),
    ],
)
def test_each_contract_names_the_others(world: World, contract: str, names: tuple[str, ...]) -> None:
    for name in names:
        assert getattr(world.contracts, contract).read(name) == getattr(world.contracts, name).address


def test_the_escrow_names_its_notice_period(world: World) -> None:
    assert world.read("withdrawal_notice_s") == 3_600


@pytest.mark.parametrize(
    ("contract", "function"), [("escrow", "cancel_all"), ("exchange", "void"), ("markets", "freeze")]
)
def test_no_contract_takes_ether(world: World, contract: str, function: str) -> None:
    from eth_account import Account

    at, key = getattr(world.contracts, contract), world.members[0]
    if function == "cancel_all":
        data = at.interface.call(function)
    elif function == "void":
        world.time.now = SLOT + TERMS.settle_within_s + 1
        data = at.interface.call(function, MARKET, SLOT)
    else:
        key = world.keys["owner"]
        data = at.interface.call(function, MARKET)
    fields = {
        "chainId": world.chain.chain_id,
        "nonce": world.chain.nonce(key.address),
        "gas": 500_000,
        "gasPrice": 10**12,
        "value": 1,
        "to": at.address,
        "data": data,
    }
    with pytest.raises(DeploymentError):
        confirmed(world.chain, bytes(Account.sign_transaction(fields, key.secret).raw_transaction))
    assert world.chain.balance(at.address) == 0
    transact(at, key, data)  # without ether nothing is wrong with it
