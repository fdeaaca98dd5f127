from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from simulation.economics import REFERENCE
from simulation.report.charts import BarChart, FlowChart, Kind, LineChart, Report, Table
from simulation.report.community_charts import duration_chart
from simulation.report.content import NothingToReportError, build_report
from simulation.report.tables import Comparison, battery_table, indicator_table, savings_table
from simulation.report.views import views
from simulation.savings import IncomparableRunsError
from tests.simulation.report.example import EVENING, NOON, variants
from tests.simulation.tables import results

TITLES = [
    "The scenarios in numbers",
    "Energy",
    "Saturday, 21 June 2025",
    "Households",
    "Trades",
]


@cache
def report(days: int = 1) -> Report:
    return build_report("Example", "Made by hand.", variants(days))


def chart(key: str, days: int = 1) -> LineChart:
    (found,) = [each for each in report(days).charts if each.key == key]
    assert isinstance(found, LineChart)
    return found


def rows(table: Table) -> dict[str, tuple[str, ...]]:
    return {name: tuple(cells) for name, *cells in table.rows}


def test_a_day_is_shown_slot_by_slot_and_a_week_by_its_mean_and_its_sunniest_day() -> None:
    assert [section.title for section in report().sections] == TITLES
    longer = [section.title for section in report(days=7).sections]
    assert longer[2:4] == ["Mean day", "Sunniest day, Saturday, 21 June 2025"]
    assert "Month by month" not in longer
    assert "Month by month" in [section.title for section in report(days=60).sections]


def test_every_chart_has_a_key_of_its_own_and_units_on_its_axes() -> None:
    charts = report(days=60).charts
    assert len({each.key for each in charts}) == len(charts)
    for each in charts:
        if not isinstance(each, FlowChart):
            assert each.y_label.split(", ")[-1].split(" ")[0] in {"kWh", "kW", "ct/kWh", "EUR", "%"}


def test_energy_bought_is_above_the_axis_and_energy_sold_below_it() -> None:
    bars = {each.name: each.y for each in chart("all-energy-2").series if each.kind is Kind.BAR}
    assert bars["bought from members"][[NOON, EVENING]].tolist() == [0.95, 0.5]
    assert bars["sold to members"][[NOON, EVENING]].tolist() == [-0.95, -0.5]
    assert bars["sold to the utility"][NOON] == -0.05
    assert "bought from the utility" not in bars


def test_prices_are_gaps_where_nothing_was_traded_and_lie_between_the_utilitys() -> None:
    series = {each.name: each.y for each in chart("all-price").series}
    assert set(series) == {"utility, bought", "utility, sold", "market", "market with battery"}
    assert series["market"][NOON] == 15
    assert np.isnan(series["market"][EVENING])
    assert series["market with battery"][EVENING] == 18
    assert set(series["utility, bought"]) == {22.0}
    assert set(series["utility, sold"]) == {9.0}


def test_with_the_utilitys_trades_the_price_moves_with_scarcity() -> None:
    series = {each.name: each.y for each in chart("all-all-trades-price").series}
    assert series["conventional"][NOON] == pytest.approx((400 * 22 + 1_000 * 9) / 1_400)
    assert series["market"][NOON] == pytest.approx((400 * 15 + 600 * 9) / 1_000)
    assert series["market"][EVENING] == 22


def test_the_mean_day_is_a_mean_and_a_month_is_a_total() -> None:
    bars = {each.name: each.y for each in chart("mean-day-energy-1", days=60).series}
    assert bars["consumption"][NOON] == pytest.approx(0.4)
    bars = {each.name: each.y for each in chart("months-energy-1", days=60).series}
    assert bars["consumption"].tolist() == pytest.approx([10 * 0.9, 31 * 0.9, 19 * 0.9])
    assert chart("months-energy-1", days=60).labels == ("Jun 2025", "Jul 2025", "Aug 2025")


def test_a_day_of_25_hours_is_drawn_in_full_and_shows_the_hour_that_comes_twice_once() -> None:
    slots = 1_761_429_600 + 900 * np.arange(100, dtype=np.int64)  # 2025-10-26 in Amsterdam
    (view,) = views(results({"home": {"generation_wh": [0] * 100}}, slots=slots))
    assert view.x[-1] == 24.75
    assert [label for _, label in view.ticks] == [f"{hour:02}:00" for hour in range(0, 24, 3)]
    assert {label: at for at, label in view.ticks}["06:00"] == 7.0
    assert (view.labels[8], view.labels[12]) == ("2025-10-26 02:00 CEST", "2025-10-26 02:00 CET")


def test_the_utility_is_a_party_of_the_flows_and_small_households_are_merged() -> None:
    flows = {each.key: each for each in report().charts if isinstance(each, FlowChart)}
    sold = {(flow.seller, flow.buyer): flow.energy_kwh for flow in flows["flows-2"].flows}
    assert sold == {
        ("sunny", "battery"): 0.55,
        ("battery", "dark"): 0.5,
        ("sunny", "dark"): 0.4,
        ("sunny", "utility"): 0.05,
    }


def test_the_numbers_of_the_tables() -> None:
    found = rows(indicator_table(variants()))
    assert found["self-sufficiency"] == ("44.4 %", "44.4 %", "100.0 %")
    assert found["self-consumption"] == ("40.0 %", "40.0 %", "90.0 %")
    assert found["mean price inside"] == ("-", "15.00 ct/kWh", "16.03 ct/kWh")
    assert found["mean price inside, 17:30 to 21:00"] == ("-", "-", "18.00 ct/kWh")
    assert found["highest export"] == ("2.4 kW", "2.4 kW", "0.2 kW")
    saved = rows(savings_table(variants()))
    # 400 Wh x (22 - 15) ct/kWh for the dark home, and x (15 - 9) for the sunny one
    assert saved["smallest saving"][0] == "0.02 EUR"
    assert saved["households that pay more"] == ("0", "0")


def test_a_battery_is_compared_with_the_variant_before_it() -> None:
    example = build_report("Example", "", variants(), investment=REFERENCE)
    titles = [each.title for each in example.sections[0].content if isinstance(each, Table)]
    assert titles == [
        "Indicators",
        "What the households save, compared with conventional",
        "Does the battery pay?",
    ]
    found = rows(battery_table(REFERENCE, variants()["market"], variants()["market with battery"]))
    assert found["mean price paid for charging"][0] == "15.00 ct/kWh"
    assert found["levelised cost of storage"][0] == "31.79 ct/kWh"


def test_comparisons_with_published_numbers_are_prose() -> None:
    ours = Comparison("self-sufficiency", "20 %", "21 %", "other homes")
    example = build_report("Example", "", variants(), comparisons=[ours])
    table = example.sections[0].content[-1]
    assert isinstance(table, Table)
    assert table.prose
    assert table.rows == (("self-sufficiency", "20 %", "21 %", "other homes"),)


def test_the_connections_limit_is_shown_if_the_run_says_it() -> None:
    run = variants()["market"]
    limited = replace(run, info=replace(run.info, parameters={"max_import_w": 1_500}))
    found = rows(indicator_table({"market": run, "limited": limited}))
    assert found["import above the connection's limit"] == ("-", "0.25 h")  # 500 Wh in one quarter hour
    lines = {each.name: each.y.tolist() for each in duration_chart({"limited": limited}).series}
    assert lines["limit"] == [1.5, 1.5]


def test_stacked_origins_add_up_to_the_whole_consumption() -> None:
    (origin,) = [each for each in report().charts if each.key == "origin"]
    assert isinstance(origin, BarChart)
    assert sum(group.values for group in origin.groups) == pytest.approx([100, 100, 100])


def test_nothing_and_runs_that_do_not_fit_are_refused() -> None:
    with pytest.raises(NothingToReportError):
        build_report("Nothing", "", {})
    with pytest.raises(IncomparableRunsError):
        build_report("Mixed", "", {"one day": variants()["market"], "two": variants(2)["market"]})
