"""Many runs over settings and seeds, on all cores or on a cluster; every run is a task of its own.

A finished task leaves its row in the sweep's folder, so a killed sweep goes on with the tasks that are left. The
table at the end has the rows in the order of the tasks: it does not depend on who ran them, in which order, or how
often the sweep was killed.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from matching.errors import WattbookError
from simulation.catalogue import entry
from simulation.settings import Value
from simulation.study import request_mark
from simulation.summary import Row, summary
from simulation.variants import Request

ROWS = "rows"
TABLE = "sweep.parquet"
PATIENCE_S = 10
"""For how long a cluster's scheduler may be silent at first."""

RowProgress = Callable[[int, int], None]
"""Told how many tasks of how many are done."""


class SweepError(WattbookError):
    """A sweep is described wrongly, or what it needs is not installed."""

    code = "simulation.sweep"


class Plan(BaseModel):
    """What a sweep runs: every scenario in every variant with every combination of settings and every seed.

    Attributes:
        scenarios: names of shipped scenarios, or paths of community files.
        variants: their variants; none for all.
        seeds: the seeds.
        first_day, days: the local calendar days, see `simulation.period.of_days`.
        settings: the values that each setting takes, by its path (`simulation.settings`).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    scenarios: Annotated[tuple[str, ...], Field(min_length=1)]
    variants: tuple[str, ...] = ()
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (0,)
    first_day: date | None = None
    days: Annotated[int | None, Field(ge=1)] = None
    settings: Mapping[str, Annotated[tuple[Value, ...], Field(min_length=1)]] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Task:
    """One run of a sweep."""

    scenario: str
    variant: str
    request: Request

    @property
    def key(self) -> str:
        """Name of its row's file: a hash of all that decides its results."""
        return hashlib.sha256(request_mark(self.scenario, self.variant, self.request).encode()).hexdigest()[:32]

    @property
    def coordinates(self) -> Row:
        """What tells it from the sweep's other tasks."""
        request = self.request
        place: Row = {"scenario": self.scenario, "variant": self.variant, "seed": request.seed}
        return place | dict(request.settings)


def plan_of(record: object, name: str) -> Plan:
    """The plan that this record, such as a parsed YAML file, describes; `name` stands in the errors.

    Raises:
        SweepError: it says what it may not.
    """
    try:
        return Plan.model_validate(record)
    except ValidationError as error:
        problems = (
            f"'{'.'.join(map(str, found['loc']))}' is {found['input']!r}: {found['msg']}"
            for found in error.errors(include_url=False)
        )
        raise SweepError(f"sweep {name}: " + "; ".join(problems)) from error


def tasks_of(plan: Plan) -> list[Task]:
    """The plan's tasks, in the order of the table.

    Raises:
        UnknownNameError: there is no such scenario or variant.
    """
    tasks: list[Task] = []
    combinations = [dict(zip(plan.settings, values, strict=True)) for values in product(*plan.settings.values())]
    for scenario in plan.scenarios:
        known = entry(scenario)
        for variant in plan.variants or known.variants:
            known.variant(variant)
            tasks.extend(
                Task(scenario, variant, Request(seed, plan.first_day, plan.days, settings))
                for settings in combinations
                for seed in plan.seeds
            )
    return tasks


def run_task(task: Task) -> Row:
    """Run one task; its indicators, or, under `error`, why it could not be run."""
    try:
        row = summary(entry(task.scenario).variant(task.variant)(task.request, None, None))
    except WattbookError as error:
        return {"error": str(error)}
    return {"error": None} | row


def run_sweep(
    tasks: Sequence[Task], folder: Path, executor: Executor, progress: RowProgress | None = None
) -> pa.Table:
    """Run the tasks that the folder holds no row of, and write and return the table of all.

    Args:
        tasks: what to run, no two the same.
        folder: of the sweep: `rows/` and, at the end, `sweep.parquet`.
        executor: runs the tasks: `all_cores`' or `cluster`'s.
        progress: told whenever a task is done.
    """
    rows_folder = folder / ROWS
    rows_folder.mkdir(parents=True, exist_ok=True)
    rows: dict[str, Row] = {}
    keys = [task.key for task in tasks]
    for key in keys:
        found = rows_folder / f"{key}.json"
        if found.exists():
            rows[key] = json.loads(found.read_text())
    futures: dict[Future[Row], str] = {
        executor.submit(run_task, task): key for key, task in zip(keys, tasks, strict=True) if key not in rows
    }
    try:
        for future in as_completed(futures):
            key, row = futures[future], future.result()
            rows[key] = row
            # A task that failed is tried again the next time.
            if row["error"] is None:
                _write_whole(rows_folder / f"{key}.json", json.dumps(row))
            if progress is not None:
                progress(len(rows), len(tasks))
    finally:
        for future in futures:
            future.cancel()
    table = _table([task.coordinates | rows[key] for task, key in zip(tasks, keys, strict=True)])
    unfinished = folder / "unfinished.parquet"
    pq.write_table(table, unfinished, compression="zstd")
    unfinished.replace(folder / TABLE)
    return table


@contextmanager
def all_cores(workers: int | None = None) -> Iterator[Executor]:
    """A process for each core, or so many."""
    # Fresh processes: a fork of one with threads, such as a progress bar's, may hang.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        yield executor


@contextmanager
def cluster(address: str) -> Iterator[Executor]:
    """The workers of the Dask cluster whose scheduler is at this address, such as `tcp://host:8786`.

    The workers need this package, and must find community files and their data under the same paths.

    Raises:
        SweepError: Dask is not installed, or nobody answers.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise SweepError("a cluster needs Dask: install wattbook[cluster]") from error
    try:
        client = Client(address, timeout=PATIENCE_S)  # type: ignore[no-untyped-call]  # Dask's has no types
    except (OSError, ValueError) as error:
        raise SweepError(f"no Dask scheduler answers at {address}: {error}") from error
    with client, client.get_executor(pure=False) as executor:  # type: ignore[no-untyped-call]  # likewise
        yield executor


def _table(rows: Sequence[Row]) -> pa.Table:
    """The rows as a table with every column that any of them has."""
    names = dict.fromkeys(name for row in rows for name in row)
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: list[int | float | str | None]) -> list[int | float | str | None]:
    """The values, as text if some are text and others are not, as those of a setting may be."""
    if any(isinstance(value, str) for value in values):
        return [value if value is None else str(value) for value in values]
    return values


def with_seeds(plan: Plan, count: int) -> Plan:
    """The plan with the seeds 0 to count - 1."""
    return plan.model_copy(update={"seeds": tuple(range(count))})


def _write_whole(path: Path, text: str) -> None:
    unfinished = path.with_suffix(".part")
    unfinished.write_text(text)
    unfinished.replace(path)
