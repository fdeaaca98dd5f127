"""Versions of the store: a new one gets today's tables, an older one is changed into today's, step by step.

Each step is a file in `migrations/versions`, run by Alembic. All of them happen in the transaction that the store
is opened with, or none does.
"""

from pathlib import Path

from sqlalchemy import Connection, column, inspect, select, table

from node.store import schema
from node.store.errors import ForeignStoreError

BASELINE = "0001"
"""Stores from before changes were kept do not say so, and are at this revision."""

_LINE = "schema version"
_OLDER = (
    "; stores of older versions are not converted, as their certificates are of other contracts: keep the folder "
    "for the program that made it, and start with an empty one"
)
_NEWER = "; a newer version of this program made it: start that one"
_REVISION = table("alembic_version", column("version_num"))


def bring_up_to_date(connection: Connection) -> None:
    """Make the tables in an empty database, or change those of an older store, in the connection's transaction.

    Raises:
        ForeignStoreError: the store is of a version that cannot be changed into this one.
    """
    found = inspect(connection)
    if not found.has_table(schema.facts.name):
        schema.metadata.create_all(connection)
        connection.execute(schema.facts.insert().values(key=_LINE, value=schema.SCHEMA_VERSION))
        _note_revision(connection, schema.REVISION)
        return
    _require_line(connection)
    revision = revision_of(connection)
    if revision is None:
        _note_revision(connection, BASELINE)
    if revision != schema.REVISION:
        upgrade(connection)


def revision_of(connection: Connection) -> str | None:
    """The revision that a database says it is at, or None."""
    if not inspect(connection).has_table(_REVISION.name):
        return None
    revision: str | None = connection.scalar(select(_REVISION.c.version_num))
    return revision


def _require_line(connection: Connection) -> None:
    facts = schema.facts.c
    line = connection.scalar(select(facts.value).where(facts.key == _LINE)) or "unknown"
    if line != schema.SCHEMA_VERSION:
        is_newer = line.isdigit() and int(line) > int(schema.SCHEMA_VERSION)
        hint = _NEWER if is_newer else _OLDER
        raise ForeignStoreError(f"the store's {_LINE} is {line}: must be {schema.SCHEMA_VERSION}{hint}")


def _note_revision(connection: Connection, revision: str) -> None:
    # As Alembic would.
    connection.exec_driver_sql(f"CREATE TABLE {_REVISION.name} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
    connection.execute(_REVISION.insert().values(version_num=revision))


def upgrade(connection: Connection, *, to: str = schema.REVISION) -> None:
    """Take every step up to a revision that the database has not seen yet.

    Raises:
        ForeignStoreError: the database is at a revision that is none of ours.
    """
    # Most starts do without, and it takes longer to import than all the rest of the store.
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util import CommandError

    scripts = ScriptDirectory(str(Path(__file__).with_name("migrations")))
    # What Alembic's own command does, without its file of settings.
    steps = EnvironmentContext(Config(), scripts, fn=lambda found, _: scripts._upgrade_revs(to, found))
    steps.configure(connection, transactional_ddl=True)
    try:
        steps.run_migrations()
    except CommandError as error:
        raise ForeignStoreError(f"the store cannot be brought to revision {to}: {error}{_NEWER}") from error
