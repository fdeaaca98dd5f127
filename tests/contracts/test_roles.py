"""Every role passes on in two steps, and no function of a contract obeys anybody but whom it is there for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from ledger.abi import Contract
from ledger.chain import CallRevertedError
from ledger.keys import Key
from tests.contracts.chunks import settle_chunk
from tests.contracts.fills import ESCROW, pair, position
from tests.contracts.second_market import SECOND_MARKET, second_market
from tests.world import MARKET, ONE_CREDIT, SLOT, World, refused

NOBODY = bytes(20)
OPERATOR, METER_AUTHORITY, REGISTRAR, UTILITY, VALIDATOR = 0, 1, 2, 3, 16


# ------------------------------------------------------------------------------------------ handing over


@dataclass(frozen=True)
class Role:
    """How one role passes on, and something that only its holder can do."""

    holder_name: str
    contract: str
    offer: tuple[str, tuple[object, ...]]
    accept: tuple[str, tuple[object, ...]]
    not_the_holder: str
    not_offered: str
    holder: Callable[[World], bytes]
    deed: tuple[str, str, Callable[[World], tuple[object, ...]]]
    refusal: str


def of_market(name: str, number: int, function: str, arguments: Callable[[World], tuple[object, ...]], no: str) -> Role:
    contract = {"commit_book": "exchange", "deliver": "exchange", "register": "escrow"}.get(function, "markets")
    return Role(
        holder_name=name,
        contract="markets",
        offer=("offer_role", (MARKET, number)),
        accept=("accept_role", (MARKET, number)),
        not_the_holder="markets: not the holder",
        not_offered="markets: not offered",
        holder=lambda world: bytes(world.read("holder_of", MARKET, number)),
        deed=(contract, function, arguments),
        refusal=no,
    )


def of_certificates(name: str, number: int, function: str, arguments: tuple[object, ...], no: str) -> Role:
    return Role(
        holder_name=name,
        contract="certificates",
        offer=("offer_role", (number,)),
        accept=("accept_role", (number,)),
        not_the_holder="certificates: not the holder",
        not_offered="certificates: not offered",
        holder=lambda world: bytes(world.contracts.certificates.read(name)),
        deed=("certificates", function, lambda _: arguments),
        refusal=no,
    )


def of_owner(name: str, contract: str, not_offered: str, function: str, refusal: str) -> Role:
    def holder(world: World) -> bytes:
        found: Contract = getattr(world.contracts, contract)
        return bytes(found.read("owner"))

    def arguments(world: World) -> tuple[object, ...]:
        return (MARKET,) if function == "freeze" else (world.strangers[5].address, 1)

    return Role(
        holder_name=name,
        contract=contract,
        offer=("transfer_ownership", ()),
        accept=("accept_ownership", ()),
        not_the_holder="ownable: caller is not the owner",
        not_offered=not_offered,
        holder=holder,
        deed=(contract, function, arguments),
        refusal=refusal,
    )


LATER = SLOT + 9 * 86_400
TARIFF_FROM_LATER = {"retail_price": 3, "feed_in_price": 2, "grid_fee": 1, "from_slot": LATER}
DEVICE_DETAILS = {
    "owner": b"\5" * 20,
    "market": MARKET,
    "technology": 1,
    "nameplate_w": 1,
    "slot_length_s": 900,
    "meter_key": b"\6" * 32,
}

ROLES = [
    of_market(
        "operator",
        OPERATOR,
        "commit_book",
        lambda _: (MARKET, SLOT, bytes(32), 0),
        "exchange: not the operator",
    ),
    of_market(
        "meter_authority",
        METER_AUTHORITY,
        "deliver",
        lambda _: (MARKET, SLOT - 9_000, []),
        "exchange: not the meter authority",
    ),
    of_market(
        "registrar",
        REGISTRAR,
        "register",
        lambda _: (MARKET, [b"\7" * 20]),
        "escrow: not the registrar",
    ),
    of_market("utility", UTILITY, "set_tariff", lambda _: (MARKET, TARIFF_FROM_LATER), "markets: not the utility"),
    of_certificates("issuer", 0, "certify", (MARKET, SLOT, [], []), "certificates: not the issuer"),
    of_certificates("registrar", 1, "register_device", (9, DEVICE_DETAILS), "certificates: not the registrar"),
    of_owner("owner", "markets", "ownable_2step: caller is not the new owner", "freeze", "markets: not the owner"),
    of_owner("treasurer", "credit", "credit: not the new treasurer", "mint", "erc20: access is denied"),
]
every_role = pytest.mark.parametrize("role", ROLES, ids=lambda role: f"{role.contract} {role.holder_name}")


def offer(world: World, role: Role, who: Key, account: bytes) -> None:
    function, arguments = role.offer
    world.send(who, getattr(world.contracts, role.contract), function, *arguments, account)


def accept(world: World, role: Role, who: Key) -> None:
    function, arguments = role.accept
    world.send(who, getattr(world.contracts, role.contract), function, *arguments)


def do(world: World, role: Role, who: Key) -> None:
    contract, function, arguments = role.deed
    world.close_gate()
    world.send(who, getattr(world.contracts, contract), function, *arguments(world))


@pytest.fixture
def ready(world: World) -> Iterator[World]:
    """Slot SLOT - 9,000 is void and waits to be delivered; the gate of SLOT has closed."""
    world.time.now = SLOT + 86_400 - 9_000 + 1
    world.act(world.strangers[5], "void", MARKET, SLOT - 9_000)
    yield world


@every_role
def test_a_role_passes_when_whom_it_was_offered_to_accepts_and_not_before(ready: World, role: Role) -> None:
    former, heir = ready.keys[role.holder_name], ready.strangers[0]
    offer(ready, role, former, heir.address)
    assert role.holder(ready) == former.address
    with refused(role.refusal):
        do(ready, role, heir)
    accept(ready, role, heir)
    assert role.holder(ready) == heir.address
    with refused(role.refusal):
        do(ready, role, former)
    with refused(role.not_the_holder):
        offer(ready, role, former, former.address)
    do(ready, role, heir)


@every_role
def test_only_whom_it_was_offered_to_accepts_and_once(ready: World, role: Role) -> None:
    former, heir, other = ready.keys[role.holder_name], *ready.strangers[:2]
    for who in (former, heir, other):
        with refused(role.not_offered):
            accept(ready, role, who)
    offer(ready, role, former, heir.address)
    for who in (former, other, ready.keys["deployer"]):
        with refused(role.not_offered):
            accept(ready, role, who)
    accept(ready, role, heir)
    with refused(role.not_offered):
        accept(ready, role, heir)


@every_role
def test_an_offer_is_taken_back_or_made_to_somebody_else(ready: World, role: Role) -> None:
    former, heir, other = ready.keys[role.holder_name], *ready.strangers[:2]
    offer(ready, role, former, heir.address)
    offer(ready, role, former, NOBODY)
    with refused(role.not_offered):
        accept(ready, role, heir)
    offer(ready, role, former, heir.address)
    offer(ready, role, former, other.address)
    with refused(role.not_offered):
        accept(ready, role, heir)
    accept(ready, role, other)
    assert role.holder(ready) == other.address


@every_role
def test_a_stranger_offers_nothing(ready: World, role: Role) -> None:
    stranger = ready.strangers[0]
    names = {"deployer", "owner", "treasurer", "operator", "issuer", "utility"} - {role.holder_name}
    for who in (stranger, ready.members[0], *(ready.keys[name] for name in sorted(names))):
        with refused(role.not_the_holder):
            offer(ready, role, who, stranger.address)


@every_role
def test_a_role_goes_on_and_comes_back(ready: World, role: Role) -> None:
    first, second = ready.keys[role.holder_name], ready.strangers[0]
    for giver, taker in ((first, second), (second, first)):
        offer(ready, role, giver, taker.address)
        accept(ready, role, taker)
    assert role.holder(ready) == first.address
    do(ready, role, first)


def test_a_role_of_an_unknown_market_or_number_is_nobodys(world: World) -> None:
    for market, number in ((b"x" * 32, OPERATOR), (MARKET, 4), (MARKET, VALIDATOR), (MARKET, 2**256 - 1)):
        with refused("markets: not the holder"):
            world.act("operator", "offer_role", market, number, world.strangers[0].address)
        with refused("markets: not offered"):
            world.act(world.strangers[0], "accept_role", market, number)


def test_a_role_passes_on_in_its_own_market_only(world: World) -> None:
    second_market(world)
    heir = world.strangers[3]
    world.act("operator", "offer_role", SECOND_MARKET, OPERATOR, heir.address)
    with refused("markets: not offered"):
        world.act(heir, "accept_role", MARKET, OPERATOR)
    world.act(heir, "accept_role", SECOND_MARKET, OPERATOR)
    assert world.read("holder_of", MARKET, OPERATOR) == world.keys["operator"].address
    assert world.read("holder_of", SECOND_MARKET, OPERATOR) == heir.address
    world.commit()


def test_whoever_was_operator_once_is_remembered(world: World) -> None:
    heir, offered = world.strangers[:2]
    world.act("operator", "offer_role", MARKET, OPERATOR, offered.address)
    world.act("operator", "offer_role", MARKET, OPERATOR, heir.address)
    world.act(heir, "accept_role", MARKET, OPERATOR)
    was = [world.read("was_operator", MARKET, key.address) for key in (world.keys["operator"], heir, offered)]
    assert was == [True, True, False]
    assert not world.read("was_operator", MARKET, world.keys["utility"].address)


def test_the_terms_name_the_present_holders(world: World) -> None:
    for number, name in enumerate(("operator", "meter_authority", "registrar", "utility")):
        heir = world.strangers[number]
        world.act(name, "offer_role", MARKET, number, heir.address)
        world.act(heir, "accept_role", MARKET, number)
        assert world.read("terms_of", MARKET)[name] == heir.address


# ------------------------------------------------------------------------------------------ the utility


def test_the_utilitys_account_moves_with_its_role(closed: World) -> None:
    closed.settle([])
    former, heir = closed.keys["utility"], closed.strangers[0]
    closed.act(former, "request_withdrawal", ONE_CREDIT)
    account = closed.read("account_of", former.address)
    closed.act(former, "offer_role", MARKET, UTILITY, heir.address)
    closed.act(heir, "accept_role", MARKET, UTILITY)
    assert closed.read("account_of", heir.address) == account
    assert closed.read("word_of", former.address) == 0
    closed.time.now += 3_660
    with refused("escrow: nothing requested"):
        closed.act(former, "withdraw")
    closed.act(heir, "request_withdrawal", ESCROW)
    closed.time.now += 3_660
    closed.act(heir, "withdraw")
    assert closed.contracts.credit.read("balanceOf", heir.address) == ESCROW


@pytest.mark.parametrize("who", ["member", "utility of another market"])
def test_the_utilitys_role_goes_to_nobody_who_has_an_account(world: World, who: str) -> None:
    second = second_market(world)
    heir = world.members[0] if who == "member" else second.keys["utility"]
    world.act("utility", "offer_role", MARKET, UTILITY, heir.address)
    with refused("escrow: already a member"):
        world.act(heir, "accept_role", MARKET, UTILITY)


# --------------------------------------------------------------------------------------- while it is frozen


@pytest.fixture
def frozen(world: World) -> World:
    world.act("owner", "freeze", MARKET)
    return world


def test_the_owner_offers_the_operators_role_of_a_frozen_market_and_no_other(frozen: World) -> None:
    heir = frozen.strangers[0]
    for number in (METER_AUTHORITY, REGISTRAR, UTILITY, VALIDATOR):
        with refused("markets: not the holder"):
            frozen.act("owner", "offer_role", MARKET, number, heir.address)
    frozen.act("owner", "offer_role", MARKET, OPERATOR, heir.address)
    assert frozen.read("holder_of", MARKET, OPERATOR) == frozen.keys["operator"].address
    frozen.act(heir, "accept_role", MARKET, OPERATOR)
    assert frozen.read("holder_of", MARKET, OPERATOR) == heir.address
    with refused("exchange: frozen"):
        frozen.act(heir, "commit_book", MARKET, SLOT, bytes(32), 0)
    frozen.act("owner", "unfreeze", MARKET)
    frozen.close_gate()
    frozen.act(heir, "commit_book", MARKET, SLOT, bytes(32), 0)


def test_an_operator_of_a_frozen_market_cannot_replace_the_owners_offer(frozen: World) -> None:
    heir, crony = frozen.strangers[:2]
    frozen.act("owner", "offer_role", MARKET, OPERATOR, heir.address)
    for account in (NOBODY, crony.address):
        with refused("ownable: caller is not the owner"):
            frozen.act("operator", "offer_role", MARKET, OPERATOR, account)
    frozen.act(heir, "accept_role", MARKET, OPERATOR)


def test_the_owner_offers_nothing_while_the_market_runs(world: World) -> None:
    for number in (OPERATOR, METER_AUTHORITY, REGISTRAR, UTILITY):
        with refused("markets: not the holder"):
            world.act("owner", "offer_role", MARKET, number, world.keys["owner"].address)
    second_market(world)
    world.act("owner", "freeze", SECOND_MARKET)
    with refused("markets: not the holder"):
        world.act("owner", "offer_role", MARKET, OPERATOR, world.keys["owner"].address)


def test_other_roles_of_a_frozen_market_pass_on(frozen: World) -> None:
    for number, name in ((1, "meter_authority"), (2, "registrar"), (3, "utility")):
        heir = frozen.strangers[number]
        frozen.act(name, "offer_role", MARKET, number, heir.address)
        frozen.act(heir, "accept_role", MARKET, number)
        assert frozen.read("holder_of", MARKET, number) == heir.address


# --------------------------------------------------------------- the table of limits: who, on which function


@dataclass(frozen=True)
class Limit:
    """Whom a function obeys, with arguments that get as far as the question who asks.

    `allowed` names keys of the world or contracts; everyone else gets `refusal`.
    """

    allowed: tuple[str, ...]
    refusal: str
    arguments: tuple[object, ...]


NOT_ENERGY = "energy: not transferable"
TERMS_ROW = ("operator", "meter_authority", "registrar", "utility")
MARKET_TERMS = {name: b"\x09" * 20 for name in TERMS_ROW} | {
    "slot_length_s": 900,
    "gate_lead_s": 300,
    "settle_within_s": 3_600,
    "uniform_price": True,
    "grid_limits": False,
}
FIRST_TARIFF = TARIFF_FROM_LATER | {"from_slot": 0}
NO_OWNER, NOT_HOLDER = "ownable: caller is not the owner", "markets: not the holder"

LIMITS: dict[tuple[str, str], Limit] = {
    ("credit", "mint"): Limit(("treasurer",), "erc20: access is denied", (b"\x09" * 20, 1)),
    ("credit", "transfer_ownership"): Limit(("treasurer",), NO_OWNER, (b"\x09" * 20,)),
    ("credit", "accept_ownership"): Limit((), "credit: not the new treasurer", ()),
    ("exchange", "commit_book"): Limit(("operator",), "exchange: not the operator", (MARKET, SLOT, bytes(32), 0)),
    ("exchange", "settle"): Limit(("operator",), "exchange: not the operator", (MARKET, SLOT, 0, [], False, [])),
    ("exchange", "deliver"): Limit(("meter_authority",), "exchange: not the meter authority", (MARKET, SLOT, [])),
    ("exchange", "set_control"): Limit(("markets",), "exchange: not the markets", (MARKET, 0)),
    ("exchange", "set_word"): Limit(("escrow",), "exchange: not the escrow", (b"\x09" * 20, 2**60 - 1)),
    ("exchange", "raise_epoch"): Limit(("escrow",), "exchange: not the escrow", (b"\x09" * 20, SLOT)),
    ("exchange", "note_posted"): Limit(("escrow",), "exchange: not the escrow", (MARKET, SLOT)),
    ("escrow", "register"): Limit(("registrar",), "escrow: not the registrar", (MARKET, [b"\x09" * 20])),
    ("escrow", "open_utility_account"): Limit(("markets",), "escrow: not the markets", (MARKET, b"\x09" * 20)),
    ("escrow", "move_utility_account"): Limit(
        ("markets",), "escrow: not the markets", (MARKET, b"\x08" * 20, b"\x09" * 20)
    ),
    ("escrow", "fill_posted"): Limit(("exchange",), "escrow: not the exchange", (MARKET, SLOT, bytes(32))),
    ("escrow", "close_posted"): Limit(("exchange",), "escrow: not the exchange", (MARKET, SLOT, 0, False)),
    ("markets", "open_market"): Limit(("owner",), NO_OWNER, (b"x" * 32, MARKET_TERMS, FIRST_TARIFF, [], 0)),
    ("markets", "freeze"): Limit(("owner", "challenges"), "markets: not the owner", (MARKET,)),
    ("markets", "unfreeze"): Limit(("owner",), NO_OWNER, (MARKET,)),
    ("markets", "transfer_ownership"): Limit(("owner",), NO_OWNER, (b"\x09" * 20,)),
    ("markets", "accept_ownership"): Limit((), "ownable_2step: caller is not the new owner", ()),
    ("markets", "set_tariff"): Limit(("utility",), "markets: not the utility", (MARKET, TARIFF_FROM_LATER)),
    ("markets", "offer_role"): Limit(("operator",), NOT_HOLDER, (MARKET, OPERATOR, b"\x09" * 20)),
    ("markets", "accept_role"): Limit((), "markets: not offered", (MARKET, OPERATOR)),
    ("certificates", "offer_role"): Limit(("issuer",), "certificates: not the holder", (0, b"\x09" * 20)),
    ("certificates", "accept_role"): Limit((), "certificates: not offered", (0,)),
    ("certificates", "certify"): Limit(("issuer",), "certificates: not the issuer", (MARKET, SLOT, [], [])),
    ("certificates", "register_device"): Limit(
        ("registrar",), "certificates: not the registrar", (9, DEVICE_DETAILS)
    ),
    ("challenges", "request_bond_release"): Limit(("operator",), "challenges: not the operator", (MARKET,)),
    ("challenges", "release_bond"): Limit(("operator",), "challenges: not the operator", (MARKET,)),
    ("challenges", "report_overdrawn"): Limit(("operator",), "challenges: not the operator", (MARKET, SLOT, [])),
    # An energy token goes nowhere, whoever asks.
    ("energy", "setApprovalForAll"): Limit((), NOT_ENERGY, (b"\x09" * 20, True)),
    ("energy", "safeTransferFrom"): Limit((), NOT_ENERGY, (b"\x09" * 20, b"\x08" * 20, SLOT, 1, b"")),
    ("energy", "safeBatchTransferFrom"): Limit((), NOT_ENERGY, (b"\x09" * 20, b"\x08" * 20, [SLOT], [1], b"")),
}

# What anybody may call, and why it needs no limit.
OPEN: dict[tuple[str, str], str] = {
    ("credit", "transfer"): "the caller's own credits",
    ("credit", "transferFrom"): "as far as the owner approved",
    ("credit", "approve"): "the caller's own credits",
    ("credit", "permit"): "as far as the owner signed",
    ("credit", "burn"): "the caller's own credits",
    ("credit", "burn_from"): "as far as the owner approved",
    ("exchange", "void"): "after the deadline; nobody's account changes",
    ("exchange", "unwind"): "of a void slot, exactly what was settled",
    ("escrow", "deposit"): "the caller's own credits",
    ("escrow", "request_withdrawal"): "the caller's own account",
    ("escrow", "withdraw"): "the caller's own account",
    ("escrow", "cancel_all"): "the caller's own account",
    ("escrow", "post_order"): "the caller's own signed order",
    ("challenges", "post_bond"): "the caller's own credits",
    ("challenges", "challenge_missing"): "the caller's own stake",
    ("challenges", "challenge_left_out"): "the caller's own stake",
    ("challenges", "answer_in_book"): "proof is proof, whoever brings it",
    ("challenges", "answer_cancelled"): "proof is proof, whoever brings it",
    ("challenges", "answer_filled"): "proof is proof, whoever brings it",
    ("challenges", "uphold"): "after the time to answer",
    ("certificates", "retire"): "the caller's own certificates",
    ("certificates", "setApprovalForAll"): "the caller's own certificates",
    ("certificates", "safeTransferFrom"): "as far as the owner approved",
    ("certificates", "safeBatchTransferFrom"): "as far as the owner approved",
}
CONTRACTS = ("credit", "exchange", "escrow", "energy", "certificates", "markets", "challenges")


def test_every_function_that_changes_something_is_in_the_table(world: World) -> None:
    changing = {
        (name, entry["name"])
        for name in CONTRACTS
        for entry in getattr(world.contracts, name).interface.artifact.abi
        if entry["type"] == "function" and entry["stateMutability"] not in ("view", "pure")
    }
    assert changing == set(LIMITS) | set(OPEN)
    assert not set(LIMITS) & set(OPEN)


def test_no_function_takes_ether_and_nothing_receives_it_by_default(world: World) -> None:
    for name in CONTRACTS:
        abi = getattr(world.contracts, name).interface.artifact.abi
        assert not [entry for entry in abi if entry.get("stateMutability") == "payable"]
        assert not [entry for entry in abi if entry["type"] in ("fallback", "receive")]


def callers(world: World) -> dict[str, bytes]:
    parties = {name: key.address for name, key in world.keys.items()}
    parties |= {name: getattr(world.contracts, name).address for name in CONTRACTS}
    parties |= {"a member": world.members[0].address, "a stranger": world.strangers[0].address}
    return parties


@pytest.mark.parametrize(("contract", "function"), LIMITS, ids=" ".join)
def test_a_function_refuses_everybody_but_whom_it_is_there_for(world: World, contract: str, function: str) -> None:
    limit = LIMITS[contract, function]
    target: Contract = getattr(world.contracts, contract)
    data = target.interface.call(function, *limit.arguments)
    found = {}
    for name, address in callers(world).items():
        try:
            world.chain.call(target.address, data, sender=address)
            found[name] = "obeyed"
        except CallRevertedError as refusal:
            found[name] = refusal.reason
    # Whom it is there for may be told that it is too early, and the like.
    assert {name for name, answer in found.items() if answer != limit.refusal} == set(limit.allowed)


def test_nobody_settles_or_delivers_for_another_by_having_all_other_roles(closed: World) -> None:
    trade = pair(closed, 5)
    for who in sorted(set(closed.keys) - {"operator"}):
        operator, closed.keys["operator"] = closed.keys["operator"], closed.keys[who]
        with refused("exchange: not the operator"):
            settle_chunk(closed, sorted(trade, key=lambda fill: fill.signed.hash), more=False)
        closed.keys["operator"] = operator
    assert position(closed, 0) == 0
