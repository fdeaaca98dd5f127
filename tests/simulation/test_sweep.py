import json
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from simulation.sweep import ROWS, TABLE, Plan, SweepError, Task, all_cores, cluster, plan_of, run_sweep, tasks_of
from tests.simulation.small_scenario import COMMUNITY


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    file = tmp_path / "street.toml"
    file.write_text(COMMUNITY)
    return Plan(
        scenarios=(str(file),),
        variants=("market",),
        seeds=(0, 1),
        settings={"strategy": ("ramps", "zero-intelligence"), "utility.grid_fee": (0, 20_000)},
    )


class Inline(Executor):
    """Runs tasks at once, here; stops for good after so many, as a kill would."""

    def __init__(self, most: int = 10**6) -> None:
        self.ran = 0
        self._most = most

    def submit(self, function, /, *arguments, **named):  # type: ignore[no-untyped-def]
        if self.ran == self._most:
            raise KeyboardInterrupt
        self.ran += 1
        future: Future[object] = Future()
        future.set_result(function(*arguments, **named))
        return future


def test_every_combination_of_settings_and_seeds_is_a_task(plan: Plan) -> None:
    tasks = tasks_of(plan)
    assert len(tasks) == 8
    assert len({task.key for task in tasks}) == 8
    assert tasks[1].coordinates == {
        "scenario": plan.scenarios[0],
        "variant": "market",
        "seed": 1,
        "strategy": "ramps",
        "utility.grid_fee": 0,
    }


def test_a_thousand_communities_are_a_thousand_tasks() -> None:
    tasks = tasks_of(
        Plan(scenarios=tuple(f"community-{number}.yaml" for number in range(1_000)), variants=("market",))
    )
    assert len({task.key for task in tasks}) == 1_000


def test_the_table_has_a_row_for_each_task_in_their_order(plan: Plan, tmp_path: Path) -> None:
    rows = run_sweep(tasks_of(plan), tmp_path / "out", Inline()).to_pylist()
    assert [(row["strategy"], row["utility.grid_fee"], row["seed"]) for row in rows[:3]] == [
        ("ramps", 0, 0),
        ("ramps", 0, 1),
        ("ramps", 20_000, 0),
    ]
    assert all(row["error"] is None for row in rows)
    assert {row["self_sufficiency"] for row in rows} == {8 / 24}  # which no price can change
    assert rows[0]["mean_price"] != rows[2]["mean_price"]


def test_a_killed_sweep_skips_what_is_done_and_ends_in_the_same_bytes(plan: Plan, tmp_path: Path) -> None:
    tasks = tasks_of(plan)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    run_sweep(tasks, whole, Inline())
    # Three rows are written, and a fourth is only half.
    run_sweep(tasks[:3], killed, Inline())
    (killed / TABLE).unlink()
    (killed / ROWS / f"{tasks[3].key}.part").write_text("{")
    again = Inline()
    run_sweep(tasks, killed, again)
    assert again.ran == 5
    assert (killed / TABLE).read_bytes() == (whole / TABLE).read_bytes()


def test_the_order_in_which_tasks_end_does_not_matter(plan: Plan, tmp_path: Path) -> None:
    tasks = tasks_of(plan)
    run_sweep(tasks, tmp_path / "one", Inline())
    with ThreadPoolExecutor(4) as threads:
        run_sweep(tasks, tmp_path / "other", threads)
    assert (tmp_path / "one" / TABLE).read_bytes() == (tmp_path / "other" / TABLE).read_bytes()


def test_a_task_that_fails_says_why_and_is_tried_again(plan: Plan, tmp_path: Path) -> None:
    broken = plan.model_copy(update={"settings": {"utility.grid_fee": (0,), "strategy": ("ramps", "guessing")}})
    executor = Inline()
    for _ in range(2):
        rows = run_sweep(tasks_of(broken), tmp_path / "out", executor).to_pylist()
        assert [row["error"] is None for row in rows] == [True, True, False, False]
        assert "guessing" in rows[2]["error"]
    assert executor.ran == 4 + 2


def test_a_changed_community_file_is_another_task(plan: Plan) -> None:
    (before, *_) = tasks_of(plan)
    key = before.key
    file = Path(plan.scenarios[0])
    file.write_text(file.read_text().replace("220_000", "230_000"))
    assert Task(before.scenario, before.variant, before.request).key != key


def test_progress_counts_what_was_done_before(plan: Plan, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    run_sweep(tasks_of(plan)[:2], tmp_path / "out", Inline())
    run_sweep(tasks_of(plan)[:4], tmp_path / "out", Inline(), lambda done, total: told.append((done, total)))
    assert told == [(3, 4), (4, 4)]


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"scenarios": []}, "scenarios"),
        ({"scenarios": ["fontana"], "days": 0}, "'days' is 0"),
        ({"scenarios": ["fontana"], "speed": 1}, "speed"),
        ({"scenarios": ["fontana"], "settings": {"utility.grid_fee": []}}, "settings.utility.grid_fee"),
    ],
)
def test_a_plan_that_says_what_it_may_not_is_refused_by_name(record: object, problem: str) -> None:
    with pytest.raises(SweepError, match=problem):
        plan_of(record, "of a test")


def test_nobody_at_the_clusters_address_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("simulation.sweep.PATIENCE_S", 0.2)
    with pytest.raises(SweepError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:1"):
        cluster("tcp://127.0.0.1:1").__enter__()


@pytest.mark.slow
def test_all_cores_and_a_cluster_end_in_the_same_bytes(plan: Plan, tmp_path: Path) -> None:
    from distributed import LocalCluster

    tasks = tasks_of(plan)
    run_sweep(tasks, tmp_path / "here", Inline())
    with all_cores(2) as processes:
        run_sweep(tasks, tmp_path / "cores", processes)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as local,
        cluster(local.scheduler_address) as workers,
    ):
        run_sweep(tasks, tmp_path / "cluster", workers)
    tables = [(tmp_path / name / TABLE).read_bytes() for name in ("here", "cores", "cluster")]
    assert tables[0] == tables[1] == tables[2]
    rows = sorted((tmp_path / "cluster" / ROWS).iterdir())
    assert len(rows) == 8
    assert all(json.loads(row.read_text())["error"] is None for row in rows)
