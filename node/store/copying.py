"""Copies of a store as it is at one moment, made while nodes go on with it, without changing anything in it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, column, create_engine, inspect, select, table

from node.store import schema
from node.store.database import refusals
from node.store.engines import open_engine
from node.store.errors import ForeignStoreError
from node.store.versions import bring_up_to_date, revision_of

_ROWS_AT_ONCE = 1_000


def copy_file(source: Path, target: Path) -> None:
    """Copy a SQLite store into a new file, in which then all of it is.

    Raises:
        sqlite3.Error: it is no such file, or it is damaged.
    """
    with (
        closing(sqlite3.connect(f"{source.resolve().as_uri()}?mode=ro", uri=True)) as origin,
        closing(sqlite3.connect(target)) as copy,
    ):
        origin.backup(copy)


def copy_database(url: str, target: Path) -> None:
    """Copy a shared store into a new SQLite file, row by row, whatever the rows hold.

    Raises:
        ForeignStoreError: there is no store of this version.
        StoreUnavailableError: the database does not answer.
        StoreUrlError: the URL names no database that could be used.
    """
    source, copy = open_engine(url), create_engine(f"sqlite:///{target}")
    try:
        reader = source.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with refusals(), reader.begin() as origin, copy.begin() as into:
            _copy(origin, into)
    finally:
        source.dispose()
        copy.dispose()


def _copy(origin: Connection, into: Connection) -> None:
    bring_up_to_date(into)
    revision = revision_of(origin)
    if revision != schema.REVISION:
        found = "no store" if revision is None else f"a store of revision {revision}"
        raise ForeignStoreError(
            f"the database holds {found}: must be one of {schema.REVISION}, as nodes now make it"
        )
    for each in inspect(into).get_table_names():
        # Without types, so that what a column should not hold is copied too, for an audit to find.
        rows = table(each, *(column(found["name"]) for found in inspect(into).get_columns(each)))
        into.execute(rows.delete())
        for some in origin.execute(select(rows)).mappings().partitions(_ROWS_AT_ONCE):
            into.execute(rows.insert(), [dict(row) for row in some])
