"""Calls, answers and events, encoded and decoded by a contract's ABI."""

from dataclasses import replace

import pytest
from eth_abi.abi import encode
from eth_abi.exceptions import DecodingError
from eth_utils.abi import event_abi_to_log_topic, function_abi_to_4byte_selector
from web3 import Web3

from contracts.artifacts import CONTRACTS
from ledger import abi
from ledger.abi import Contract, interface
from ledger.chain import CallRevertedError, Log
from tests.world import MARKET, SLOT, World

EXCHANGE = interface("exchange")
MARKETS = interface("markets")
TERMS = {
    "operator": b"\x01" * 20,
    "meter_authority": b"\x02" * 20,
    "registrar": b"\x03" * 20,
    "utility": b"\x04" * 20,
    "slot_length_s": 900,
    "gate_lead_s": 300,
    "settle_within_s": 3_600,
    "uniform_price": True,
    "grid_limits": False,
}
TARIFF = {"retail_price": 3, "feed_in_price": 2, "grid_fee": 1, "from_slot": 0}


def checksummed(value: object) -> object:
    return Web3.to_checksum_address(value) if isinstance(value, bytes) and len(value) == 20 else value


@pytest.mark.parametrize("name", CONTRACTS)
def test_selectors_and_topics_are_what_eth_utils_makes(name: str) -> None:
    ours = interface(name)
    for entry in ours.artifact.abi:
        if entry["type"] == "function":
            assert ours.selector(entry["name"]) == function_abi_to_4byte_selector(entry)
        if entry["type"] == "event":
            assert ours.topic(entry["name"]) == event_abi_to_log_topic(entry)


def test_calls_with_structs_are_encoded_as_web3_does() -> None:
    theirs = Web3().eth.contract(abi=MARKETS.artifact.abi)
    terms = {name: checksummed(value) for name, value in TERMS.items()}
    validators = [b"\x05" * 20, b"\x06" * 20]
    ours = MARKETS.call("open_market", MARKET, TERMS, TARIFF, validators, 1)
    assert "0x" + ours.hex() == theirs.encode_abi(
        "open_market",
        [MARKET, tuple(terms.values()), tuple(TARIFF.values()), [checksummed(each) for each in validators], 1],
    )


def test_a_call_can_be_read_back_with_addresses_as_bytes() -> None:
    arguments = {"market": MARKET, "terms": TERMS, "tariff": TARIFF, "validators": [], "approvals_needed": 0}
    data = MARKETS.call("open_market", *arguments.values())
    assert MARKETS.decode_call(data) == ("open_market", arguments)
    accounts = [b"\x05" * 20, b"\x06" * 20]
    escrow = interface("escrow")
    data = escrow.call("register", MARKET, accounts)
    assert escrow.decode_call(data) == ("register", {"market": MARKET, "members": accounts})


def test_a_list_of_structs_may_be_given_as_tuples_or_dictionaries() -> None:
    issuance = interface("issuance")
    moves = [(1, b"\x01" * 20, 5), (2, b"\x02" * 20, 6)]
    named = [dict(zip(("issuance", "account", "amount_wh"), move, strict=True)) for move in moves]
    data = issuance.call("certify", MARKET, SLOT, [], [], moves, [])
    assert data == issuance.call("certify", MARKET, SLOT, [], [], named, [])
    assert issuance.decode_call(data)[1]["moves"] == named


def test_a_call_to_something_else_is_not_read() -> None:
    with pytest.raises(KeyError):
        EXCHANGE.decode_call(b"\x00" * 4)


def test_a_constructor_without_arguments_adds_nothing_to_the_code() -> None:
    bare = replace(EXCHANGE, artifact=replace(EXCHANGE.artifact, abi=[]))
    assert bare.creation() == EXCHANGE.artifact.creation_code
    with pytest.raises(ValueError, match="argument"):
        EXCHANGE.creation()


def test_events_of_others_are_not_decoded(world: World) -> None:
    receipt = world.commit()
    (log,) = receipt.logs
    event = world.exchange.interface.decode_event(log)
    assert event is not None
    assert event.log == log
    assert world.contracts.credit.interface.decode_event(log) is None
    assert world.exchange.interface.decode_event(Log(**{**_fields(log), "topics": ()})) is None


def _fields(log: Log) -> dict[str, object]:
    return {name: getattr(log, name) for name in Log.__slots__}


def test_events_are_found_by_name_block_and_topic(world: World) -> None:
    first = world.chain.head().number + 1
    world.commit(SLOT)
    world.settle([], slot=SLOT)
    world.commit(SLOT + 900)
    last = world.chain.head().number

    def found(names: list[str], **where: object) -> list[tuple[str, int]]:
        limits = {"first_block": first, "last_block": last} | where
        return [(event.name, event.arguments["slot"]) for event in world.exchange.events(names, **limits)]  # type: ignore[arg-type]

    both = ["Settled", "BookCommitted"]
    assert found(both) == [("BookCommitted", SLOT), ("Settled", SLOT), ("BookCommitted", SLOT + 900)]
    assert found(["Settled"]) == [("Settled", SLOT)]
    assert found(both, first_block=first + 1, last_block=first + 1) == [("Settled", SLOT)]
    assert found(both, topics=[None, (SLOT + 900).to_bytes(32, "big")]) == [("BookCommitted", SLOT + 900)]
    assert found(both, topics=[b"lugano".ljust(32, b"\0")]) == []


def test_the_newest_event_is_found_however_long_ago_it_was(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.commit(SLOT)
    world.settle([], slot=SLOT)
    world.commit(SLOT + 900)
    for blocks in (1, 1_024):
        monkeypatch.setattr(abi, "_FIRST_SEARCH_BLOCKS", blocks)
        newest = world.exchange.latest_event("BookCommitted")
        assert newest is not None
        assert newest.arguments["slot"] == SLOT + 900
        settled = world.exchange.latest_event("Settled", topics=[MARKET])
        assert settled is not None
        assert settled.arguments["slot"] == SLOT
        assert world.exchange.latest_event("Settled", topics=[b"lugano".ljust(32, b"\0")]) is None


def test_a_view_is_read_as_of_a_block(world: World) -> None:
    before = world.chain.head().number
    world.act(world.members[0], "cancel_all")
    account = world.members[0].address
    assert world.exchange.read("account_of", account)["epoch"] == 1
    assert world.exchange.read("account_of", account, block_number=before)["epoch"] == 0


def test_a_refused_view_says_why(world: World) -> None:
    with pytest.raises(CallRevertedError) as caught:
        world.contracts.markets.read("terms_of", bytes(32))
    assert caught.value.reason == "markets: no such market"


def test_several_outputs_come_as_a_tuple(world: World) -> None:
    fields, name, version, chain_id, address, salt, extensions = world.exchange.read("eip712Domain")
    assert (fields, name, version, chain_id) == (b"\x0f", "Wattbook", "1", world.chain.chain_id)
    assert (address, salt, list(extensions)) == (world.exchange.address, bytes(32), [])


def test_a_contract_is_an_address_on_a_chain(world: World) -> None:
    elsewhere = Contract(world.chain, b"\x09" * 20, EXCHANGE)
    assert elsewhere.events(["Settled"], first_block=0, last_block=world.chain.head().number) == []


def test_text_that_is_not_utf8_does_not_keep_anybody_from_reading() -> None:
    credit = interface("credit")
    assert credit.decode_result("name", encode(["bytes"], [b"caf\xc3\xa9 \xff\xfe"])) == "caf\xe9 \\xff\\xfe"


@pytest.mark.parametrize("length", [2**31, 2**64, 2**256 - 1])
def test_a_length_beyond_all_data_is_no_encoding(length: int) -> None:
    data = b"".join(word.to_bytes(32, "big") for word in (32, length, 0))
    with pytest.raises(DecodingError):
        abi.decode(["bytes"], data)
