"""What an operator meets: money, own keys, limits, a data folder used in another way."""

import json
import secrets
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from pathlib import Path

import httpx
import pytest

from ledger.deployment import transact
from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.keys import Key
from ledger.market import read_account
from matching.errors import WattbookError
from matching.orders import Order, Side
from node.client import ApiProblemError
from node.composition import open_node, running_server, serving
from node.config import Config
from node.datadir import DataFolderError
from node.intake import Cancellation, Limits
from node.parties import Parties, PartiesError, read_parties
from node.store.records import OrderStatus
from tests.system.demo import WATTBOOK, free_port
from tests.system.served import wait_until_ready
from tests.system.street import BUYER, DEPOSIT, OTHER_BUYER, SELLER_OF_SUN, SLOT, street


def parties_file(path: Path) -> Path:
    path.write_text(json.dumps({field.name: "0x" + secrets.token_hex(32) for field in fields(Parties)}))
    return path


def test_a_market_with_keys_of_its_own_starts_and_its_members_get_money(tmp_path: Path) -> None:
    parties = read_parties(parties_file(tmp_path / "parties.json"))
    member = Key(secrets.token_bytes(32))
    config = Config(data=tmp_path / "data", port=free_port(), chain_port=free_port(), parties=parties)
    with open_node(config) as node, serving(node):
        headers = {"X-API-Key": node.services.operator_api_key}
        account = "0x" + member.address.hex()
        payment = {"account": account, "amount": str(5 * 10**9), "reference": "bank 1"}
        stranger = httpx.post(f"{node.url}/v1/deposits", json=payment, headers=headers)
        assert stranger.json()["code"] == "order.not_a_member"
        httpx.post(
            f"{node.url}/v1/members", json={"account": account, "name": "Anna"}, headers=headers
        ).raise_for_status()
        httpx.post(f"{node.url}/v1/deposits", json=payment, headers=headers).raise_for_status()
        again = httpx.post(f"{node.url}/v1/deposits", json=payment, headers=headers)
        assert (again.status_code, again.json()["code"]) == (409, "deposit.known")
        assert httpx.post(f"{node.url}/v1/deposits", json=payment).status_code == 401
        assert read_account(node.contracts, member.address).balance_nano == 5 * 10**9
        # Enough of the chain's own money to leave without anybody's help.
        escrow = node.contracts.escrow
        transact(escrow, member, escrow.interface.call("request_withdrawal", 5 * 10**9))


def test_parties_share_no_key(tmp_path: Path) -> None:
    path = tmp_path / "parties.json"
    path.write_text(json.dumps({field.name: "0x" + "11" * 32 for field in fields(Parties)}))
    with pytest.raises(PartiesError, match="same key"):
        read_parties(path)


def test_a_folder_of_a_stepped_market_does_not_run_in_real_time(tmp_path: Path) -> None:
    with street(tmp_path):
        pass
    with pytest.raises(DataFolderError, match="moved by hand"), open_node(Config(data=tmp_path)):
        pass


def test_a_market_keeps_its_design(tmp_path: Path) -> None:
    with street(tmp_path, "discriminatory"):
        pass
    config = Config(data=tmp_path, stepped_from=SLOT, design="uniform")
    with pytest.raises(DataFolderError, match="design discriminatory"), open_node(config):
        pass
    renamed = Config(data=tmp_path, stepped_from=SLOT, market_name="foo")
    with pytest.raises(DataFolderError, match="it cannot be 'foo'"), open_node(renamed):
        pass


def test_a_node_that_is_closed_leaves_no_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with open_node(Config(data=tmp_path)) as node:
        node.services.intake.cancel_all([Cancellation(bytes(32), bytes(65))] * 100)
        # Or else what is shown below is nothing.
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) <= before


def test_one_account_cannot_crowd_a_slot(tmp_path: Path) -> None:
    most = Limits().orders_per_account
    with street(tmp_path) as found:
        for price in range(most):
            found.place(BUYER, Side.BID, 1, 100_000 + price)
        with pytest.raises(ApiProblemError) as refusal:
            found.place(BUYER, Side.BID, 1, 200_000)
        assert refusal.value.code == "order.too_many"
        found.place(OTHER_BUYER, Side.BID, 1, 200_000)
        assert len(found.node.store.orders(slot=SLOT)) == most + 1


def test_an_order_that_expires_before_it_can_settle_does_not_hold_up_the_slot(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        order = Order(
            account=found.keys[OTHER_BUYER].address,
            market=found.node.market.id,
            slot=SLOT,
            side=Side.BID,
            price=210_000,
            quantity_wh=400,
            expires_at=found.node.market.ends_at(SLOT),
        )
        expiring = found.clients[OTHER_BUYER].place(order).order_hash
        found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
        found.place(BUYER, Side.BID, 400, 200_000)
        # The node was away until after the slot.
        found.advance(found.node.market.ends_at(SLOT) + 900)
        assert found.clients[0].order(expiring).status is OrderStatus.REJECTED
        assert found.position(BUYER) == 400


def test_readiness_tells_when_slots_do_not_move(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        assert httpx.get(f"{found.node.url}/ready").status_code == 200
        found.node.lifecycle.trouble = "the disk is full"
        answer = httpx.get(f"{found.node.url}/ready")
        assert (answer.status_code, answer.json()["code"]) == (503, "node.trouble")


def test_members_can_be_registered_all_at_once(tmp_path: Path) -> None:
    with street(tmp_path, members=0) as found:
        headers = {"X-API-Key": found.node.services.operator_api_key}

        def register(number: int) -> int:
            body = {"account": f"0x{number + 1:040x}", "name": f"member {number}"}
            return httpx.post(f"{found.node.url}/v1/members", json=body, headers=headers, timeout=60).status_code

        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(register, range(16))) == {200}
        assert len(found.node.store.members()) == 16
        assert found.node.contracts.escrow.read("member_count", found.node.market.id) == 16


def test_a_deposit_is_as_large_as_the_member_s_escrow_grows(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        found.node.registration.deposit(found.keys[BUYER].address, 7, "bank 2")
        assert read_account(found.node.contracts, found.keys[BUYER].address).balance_nano == DEPOSIT + 7
        with pytest.raises(WattbookError, match="was used for 7 nano-credits"):
            found.node.registration.deposit(found.keys[BUYER].address, 8, "bank 2")


def test_a_node_trades_on_a_chain_that_it_reaches_by_json_rpc(tmp_path: Path) -> None:
    now = SLOT - 1_200
    chain = DevChain.open(tmp_path / "elsewhere", clock=lambda: now)
    port = free_port()
    try:
        with (
            running_server(create_app(chain), "127.0.0.1", port),
            street(tmp_path / "node", rpc_url=f"http://127.0.0.1:{port}") as found,
        ):
            found.place(SELLER_OF_SUN, Side.OFFER, 400, 100_000)
            found.place(BUYER, Side.BID, 400, 200_000)
            now = SLOT - 300
            found.advance(now)
            assert found.position(BUYER) == 400
            now = found.node.market.ends_at(SLOT)
            found.meter_after_the_slot(400, 400)
            found.check_audit()
            assert chain.head().number == found.node.chain.head().number > 0
    finally:
        chain.close()


def test_a_served_market_runs_in_real_time_stops_when_told_and_remembers(tmp_path: Path) -> None:
    port = free_port()
    command = [WATTBOOK, "serve", "--data", str(tmp_path), "--port", str(port), "--chain-port", str(free_port())]
    url, anna = f"http://127.0.0.1:{port}", {"account": "0x" + "aa" * 20, "name": "Anna"}
    for start in ("first", "second"):
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            wait_until_ready(url, process)
            clock = httpx.get(f"{url}/v1/clock").json()
            assert clock["mode"] == "real"
            assert abs(clock["now"] - time.time()) < 30
            key = (tmp_path / "operator-api-key").read_text(encoding="utf-8")
            if start == "first":
                httpx.post(f"{url}/v1/members", json=anna, headers={"X-API-Key": key}).raise_for_status()
            assert httpx.get(f"{url}/v1/members").json()["items"] == [anna]
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=30)
            assert process.returncode == 0, output
            assert f"{url}/docs" in output


def test_nobody_rewinds_the_chain_under_a_node(tmp_path: Path) -> None:
    with street(tmp_path) as found:
        head = found.node.chain.head()
        for method, params in (("evm_revert", ["0x1"]), ("evm_increaseTime", [60]), ("evm_mine", [])):
            request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            answer = httpx.post(found.node.chain_url, json=request).json()
            assert answer["error"]["code"] == -32601
        assert found.node.chain.head() == head
