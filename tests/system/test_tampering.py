"""One changed value anywhere in the store, and the audit says where. One table and column after the other."""

import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from node.composition import running_server
from node.store import schema
from tests.system.demo import WATTBOOK, Demo, free_port, opened

# What the node notes for itself: nothing depends on it and nothing can prove it. `facts` say whose store it is
# and what a stepped clock shows; a store that is another's is not opened at all.
NOTES = {
    ("members", "name"),
    ("devices", "name"),
    ("devices", "first_slot"),
    ("readings", "received_at"),
    ("facts", "key"),
    ("facts", "value"),
}
COLUMNS = sorted(
    (table.name, column.name)
    for table in schema.metadata.tables.values()
    for column in table.columns
    if (table.name, column.name) not in NOTES
)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("day")
    Demo(data, slots=2).finish()
    return data


@pytest.fixture
def copy(day: Path, tmp_path: Path) -> Path:
    shutil.copytree(day, tmp_path / "copy")
    return tmp_path / "copy"


def change_one_value(data: Path, table: str, column: str) -> str | None:
    """Change one bit of the first value that is not null; returns what it was."""
    with sqlite3.connect(data / "store.sqlite") as database:
        database.execute("PRAGMA foreign_keys = OFF")
        database.execute("PRAGMA ignore_check_constraints = ON")
        found = database.execute(
            f'SELECT rowid, "{column}" FROM "{table}" WHERE "{column}" IS NOT NULL ORDER BY rowid LIMIT 1'  # noqa: S608
        ).fetchone()
        if found is None:
            return None
        row, value = found
        if isinstance(value, bytes):
            place = len(value) // 2
            changed = value[:place] + bytes([value[place] ^ 1]) + value[place + 1 :]
        elif isinstance(value, int):
            # Truth values have one bit; of numbers another than the last, as the next number may be taken.
            changed = value ^ (1 if column == "retired" else 64)
        else:
            changed = value[:-1] + chr(ord(value[-1]) ^ 1)
        database.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (changed, row))  # noqa: S608
    return str(value)


def test_the_untouched_store_holds(copy: Path) -> None:
    with opened(copy) as remains:
        assert remains.audit().findings == ()


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[f"{table}.{column}" for table, column in COLUMNS])
def test_a_changed_value_is_found_and_its_table_named(copy: Path, table: str, column: str) -> None:
    if change_one_value(copy, table, column) is None:
        # No order was cancelled or rejected and no transaction failed on this day.
        assert (table, column) in {
            ("orders", "reason"),
            ("orders", "cancellation_signature"),
            ("intents", "reason"),
        }
        return
    with opened(copy) as remains:
        findings = remains.audit().findings
    assert findings
    assert any(table in finding.where or "slot" in finding.where for finding in findings), findings


@pytest.mark.parametrize("column", ["fill_wh", "signature"])
def test_the_command_says_where_and_ends_with_status_1(copy: Path, column: str) -> None:
    chain = DevChain.open(copy / "chain", clock=lambda: 0)
    port = free_port()
    command = [WATTBOOK, "audit", "--rpc", f"http://127.0.0.1:{port}", "--data", str(copy)]
    try:
        with running_server(create_app(chain), "127.0.0.1", port):
            clean = subprocess.run(command, capture_output=True, text=True, check=False)
            change_one_value(copy, "orders", column)
            tampered = subprocess.run(command, capture_output=True, text=True, check=False)
    finally:
        chain.close()
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "Everything holds" in clean.stdout
    assert tampered.returncode == 1
    assert "table orders, order 0x" in tampered.stdout
    assert "expected" in tampered.stdout
