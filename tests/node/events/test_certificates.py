"""Every move of certificates on a real chain is told once, in blocks that are final."""

from collections import Counter
from pathlib import Path

import pytest

from ledger.certificates.history import read_history
from ledger.hexcodec import from_data, from_quantity
from node.events import certificates
from node.events.certificates import CertificateTelling
from node.store import Store
from node.store.events import EventRecord
from tests.ledger.certificates.street import Street
from tests.ledger.certificates.test_history import live
from tests.node.parts import DOMAIN, MARKET
from tests.world import World


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'node.sqlite'}", domain=DOMAIN, market=MARKET)


def told(store: Store) -> list[EventRecord]:
    return list(store.events(after=0, limit=100_000).events)


def test_who_adds_up_all_moves_knows_what_everybody_holds(
    world: World, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However they are cut into transactions, and however often they are looked for."""
    monkeypatch.setattr(certificates, "_MOST_AT_ONCE", 3)
    street = Street(world)
    telling = CertificateTelling(store, street.contracts, confirmations=0)
    telling.tell()
    live(street)
    telling.tell()
    telling.tell()
    held: Counter[tuple[int, bytes]] = Counter()
    for record in told(store):
        event = record.event
        certificate, amount_wh = from_quantity(event.details["certificate"]), event.details["amount_wh"]
        for account, sign in ((event.account, -1), (event.other, 1)):
            if account is not None:
                held[certificate, account] += sign * amount_wh
    expected = {
        (int(found.id), account): held_wh
        for found in read_history(street.contracts).records.values()
        for account, held_wh in found.held.items()
    }
    assert +held == +Counter(expected)
    assert store.certificates_told() == street.contracts.certificates.chain.head().number


def test_moves_are_told_when_their_block_is_final(world: World, store: Store) -> None:
    street = Street(world)
    live(street)
    head = street.contracts.certificates.chain.head().number
    CertificateTelling(store, street.contracts, confirmations=5).tell()
    first = told(store)
    assert store.certificates_told() == head - 5
    assert all(record.event.details["block"] <= head - 5 for record in first)
    CertificateTelling(store, street.contracts, confirmations=0).tell()
    assert told(store)[: len(first)] == first
    assert len(told(store)) > len(first)
    assert all(len(from_data(record.event.details["transaction"])) == 32 for record in told(store))


def test_only_so_many_events_are_kept(world: World, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "KEPT_EVENTS", 4)
    street = Street(world)
    live(street)
    CertificateTelling(store, street.contracts, confirmations=0).tell()
    first, last = store.event_numbers()
    assert (last - first + 1, first > 1) == (4, True)
