"""A store in PostgreSQL that several nodes have open: each of them here is a store with connections of its own."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text

from ledger.chain import Chain, Hash
from node.claiming import NotClaimedError, Turn, claim_of, claimed
from node.clock import remembered_clock
from node.store import Store, session_lock
from node.store.beginning import beginning
from node.store.errors import GateClosedError, StoreUnavailableError
from node.store.groups import new_record
from node.store.records import OrderStatus, SlotState
from node.store.session_lock import SessionLock
from node.store.slots import move_slot
from tests.node.parts import DOMAIN, MARKET, SLOT, order, sign_receipt
from tests.node.taken import take
from tests.postgres import Postgres


@pytest.fixture
def store_url(postgres: Postgres) -> str:
    return postgres.new_schema()


@pytest.fixture
def stores(open_store: Callable[[], Store]) -> tuple[Store, Store]:
    return open_store(), open_store()


@pytest.fixture
def locks(stores: tuple[Store, Store]) -> Iterator[tuple[SessionLock, SessionLock]]:
    one, other = (SessionLock(store, "a test", name) for store, name in zip(stores, ("one", "other"), strict=True))
    yield one, other
    one.release()
    other.release()


def test_orders_that_two_nodes_take_get_every_index_once(stores: tuple[Store, Store]) -> None:
    signed = [order(salt=salt, slot=SLOT + 900 * (salt % 2)) for salt in range(60)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda each: take(stores[each.order.salt // 2 % 2], each), signed))
    for slot in (SLOT, SLOT + 900):
        assert [record.index for record in stores[0].orders(slot=slot)] == list(range(30))


def test_an_order_that_two_nodes_take_is_one_with_one_receipt(stores: tuple[Store, Store]) -> None:
    with ThreadPoolExecutor(8) as pool:
        records = list(pool.map(lambda now: take(stores[now % 2], order(), now), range(16)))
    assert len(set(map(repr, records))) == 1
    assert len(stores[0].orders()) == 1


def test_no_order_that_one_node_took_is_missing_in_the_book_that_another_closed(
    stores: tuple[Store, Store],
) -> None:
    taken: list[bytes] = []
    begun = threading.Event()

    def take_all() -> None:
        for salt in range(200):
            try:
                taken.append(take(stores[0], order(salt=salt)).signed.hash)
            except GateClosedError:
                return
            begun.set()

    with ThreadPoolExecutor(1) as pool:
        taking = pool.submit(take_all)
        begun.wait(30)
        book = stores[1].close_slot(SLOT)
        taking.result()
    assert 0 < len(taken) < 200
    assert [record.signed.hash for record in book] == sorted(taken)
    assert {record.status for record in stores[0].orders(slot=SLOT)} == {OrderStatus.CLOSED}


def test_a_section_holds_off_the_other_node(stores: tuple[Store, Store]) -> None:
    entered = threading.Event()

    def enter() -> None:
        with stores[1].exclusively("orders"):
            entered.set()

    with ThreadPoolExecutor(1) as pool:
        with stores[0].exclusively("orders"):
            waiting = pool.submit(enter)
            with stores[1].exclusively("registration"):
                stores[0].set_fact("written", "meanwhile")
            assert not entered.wait(0.3)
        waiting.result(30)
    assert entered.is_set()


def test_a_lock_is_one_nodes_until_it_lets_it_go(locks: tuple[SessionLock, SessionLock]) -> None:
    one, other = locks
    assert one.holder() is None
    assert one.take()
    assert one.take()
    assert not other.take()
    assert (one.is_held(), other.is_held()) == (True, False)
    assert one.holder() == other.holder() == "one"
    one.release()
    assert other.take()
    assert not one.is_held()
    assert one.holder() == "other"


def end_connection_of(store: Store, name: str) -> None:
    ended = text("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = :name")
    with store._write() as connection:
        assert connection.scalars(ended, {"name": name}).all() == [True]


def test_a_lock_is_lost_with_its_connection(
    stores: tuple[Store, Store], locks: tuple[SessionLock, SessionLock]
) -> None:
    one, other = locks
    assert one.take()
    end_connection_of(stores[1], "one")
    assert not one.is_held()
    assert other.take()
    assert not one.take()


def test_a_lock_is_lost_by_a_holder_that_does_nothing_with_it(
    locks: tuple[SessionLock, SessionLock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one does that was stopped: its connection stays."""
    monkeypatch.setattr(session_lock, "IDLE_S", 2)
    one, other = locks
    assert one.take()
    for _ in range(30):
        assert one.is_held()
        time.sleep(0.1)
    assert not other.take()
    deadline = time.monotonic() + 20
    while not other.take() and time.monotonic() < deadline:
        time.sleep(0.1)
    assert other.is_held()
    assert not one.is_held()


class Sends:
    """A chain that only notes what is sent."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def send(self, raw: bytes) -> Hash:
        self.sent.append(raw)
        return raw


def test_nothing_is_sent_to_the_chain_once_the_claim_is_lost(stores: tuple[Store, Store]) -> None:
    claims = [claim_of(store, name) for store, name in zip(stores, ("one", "other"), strict=True)]
    beneath = Sends()
    chain: Chain = claimed(beneath, claims[0])  # type: ignore[arg-type]  # only `send` is asked of it
    with Turn(claims[0]):
        chain.send(b"mine")
        end_connection_of(stores[1], "one")
        with Turn(claims[1]), pytest.raises(NotClaimedError, match="lost"):
            chain.send(b"too late")
    with Turn(claims[1]), pytest.raises(NotClaimedError, match="claimed by other"), Turn(claims[0]):
        pass
    assert beneath.sent == [b"mine"]
    for claim in claims:
        claim.release()


def test_nodes_that_share_a_store_have_the_same_stepped_time(stores: tuple[Store, Store]) -> None:
    one, other = (remembered_clock(store, 100) for store in stores)
    one.advance_to(200)
    assert other.now() == 200
    other.advance_to(300)
    assert one.now() == 300


def test_only_the_first_node_that_begins_opens_the_market(store_url: str) -> None:
    opened: list[str] = []

    def begin(name: str) -> str | None:
        with beginning(store_url) as shared:
            if shared.whereabouts() is None:
                opened.append(name)
                shared.write_whereabouts(name)
            return shared.whereabouts()

    with ThreadPoolExecutor(4) as pool:
        known = set(pool.map(begin, "abcd"))
    assert known == set(opened)
    assert len(opened) == 1


def test_what_was_answered_is_there_after_a_crash_and_nodes_reconnect(
    stores: tuple[Store, Store], postgres: Postgres
) -> None:
    claim = claim_of(stores[0], "one")
    assert claim.take()
    for salt in range(5):
        take(stores[0], order(salt=salt))
    postgres.crash()
    with pytest.raises(StoreUnavailableError) as refusal:
        take(stores[0], order(salt=5))
    assert refusal.value.retry_after_s > 0
    with pytest.raises(StoreUnavailableError):
        stores[0].orders()
    assert not claim.is_held()
    postgres.start()
    for store in stores:
        assert [record.signed.order.salt for record in store.orders()] == list(range(5))
    take(stores[0], order(salt=5))
    assert claim.take()
    claim.release()


def test_no_order_comes_into_a_slot_that_was_closed_while_it_waited_however_transactions_are_set_up(
    store_url: str, postgres: Postgres
) -> None:
    role = "strict" + store_url[-6:].replace("_", "")
    isolated = f"ALTER ROLE {role} SET default_transaction_isolation = 'repeatable read'"
    postgres.execute(f"CREATE ROLE {role} LOGIN SUPERUSER", isolated)
    url = store_url.replace("postgres:@", f"{role}:@")
    one, other = (Store(url, domain=DOMAIN, market=MARKET) for _ in range(2))
    one.ensure_slot(SLOT)
    record = new_record(order(), 0, SLOT - 900, sign_receipt)
    with ThreadPoolExecutor(1) as pool:
        with one._write() as connection:
            adding = pool.submit(other.add_orders, [record])
            while not (is_waiting(postgres) or adding.done()):
                threading.Event().wait(0.01)
            move_slot(connection, SLOT, SlotState.CLOSED)
        assert adding.result(20) == {SLOT: SlotState.CLOSED}
    assert one.orders() == []
    one.close()
    other.close()


def is_waiting(postgres: Postgres) -> bool:
    with psycopg.connect(postgres.uri) as connection:
        waiting = connection.execute("SELECT FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return waiting.fetchone() is not None


def test_writes_wait_for_the_disk_even_where_the_database_would_not(store_url: str, postgres: Postgres) -> None:
    role = "hasty" + store_url[-6:].replace("_", "")
    postgres.execute(f"CREATE ROLE {role} LOGIN SUPERUSER", f"ALTER ROLE {role} SET synchronous_commit = off")
    store = Store(store_url.replace("postgres:@", f"{role}:@"), domain=DOMAIN, market=MARKET)
    with store._write() as connection:
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"
    store.close()


def test_a_dump_put_back_is_the_same_store(
    stores: tuple[Store, Store], postgres: Postgres, tmp_path: Path
) -> None:
    for salt in range(3):
        take(stores[0], order(salt=salt))
    dump = tmp_path / "market.dump"
    postgres.run("pg_dump", "--format=custom", f"--schema={schema_of(stores[0])}", f"--file={dump}", postgres.uri)
    before = stores[0].orders()
    postgres.execute(f"DROP SCHEMA {schema_of(stores[0])} CASCADE")
    postgres.run("pg_restore", f"--dbname={postgres.uri}", str(dump))
    assert stores[1].orders() == before
    take(stores[1], order(salt=3))
    assert [record.index for record in stores[0].orders()] == list(range(4))


def schema_of(store: Store) -> str:
    with store._read() as connection:
        name: str = connection.scalar(text("SELECT current_schema()"))
        return name
