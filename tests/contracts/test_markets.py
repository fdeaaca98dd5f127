"""Who opens markets, registers members and announces tariffs, and within which limits."""

from dataclasses import replace
from typing import Any

import pytest
from eth_hash.auto import keccak

from ledger.batches import FilledOrder
from tests.world import MARKET, ONE_CREDIT, SLOT, TARIFF, World, refused

OTHER_MARKET = b"lugano".ljust(32, b"\0")
MAX_PRICE = 2**32 - 1
FIRST_TARIFF = {"retail_price": 300_000, "feed_in_price": 80_000, "grid_fee": 10_000, "from_slot": 0}


def terms(world: World, **changes: object) -> dict[str, Any]:
    operator, meter_authority, registrar, utility = (key.address for key in world.strangers[:4])
    return {
        "operator": operator,
        "meter_authority": meter_authority,
        "registrar": registrar,
        "utility": utility,
        "slot_length_s": 900,
        "gate_lead_s": 300,
        "settle_within_s": 3_600,
        "uniform_price": True,
        "grid_limits": False,
        **changes,
    }


def open_other(world: World, tariff: dict[str, Any] = FIRST_TARIFF, **changes: object) -> None:
    world.act("owner", "open_market", OTHER_MARKET, terms(world, **changes), tariff, [], 0)


def tariff_from(slot: int, **changes: object) -> dict[str, Any]:
    return {**FIRST_TARIFF, "from_slot": slot, **changes}


NOTICE_S = 8 * 86_400
LATER = SLOT + 9 * 86_400  # a slot that is far enough ahead for a new tariff


def aligned_after(time: int) -> int:
    return time - time % 900 + 900


# -------------------------------------------------------------------------------------------- the owner


def test_the_deployer_keeps_no_power_over_the_markets(world: World) -> None:
    assert world.read("owner") == world.keys["owner"].address
    with refused("ownable: caller is not the owner"):
        world.act("deployer", "open_market", OTHER_MARKET, terms(world), FIRST_TARIFF, [], 0)
    with refused("ownable: caller is not the owner"):
        world.act("deployer", "transfer_ownership", world.keys["deployer"].address)


def test_ownership_passes_only_when_the_new_owner_accepts(world: World) -> None:
    heir, other = world.strangers[:2]
    world.act("owner", "transfer_ownership", heir.address)
    assert world.read("owner") == world.keys["owner"].address
    with refused("ownable_2step: caller is not the new owner"):
        world.act(other, "accept_ownership")
    world.act(heir, "accept_ownership")
    assert world.read("owner") == heir.address
    with refused("ownable: caller is not the owner"):
        world.act("owner", "open_market", OTHER_MARKET, terms(world), FIRST_TARIFF, [], 0)


# ------------------------------------------------------------------------------------------ open_market


@pytest.mark.parametrize(("uniform_price", "grid_limits"), [(True, False), (True, True), (False, False)])
def test_a_market_opens_with_its_terms_tariff_and_number(
    world: World, uniform_price: bool, grid_limits: bool
) -> None:
    pricing: dict[str, Any] = {"uniform_price": uniform_price, "grid_limits": grid_limits}
    open_other(world, **pricing)
    assert world.read("market_count") == 2
    assert world.contracts.markets.read("market_of_number", 2) == OTHER_MARKET
    assert world.read("terms_of", OTHER_MARKET) == terms(world, **pricing)
    assert world.read("tariff_at", OTHER_MARKET, 0) == FIRST_TARIFF
    assert world.read("member_count", OTHER_MARKET) == 0
    assert world.read("account_of", world.strangers[3].address)["market_number"] == 2  # the utility


def test_where_grid_limits_hold_an_order_better_than_the_price_may_be_filled_in_part(world: World) -> None:
    open_other(world, grid_limits=True)
    parties = dict(zip(("operator", "registrar"), (world.strangers[0], world.strangers[2]), strict=True))
    people = list(world.strangers[4:6])
    other = replace(world, keys=world.keys | parties, members=people, market=OTHER_MARKET)
    other.act("registrar", "register", OTHER_MARKET, [key.address for key in people])
    other.fund_all([key.address for key in people], ONE_CREDIT)
    other.commit()
    bid = other.bid(0, 100, 150_001, market=OTHER_MARKET)
    offer = other.offer(1, 100, 149_999, market=OTHER_MARKET)
    other.settle([FilledOrder(bid, 60), FilledOrder(offer, 60)])
    assert other.read("position_of", people[0].address, SLOT) == 60


def test_only_the_owner_opens_markets(world: World) -> None:
    with refused("ownable: caller is not the owner"):
        world.act("operator", "open_market", OTHER_MARKET, terms(world), FIRST_TARIFF, [], 0)


def test_a_market_has_an_id(world: World) -> None:
    with refused("markets: no market id"):
        world.act("owner", "open_market", bytes(32), terms(world), FIRST_TARIFF, [], 0)


def test_a_market_opens_once(world: World) -> None:
    with refused("markets: market exists"):
        world.act("owner", "open_market", MARKET, terms(world), FIRST_TARIFF, [], 0)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"operator": bytes(20)}, "markets: no operator"),
        ({"meter_authority": bytes(20)}, "markets: no meter authority"),
        ({"registrar": bytes(20)}, "markets: no registrar"),
        ({"utility": bytes(20)}, "markets: no utility"),
        ({"slot_length_s": 0}, "markets: slot length"),
        ({"slot_length_s": 600}, "markets: slot length"),
        ({"slot_length_s": 901}, "markets: slot length"),
        ({"slot_length_s": 7_200}, "markets: slot length"),
        ({"gate_lead_s": 2**24}, "markets: gate lead"),
        ({"settle_within_s": 0}, "markets: no time to settle"),
        ({"settle_within_s": 3 * 86_400 + 1}, "markets: settle within"),
    ],
)
def test_terms_outside_their_limits_are_refused(world: World, changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        open_other(world, **changes)


@pytest.mark.parametrize("slot_length_s", [300, 900, 1_800, 3_600])
def test_terms_at_their_limits_are_taken_and_do_not_run_into_one_another(world: World, slot_length_s: int) -> None:
    changes: dict[str, Any] = {
        "slot_length_s": slot_length_s,
        "gate_lead_s": 2**24 - 1,
        "settle_within_s": 3 * 86_400,
    }
    open_other(world, **changes)
    assert world.read("terms_of", OTHER_MARKET) == terms(world, **changes)
    operator = world.strangers[0]
    slot = aligned_after(world.time.now + 2**23) // slot_length_s * slot_length_s
    world.act(operator, "commit_book", OTHER_MARKET, slot, bytes(32), 0)  # the longest gate lead is in force
    world.act(operator, "settle", OTHER_MARKET, slot, 0, [], False, [])
    assert world.read("slot_of", OTHER_MARKET, slot)["state"] == 1


VALIDATORS = [number.to_bytes(20) for number in range(1, 17)]


@pytest.mark.parametrize(
    ("validators", "needed", "reason"),
    [
        ([], 1, "markets: approvals"),
        (VALIDATORS[:2], 3, "markets: approvals"),
        (VALIDATORS[:2], 0, "markets: approvals"),
        (VALIDATORS[1::-1], 1, "markets: order of validators"),
        (VALIDATORS[:1] * 2, 1, "markets: order of validators"),
        ([bytes(20)], 1, "markets: order of validators"),
    ],
)
def test_validators_outside_their_limits_are_refused(
    world: World, validators: list[bytes], needed: int, reason: str
) -> None:
    with refused(reason):
        world.act("owner", "open_market", OTHER_MARKET, terms(world), FIRST_TARIFF, validators, needed)


@pytest.mark.parametrize("needed", [1, 16])
def test_up_to_sixteen_validators_are_named(world: World, needed: int) -> None:
    with refused(""):  # the ABI decoder's own refusal
        too_many = [*VALIDATORS, b"\xff" * 20]
        world.act("owner", "open_market", OTHER_MARKET, terms(world), FIRST_TARIFF, too_many, needed)
    world.act("owner", "open_market", OTHER_MARKET, terms(world), FIRST_TARIFF, VALIDATORS, needed)
    assert (world.read("validator_count", OTHER_MARKET), world.read("approvals_needed", OTHER_MARKET)) == (
        16,
        needed,
    )
    assert [world.read("holder_of", OTHER_MARKET, 16 + seat) for seat in range(17)] == [*VALIDATORS, bytes(20)]
    assert world.read("terms_of", OTHER_MARKET) == terms(world)
    assert world.exchange.read("controls", OTHER_MARKET) >> 243 == needed


def test_one_account_is_the_utility_of_one_market(world: World) -> None:
    with refused("escrow: already a member"):
        open_other(world, utility=world.keys["utility"].address)


def test_the_number_of_markets_is_limited_to_what_the_account_word_holds(world: World) -> None:
    word = next(word for word in range(64) if _grows_with_markets(world, word))
    # Out of reach of any honest number of calls.
    world.chain.set_storage(world.contracts.markets.address, word, 2**16 - 2)
    open_other(world)
    assert world.read("market_count") == 2**16 - 1
    with refused("markets: too many markets"):
        world.act("owner", "open_market", b"last".ljust(32, b"\0"), terms(world), FIRST_TARIFF, [], 0)


def _grows_with_markets(world: World, word: int) -> bool:
    """Whether this word of the contract's storage counts the markets."""
    before = world.chain.storage(world.contracts.markets.address, word)
    snapshot = world.chain.snapshot()
    open_other(world)
    after = world.chain.storage(world.contracts.markets.address, word)
    world.chain.revert(snapshot)
    return (before, after) == (1, 2)


def test_terms_of_an_unknown_market_are_refused(world: World) -> None:
    with refused("markets: no such market"):
        world.read("terms_of", OTHER_MARKET)


# --------------------------------------------------------------------------------------------- register


def test_members_are_registered_and_counted(world: World) -> None:
    new = [key.address for key in world.strangers[:3]]
    receipt = world.act("registrar", "register", MARKET, new)
    events = [world.contracts.escrow.interface.decode_event(log) for log in receipt.logs]
    assert [event.arguments["account"] for event in events if event] == new
    assert world.read("member_count", MARKET) == len(world.members) + 3
    states = [world.read("account_of", account) for account in new]
    assert [(state["market_number"], state["member_number"]) for state in states] == [(1, 5), (1, 6), (1, 7)]


def test_registration_changes_nothing_else_of_an_account(world: World) -> None:
    state = world.read("account_of", world.members[0].address)
    standing = {"market_number": 1, "member_number": 1}
    nothing = {"debt": 0, "epoch": 0, "epoch_from_slot": 0, "latest_slot_index": 0}
    assert state == {"balance": 1_000 * ONE_CREDIT} | nothing | standing


@pytest.mark.parametrize("who", ["owner", "operator", "utility", "meter_authority"])
def test_only_the_registrar_registers(world: World, who: str) -> None:
    with refused("escrow: not the registrar"):
        world.act(who, "register", MARKET, [world.strangers[0].address])


def test_nobody_registers_in_an_unknown_market(world: World) -> None:
    with refused("escrow: not the registrar"):
        world.act("registrar", "register", OTHER_MARKET, [world.strangers[0].address])


@pytest.mark.parametrize("twice_in", ["one call", "two calls"])
def test_an_account_is_registered_once(world: World, twice_in: str) -> None:
    account = world.strangers[0].address
    if twice_in == "two calls":
        world.act("registrar", "register", MARKET, [account])
        accounts = [account]
    else:
        accounts = [account, account]
    with refused("escrow: already a member"):
        world.act("registrar", "register", MARKET, accounts)


def test_the_utility_is_not_a_member_to_be_registered(world: World) -> None:
    with refused("escrow: already a member"):
        world.act("registrar", "register", MARKET, [world.keys["utility"].address])


def test_the_zero_account_is_nobody(world: World) -> None:
    with refused("escrow: no account"):
        world.act("registrar", "register", MARKET, [bytes(20)])


def test_at_most_256_accounts_are_registered_at_once(world: World) -> None:
    accounts = [number.to_bytes(20, "big") for number in range(1_000, 1_257)]
    with refused(""):  # the ABI decoder's own refusal
        world.act("registrar", "register", MARKET, accounts)
    world.act("registrar", "register", MARKET, accounts[:256])
    assert world.read("member_count", MARKET) == len(world.members) + 256


def test_the_number_of_members_is_limited_to_what_the_account_word_holds(world: World) -> None:
    places = (keccak(word.to_bytes(32) + MARKET) for word in range(64))
    keys = [int.from_bytes(place) for place in places]
    counted = [
        key for key in keys if world.chain.storage(world.contracts.escrow.address, key) == len(world.members)
    ]
    (key,) = counted
    # Out of reach of any honest number of calls.
    world.chain.set_storage(world.contracts.escrow.address, key, 2**16 - 2)
    last, beyond = (stranger.address for stranger in world.strangers[:2])
    with refused("escrow: too many members"):
        world.act("registrar", "register", MARKET, [last, beyond])
    world.act("registrar", "register", MARKET, [last])
    assert world.read("account_of", last)["member_number"] == world.read("member_count", MARKET) == 2**16 - 1
    with refused("escrow: too many members"):
        world.act("registrar", "register", MARKET, [beyond])


# ---------------------------------------------------------------------------------------------- tariffs


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"from_slot": 900}, "markets: first tariff"),
        ({"retail_price": MAX_PRICE + 1}, "markets: retail price"),
        ({"retail_price": 79_999}, "markets: feed-in price"),
        ({"feed_in_price": 300_001}, "markets: feed-in price"),
        ({"grid_fee": MAX_PRICE + 1}, "markets: grid fee"),
    ],
)
def test_a_first_tariff_outside_its_limits_is_refused(
    world: World, changes: dict[str, object], reason: str
) -> None:
    with refused(reason):
        open_other(world, {**FIRST_TARIFF, **changes})


def test_a_tariff_at_its_limits_is_taken(world: World) -> None:
    highest = {"retail_price": MAX_PRICE, "feed_in_price": MAX_PRICE, "grid_fee": MAX_PRICE, "from_slot": 0}
    open_other(world, highest)
    assert world.read("tariff_at", OTHER_MARKET, SLOT) == highest


@pytest.mark.parametrize("who", ["owner", "operator", "registrar", "meter_authority"])
def test_only_the_utility_sets_tariffs(world: World, who: str) -> None:
    with refused("markets: not the utility"):
        world.act(who, "set_tariff", MARKET, tariff_from(LATER))


def test_nobody_sets_the_tariff_of_an_unknown_market(world: World) -> None:
    with refused("markets: not the utility"):
        world.act("utility", "set_tariff", OTHER_MARKET, tariff_from(LATER))


def test_a_tariff_begins_with_a_slot(world: World) -> None:
    with refused("markets: slot"):
        world.act("utility", "set_tariff", MARKET, tariff_from(LATER + 1))


def test_a_tariff_is_announced_before_anybody_orders_for_its_first_slot(world: World) -> None:
    world.at(LATER - NOTICE_S)
    with refused("markets: tariff notice"):
        world.act("utility", "set_tariff", MARKET, tariff_from(LATER))
    world.at(LATER - NOTICE_S - 1)
    world.act("utility", "set_tariff", MARKET, tariff_from(LATER))


def test_a_tariff_begins_in_the_last_slot_that_there_is_at_the_latest(world: World) -> None:
    last = (2**40 - 1) // 900 * 900
    with refused("markets: slot"):
        world.act("utility", "set_tariff", MARKET, tariff_from(last + 900))
    world.act("utility", "set_tariff", MARKET, tariff_from(last))


def test_tariffs_are_announced_in_the_order_of_their_slots(world: World) -> None:
    world.act("utility", "set_tariff", MARKET, tariff_from(LATER + 1_800))
    for slot in (LATER + 900, LATER + 1_800):
        with refused("markets: tariff order"):
            world.act("utility", "set_tariff", MARKET, tariff_from(slot))
    world.act("utility", "set_tariff", MARKET, tariff_from(LATER + 2_700))


def test_a_later_tariff_has_the_same_limits(world: World) -> None:
    for changes, reason in (
        ({"retail_price": MAX_PRICE + 1}, "markets: retail price"),
        ({"feed_in_price": 300_001}, "markets: feed-in price"),
        ({"grid_fee": MAX_PRICE + 1}, "markets: grid fee"),
        ({"from_slot": 2**40 // 900 * 900 + 900}, "markets: slot"),
    ):
        with refused(reason):
            world.act("utility", "set_tariff", MARKET, {**tariff_from(LATER), **changes})


def test_each_slot_keeps_the_tariff_it_was_announced_with(world: World) -> None:
    world.act("utility", "set_tariff", MARKET, tariff_from(LATER + 900, grid_fee=1))
    world.act("utility", "set_tariff", MARKET, tariff_from(LATER + 2_700, grid_fee=2))
    fees = [world.read("tariff_at", MARKET, LATER + 900 * k)["grid_fee"] for k in range(5)]
    assert fees == [TARIFF.grid_fee, 1, 1, 2, 2]


def test_an_unknown_market_has_no_tariff(world: World) -> None:
    with refused("markets: no tariff"):
        world.read("tariff_at", OTHER_MARKET, SLOT)
