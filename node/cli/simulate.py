"""`wattbook simulate`: run a scenario in its variants, and report them side by side."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from node.cli.common import AsJson, print_json
from node.cli.study import Days, FirstDay, VariantNames, assignment, progress_bar, simulating

if TYPE_CHECKING:
    from simulation.report import charts as report_charts

_CELL_MARGIN = 3

Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="Change a setting, path=value, e.g. utility.grid_fee=20000; may be repeated."),
]


def simulate(
    scenario: Annotated[str, typer.Argument(help="A shipped scenario, or a community file (.yaml, .toml).")],
    *,
    variant: VariantNames = None,
    first_day: FirstDay = None,
    days: Days = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything drawn at random.")] = 0,
    settings: Settings = None,
    settle: Annotated[
        bool, typer.Option("--settle", help="Take each variant through real contracts, too, and audit it.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Where results go; var/simulation/SCENARIO if not given.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Run a scenario in its variants: tables as Parquet, plots as PNG, one report as HTML.

    Stopped or killed, the same command goes on where it was; variants that are done are not run again.
    """
    with simulating():
        # The tables, the plots and the engine take seconds to import, which no other subcommand should wait for.
        from simulation.catalogue import entry
        from simulation.report.page import write_page
        from simulation.report.plots import write_plots
        from simulation.settings import parsed
        from simulation.study import report_of, run_variants
        from simulation.summary import summary
        from simulation.variants import Request

        chosen = entry(scenario)
        request = Request(
            seed=seed,
            first_day=None if first_day is None else first_day.date(),
            days=days,
            settings={path: parsed(value) for path, value in map(assignment, settings or [])},
        )
        folder = out or Path("var/simulation") / Path(scenario).stem
        with progress_bar() as bar:

            def follow(name: str) -> Callable[[int, int], None]:
                task = bar.add_task(name, total=None)
                return lambda done, total: bar.update(task, completed=done, total=total)

            results = run_variants(chosen, variant or list(chosen.variants), request, folder, follow)
            settled = {}
            if settle:
                from simulation.settled import settle as settle_run

                settled = {name: settle_run(run, follow(f"{name}, settled")) for name, run in results.items()}
            bar.add_task("report", total=None)
            report = report_of(chosen, request, results)
            write_page(report, folder / "report.html")
            write_plots(report, folder / "plots")
    if json:
        print_json({name: summary(run) for name, run in results.items()})
    else:
        _show(report, folder)
        for name, found in settled.items():
            typer.echo(
                f"settled {name}: {found.slots} slots on chain, {found.certified} certified, the audit made "
                f"{found.report.checks:,} checks and found nothing wrong, {found.gas_used:,} gas"
            )


def _show(report: "report_charts.Report", folder: Path) -> None:
    console = Console()
    for table in report.tables[:-1]:  # the last is the households' bills, one by one
        console.print(f"\n[bold]{table.title}[/bold]")
        if table.prose:
            for name, *cells in table.rows:
                named = zip(table.columns[1:], cells, strict=True)
                console.print(f"{name}\n" + "\n".join(f"    {column}: {cell}" for column, cell in named))
            continue
        for columns in _side_by_side(table, console.width):
            shown = Table()
            for column in columns:
                shown.add_column(table.columns[column], justify="right" if column else "left", no_wrap=True)
            for row in table.rows:
                shown.add_row(*(row[column] for column in columns))
            console.print(shown)
    console.print(f"report  {folder / 'report.html'}\nplots   {folder / 'plots'}\ntables  {folder}/*/*.parquet")


def _side_by_side(table: "report_charts.Table", width: int) -> Iterator[list[int]]:
    """The table's columns in as many pieces as the terminal's width needs, the first column in each of them."""
    cells = zip(table.columns, *table.rows, strict=True)
    wide = [max(map(len, column)) + _CELL_MARGIN for column in cells]
    piece = [0]
    for column in range(1, len(wide)):
        if len(piece) > 1 and sum(wide[each] for each in piece) + wide[column] >= width:
            yield piece
            piece = [0]
        piece.append(column)
    yield piece
