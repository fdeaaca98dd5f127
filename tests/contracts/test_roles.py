"""Every role passes on in two steps: offered by its holder, accepted by whom it was offered to."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from ledger.abi import Contract
from ledger.keys import Key
from tests.contracts.fills import ESCROW
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


def of_market(
    name: str, number: int, function: str, arguments: Callable[[World], tuple[object, ...]], no: str
) -> Role:
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


def of_devices(name: str, number: int, deed: tuple[str, str, tuple[object, ...]], refusal: str) -> Role:
    contract, function, arguments = deed
    return Role(
        holder_name=name,
        contract="devices",
        offer=("offer_role", (number,)),
        accept=("accept_role", (number,)),
        not_the_holder="devices: not the holder",
        not_offered="devices: not offered",
        holder=lambda world: bytes(world.contracts.devices.read(name)),
        deed=(contract, function, lambda _: arguments),
        refusal=refusal,
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
    of_devices("issuer", 0, ("devices", "anchor", (0, [])), "devices: not the issuer"),
    of_devices("registrar", 1, ("devices", "add_area", (MARKET, "zone")), "devices: not the registrar"),
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
def ready(world: World) -> World:
    """Slot SLOT - 9,000 is void and waits to be delivered; the gate of SLOT has closed."""
    world.time.now = SLOT + 86_400 - 9_000 + 1
    world.act(world.strangers[5], "void", MARKET, SLOT - 9_000)
    return world


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


AHEAD_S = 8 * 86_400  # how far ahead of its slot an order is taken at most
LAST_SLOT = 2**40 - 1


def may_have_taken(world: World, key: Key, slot: int, market: bytes = MARKET) -> bool:
    answer: bool = world.read("may_have_taken", market, key.address, slot)
    return answer


def hand_over_operator(world: World, former: str | Key, heir: Key) -> int:
    """Returns the second at which it happened."""
    world.act(former, "offer_role", MARKET, OPERATOR, heir.address)
    world.act(heir, "accept_role", MARKET, OPERATOR)
    return world.chain.head().timestamp


def test_an_operator_may_have_taken_orders_for_slots_up_to_eight_days_after_it_handed_over(world: World) -> None:
    former, heir = world.keys["operator"], world.strangers[0]
    assert may_have_taken(world, former, LAST_SLOT)
    assert not may_have_taken(world, heir, SLOT)
    last = hand_over_operator(world, former, heir) + AHEAD_S
    assert [may_have_taken(world, former, slot) for slot in (0, SLOT, last, last + 1)] == [True] * 3 + [False]
    assert may_have_taken(world, heir, LAST_SLOT)


def test_whoever_was_never_an_operator_took_no_orders(world: World) -> None:
    offered = world.strangers[1]
    world.act("operator", "offer_role", MARKET, OPERATOR, offered.address)
    hand_over_operator(world, "operator", world.strangers[0])
    second_market(world)
    for key in (offered, world.keys["utility"], world.keys["owner"]):
        assert not may_have_taken(world, key, SLOT)
    assert not may_have_taken(world, world.strangers[0], SLOT, SECOND_MARKET)
    assert not may_have_taken(world, world.keys["operator"], SLOT, b"x" * 32)


def test_whoever_is_operator_again_takes_orders_again(world: World) -> None:
    first, heir = world.keys["operator"], world.strangers[0]
    hand_over_operator(world, first, heir)
    world.time.now += 86_400
    last = hand_over_operator(world, heir, first) + AHEAD_S
    assert may_have_taken(world, first, LAST_SLOT)
    assert [may_have_taken(world, heir, slot) for slot in (last, last + 1)] == [True, False]
    hand_over_operator(world, first, first)
    assert may_have_taken(world, first, LAST_SLOT)


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
