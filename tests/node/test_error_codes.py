"""docs/errors.md, the description of the API and the code name the same errors."""

import ast
import re
from pathlib import Path

from node.problem_meanings import MEANINGS
from node.problems import STATUS, Problem

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "errors.md"
NOT_OF_A_CLASS = "internal.error"


def codes_in_the_code() -> dict[str, str]:
    """Every code that a class of errors has, and the first paragraph of what the class says of itself."""
    found = {}
    for package in ("matching", "ledger", "node"):
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    text = (ast.get_docstring(node) or "").partition("\n\n")[0].replace("\n", " ")
                    found |= {code: text for code in map(code_of, node.body) if code is not None}
    return found


def code_of(statement: ast.stmt) -> str | None:
    match statement:
        case ast.Assign(targets=[ast.Name(id="code")], value=ast.Constant(value=str() as code)):
            return code
    return None


def rows(columns: int) -> list[tuple[str, ...]]:
    """The rows of the page's tables with so many columns."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    cells = [
        tuple(cell.strip() for cell in line.strip("|").split(" | ")) for line in lines if line.startswith("| `")
    ]
    return [(row[0].strip("`"), *row[1:]) for row in cells if len(row) == columns]


def test_the_page_has_every_code_of_the_api_with_its_status_and_meaning() -> None:
    expected = [(code, str(int(Problem(code, "").status)), text) for code, text in MEANINGS.items()]
    assert rows(3) == expected == sorted(expected)


def test_every_code_with_a_status_has_a_meaning() -> None:
    assert MEANINGS.keys() == STATUS.keys() | {NOT_OF_A_CLASS}


def test_the_page_has_every_other_code_as_its_class_explains_it() -> None:
    others = {code: text for code, text in codes_in_the_code().items() if code not in MEANINGS}
    assert len(others) > 50
    assert dict(rows(2)) == others


def test_codes_are_dotted_and_in_lower_case() -> None:
    codes = MEANINGS.keys() | codes_in_the_code().keys()
    assert all(re.fullmatch(r"[a-z]+\.[a-z_]+", code) for code in codes)
