"""A member trades on a node whose reads are closed: with an API key for reading beside its own."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from node.api.app import create_app
from node.api.services import Services
from node.api.web import Web
from node.api_keys import ApiKeyFile, Scope
from node.cli.main import app
from node.client import ApiProblemError, AsyncWattbookClient, EventAnswer, WattbookClient
from node.order_sets import NodeError, OrderSets
from node.store.records import OrderStatus
from node.validating.proposal import ProposalClient
from tests.node.parts import ALICE, BOB, DOMAIN, order
from tests.node.small_node import API_KEY, NoChain, Server


@pytest.fixture
def reader(tmp_path: Path) -> str:
    """A key that opens nothing but reading."""
    return ApiKeyFile.of(tmp_path).new("Alice's programs", frozenset({Scope.READ}), 0)


@pytest.fixture
def closed(services: Services, tmp_path: Path) -> Iterator[str]:
    """The URL of a node whose reads are closed."""
    found = replace(services, api_keys=ApiKeyFile.of(tmp_path))
    server = Server(found, create_app(found, open_to=Web(closed_reads=True)))
    yield server.url
    server.stop()


def assert_kept_out(error: ApiProblemError) -> None:
    assert (error.status, error.code) == (401, "request.unauthorized")


def test_a_client_with_a_key_for_reading_places_and_cancels(closed: str, reader: str) -> None:
    with WattbookClient(closed, ALICE, patience_s=0, api_key=reader) as alice:
        receipt = alice.place(order(ALICE).order)
        assert [each.hash for each in alice.orders(account=ALICE.address)] == [receipt.order_hash]
        assert alice.balance().account == ALICE.address
        assert alice.cancel(receipt.order_hash).status is OrderStatus.CANCELLED
    with WattbookClient(closed, ALICE, patience_s=0) as alice, pytest.raises(ApiProblemError) as refused:
        alice.place(order(ALICE, salt=1).order)
    assert_kept_out(refused.value)


def test_a_client_that_is_awaited_does_too(closed: str, reader: str) -> None:
    async def trade(api_key: str | None) -> EventAnswer:
        async with AsyncWattbookClient(closed, ALICE, patience_s=0, api_key=api_key) as alice:
            receipt = await alice.place(order(ALICE).order)
            await alice.cancel(receipt.order_hash)
            return await anext(alice.events(ALICE.address, after=0))

    assert asyncio.run(trade(reader)).kind == "order_accepted"
    with pytest.raises(ApiProblemError) as refused:
        asyncio.run(trade(None))
    assert_kept_out(refused.value)


def test_events_are_followed_with_the_clients_key(closed: str, reader: str) -> None:
    with WattbookClient(closed, ALICE, patience_s=0, api_key=reader) as alice:
        alice.place(order(ALICE).order)
    for key in (None, BOB):
        with WattbookClient(closed, key, patience_s=0, api_key=reader) as somebody_else:
            assert next(somebody_else.events(ALICE.address, after=0)).kind == "order_accepted"


def test_a_member_follows_its_own_account_by_its_signature_whatever_its_key_is_for(
    closed: str, tmp_path: Path
) -> None:
    gateway = ApiKeyFile.of(tmp_path).new("Alice's meters", frozenset({Scope.METER}), 0)
    with WattbookClient(closed, ALICE, patience_s=0, api_key=gateway) as alice:
        alice.place(order(ALICE).order)
        assert next(alice.events(ALICE.address, after=0)).kind == "order_accepted"


def test_the_key_that_a_method_is_given_counts_before_the_clients(closed: str, reader: str) -> None:
    with WattbookClient(closed, patience_s=0, api_key=reader) as operator:
        now = operator.market().now
        with pytest.raises(ApiProblemError, match=r"request\.forbidden"):
            operator.advance_clock(now + 1, api_key=reader)
        operator.advance_clock(now + 1, api_key=API_KEY)
        assert operator.market().now == now + 1


def test_auditors_and_validators_read_with_a_key(closed: str, reader: str) -> None:
    for api_key, is_let_in in ((reader, True), (None, False)):
        with closing(OrderSets(closed, NoChain(), api_key=api_key)) as sets:  # type: ignore[arg-type]  # not asked
            if is_let_in:
                assert sets.exchange == DOMAIN.exchange
            else:
                with pytest.raises(NodeError, match=r"request\.unauthorized"):
                    _ = sets.exchange
    with ProposalClient(closed, patience_s=0, api_key=reader) as validator:
        assert validator.cleared_slots() == []


def run(url: str, *arguments: str, api_key: str | None) -> Result:
    environment = {"WATTBOOK_URL": url, "WATTBOOK_KEY": "0x" + ALICE.secret.hex()}
    if api_key is not None:
        environment["WATTBOOK_API_KEY"] = api_key
    return CliRunner().invoke(app, list(arguments), env=environment)


def test_commands_trade_with_the_key_from_the_variable_or_the_option(
    closed: str, reader: str, services: Services
) -> None:
    bid = ["order", "--bid", "--kwh", "0.1", "--price", "20"]
    refused = run(closed, *bid, api_key=None)
    assert (refused.exit_code, "request.unauthorized" in refused.output) == (1, True)
    for placed in (run(closed, *bid, api_key=reader), run(closed, *bid, "--api-key", reader, api_key=None)):
        assert placed.exit_code == 0, placed.output
    assert len(services.store.orders()) == 2
    cancelled = run(closed, "cancel", "--all", api_key=reader)
    assert (cancelled.exit_code, "2 orders cancelled." in cancelled.output) == (0, True)


@pytest.mark.parametrize(
    "command",
    [
        ["balance"],
        ["orders"],
        ["trades"],
        ["bill"],
        ["events", "--after", "0", "--count", "1"],
        ["devices", "list"],
        ["readings", "export", "{folder}"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_commands_that_read_take_it_too(closed: str, reader: str, tmp_path: Path, command: list[str]) -> None:
    assert run(closed, "order", "--bid", "--kwh", "0.1", "--price", "20", api_key=reader).exit_code == 0
    found = [part.format(folder=tmp_path / "evidence") for part in command]
    assert "request.unauthorized" in run(closed, *found, api_key=None).output
    read = run(closed, *found, api_key=reader)
    assert read.exit_code == 0, read.output
