import re
from dataclasses import fields
from pathlib import Path

from ledger.statements.export import rows
from ledger.statements.model import Statement
from ledger.statements.verdict import Outcome
from tests.ledger.statements.samples import disclosure_statement, retirement_statement

PAGE = (Path(__file__).parents[3] / "docs" / "statements.md").read_text(encoding="utf-8")


def names_in(text: str) -> list[str]:
    return re.findall(r"`(\w+)`", text)


def test_every_part_of_a_statement_is_in_the_table_of_fields():
    table = PAGE.split("## Fields")[1].split("## Signature")[0]
    assert {field.name for field in fields(Statement)} <= set(names_in(table))


def test_the_rows_are_documented_in_their_order():
    paragraph = PAGE.split("## Rows")[1].split("##")[0]
    retired, disclosed = paragraph.split("for a disclosure")
    assert names_in(retired) == list(rows(retirement_statement())[0])
    assert names_in(disclosed) == list(rows(disclosure_statement())[0])


def test_the_exit_status_of_each_verdict_is_documented():
    found = dict(re.findall(r"^\| ([a-z ]+) \| (\d) \|", PAGE, re.MULTILINE))
    assert found == {outcome.value: str(outcome.exit_status) for outcome in Outcome}
