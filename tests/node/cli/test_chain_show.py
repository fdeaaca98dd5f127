"""`wattbook chain show` and `wattbook chain blocks` on a chain served over JSON-RPC."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ledger.batches import FilledOrder
from ledger.chain import Receipt
from ledger.devchain import DevAccount, DevChain
from ledger.devchain.rpc import create_app
from ledger.hexcodec import to_data, to_quantity
from node.cli.main import app
from tests.ledger.chain.actor import Actor
from tests.ledger.chain.serving import served
from tests.world import ONE_CREDIT, World

NOBODY = b"\x99" * 20


@pytest.fixture
def url(world: World) -> Iterator[str]:
    assert isinstance(world.chain, DevChain)
    with served(create_app(world.chain)) as found:
        yield found


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def run(url: str, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["chain", *arguments, "--rpc", url])


def said(url: str, *arguments: str) -> str:
    """The text, with its columns a space apart."""
    result = run(url, *arguments)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.replace("│", " ").split())


def told(url: str, *arguments: str) -> Any:
    result = run(url, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def transfer(world: World, amount_nano: int) -> Receipt:
    treasurer = world.keys["treasurer"]
    data = world.contracts.credit.interface.call("transfer", NOBODY, amount_nano)
    sender = Actor(world.chain, DevAccount(treasurer.address, treasurer.secret))
    return sender.transact(world.contracts.credit.address, data)


def test_a_transaction_is_told_in_words(world: World, url: str) -> None:
    treasurer = world.keys["treasurer"].address
    world.send("treasurer", world.contracts.credit, "mint", treasurer, ONE_CREDIT)
    receipt = transfer(world, ONE_CREDIT)
    text = said(url, "show", to_data(receipt.transaction_hash))
    assert "outcome succeeded" in text
    assert f"from {to_data(treasurer)} (development account 2)" in text
    assert f"to {to_data(world.contracts.credit.address)} (credit)" in text
    assert f"call credit.transfer to {to_data(NOBODY)} amount 1.0000 EUR" in text
    assert "credit.Transfer" in text
    assert f"emitted by {to_data(world.contracts.credit.address)} (credit)" in text
    shown = told(url, "show", to_data(receipt.transaction_hash))
    assert shown["call"]["arguments"]["amount"] == "1000000000"


def test_a_failed_transaction_says_why(world: World, url: str) -> None:
    receipt = transfer(world, ONE_CREDIT)
    assert not receipt.succeeded
    text = said(url, "show", to_data(receipt.transaction_hash))
    assert "outcome failed" in text
    assert "erc20: transfer amount exceeds balance" in text


def test_long_lists_are_cut_for_people_and_whole_for_programs(world: World, url: str) -> None:
    pairs = [(world.offer(0, 100, 100_000), world.bid(1, 100, 200_000)) for _ in range(5)]
    world.commit(size=10)
    receipt = world.settle([FilledOrder(signed, 100) for pair in pairs for signed in pair])
    text = said(url, "show", to_data(receipt.transaction_hash))
    assert "call exchange.settle" in text
    assert "price 15.00 ct/kWh" in text
    assert "and 2 more" in text
    assert "bought_wh 0.500 kWh" in text
    assert len(told(url, "show", to_data(receipt.transaction_hash))["call"]["arguments"]["fills"]) == 10


def test_of_many_events_so_many_are_shown_as_were_asked_for(world: World, url: str) -> None:
    contracts, treasurer = world.contracts, world.keys["treasurer"].address
    world.send("treasurer", contracts.credit, "mint", treasurer, ONE_CREDIT)
    world.send("treasurer", contracts.credit, "approve", contracts.escrow.address, ONE_CREDIT)
    name = to_data(world.act("treasurer", "deposit", world.members[0].address, ONE_CREDIT).transaction_hash)
    everything = told(url, "show", name, "--limit", "1")["events"]
    assert len(everything) > 1
    text = said(url, "show", name, "--limit", "1")
    assert text.count("emitted by") == 1
    assert f"{len(everything)} events, of which the first 1" in text
    assert said(url, "show", name).count("emitted by") == len(everything)


def test_no_hash_is_cut_on_a_narrow_terminal(world: World, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    receipt = transfer(world, 0)
    name = to_data(receipt.transaction_hash)
    for what in (name, str(receipt.block_number), to_data(world.contracts.credit.address)):
        result = run(url, "show", what)
        assert "…" not in result.stdout
        joined = re.sub(r"[\s│]", "", result.stdout)
        assert name in joined


def test_a_block_is_found_by_number_or_hash(world: World, url: str) -> None:
    head = world.chain.head()
    texts = {said(url, "show", name) for name in (str(head.number), to_quantity(head.number), to_data(head.hash))}
    (text,) = texts
    assert f"Block {head.number}" in text
    assert "calls escrow.deposit" in text


def test_an_address_shows_what_it_is_and_its_latest_events(world: World, url: str) -> None:
    text = said(url, "show", to_data(world.contracts.escrow.address), "--limit", "2")
    assert "contract escrow" in text
    assert "2 events, and more in blocks 0 to" in text
    assert "1,000.0000 EUR" in text
    nobody = told(url, "show", to_data(NOBODY))
    assert (nobody["party"]["name"], nobody["balance_wei"], nobody["events"]) == (None, "0", [])


def test_the_latest_blocks_are_listed(world: World, url: str) -> None:
    text = said(url, "blocks", "--limit", "2")
    assert "calls escrow.deposit" in text
    page = told(url, "blocks", "--limit", "2")
    newest = world.chain.head().number
    assert [block["number"] for block in page["items"]] == [newest, newest - 1]
    assert page["next"] == newest - 1
    older = told(url, "blocks", "--limit", "1", "--before", str(page["next"]))
    assert older["items"][0]["number"] == page["next"] - 1


def test_what_may_be_the_beginning_of_something_is_told_what_is_taken(url: str) -> None:
    result = run(url, "show", "0x123456")
    assert (result.exit_code, "name a block by its number" in result.stderr) == (1, True)


@pytest.mark.parametrize("what", ["999999", "0x" + "77" * 32])
def test_what_is_not_there_is_said_in_one_line(url: str, what: str) -> None:
    result = run(url, "show", what)
    assert (result.exit_code, result.stderr) == (1, f"error: the chain has no {what}\n")


@pytest.mark.parametrize("what", ["latest", "0x", "0x" + "77" * 31, "77" * 32, "-1"])
def test_what_is_no_name_is_refused(url: str, what: str) -> None:
    assert run(url, "show", "--", what).exit_code == 2


def test_an_endpoint_that_is_not_there_is_said_in_one_line() -> None:
    result = CliRunner().invoke(app, ["chain", "blocks", "--rpc", "http://127.0.0.1:1"])
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
