"""Those who wait for others to write wait for so long and no longer, and in vain once the store is closed."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import insert

from node.store import Store, database, schema
from node.store.errors import StoreUnavailableError


def test_writers_wait_side_by_side_and_not_one_after_the_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ThreadPoolExecutor(5) as pool, store._write():
        monkeypatch.setattr(database, "WAIT_S", 0.1)
        writers = [pool.submit(store.set_fact, f"writer {number}", "1") for number in range(5)]
        refusals = [refusal_of(each) for each in writers]
    assert all("busy" in each for each in refusals)
    store.set_fact("writer", "1")


def test_whoever_comes_to_a_section_waits_no_longer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def enter() -> None:
        with store.exclusively("orders"):
            pass

    with ThreadPoolExecutor(1) as pool, store.exclusively("orders"):
        monkeypatch.setattr(database, "WAIT_S", 0.1)
        assert "busy" in refusal_of(pool.submit(enter))
    enter()


def test_nothing_is_written_after_closing(open_store: Callable[[], Store]) -> None:
    store = open_store()
    with store.exclusively("orders"):
        store.close()
        with pytest.raises(StoreUnavailableError, match="closed"):
            store.set_fact("written", "too late")
    assert open_store().fact("written") is None


def test_closing_waits_for_the_write_under_way_and_those_who_wait_are_refused(
    open_store: Callable[[], Store],
) -> None:
    store = open_store()
    closing = threading.Thread(target=store.close)
    with ThreadPoolExecutor(1) as pool, store._write() as connection:
        connection.execute(insert(schema.facts).values(key="under way", value="1"))
        waiting = pool.submit(store.set_fact, "waiting", "1")
        closing.start()
        closing.join(0.2)
        assert closing.is_alive()
    closing.join(20)
    assert "closed" in refusal_of(waiting)
    again = open_store()
    assert (again.fact("under way"), again.fact("waiting")) == ("1", None)


def refusal_of(asked: Future[None]) -> str:
    error = asked.exception(20)
    assert isinstance(error, StoreUnavailableError)
    return str(error)
