import json
import re
from pathlib import Path

import plotly.graph_objects
import pytest
from matplotlib.image import imread

from simulation.report.charts import Report, Section, Table
from simulation.report.content import build_report
from simulation.report.page import figure, page, write_page
from simulation.report.plots import write_plots
from tests.simulation.report.example import variants


@pytest.fixture(scope="module")
def report() -> Report:
    return build_report("Two homes", "A sunny one and a dark one.", variants())


def test_every_chart_becomes_a_png(report: Report, tmp_path: Path) -> None:
    paths = write_plots(report, tmp_path)
    assert [path.stem for path in paths] == [chart.key for chart in report.charts]
    for path in paths:
        image = imread(path)
        assert image.shape[:2] == (676, 1300)
        assert image[..., :3].min() < 0.5 < image[..., :3].max()  # something is drawn on it


def test_the_same_data_give_the_same_bytes(report: Report, tmp_path: Path) -> None:
    part = Report("Part", "", report.sections[1:2])
    first, second = (write_plots(part, tmp_path / name) for name in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert page(report) == page(build_report("Two homes", "A sunny one and a dark one.", variants()))


def test_plotly_knows_every_property_that_the_page_uses(report: Report) -> None:
    for chart in report.charts:
        drawn = figure(chart)
        plotly.graph_objects.Figure({"data": drawn["data"], "layout": drawn["layout"]})  # raises if it does not


def test_the_page_needs_nothing_else_and_may_not_ask_for_it(report: Report, tmp_path: Path) -> None:
    write_page(report, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text()
    own = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert "default-src 'none'" in own
    assert re.search(r"\b(src|href)=(?!\"#)", own) is None
    assert "showSendToCloud: false" in text


def test_the_page_holds_every_chart_and_describes_it_for_those_who_do_not_see_it(report: Report) -> None:
    text = page(report)
    data = re.search(r'<script type="application/json" id="charts">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    keys = [chart["key"] for chart in json.loads(data[1])]
    assert keys == [chart.key for chart in report.charts]
    for key in keys:
        assert re.search(f'<div id="{key}" role="img" aria-label="[^"]+"', text)


def test_text_cannot_break_out_of_the_page() -> None:
    hostile = "</script><script>alert(1)</script>"
    runs = variants()
    table = Table(hostile, hostile, (hostile,), ((hostile, hostile),))
    example = build_report(hostile, hostile, {hostile: runs["market"]})
    example = Report(example.title, example.introduction, (*example.sections, Section(hostile, (table,))))
    assert "alert(1)</script>" not in page(example)
