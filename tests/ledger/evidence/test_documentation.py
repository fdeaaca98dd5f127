"""docs/evidence.md says what the code does: codes, algorithms, methods, lengths and columns."""

import re
from pathlib import Path

from ledger.evidence import errors
from ledger.evidence.errors import EvidenceError
from ledger.evidence.evidence import Method
from ledger.evidence.keys import KeyAlgorithm
from ledger.evidence.ocmf import ALGORITHMS
from ledger.evidence.rows import COMPACT_COLUMNS, OCMF_COLUMNS, OPTIONAL_SUBSTITUTE_COLUMNS, SUBSTITUTE_COLUMNS
from ledger.evidence.substitutes import DOMAIN_TAG as SUBSTITUTE_TAG
from ledger.evidence.tree import LEAF_BYTES, LEAF_TAG
from matching.readings import DOMAIN_TAG as READING_TAG
from matching.readings import SIGNING_BYTES
from tests.ledger.evidence.makers import signed_substitute

PAGE = (Path(__file__).parents[3] / "docs/evidence.md").read_text(encoding="utf-8")


def table(header: str) -> list[list[str]]:
    """The rows of every table whose header line begins so."""
    found = []
    for rows in re.findall(rf"^\| {re.escape(header)}.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE):
        found += [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows.splitlines()]
    return found


def layout(tag: bytes) -> list[int]:
    """The lengths of the fixed fields in the table of bytes that begins with this tag."""
    start = PAGE.index(f"| {len(tag)} | tag `{tag.decode()}` |")
    rows = PAGE[start : PAGE.index("\n\n", start)].splitlines()
    return [int(length) for row in rows if (length := row.split("|")[1].strip()).isdigit()]


def test_the_table_of_codes_is_that_of_the_errors() -> None:
    documented = [row[0].strip("`") for row in table("code")]
    classes = [
        item for item in vars(errors).values() if isinstance(item, type) and issubclass(item, EvidenceError)
    ]
    codes = [item.code for item in classes if item is not EvidenceError]
    assert sorted(documented) == sorted(codes)
    assert len(set(codes)) == len(codes)


def test_the_table_of_algorithms_is_that_of_the_code() -> None:
    assert {row[0]: int(row[1]) for row in table("SA | key")} == {
        name: algorithm.value for name, (algorithm, _) in ALGORITHMS.items()
    }
    assert [int(row[0]) for row in table("number")] == [algorithm.value for algorithm in KeyAlgorithm]


def test_the_table_of_methods_is_that_of_the_code() -> None:
    assert [(row[0], int(row[1])) for row in table("method")] == [
        (item.name.lower(), item.value) for item in Method
    ]


def test_the_lengths_of_what_is_signed_and_hashed_are_those_of_the_code() -> None:
    assert sum(layout(READING_TAG)) == SIGNING_BYTES
    assert sum(layout(LEAF_TAG)) == LEAF_BYTES
    value = signed_substitute(0, 1).substitute
    assert sum(layout(SUBSTITUTE_TAG)) == len(value.signing_bytes()) - len(value.reason)


def test_the_columns_of_rows_are_those_of_the_code() -> None:
    documented = [frozenset(re.findall(r"[a-z_]{4,}", row[1].replace("wanted", ""))) for row in table("row |")]
    assert documented == [COMPACT_COLUMNS, OCMF_COLUMNS, SUBSTITUTE_COLUMNS | OPTIONAL_SUBSTITUTE_COLUMNS]
