import csv
import io
import json
from dataclasses import replace

import pytest

from ledger.statements.export import rows, to_csv, to_json
from ledger.statements.model import ImportedFrom
from tests.ledger.statements.samples import declared, disclosure_statement, retirement_statement


def test_csv_and_json_have_a_row_for_each_retirement():
    statement = retirement_statement()
    table = list(csv.DictReader(io.StringIO(to_csv(statement))))
    assert [int(row["amount_wh"]) for row in table] == [line.amount_wh for line in statement.retirements]
    assert json.loads(to_json(statement)) == rows(statement)
    assert [row["origin"] for row in table] == ["self-consumed", "bought", "storage", "imported"]
    assert table[0]["certificate"].startswith("0x01")
    assert (table[0]["technology"], table[0]["device"], table[0]["serial"]) == ("T010100", "7", "")
    assert (table[3]["technology"], table[3]["device"], table[3]["serial"]) == ("T020001", "", "serial 1")
    assert table[1]["text"] == "Bäckerei Ωmega"


def test_the_rows_of_a_disclosure_sum_to_its_consumption():
    statement = disclosure_statement()
    table = list(csv.DictReader(io.StringIO(to_csv(statement))))
    assert sum(int(row["consumption_wh"]) for row in table) == statement.total_wh
    assert table[-1]["origin"] == "uncovered"


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_text_becomes_a_spreadsheets_formula(text):
    statement = retirement_statement(declared(text))
    (row,) = csv.DictReader(io.StringIO(to_csv(statement), newline=""))
    assert row["text"] == f"'{text}"
    assert json.loads(to_json(statement))[0]["text"] == text


def test_a_registrys_name_is_guarded_too():
    statement = retirement_statement()
    evil = replace(statement, imports=(ImportedFrom(3, "=cmd", "s", "z", 900, "T020001", "F01050100"),))
    assert list(csv.DictReader(io.StringIO(to_csv(evil))))[3]["registry"] == "'=cmd"
