"""One changed value anywhere in the store, and the audit says where. One table and column after the other."""

import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from ledger.audit.findings import Finding, Findings
from ledger.audit.run import audit
from ledger.devchain import DevChain
from ledger.devchain.rpc import create_app
from ledger.eip712 import Domain
from matching.errors import WattbookError
from node.auditing import audit_folder
from node.composition import running_server
from node.datadir import DataFolder
from node.design import Design
from node.reconcile import Reconciliation
from node.rejections import CANCELLED_REASON, EXPIRED_REASON, NOT_A_MEMBER_REASON, UNCOVERED_REASON
from node.store import Store, schema
from tests.system.demo import WATTBOOK, Demo, free_port, opened

# What the node notes for itself: nothing depends on it and nothing can prove it. `facts` say whose store it is
# and what a stepped clock shows; a store that is another's is not opened at all.
NOTES = {
    ("members", "name"),
    ("devices", "name"),
    ("devices", "first_slot"),
    ("devices", "register"),  # which of its registers a meter's messages are of: its own messages show it
    ("slots", "awaited_from"),
    ("readings", "received_at"),
    ("intents", "is_final"),  # what it takes for too deep to re-organise; without it, it looks again
    ("facts", "key"),
    ("facts", "value"),
}
# Nobody has to approve this market's settlements; see `tests/node/reconcile` for those that somebody has to.
WITHOUT_ROWS = (
    "proposals",
    "approvals",
    # Nothing was corrected, nobody retired anything by hand or asked for a statement, and no day is over.
    "ocmf_journal",
    "open_corrections",
    "anchored_days",
    "private_texts",
    "statements",
    "sent_transactions",
)
COLUMNS = sorted(
    (table.name, column.name)
    for table in schema.metadata.tables.values()
    for column in table.columns
    if (table.name, column.name) not in NOTES and table.name not in WITHOUT_ROWS
)
CERTIFIED = ("issuances", "consumptions", "certificate_moves", "matches")
FindingsOf = Callable[[Path], list[Finding]]
TABLES = sorted({table for table, _ in COLUMNS})


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = tmp_path_factory.mktemp("day")
    Demo(data, slots=2).finish()
    return data


@pytest.fixture(scope="module")
def findings_of(day: Path) -> Iterator[FindingsOf]:
    """Compares changed copies of the store with the chain, which is audited once."""
    with opened(day) as remains:
        report = audit(remains.chain, remains.deployment.exchange, keep_slots=True)
        assert report.findings == ()

        def compare(data: Path) -> list[Finding]:
            domain = Domain(remains.deployment.chain_id, remains.deployment.exchange)
            store = Store(DataFolder(data).store_url, domain=domain, market=remains.deployment.market)
            findings = Findings()
            design = Design(remains.deployment.design, store.devices)
            try:
                Reconciliation(
                    store=store, report=report, chain=remains.chain, design=design, findings=findings
                ).run()
            finally:
                store.close()
            return findings.found

        yield compare


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
            changed = value ^ (1 if column == "standing" else 1 << 20 if column == "number" else 64)
        else:
            changed = value[:-1] + chr(ord(value[-1]) ^ 1)
        database.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (changed, row))  # noqa: S608
    return str(value)


def execute(data: Path, statement: str, *values: str) -> int:
    """Change the store behind the node's back; returns how many rows it concerned."""
    with sqlite3.connect(data / "store.sqlite") as database:
        database.execute("PRAGMA foreign_keys = OFF")
        return database.execute(statement, values).rowcount


def rows(data: Path) -> dict[str, list[tuple[object, ...]]]:
    """Everything in the store except its notes."""
    with sqlite3.connect(data / "store.sqlite") as database:
        columns = {table: ", ".join(f'"{name}"' for of, name in COLUMNS if of == table) for table in TABLES}
        return {
            table: database.execute(f'SELECT {names} FROM "{table}" ORDER BY {names}').fetchall()  # noqa: S608
            for table, names in columns.items()
        }


def check_found(findings: list[Finding], table: str) -> None:
    assert any(f"table {table}" in finding.where for finding in findings), findings


def test_the_untouched_store_holds(copy: Path, findings_of: FindingsOf) -> None:
    assert findings_of(copy) == []


@pytest.mark.parametrize(("table", "column"), COLUMNS, ids=[f"{table}.{column}" for table, column in COLUMNS])
def test_a_changed_value_is_found_and_its_table_named(
    copy: Path, findings_of: FindingsOf, table: str, column: str
) -> None:
    if change_one_value(copy, table, column) is None:
        # No order was cancelled or rejected or said a wish, and no transaction failed on this day.
        assert (table, column) in {
            ("orders", "reason"),
            ("orders", "cancellation_signature"),
            ("orders", "wishes"),
            ("devices", "closed_day"),
            ("intents", "reason"),
        }
        return
    check_found(findings_of(copy), table)


@pytest.mark.parametrize("table", TABLES)
def test_a_deleted_row_is_found_and_its_table_named(copy: Path, findings_of: FindingsOf, table: str) -> None:
    assert execute(copy, f'DELETE FROM "{table}" WHERE rowid = (SELECT min(rowid) FROM "{table}")') == 1  # noqa: S608
    check_found(findings_of(copy), table)


@pytest.mark.parametrize("table", TABLES)
def test_a_table_without_rows_is_found_and_named(copy: Path, findings_of: FindingsOf, table: str) -> None:
    assert execute(copy, f'DELETE FROM "{table}"') > 0  # noqa: S608
    check_found(findings_of(copy), table)


def test_a_store_without_any_slot_is_found(copy: Path, findings_of: FindingsOf) -> None:
    for table in ("slots", "orders", "trades", *CERTIFIED, "intents"):
        execute(copy, f'DELETE FROM "{table}"')  # noqa: S608
    check_found(findings_of(copy), "slots")


# A forged row differs from the first one in what must be unique.
FORGED = {
    "slots": {"slot": "slot + 900000"},
    "orders": {"hash": "randomblob(32)", '"index"': '"index" + 1000'},
    "trades": {"number": "number + 1000"},
    "members": {"account": "randomblob(20)"},
    "devices": {"device": "randomblob(8)"},
    "readings": {"device": "randomblob(8)"},
    "issuances": {"device": "randomblob(8)"},
    "consumptions": {"device": "randomblob(8)"},
    "certificate_moves": {"number": "number + 1000"},
    "matches": {"number": "number + 1000"},
    "meter_keys": {"from_slot": "from_slot + 900"},
    "intents": {"attempt": "attempt + 1"},
    "events": {"number": "(SELECT max(number) + 1 FROM events)"},
}
OF_AN_UNKNOWN_SLOT = ("orders", "trades", *CERTIFIED, "intents")


def insert_forged_row(data: Path, table: str, changes: dict[str, str]) -> None:
    names = [f'"{column.name}"' for column in schema.metadata.tables[table].columns]
    values = [changes.get(name, changes.get(name.strip('"'), name)) for name in names]
    statement = (
        f'INSERT INTO "{table}" ({", ".join(names)}) '  # noqa: S608
        f'SELECT {", ".join(values)} FROM "{table}" ORDER BY rowid LIMIT 1'
    )
    assert execute(data, statement) == 1


@pytest.mark.parametrize("table", TABLES)
def test_a_forged_row_is_found_and_its_table_named(copy: Path, findings_of: FindingsOf, table: str) -> None:
    insert_forged_row(copy, table, FORGED[table])
    check_found(findings_of(copy), table)


@pytest.mark.parametrize("table", OF_AN_UNKNOWN_SLOT)
def test_a_forged_row_of_a_slot_that_is_not_there_is_found(
    copy: Path, findings_of: FindingsOf, table: str
) -> None:
    insert_forged_row(copy, table, {**FORGED[table], "slot": "slot + 900000"})
    check_found(findings_of(copy), table)


def test_an_unfilled_order_that_is_passed_off_as_rejected_is_found(copy: Path, findings_of: FindingsOf) -> None:
    for reason in (UNCOVERED_REASON, CANCELLED_REASON, EXPIRED_REASON, NOT_A_MEMBER_REASON, "nobody wanted it"):
        marked = execute(
            copy,
            "UPDATE orders SET status = 'rejected', reason = ? WHERE status = 'unfilled' OR status = 'rejected'",
            reason,
        )
        assert marked > 0
        rules = [finding.rule for finding in findings_of(copy)]
        assert rules.count("store.order.reason") == marked


@pytest.mark.parametrize("seed", range(12))
def test_a_flipped_bit_of_the_file_is_found_or_changes_nothing(day: Path, copy: Path, seed: int) -> None:
    path, random = copy / "store.sqlite", Random(seed)
    content = bytearray(path.read_bytes())
    content[random.randrange(len(content))] ^= 1 << random.randrange(8)
    path.write_bytes(content)
    chain = DevChain.open(copy / "chain", clock=lambda: 0)
    try:
        findings: tuple[object, ...] = audit_folder(chain, copy).findings
    except WattbookError as refused:  # no traceback, but a message
        findings = (refused,)
    finally:
        chain.close()
    assert findings or rows(copy) == rows(day)


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
