"""What a node looked up in a section it writes only if it was alone there until then.

Two nodes share a PostgreSQL store. One of them loses the connection that its place in the section depends on, as
when the server is started again or another takes its place, and the other does the same thing meanwhile.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
from sqlalchemy import text

from ledger.eip712 import SignedOrder
from ledger.market import AccountState
from matching.errors import WattbookError
from node import registration
from node.authority import MeterAuthority
from node.clock import SteppedClock
from node.escrow import Escrow
from node.metering import Metering
from node.registration import Registration
from node.store import Store
from node.store.errors import StoreConflictError, StoreUnavailableError
from node.store.groups import new_record
from node.store.records import MemberRecord
from node.taking import Arrival, Limits, Taking
from tests.node.parts import ALICE, AUTHORITY, DOMAIN, MARKET, SLOT, SOLAR, device, order, reading, sign_receipt
from tests.node.small_node import CREDIT, MEMBER, TARIFF, TERMS, Ledger
from tests.postgres import Postgres

NEXT = SLOT + 900


@pytest.fixture
def stores(postgres: Postgres) -> Iterator[tuple[Store, Store]]:
    url = postgres.new_schema()
    one, other = (Store(url, domain=DOMAIN, market=MARKET) for _ in range(2))
    yield one, other
    one.close()
    other.close()


def lose_sections(store: Store) -> None:
    """End all connections that hold a lock, but the one that says so."""
    with store._read() as connection:
        ended = "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory'"
        assert connection.scalars(text(ended)).all() == [True]


@dataclass
class Meanwhile:
    """Does something once, when it is first come by."""

    do: Callable[[], object] | None = None

    def __call__(self) -> None:
        do, self.do = self.do, None
        if do is not None:
            do()


@dataclass
class AskedLedger(Ledger):
    """Something happens while the chain is asked."""

    meanwhile: Meanwhile = field(default_factory=Meanwhile)

    def states(self, accounts: Collection[bytes]) -> dict[bytes, AccountState]:
        self.meanwhile()
        return super().states(accounts)


def taking(store: Store, ledger: Ledger) -> Taking:
    return Taking(
        market=TERMS,
        store=store,
        clock=SteppedClock(SLOT - 3_600, lambda _: None),
        escrow=Escrow(store, ledger, ledger),
        limits=Limits(),
        sign=sign_receipt,
        admit=lambda _: None,
    )


def test_cover_is_not_spent_twice_by_a_node_that_lost_its_place(stores: tuple[Store, Store]) -> None:
    def takes(node: Taking, signed: SignedOrder) -> list[bool]:
        return [not isinstance(each, WattbookError) for each in node.take([Arrival(signed)])]

    def lose() -> None:
        lose_sections(stores[1])
        assert takes(taking(stores[1], ledger), order(price=price, quantity_wh=10_000, slot=NEXT)) == [True]

    ledger = AskedLedger({ALICE.address: MEMBER})
    price = CREDIT // 1_000 - TARIFF.grid_fee  # one credit per kWh: ten of Alice's ten
    ledger.meanwhile.do = lose
    with pytest.raises(StoreUnavailableError):
        takes(taking(stores[0], ledger), order(price=price, quantity_wh=10_000))
    assert [record.signed.order.slot for record in stores[1].orders()] == [NEXT]
    assert takes(taking(stores[0], ledger), order(price=price, quantity_wh=10_000)) == [False]


def metering(store: Store) -> Metering:
    clock = SteppedClock(SLOT + 1_800, lambda _: None)
    return Metering(market=TERMS, domain=DOMAIN, store=store, clock=clock, authority=MeterAuthority(AUTHORITY))


def test_readings_that_contradict_each_other_are_not_both_kept(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are a meter's first, with the same count, of two slots."""
    stores[0].add_member(MemberRecord(ALICE.address, "Alice"))
    stores[0].add_device(device(SOLAR, ALICE))
    add = stores[0].add_reading

    def lose_before(*arguments: object, **more: object) -> object:
        lose_sections(stores[1])
        metering(stores[1]).submit(reading(slot=NEXT))
        return add(*arguments, **more)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(stores[0], "add_reading", lose_before)
    with pytest.raises(StoreUnavailableError):
        metering(stores[0]).submit(reading())
    assert [record.evidence.slot for record in stores[1].latest_readings()] == [NEXT]


def test_a_payment_is_minted_once_by_two_nodes_of_which_one_lost_its_place(
    stores: tuple[Store, Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    minted: list[int] = []

    def look(*_: object) -> SimpleNamespace:
        meanwhile()
        return SimpleNamespace(market=MARKET)

    def enter(store: Store) -> None:
        registering(store).deposit(ALICE.address, 5, "bank-1")

    def lose_and_enter() -> None:
        lose_sections(stores[1])
        enter(stores[1])

    # The chain: it tells that Alice is a member, and mints.
    monkeypatch.setattr(registration, "read_account", look)
    monkeypatch.setattr(registration, "fund", lambda *arguments: minted.append(arguments[-1]))
    meanwhile = Meanwhile(lose_and_enter)
    with pytest.raises(registration.DepositKnownError, match="was used for 5 nano-credits"):
        enter(stores[0])
    assert minted == [5]


def registering(store: Store) -> Registration:
    return Registration(
        contracts=None,  # type: ignore[arg-type]  # the chain is not asked
        market=TERMS,
        zone="local",
        registrar=ALICE,
        treasurer=ALICE,
        store=store,
        clock=SteppedClock(SLOT, lambda _: None),
    )


def test_a_section_ends_with_its_first_write(stores: tuple[Store, Store]) -> None:
    records = [new_record(order(salt=salt), salt, SLOT - 900, sign_receipt) for salt in range(2)]
    with stores[0].exclusively("orders") as section:
        stores[0].add_orders(records[:1], within=section)
        assert stores[1].orders() == records[:1]
        with pytest.raises(StoreConflictError, match="second"):
            stores[0].add_orders(records[1:], within=section)
    assert stores[1].orders() == records[:1]


def test_what_fails_in_a_section_is_not_written_and_the_next_may_enter(stores: tuple[Store, Store]) -> None:
    record = new_record(order(), 0, SLOT - 900, sign_receipt)
    with pytest.raises(StoreConflictError), stores[0].exclusively("orders") as section:
        stores[0].add_orders([record, record], within=section)
    with stores[1].exclusively("orders") as section:
        stores[1].add_orders([record], within=section)
    assert stores[0].orders() == [record]
