"""The disk is full, or may not be written to: what cannot be kept is refused, and nothing is kept by halves."""

import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from matching.orders import Side
from node.client import ApiProblemError
from node.store.records import OrderStatus, SlotState
from tests.system.demo import WATTBOOK, free_port, opened
from tests.system.mortal import SLOT, Mortal, mortal
from tests.system.recourse import served_chain
from tests.system.served import CONSUMER, SELLER


@contextmanager
def full_disk(node: Mortal, beyond: int = 0) -> Iterator[None]:
    """None of the node's files can be written to beyond so many bytes, until the block is left."""
    _, most = resource.prlimit(node.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (beyond, most))
    try:
        yield
    finally:
        resource.prlimit(node.pid, resource.RLIMIT_FSIZE, (most, most))


def refusal(action: Callable[[], object]) -> tuple[int, str]:
    with pytest.raises(ApiProblemError) as refused:
        action()
    return refused.value.status, refused.value.code


def size_of_log(data: Path) -> int:
    """SQLite's write-ahead log, to whose end each of the store's writes goes."""
    return (data / "store.sqlite-wal").stat().st_size


def state(node: Mortal) -> str:
    found: str = httpx.get(f"{node.served.url}/v1/slots/{SLOT}").json()["state"]
    return found


def deposit(node: Mortal) -> httpx.Response:
    fields = {"account": f"0x{CONSUMER.address.hex()}", "amount": "1", "reference": "while the disk is full"}
    headers = {"X-API-Key": node.served.api_key}
    return httpx.post(f"{node.served.url}/v1/deposits", json=fields, headers=headers)


def check_the_slot(data: Path, orders: list[bytes], rpc_url: str | None = None) -> None:
    with opened(data, rpc_url) as left:
        assert [record.signed.hash for record in left.store.orders(slot=SLOT)] == orders
        assert {record.status for record in left.store.orders(slot=SLOT)} == {OrderStatus.FILLED}
        record = left.store.slot(SLOT)
        assert record is not None
        assert record.state is SlotState.SETTLED
        assert left.audit().findings == ()


def test_a_full_disk_refuses_in_words_and_what_was_refused_is_taken_when_there_is_space(tmp_path: Path) -> None:
    with mortal(tmp_path) as node:
        offer = node.place(SELLER, Side.OFFER, 100_000)
        with full_disk(node):
            assert refusal(lambda: node.place(CONSUMER, Side.BID, 200_000)) == (503, "store.unavailable")
            assert refusal(lambda: node.advance(SLOT - 300)) == (503, "store.unavailable")
            ready = httpx.get(f"{node.served.url}/ready")
            assert (ready.status_code, ready.json()["code"]) == (503, "store.unavailable")
            assert "the store cannot be written to" in ready.json()["detail"]
            assert httpx.get(f"{node.served.url}/v1/orders/0x{offer.hex()}").json()["status"] == "open"
        assert httpx.get(f"{node.served.url}/ready").status_code == 200
        bid = node.place(CONSUMER, Side.BID, 200_000)
        # Room for the store's log, but not at the end of the chain's file.
        with full_disk(node, size_of_log(tmp_path) + 100_000):
            node.advance(SLOT - 300)
            assert state(node) == "closed"
            refused = deposit(node)
            assert (refused.status_code, refused.json()["code"]) == (507, "devchain.storage_failed")
        node.advance(SLOT - 300)
        assert state(node) == "settled"
    check_the_slot(tmp_path, [offer, bid])


@pytest.mark.slow
def test_a_slot_is_settled_once_though_the_disk_is_full_again_after_every_few_writes(tmp_path: Path) -> None:
    with served_chain() as (time, url), mortal(tmp_path, url, lambda now: setattr(time, "now", now)) as node:
        orders = [node.place(SELLER, Side.OFFER, 100_000), node.place(CONSUMER, Side.BID, 200_000)]
        node.advance(SLOT - 301)
        seen = set()
        for pages in range(1, 200):
            # What cannot be kept may be the clock's hand, which is refused, or whatever becomes due then.
            with full_disk(node, size_of_log(tmp_path) + (1 + pages % 4) * 4_120), suppress(ApiProblemError):
                node.advance(SLOT - 300)
            answer = httpx.get(f"{node.served.url}/v1/slots/{SLOT}")
            seen.add(answer.json()["state"] if answer.is_success else "unknown")
            if "settled" in seen:
                break
        assert len(seen) >= 3
        node.kill()
        check_the_slot(tmp_path, orders, url)


def serve_without_a_privilege(data: Path) -> subprocess.CompletedProcess[str]:
    """Permissions do not hold for who has the privilege to override them."""
    options = {"--data": data, "--port": free_port(), "--chain-port": free_port(), "--stepped-from": SLOT}
    command = [WATTBOOK, "serve", *(str(part) for option in options.items() for part in option)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("the superuser may write everywhere, and setpriv is not installed")
        command = ["setpriv", "--bounding-set", "-dac_override,-dac_read_search", *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.slow
def test_a_folder_that_may_not_be_written_to_is_refused_at_the_start(tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    refused = serve_without_a_privilege(tmp_path / "node")
    tmp_path.chmod(0o755)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert f"{tmp_path / 'node'} cannot be used: permission denied" in refused.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_store_that_may_not_be_written_to_is_refused_at_the_start(tmp_path: Path) -> None:
    with mortal(tmp_path):
        pass
    for path in tmp_path.glob("store.sqlite*"):
        path.chmod(0o444)
    refused = serve_without_a_privilege(tmp_path)
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "attempt to write a readonly database" in refused.stderr
