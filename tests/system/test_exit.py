"""Members leave, post orders and close slots with the node switched off: an RPC URL, an address and a key do."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ledger.deployment import attach
from ledger.jsonrpc import JsonRpcChain
from ledger.market import read_account
from ledger.onboarding import fund
from ledger.posted import read_posted
from matching.orders import Side
from node.parties import development_parties
from tests.system.recourse import command_line, served_chain
from tests.system.street import BUYER, DEPOSIT, SELLER_OF_SUN, SLOT, street

MARKET = b"community".ljust(32, b"\0")


class KilledError(BaseException):
    """Stands for a kill."""


def test_a_member_takes_its_credits_home_from_an_operator_that_is_gone(tmp_path: Path) -> None:
    with served_chain() as (now, url):
        with street(tmp_path / "node", rpc_url=url) as found:
            exchange, key = found.node.contracts.exchange.address, found.keys[BUYER]
        cli = command_line(url, exchange, key, tmp_path)
        asked = cli.run("withdraw", "--amount", "4")
        assert "4.0000 EUR asked for" in asked.stdout, asked.output
        too_early = cli.answer("withdraw")
        assert too_early["paid_nano"] is None
        now.now = too_early["ready_at"]
        assert cli.answer("withdraw") == {"paid_nano": str(4 * 10**9), "ready_at": None}
        # The rest: asked for, forgotten for more than a week, asked for again, taken.
        first = cli.answer("withdraw")["ready_at"]
        now.now = first + 7 * 86_400 + 1
        now.now = cli.answer("withdraw")["ready_at"]
        taken = cli.run("withdraw")
        assert "6.0000 EUR paid out" in taken.stdout, taken.output
        nothing = cli.run("withdraw")
        assert (nothing.exit_code, nothing.stderr.count("\n")) == (1, 1)
        assert "nothing in escrow" in nothing.stderr
        contracts = attach(JsonRpcChain(url), exchange)
        assert contracts.credit.read("balanceOf", key.address) == DEPOSIT


def test_an_order_is_posted_while_the_node_is_off_and_trades_when_it_is_back(tmp_path: Path) -> None:
    with served_chain() as (now, url):
        with street(tmp_path / "node", rpc_url=url) as found:
            found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
            exchange, key = found.node.contracts.exchange.address, found.keys[BUYER]
        cli = command_line(url, exchange, key, tmp_path)
        terms = ("--kwh", "0.4", "--price", "20", "--slot", str(SLOT))
        posted = cli.answer("post-order", "--bid", *terms)
        (on_chain,) = read_posted(attach(JsonRpcChain(url), exchange), MARKET, SLOT)
        assert posted["order_hash"] == f"0x{on_chain.signed.hash.hex()}"
        assert (on_chain.signed.order.price, on_chain.signed.order.quantity_wh) == (200_000, 400)
        again = cli.run("post-order", "--bid", *terms)
        refused = "error: the account has posted an order for this slot already (escrow: already posted)\n"
        assert (again.exit_code, again.stderr) == (1, refused)
        with street(tmp_path / "node", rpc_url=url) as found:
            now.now = SLOT - 300
            found.advance(now.now)
            assert found.position(BUYER) == 400
            now.now = found.node.market.ends_at(SLOT)
            found.meter_after_the_slot(400, 400)
            found.check_audit()


def test_anybody_takes_back_a_slot_that_was_settled_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ledger.settlement.FILLS_PER_TRANSACTION", 1)
    with served_chain() as (now, url):
        with street(tmp_path / "node", rpc_url=url) as found:
            found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
            found.place(BUYER, Side.BID, 400, 200_000)
            settlement = found.node.lifecycle._steps.settlement
            run = settlement._run

            def stopped(slot: int, name: str, *arguments: object, **more: object) -> None:
                if name == "settle":
                    raise KilledError
                run(slot, name, *arguments, **more)  # type: ignore[arg-type]

            monkeypatch.setattr(settlement, "_run", stopped)
            now.now = SLOT - 300
            found.node.clock.advance_to(now.now)  # type: ignore[attr-defined]
            with pytest.raises(KilledError):
                found.node.lifecycle.advance()
            exchange, void_after = found.node.contracts.exchange, found.node.market.void_after(SLOT)
            accounts = [key.address for key in found.keys]
        stranger = development_parties().deployer
        cli = command_line(url, exchange.address, stranger, tmp_path)
        early = cli.run("void", str(SLOT))
        refused = "error: the slot may still be settled: its time is not over (exchange: not yet)\n"
        assert (early.exit_code, early.stderr) == (1, refused)
        now.now = void_after + 1
        assert cli.answer("void", str(SLOT), "--market", "community") == {"slot": SLOT, "chunks_taken_back": 1}
        contracts = attach(JsonRpcChain(url), exchange.address)
        assert {read_account(contracts, account).balance_nano for account in accounts} == {DEPOSIT}


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("uphold", "1"), "not open"),
        (("post-order", "--bid", "--kwh", "1", "--price", "1", "--slot", "7"), "escrow: slot"),
        (("post-order", "--kwh", "1", "--price", "1", "--slot", "900"), "give one of the two"),
        (("challenge", "missing", "nowhere.json"), "does not exist"),
        (("void", "900", "--market", "0x12"), "must be 32 bytes"),
        (("withdraw", "--rpc", "http://127.0.0.1:1"), "127.0.0.1:1"),
        (("withdraw", "--exchange", "0x" + "11" * 20), "no contract at"),
        (("withdraw", "--exchange", "0x11"), "40 hexadecimal digits"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_reason(
    lonely: tuple[str, bytes, Path], arguments: tuple[str, ...], reason: str
) -> None:
    url, exchange, folder = lonely
    cli = command_line(url, exchange, development_parties().utility, folder)
    refused = cli.run(*arguments)
    assert refused.exit_code != 0
    assert isinstance(refused.exception, SystemExit)
    assert reason in refused.stderr


@pytest.fixture(scope="module")
def lonely(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, bytes, Path]]:
    """A market whose node is off."""
    folder = tmp_path_factory.mktemp("lonely")
    with served_chain() as (_, url):
        with street(folder / "node", rpc_url=url, members=0) as found:
            exchange = found.node.contracts.exchange.address
            fund(found.node.contracts, development_parties().treasurer, found.node.market.utility, 1)
        yield url, exchange, folder
