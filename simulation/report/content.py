"""What a report of a scenario shows: its variants side by side, compared with the first."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from matching.errors import WattbookError
from simulation.economics import Investment
from simulation.report.charts import Chart, Report, Section, Table
from simulation.report.community_charts import (
    all_trades_price_chart,
    certificate_chart,
    duration_chart,
    energy_chart,
    origin_chart,
    price_chart,
    storage_chart,
    sufficiency_chart,
)
from simulation.report.household_charts import bills_chart, flow_chart, local_chart
from simulation.report.tables import (
    Comparison,
    battery_table,
    bill_table,
    comparison_table,
    indicator_table,
    optimum_table,
    savings_table,
)
from simulation.report.views import View, views
from simulation.results import Results


class NothingToReportError(WattbookError):
    """A report was asked for without any run."""

    code = "simulation.report"


def build_report(
    title: str,
    introduction: str,
    variants: Mapping[str, Results],
    *,
    comparisons: Sequence[Comparison] = (),
    investment: Investment | None = None,
) -> Report:
    """The report of a scenario.

    Args:
        title: what was run, in a line.
        introduction: the same in a paragraph.
        variants: the runs by name; the first is what the others are compared with.
        comparisons: our numbers beside published ones.
        investment: what the community's battery costs; shown with the variant that has one and the one before it.

    Raises:
        NothingToReportError: there are no variants.
        IncomparableRunsError: the variants do not have the same households in the same slots.
    """
    if not variants:
        raise NothingToReportError("variants are none: a report needs at least one run")
    first = next(iter(variants.values()))
    sections = [
        Section("The scenarios in numbers", _numbers(variants, comparisons, investment)),
        Section(
            "Energy",
            (
                sufficiency_chart(variants),
                origin_chart(variants),
                certificate_chart(variants),
                duration_chart(variants),
            ),
        ),
        *(Section(view.title, _over_time(variants, view)) for view in views(first)),
        Section("Households", (bills_chart(variants), bill_table(variants), local_chart(variants))),
    ]
    flows = [flow_chart(name, number, run) for number, (name, run) in enumerate(variants.items())]
    if any(flows):
        sections.append(Section("Trades", tuple(chart for chart in flows if chart)))
    return Report(title, introduction, tuple(sections))


def _numbers(
    variants: Mapping[str, Results], comparisons: Sequence[Comparison], investment: Investment | None
) -> tuple[Table, ...]:
    tables = [indicator_table(variants)]
    if len(variants) > 1:
        tables.append(savings_table(variants))
    if investment is not None:
        tables.extend(
            battery_table(investment, before, after)
            for before, after in pairwise(variants.values())
            if after.info.storages and not before.info.storages
        )
    beside_optimum = optimum_table(variants)
    if beside_optimum is not None:
        tables.append(beside_optimum)
    if comparisons:
        tables.append(comparison_table(comparisons))
    return tuple(tables)


def _over_time(variants: Mapping[str, Results], view: View) -> tuple[Chart, ...]:
    energy = [energy_chart(name, number, run, view) for number, (name, run) in enumerate(variants.items())]
    storage = storage_chart(variants, view)
    prices = (price_chart(variants, view), all_trades_price_chart(variants, view))
    return (*prices, *energy, *(() if storage is None else (storage,)))
