"""The page on market designs shows what the code does."""

import doctest
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "market-designs.md"
SCRIPT = runpy.run_path(str(ROOT / "scripts" / "plot_market_designs.py"))


def examples() -> dict[str, object]:
    """Run the page's examples and return the names they define."""
    names: dict[str, object] = {}
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner(verbose=False)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    report: list[str] = []
    for number, block in enumerate(blocks):
        example = parser.get_doctest(block, names, f"example {number}", str(PAGE), 0)
        runner.run(example, out=report.append, clear_globs=False)
        names.update(example.globs)
    assert runner.summarize(verbose=False).failed == 0, "".join(report)
    return names


def test_the_examples_come_out_as_the_page_says() -> None:
    assert examples()


def test_the_figures_are_of_the_page_s_example() -> None:
    page = examples()
    book, drawn = page["book"], SCRIPT["example"]()
    for column in ("side", "price", "quantity_wh", "account", "received", "rank"):
        assert getattr(book, column).tolist() == getattr(drawn, column).tolist()
    assert (page["wishes"], page["source"]) == (list(SCRIPT["WISHES"]), list(SCRIPT["SOURCE"]))
    assert (page["feeder"], page["node"]) == (SCRIPT["FEEDER"], list(SCRIPT["NODE"]))


@pytest.mark.parametrize("name", SCRIPT["figures"]())
def test_the_figures_are_as_the_script_draws_them_and_on_the_page(name: str) -> None:
    figure = ROOT / "docs" / "img" / f"market-{name}.svg"
    assert figure.read_text(encoding="utf-8") == SCRIPT["figures"]()[name]
    assert f"img/{figure.name}" in PAGE.read_text(encoding="utf-8")
