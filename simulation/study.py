"""Run variants of a scenario into a folder, and report them; started again after a kill, it goes on from there."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from simulation.catalogue import Entry
from simulation.report.charts import Report
from simulation.report.content import build_report
from simulation.results import Results
from simulation.results_files import RUN, read_results
from simulation.run import Progress
from simulation.variants import Request

REQUEST = "request.json"


def run_variants(
    entry: Entry,
    names: Sequence[str],
    request: Request,
    folder: Path,
    progress: Callable[[str], Progress] | None = None,
) -> dict[str, Results]:
    """The results of these variants, each in a folder of its own name inside `folder`.

    A variant that a folder already holds, asked for in the same way, is read and not run again.

    Args:
        entry: the scenario.
        names: which of its variants, in the order of the report.
        request: how to run them.
        folder: where they are written.
        progress: makes, for a variant's name, what is told how far it is.

    Raises:
        UnknownNameError: there is no such variant.
    """
    variants = {name: entry.variant(name) for name in names}
    results = {}
    for name, variant in variants.items():
        own = folder / name
        mark = request_mark(entry.name, name, request)
        if (own / REQUEST).exists() and (own / REQUEST).read_text() == mark and (own / RUN).exists():
            results[name] = read_results(own)
            continue
        (own / RUN).unlink(missing_ok=True)  # what it says is no longer what is there
        own.mkdir(parents=True, exist_ok=True)
        (own / REQUEST).write_text(mark)
        results[name] = variant(request, own, None if progress is None else progress(name))
    return results


def report_of(entry: Entry, request: Request, results: Mapping[str, Results]) -> Report:
    """The report of the variants' results, which names everything that decided them.

    Published numbers stand beside ours only if all variants were run as shipped, for all their days.
    """
    changes = "".join(f" {path} is {value}." for path, value in request.settings.items())
    how = f"Seed {request.seed}.{changes} Made by wattbook {version('wattbook')}."
    as_shipped = request.first_day is None and request.days is None and not request.settings
    whole = as_shipped and set(results) == set(entry.variants)
    return build_report(
        f"Scenario {Path(entry.name).stem}",
        f"{entry.introduction} {how}",
        results,
        comparisons=entry.compare(results) if entry.compare is not None and whole else (),
        investment=entry.investment,
    )


def request_mark(scenario: str, variant: str, request: Request) -> str:
    """Everything that decides a run's results, as JSON; a community file counts by its content."""
    file = Path(scenario)
    content = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
    record = {
        "scenario": scenario,
        "content": content,
        "variant": variant,
        "seed": request.seed,
        "first_day": None if request.first_day is None else request.first_day.isoformat(),
        "days": request.days,
        "settings": list(request.settings.items()),
        "version": version("wattbook"),
    }
    return json.dumps(record, indent=1) + "\n"
