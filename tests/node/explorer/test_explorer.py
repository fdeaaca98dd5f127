"""What the explorer says of transactions, blocks and addresses on a real chain with our contracts."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import fields

import pytest

from ledger.abi import Contract
from ledger.batches import FilledOrder, MemberReading
from ledger.chain import Receipt
from ledger.devchain import DevAccount, DevChain
from ledger.devchain.rpc import create_app
from ledger.hexcodec import from_data, to_data
from ledger.jsonrpc import JsonRpcChain
from ledger.keys import Key
from node.cli.units import shown_time
from node.explorer import Explorer
from node.explorer.views import Event, TransactionView
from node.reasons import in_words
from tests.chains import ANVIL
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.contract import bytecode, set_note
from tests.ledger.chain.serving import served
from tests.node.explorer.conftest import ALICE, BOB
from tests.world import MARKET, ONE_CREDIT, SLOT, World

NOBODY = b"\x99" * 20


def actor(world: World, key: Key) -> Actor:
    return Actor(world.chain, DevAccount(key.address, key.secret))


def call(world: World, key: Key, contract: Contract, function: str, *arguments: object) -> Receipt:
    """Send a call whether or not it succeeds."""
    return actor(world, key).transact(contract.address, contract.interface.call(function, *arguments))


def seen(explorer: Explorer, receipt: Receipt) -> TransactionView:
    found = explorer.transaction(receipt.transaction_hash)
    assert found is not None
    return found


def one(events: list[Event], name: str) -> Event:
    (found,) = [event for event in events if event.event == name]
    return found


def test_contracts_are_recognised_by_their_code(world: World, explorer: Explorer) -> None:
    for field in fields(world.contracts):
        contract: Contract = getattr(world.contracts, field.name)
        assert explorer.party(contract.address).contract == field.name
    assert explorer.party(NOBODY).contract is None


def test_a_call_is_decoded_with_amounts_and_names(world: World, explorer: Explorer) -> None:
    treasurer, bob = world.keys["treasurer"], world.members[BOB].address
    call(world, treasurer, world.contracts.credit, "mint", treasurer.address, 20 * ONE_CREDIT)
    view = seen(explorer, call(world, treasurer, world.contracts.credit, "transfer", bob, 12_345_678_900))
    assert view.succeeded
    assert (view.sender.name, view.to and view.to.contract) == ("treasurer", "credit")
    assert view.call is not None
    assert (view.call.contract, view.call.function) == ("credit", "transfer")
    assert view.call.arguments == {"to": to_data(bob), "amount": "12345678900"}
    assert view.call.shown == {"to": f"Bob ({to_data(bob)})", "amount": "12.3457 EUR"}
    event = one(view.events, "Transfer")
    assert event.shown == {
        "sender": f"treasurer ({to_data(treasurer.address)})",
        "receiver": f"Bob ({to_data(bob)})",
        "value": "12.3457 EUR",
    }
    assert (view.timestamp, view.block) == (world.chain.head().timestamp, world.chain.head().number)


def test_a_settlement_is_decoded_to_the_last_fill(world: World, explorer: Explorer) -> None:
    offer, bid = world.offer(ALICE, 1_500, 100_000), world.bid(BOB, 1_200, 200_000)
    world.commit(size=2)
    receipt = world.settle([FilledOrder(offer, 1_200), FilledOrder(bid, 1_200)], 100_000)
    view = seen(explorer, receipt)
    assert view.call is not None
    assert (view.call.contract, view.call.function) == ("exchange", "settle")
    assert view.call.shown["market"] == MARKET.rstrip(b"\0").decode()
    assert view.call.shown["slot"] == shown_time(SLOT)
    assert view.call.shown["price"] == "10.00 ct/kWh"
    assert len(view.call.arguments["fills"]) == 2
    sold, bought = sorted(view.call.shown["fills"], key=lambda fill: str(fill["account"]))
    assert {**sold, "salt": ""} == {
        "account": f"Alice ({to_data(world.members[ALICE].address)})",
        "side": "offer",
        "price": "10.00 ct/kWh",
        "quantity_wh": "1.500 kWh",
        "fill_wh": "1.200 kWh",
        "amount_nano": "0.0000 EUR",
        "certificates": "auto retire",
        "epoch": "0",
        "expires_at": str(2**40 - 1),
        "salt": "",
        "is_posted": "no",
    }
    assert (bought["side"], bought["quantity_wh"], bought["fill_wh"]) == ("bid", "1.200 kWh", "1.200 kWh")
    settled = one(view.events, "Settled")
    assert settled.shown is not None
    assert settled.shown["bought_wh"] == "1.200 kWh"
    assert settled.shown["market"] == "fontana"
    assert settled.arguments is not None
    assert settled.arguments["market"] == to_data(MARKET)
    assert settled.arguments["slot"] == str(SLOT)


def test_a_delivery_tells_each_members_readings(world: World, explorer: Explorer) -> None:
    world.commit()
    world.settle([])
    view = seen(explorer, world.deliver([MemberReading(world.members[BOB].address, 700, 0)]))
    assert view.call is not None
    assert view.call.shown["readings"] == [
        {
            "account": f"Bob ({to_data(world.members[BOB].address)})",
            "consumption_wh": "0.700 kWh",
            "generation_wh": "0.000 kWh",
        }
    ]


def test_a_refused_call_says_why(world: World, explorer: Explorer) -> None:
    stranger = world.strangers[0]
    view = seen(explorer, call(world, stranger, world.contracts.credit, "transfer", NOBODY, 5))
    assert view.succeeded is False
    assert view.reason == "erc20: transfer amount exceeds balance"
    assert view.events == []
    view = seen(explorer, call(world, stranger, world.exchange, "commit_book", MARKET, SLOT, bytes(32), 0))
    assert view.reason
    assert view.reason_in_words == in_words(view.reason)


def test_a_call_that_ran_out_of_gas_says_so(world: World, explorer: Explorer) -> None:
    contract = world.contracts.credit
    data = contract.interface.call("approve", NOBODY, 5)
    receipt = actor(world, world.strangers[0]).transact(contract.address, data, gas=23_000)
    assert not receipt.succeeded
    assert seen(explorer, receipt).reason == "out of gas"


def test_what_is_not_ours_is_shown_as_it_is(world: World, explorer: Explorer) -> None:
    stranger = actor(world, world.strangers[0])
    sent = seen(explorer, stranger.transact(NOBODY, value=5))
    assert (sent.call, sent.input, sent.value_wei, sent.events) == (None, "0x", "5", [])
    created = stranger.transact(None, bytecode())
    view = seen(explorer, created)
    assert (view.to, view.call) == (None, None)
    assert created.contract_address is not None
    assert view.created is not None
    assert view.created.address == to_data(created.contract_address)
    assert view.created.contract is None
    noted = seen(explorer, stranger.transact(created.contract_address, set_note(1, 2)))
    (event,) = noted.events
    assert noted.call is None
    assert (event.contract, event.event, event.arguments, event.shown) == (None, None, None, None)
    assert len(event.topics) == 3
    assert int(event.data, 16) == 2
    assert explorer.transaction(bytes(32)) is None


def test_calldata_that_only_begins_like_a_call_is_shown_as_it_is(world: World, explorer: Explorer) -> None:
    credit = world.contracts.credit
    data = credit.interface.selector("transfer") + b"\xff"
    view = seen(explorer, actor(world, world.strangers[0]).transact(credit.address, data))
    assert view.call is None
    assert view.input == to_data(data)
    assert view.succeeded is False


def test_blocks_are_listed_newest_first_and_page_by_page(world: World, explorer: Explorer) -> None:
    head = world.chain.head()
    page = explorer.blocks(before=None, limit=3)
    assert [block.number for block in page.items] == [head.number, head.number - 1, head.number - 2]
    assert page.items[0].hash == to_data(head.hash)
    assert page.items[0].transactions[0].function == "deposit"
    numbers: list[int] = []
    before = page.next
    while before is not None:
        page = explorer.blocks(before=before, limit=7)
        numbers += [block.number for block in page.items]
        before = page.next
    assert numbers == list(range(head.number - 3, -1, -1))
    assert explorer.blocks(before=0, limit=5).items == []
    assert explorer.blocks(before=10**17, limit=1).items[0].number == head.number


def test_a_block_is_found_by_number_and_by_hash(world: World, explorer: Explorer) -> None:
    head = world.chain.head()
    view = explorer.block(head.number)
    assert view is not None
    assert view == explorer.block(head.hash)
    assert [line.hash for line in view.transactions] == [to_data(each) for each in head.transaction_hashes]
    assert explorer.block(head.number + 1) is None
    assert explorer.block(bytes(32)) is None


def test_a_contract_shows_the_events_it_emitted(world: World, explorer: Explorer) -> None:
    view = explorer.address(world.contracts.credit.address, before=None, limit=4)
    assert view.party.contract == "credit"
    assert view.code_bytes == len(world.chain.code(world.contracts.credit.address))
    assert len(view.events) == 4
    assert view.is_cut
    assert {event.emitter.contract for event in view.events} == {"credit"}
    places = [(event.block, event.log_index) for event in view.events]
    assert places == sorted(places, reverse=True)


def test_an_account_shows_the_events_that_name_it(world: World, explorer: Explorer) -> None:
    alice = world.members[ALICE].address
    view = explorer.address(alice, before=None, limit=100)
    assert (view.party.name, view.party.contract, view.code_bytes) == ("Alice", None, 0)
    assert view.balance_wei == str(world.chain.balance(alice))
    assert not view.is_cut
    assert "Deposited" in {event.event for event in view.events}
    assert all(to_data(alice)[2:] in "".join(event.topics) for event in view.events)
    assert explorer.address(NOBODY, before=None, limit=5).events == []


def test_an_addresss_events_come_window_by_window(
    world: World, explorer: Explorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    exchange = world.contracts.escrow.address
    whole = explorer.address(exchange, before=None, limit=1_000)
    assert whole.next is None
    monkeypatch.setattr("node.explorer.explorer.EVENT_WINDOW", 3)
    found: list[Event] = []
    before: int | None = None
    while True:
        page = explorer.address(exchange, before=before, limit=1_000)
        assert page.last_block - page.first_block <= 2
        found += page.events
        before = page.next
        if before is None:
            break
    assert found == whole.events


@pytest.fixture
def over_json_rpc(world: World, names: dict[bytes, str]) -> Iterator[Explorer]:
    assert isinstance(world.chain, DevChain)
    with served(create_app(world.chain)) as url, closing(JsonRpcChain(url)) as chain:
        yield Explorer(chain, names.get)


def test_any_json_rpc_endpoint_is_looked_into_alike(
    world: World, explorer: Explorer, over_json_rpc: Explorer
) -> None:
    refused = call(world, world.strangers[0], world.contracts.credit, "transfer", NOBODY, 5)
    head = world.chain.head()
    blocks = explorer.blocks(before=None, limit=100)
    assert over_json_rpc.blocks(before=None, limit=100) == blocks
    assert over_json_rpc.block(head.hash) == explorer.block(head.number)
    for block in blocks.items:
        for line in block.transactions:
            transaction_hash = from_data(line.hash)
            assert over_json_rpc.transaction(transaction_hash) == explorer.transaction(transaction_hash)
    assert seen(over_json_rpc, refused).reason == "erc20: transfer amount exceeds balance"
    for address in (world.contracts.exchange.address, world.members[ALICE].address, NOBODY):
        expected = explorer.address(address, before=None, limit=9)
        assert over_json_rpc.address(address, before=None, limit=9) == expected


@pytest.mark.slow
@pytest.mark.parametrize("chain_kind", [ANVIL], indirect=True, scope="session")
def test_anvil_is_looked_into_alike(world: World, explorer: Explorer) -> None:
    refused = call(world, world.strangers[0], world.contracts.credit, "transfer", NOBODY, 5)
    view = seen(explorer, refused)
    assert view.reason == "erc20: transfer amount exceeds balance"
    assert view.call is not None
    assert view.call.shown["amount"] == "0.0000 EUR"
    assert explorer.block(refused.block_hash) == explorer.block(refused.block_number)
    newest = explorer.blocks(before=refused.block_number + 1, limit=2)
    assert [line.function for block in newest.items for line in block.transactions] == ["transfer", "deposit"]
    events = explorer.address(world.members[ALICE].address, before=None, limit=9).events
    assert {"Deposited", "MemberRegistered"} <= {event.event for event in events}
