"""Stores as earlier versions of the program left them."""

from sqlalchemy import Engine, text

from node.store import schema
from node.store.versions import BASELINE, upgrade


def make_baseline(engine: Engine) -> None:
    """A store as it was before changes were kept: no revision in it."""
    with engine.begin() as connection:
        upgrade(connection, to=BASELINE)
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(schema.facts.insert().values(key="schema version", value=schema.SCHEMA_VERSION))
