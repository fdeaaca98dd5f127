"""Stores of other versions: changed into today's, or refused in words."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, inspect, text

from node.store import Store, schema
from node.store.engines import open_engine
from node.store.errors import ForeignStoreError
from node.store.records import MemberRecord, SlotState
from node.store.telling import EventKind
from node.store.versions import upgrade
from tests.node.parts import ALICE, SLOT
from tests.node.store.older import make_baseline


@pytest.fixture
def engine(store_url: str) -> Iterator[Engine]:
    opened = open_engine(store_url)
    yield opened
    opened.dispose()


def described(engine: Engine) -> dict[str, Any]:
    """Every table: its columns, keys, indexes and rules, but for the order in which indexes are told."""
    found = inspect(engine)
    return {
        table: {
            "columns": [{**each, "type": repr(each["type"])} for each in found.get_columns(table)],
            "primary key": found.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": sorted(map(str, found.get_foreign_keys(table))),
            "indexes": sorted(map(str, found.get_indexes(table))),
            "rules": sorted(str(each["sqltext"]) for each in found.get_check_constraints(table)),
        }
        for table in found.get_table_names()
    }


def empty(engine: Engine) -> None:
    """Drop all that a store is made of."""
    with engine.begin() as connection:
        for table in reversed(schema.metadata.sorted_tables):
            table.drop(connection)
        connection.execute(text("DROP TABLE alembic_version"))


def test_all_changes_together_make_what_a_new_store_is_made_of(
    engine: Engine, open_store: Callable[[], Store]
) -> None:
    open_store()
    made = described(engine)
    empty(engine)
    with engine.begin() as connection:
        upgrade(connection)
    assert described(engine) == made


def test_an_older_store_is_changed_into_todays_with_all_that_is_in_it(
    engine: Engine, open_store: Callable[[], Store]
) -> None:
    open_store()
    made = described(engine)
    empty(engine)
    make_baseline(engine)
    with engine.begin() as connection:
        connection.execute(schema.members.insert().values(account=ALICE.address, name="Alice"))
        connection.execute(schema.slots.insert().values(slot=SLOT, state=SlotState.OPEN))
    for _ in range(2):
        assert open_store().members() == [MemberRecord(ALICE.address, "Alice")]
        assert described(engine) == made
        # What happened before, it has never told.
        assert [record.event.kind for record in open_store().all_events()] == [EventKind.STORE_RESTORED]


def test_a_change_that_fails_leaves_the_store_as_it_was(
    engine: Engine, open_store: Callable[[], Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_baseline(engine)
    before = described(engine)

    def broken(*_: object) -> None:
        raise ForeignStoreError("the last step of all")

    with monkeypatch.context() as patched:
        patched.setattr("node.store.database._fact", broken)
        with pytest.raises(ForeignStoreError, match="last step"):
            open_store()
    assert described(engine) == before
    open_store()
    assert described(engine) != before


def test_a_store_of_an_older_version_is_refused_and_told_what_to_do(
    engine: Engine, open_store: Callable[[], Store]
) -> None:
    open_store().set_fact("schema version", "3")
    with pytest.raises(ForeignStoreError, match=r"is 3: must be 4; .* start with an empty one"):
        open_store()


def test_a_store_of_a_newer_version_is_refused_and_told_what_to_do(
    engine: Engine, open_store: Callable[[], Store]
) -> None:
    store = open_store()
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ForeignStoreError, match=r"revision .*9999.* newer version .* start that one"):
        open_store()
    store.set_fact("schema version", "5")
    with pytest.raises(ForeignStoreError, match=r"is 5: must be 4; a newer version"):
        open_store()
