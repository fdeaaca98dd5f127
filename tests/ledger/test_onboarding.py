"""Members and money come on chain; doing it again does nothing, or says what is in the way."""

import pytest

from ledger.deployment import (
    DeploymentError,
    MarketTerms,
    Roles,
    attach,
    contract_address,
    deploy,
    is_open,
    open_market,
)
from ledger.market import epoch_holds, read_account, read_market, read_tariff
from ledger.onboarding import ForeignMemberError, fund, register_members
from matching.tariff import Tariff
from tests.world import MARKET, ONE_CREDIT, ROLE_NAMES, SLOT, TARIFF, World, refused

NAMES = (
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
LUGANO = b"lugano".ljust(32, b"\0")


def roles(world: World, **others: bytes) -> Roles:
    return Roles(**{name: world.keys[name].address for name in ROLE_NAMES} | others)


def open_lugano(world: World) -> None:
    parties = roles(world, utility=world.strangers[0].address)
    terms = MarketTerms(slot_length_s=300, gate_lead_s=60, settle_within_s=3_600, uniform_price=False)
    tariff = Tariff(retail_price=3, feed_in_price=2, grid_fee=1)
    open_market(world.contracts, world.keys["owner"], LUGANO, roles=parties, terms=terms, tariff=tariff)


# ------------------------------------------------------------------------------------------- deployment


def test_contracts_land_where_they_were_expected(world: World) -> None:
    deployer = world.strangers[0]
    nonce = world.chain.nonce(deployer.address)
    contracts = deploy(world.chain, deployer, roles(world), withdrawal_notice_s=7, certificate_lifetime_s=11)
    found = [getattr(contracts, name) for name in NAMES]
    expected = [contract_address(deployer.address, nonce + offset) for offset in range(len(NAMES))]
    assert [contract.address for contract in found] == expected
    assert contracts.energy.read("exchange") == contracts.exchange.address
    assert contracts.escrow.read("withdrawal_notice_s") == 7
    assert contracts.certificates.read("lifetime_s") == 11


def test_everything_is_found_from_the_exchanges_address(world: World) -> None:
    found = attach(world.chain, world.exchange.address)
    for name in NAMES:
        assert getattr(found, name).address == getattr(world.contracts, name).address


def test_an_address_without_a_contract_is_no_exchange(world: World) -> None:
    with pytest.raises(DeploymentError, match="no contract at 0x0101"):
        attach(world.chain, b"\x01" * 20)


def test_a_market_is_opened_once(world: World) -> None:
    assert not is_open(world.contracts.markets, LUGANO)
    open_lugano(world)
    head = world.chain.head()
    open_lugano(world)
    assert is_open(world.contracts.markets, LUGANO)
    assert is_open(world.contracts.markets, MARKET)
    assert world.chain.head() == head


# ----------------------------------------------------------------------------------- reading a market


def test_a_market_is_read_as_it_was_opened(world: World) -> None:
    open_lugano(world)
    market = read_market(world.contracts, LUGANO)
    assert (market.slot_length_s, market.gate_lead_s, market.settle_within_s) == (300, 60, 3_600)
    assert not market.uniform_price
    assert (market.operator, market.utility) == (world.keys["operator"].address, world.strangers[0].address)
    assert read_tariff(world.contracts, LUGANO, SLOT) == Tariff(retail_price=3, feed_in_price=2, grid_fee=1)
    with refused("markets: no such market"):
        read_market(world.contracts, b"zug".ljust(32, b"\0"))


def test_a_market_knows_its_times_to_the_second(world: World) -> None:
    market = read_market(world.contracts, MARKET)
    assert (market.gate_closes_at(SLOT), market.ends_at(SLOT), market.void_after(SLOT)) == (
        SLOT - 300,
        SLOT + 900,
        SLOT + 86_400,
    )
    assert [market.is_aligned(time) for time in (SLOT - 1, SLOT, SLOT + 1, SLOT + 300)] == [
        False,
        True,
        False,
        False,
    ]


def test_the_tariff_of_a_slot_is_read_as_of_a_block(world: World) -> None:
    before = world.chain.head().number
    slot = SLOT + 9 * 86_400  # as far ahead as a tariff must be announced
    later = {"retail_price": 5, "feed_in_price": 4, "grid_fee": 3, "from_slot": slot}
    world.act("utility", "set_tariff", MARKET, later)
    changed = Tariff(retail_price=5, feed_in_price=4, grid_fee=3)
    assert read_tariff(world.contracts, MARKET, slot - 900) == TARIFF
    assert read_tariff(world.contracts, MARKET, slot) == changed
    assert read_tariff(world.contracts, MARKET, slot, block_number=before) == TARIFF


def test_an_account_is_read_with_what_it_asked_to_withdraw(world: World) -> None:
    member = world.members[0]
    before = world.chain.head().number
    world.act(member, "request_withdrawal", 7)
    world.act(member, "cancel_all")
    state = read_account(world.contracts, member.address)
    assert (state.balance_nano, state.debt_nano, state.epoch) == (1_000 * ONE_CREDIT, 0, 1)
    first = state.epoch_from_slot
    held = [epoch_holds(world.contracts, member.address, state, slot, 0) for slot in (first - 1, first)]
    assert held == [True, False]
    assert (state.market, state.withdrawal_nano) == (MARKET, 7)
    earlier = read_account(world.contracts, member.address, block_number=before)
    assert (earlier.epoch, earlier.withdrawal_nano) == (0, 0)
    assert read_account(world.contracts, world.strangers[0].address).market is None
    assert world.read("position_of", member.address, SLOT) == 0


# --------------------------------------------------------------------------------- members and money


def test_members_are_registered_once_however_often_they_are_asked_for(world: World) -> None:
    new = [key.address for key in world.strangers[:3]]
    registrar = world.keys["registrar"]
    register_members(world.contracts, registrar, MARKET, new[:2])
    register_members(world.contracts, registrar, MARKET, new)
    head = world.chain.head()
    register_members(world.contracts, registrar, MARKET, new)
    assert world.chain.head() == head
    assert world.read("member_count", MARKET) == len(world.members) + 3
    assert {read_account(world.contracts, account).market for account in new} == {MARKET}


def test_an_account_named_twice_is_registered_once(world: World) -> None:
    account = world.strangers[0].address
    register_members(world.contracts, world.keys["registrar"], MARKET, [account, account])
    assert world.read("member_count", MARKET) == len(world.members) + 1


def test_more_members_than_one_transaction_takes_are_registered_in_several(world: World) -> None:
    accounts = [number.to_bytes(20, "big") for number in range(1_000, 1_258)]
    head = world.chain.head().number
    register_members(world.contracts, world.keys["registrar"], MARKET, accounts)
    assert world.chain.head().number == head + 2
    assert world.read("member_count", MARKET) == len(world.members) + 258


def test_a_member_of_another_market_is_refused_before_anything_is_sent(world: World) -> None:
    open_lugano(world)
    head = world.chain.head()
    accounts = [world.strangers[1].address, world.members[0].address]
    with pytest.raises(ForeignMemberError, match="is a member of market number 1"):
        register_members(world.contracts, world.keys["registrar"], LUGANO, accounts)
    assert world.chain.head() == head


def test_money_that_arrived_is_put_into_escrow(world: World) -> None:
    account = world.members[0].address
    fund(world.contracts, world.keys["treasurer"], account, 5)
    fund(world.contracts, world.keys["treasurer"], account, 6)
    assert world.balance(account) == 1_000 * ONE_CREDIT + 11
    assert world.contracts.credit.read("balanceOf", world.keys["treasurer"].address) == 0
