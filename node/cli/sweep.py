"""`wattbook sweep`: many runs over settings and seeds, on all cores or on a cluster."""

import tomllib
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from node.cli.common import AsJson, fail, print_json
from node.cli.study import Days, FirstDay, VariantNames, assignment, progress_bar, simulating

if TYPE_CHECKING:
    from concurrent.futures import Executor

Settings = Annotated[
    list[str] | None,
    typer.Option(
        "--set", help="Values of a setting, path=value,value, e.g. utility.grid_fee=0,20000; may be repeated."
    ),
]


def sweep(
    scenarios: Annotated[
        list[str] | None, typer.Argument(help="Shipped scenarios or community files; many are one task each.")
    ] = None,
    *,
    plan: Annotated[
        Path | None, typer.Option("--plan", help="Read the sweep from a YAML or TOML file instead.")
    ] = None,
    variant: VariantNames = None,
    first_day: FirstDay = None,
    days: Days = None,
    seeds: Annotated[int, typer.Option(min=1, help="Run with the seeds 0 to N - 1.")] = 1,
    settings: Settings = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one for each core if not given.")] = None,
    dask: Annotated[
        str | None, typer.Option(help="Run on the Dask cluster with this scheduler, e.g. tcp://host:8786.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The sweep's folder.")] = Path("var/sweep"),
    json: AsJson = False,
) -> None:
    """Run scenarios with every combination of settings and every seed; one row of indicators for each run.

    Stopped or killed, the same command goes on with the tasks that are left.
    """
    if (plan is None) == (not scenarios):
        raise typer.BadParameter("name scenarios, or a file with --plan", param_hint="SCENARIOS")
    with simulating():
        from simulation.settings import parsed
        from simulation.sweep import plan_of, run_sweep, tasks_of

        if plan is not None:
            chosen = plan_of(_read(plan), str(plan))
        else:
            record = {
                "scenarios": scenarios,
                "variants": variant or [],
                "seeds": list(range(seeds)),
                "first_day": None if first_day is None else first_day.date(),
                "days": days,
                "settings": {
                    path: [parsed(value) for value in values.split(",")]
                    for path, values in map(assignment, settings or [])
                },
            }
            chosen = plan_of(record, "of the command line")
        tasks = tasks_of(chosen)
        with progress_bar() as bar, _executor(workers, dask) as executor:
            task = bar.add_task("tasks", total=len(tasks))
            table = run_sweep(
                tasks, out, executor, lambda done, total: bar.update(task, completed=done, total=total)
            )
    rows = table.to_pylist()
    failed = [row for row in rows if row["error"] is not None]
    if json:
        print_json(rows)
    else:
        Console().print(f"{len(rows) - len(failed)} of {len(rows)} tasks are done: {out / 'sweep.parquet'}")
    if failed:
        fail(f"{len(failed)} tasks failed, the first with: {failed[0]['error']}")


def _executor(workers: int | None, dask: str | None) -> AbstractContextManager["Executor"]:
    from simulation.sweep import all_cores, cluster

    return all_cores(workers) if dask is None else cluster(dask)


def _read(path: Path) -> object:
    import yaml

    from simulation.sweep import SweepError

    try:
        text = path.read_text(encoding="utf-8")
        return tomllib.loads(text) if path.suffix == ".toml" else yaml.safe_load(text)
    except (yaml.YAMLError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SweepError(f"sweep {path} cannot be read: {error}") from error
