"""Opening a store, and what it promises of every value and transaction."""

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.devices import MAX_NAMEPLATE_W, DeviceKind
from ledger.eip712 import Domain
from ledger.evidence.compact import of_reading
from matching.orders import MAX_EPOCH, MAX_PRICE, MAX_QUANTITY_WH, MAX_SALT, MAX_TIME
from matching.readings import MAX_DEVICE, MAX_ENERGY_WH, MAX_REGISTER_WH, MAX_SEQUENCE, Reading, SignedReading
from node.store import Store
from node.store.errors import ForeignStoreError, StoreConflictError
from node.store.groups import new_record
from node.store.records import MemberRecord
from tests.node.parts import (
    ALICE,
    DOMAIN,
    MARKET,
    SLOT,
    SOLAR,
    device,
    evidence,
    intent,
    meter_key,
    order,
    sign_receipt,
    terms,
)
from tests.node.taken import take


def test_everything_written_is_there_after_reopening(open_store: Callable[[], Store]) -> None:
    store = open_store()
    store.add_member(MemberRecord(ALICE.address, "Alice"))
    store.add_device(device())
    taken = take(store, order())
    read = store.add_reading(evidence(), SLOT + 900)
    store.record_intent(intent())
    store.set_fact("now", "12")
    store.close()

    again = open_store()
    assert again.members() == [MemberRecord(ALICE.address, "Alice")]
    assert again.devices() == [device()]
    assert again.order(taken.signed.hash) == taken
    assert again.reading(SOLAR, SLOT) == read
    assert [record.intent for record in again.unfinished()] == [intent()]
    assert again.fact("now") == "12"


@pytest.mark.parametrize(
    ("domain", "market"),
    [
        (Domain(chain_id=1, exchange=DOMAIN.exchange), MARKET),
        (Domain(chain_id=DOMAIN.chain_id, exchange=b"\1" * 20), MARKET),
        (DOMAIN, b"\1" * 32),
    ],
    ids=["chain", "exchange", "market"],
)
def test_a_store_of_another_chain_exchange_or_market_is_refused(
    open_store: Callable[[], Store], store_url: str, domain: Domain, market: bytes
) -> None:
    open_store().close()
    with pytest.raises(ForeignStoreError, match="must be") as refusal:
        Store(store_url, domain=domain, market=market)
    assert refusal.value.code == "store.foreign"


def test_sqlite_runs_in_wal_and_writes_through(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'node.sqlite'}", domain=DOMAIN, market=MARKET)
    with closing(store), store._read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2  # FULL
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_fact_can_be_overwritten(store: Store) -> None:
    assert store.fact("now") is None
    store.set_fact("now", "1")
    store.set_fact("now", "2")
    assert store.fact("now") == "2"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(
    salt=st.integers(0, MAX_SALT), price=st.integers(0, MAX_PRICE), expires_at=st.integers(SLOT + 900, MAX_TIME)
)
def test_orders_come_back_as_they_went_in(store: Store, salt: int, price: int, expires_at: int) -> None:
    signed = order(salt=salt, price=price, expires_at=expires_at)
    take(store, signed)
    found = store.order(signed.hash)
    assert found is not None
    assert found.signed == signed


def test_the_largest_integers_survive(store: Store) -> None:
    signed = order(
        slot=MAX_TIME - MAX_TIME % 900,
        price=MAX_PRICE,
        quantity_wh=MAX_QUANTITY_WH,
        epoch=MAX_EPOCH,
        expires_at=MAX_TIME,
        salt=MAX_SALT,
    )
    store.add_orders([new_record(signed, 0, MAX_TIME, sign_receipt)])
    found = store.order(signed.hash)
    assert found is not None
    assert found.signed == signed

    store.add_member(MemberRecord(ALICE.address, "Alice"))
    big = device(
        MAX_DEVICE, key=meter_key(SOLAR), nameplate_w=MAX_NAMEPLATE_W, kind=DeviceKind.STORAGE, efficiency_ppm=1
    )
    store.add_device(big)
    extreme = Reading(
        chain_id=DOMAIN.chain_id,
        market=MARKET,
        device=MAX_DEVICE,
        slot=SLOT,
        energy_wh=MAX_ENERGY_WH,
        register_wh=MAX_REGISTER_WH,
        sequence=MAX_SEQUENCE,
    )
    largest = of_reading(SignedReading(extreme, b"\2" * 64), replace(terms(), device=MAX_DEVICE))
    store.add_reading(largest, SLOT)
    assert store.devices() == [big]
    assert store.readings(SLOT)[MAX_DEVICE].evidence == largest


def test_devices_above_the_range_of_signed_integers_sort_as_numbers(store: Store) -> None:
    store.add_member(MemberRecord(ALICE.address, "Alice"))
    numbers = [2**63, 255, MAX_DEVICE, 256, 2**63 - 1]
    for number in numbers:
        store.add_device(device(number, key=meter_key(SOLAR)))
    assert [found.device for found in store.devices()] == sorted(numbers)


def test_what_a_failed_transaction_wrote_is_gone(store: Store, open_store: Callable[[], Store]) -> None:
    twice_first = [new_record(order(salt=salt), 0, SLOT - 600, sign_receipt) for salt in range(2)]
    with pytest.raises(StoreConflictError):
        store.add_orders(twice_first)
    assert store.slot(SLOT) is None
    assert open_store().orders() == []
