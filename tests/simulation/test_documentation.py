"""The files that docs/simulation.md shows can be used as they stand."""

import re
from pathlib import Path

import yaml

from simulation.catalogue import entry
from simulation.sweep import plan_of, tasks_of
from simulation.variants import Request

PAGE = Path(__file__).parents[2] / "docs" / "simulation.md"
COMMUNITY, SWEEP = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)


def test_the_community_of_the_documentation_trades(tmp_path: Path) -> None:
    file = tmp_path / "community.yaml"
    file.write_text(COMMUNITY)
    results = entry(str(file)).variant("market")(Request(), None, None)
    assert results.slots["traded_wh"].sum() > 0
    assert results.slots["stored_wh"].max() > 0


def test_the_sweep_of_the_documentation_has_a_task_for_each_combination() -> None:
    assert len(tasks_of(plan_of(yaml.safe_load(SWEEP), "of the documentation"))) == 5 * 3 * 2
