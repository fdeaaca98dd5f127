"""A shared store that PostgreSQL's own tools put back: who follows its events learns that it must read anew."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from node.cli.main import app
from node.datadir import Deployment
from node.store import Store
from node.store.beginning import beginning, holds_store
from node.store.telling import EventKind
from tests.node.parts import DOMAIN, MARKET, SLOT
from tests.postgres import Postgres

SECRET = "hunter2"


@pytest.fixture
def url(postgres: Postgres) -> str:
    """An empty database."""
    return postgres.new_schema()


@pytest.fixture
def opened(url: str) -> Callable[[], Store]:
    """Opens the store of a market that the first node has begun."""
    with beginning(url) as first:
        deployment = Deployment(DOMAIN.chain_id, DOMAIN.exchange, MARKET, 0, "uniform", stepped=True)
        first.write_whereabouts(deployment.encoded())
    return lambda: Store(url, domain=DOMAIN, market=MARKET)


def restored(url: str | None) -> Result:
    return CliRunner().invoke(app, ["restored"], env={"WATTBOOK_STORE": url})


def close_slots(store: Store, *numbers: int) -> None:
    for number in numbers:
        store.close_slot(SLOT + 900 * number)


def test_no_number_of_before_means_another_event_once_a_dump_is_put_back(
    url: str, opened: Callable[[], Store], postgres: Postgres, tmp_path: Path
) -> None:
    dump, schema = tmp_path / "market.dump", url.rpartition("search_path%3D")[2]
    store = opened()
    close_slots(store, 0, 1)
    postgres.run("pg_dump", "--format=custom", f"--schema={schema}", f"--file={dump}", postgres.uri)
    close_slots(store, 2, 3)
    seen = store.event_numbers()[1]
    store.close()
    postgres.execute(f"DROP SCHEMA {schema} CASCADE")
    postgres.run("pg_restore", f"--dbname={postgres.uri}", str(dump))

    told = restored(url)

    assert told.exit_code == 0, told.output
    store = opened()
    close_slots(store, 4, 5, 6)
    first, second, restoring, *later = store.all_events()
    assert [first.number, second.number] == [1, 2]
    assert restoring.event.kind is EventKind.STORE_RESTORED
    assert not any(store.has_event(number) for number in range(3, seen + 1))
    assert [record.number - restoring.number for record in later] == [1, 2, 3]
    store.close()


def test_what_holds_no_market_is_refused_and_stays_as_it_is(url: str) -> None:
    told = restored(url)
    assert (told.exit_code, "holds no market" in told.output) == (1, True)
    assert not holds_store(url)
    with beginning(url):
        pass
    told = restored(url)
    assert (told.exit_code, "holds no market" in told.output) == (1, True)


def test_a_database_that_cannot_be_reached_is_refused_in_words_without_its_password() -> None:
    told = restored(f"postgresql://anna:{SECRET}@127.0.0.1:1/market")
    assert (told.exit_code, told.output.startswith("error: "), SECRET in told.output) == (1, True, False)


def test_the_database_must_be_named() -> None:
    assert restored(None).exit_code == 2
