from pathlib import Path

import pytest

from simulation.catalogue import SCENARIOS, Entry, UnknownNameError, entry
from simulation.results import Results
from simulation.results_files import RUN
from simulation.run import CONVENTIONAL, Progress
from simulation.settings import SettingError
from simulation.study import report_of, run_variants
from simulation.variants import FastVariant, Request
from tests.simulation.small_scenario import COMMUNITY, small_scenario

SMALL = Entry(
    "small",
    "Two homes.",
    {"conventional": FastVariant(small_scenario, strategy=CONVENTIONAL), "market": FastVariant(small_scenario)},
)


class Counting:
    """A variant that counts how often it is run."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, request: Request, folder: Path | None, progress: Progress | None) -> Results:
        self.runs += 1
        return SMALL.variants["market"](request, folder, progress)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_a_variant_that_is_done_is_not_run_again_and_a_changed_request_runs_it_anew(tmp_path: Path) -> None:
    counting = Counting()
    study = Entry("small", "", {"market": counting})
    first = run_variants(study, ["market"], Request(), tmp_path)["market"]
    before = files(tmp_path / "market")
    again = run_variants(study, ["market"], Request(), tmp_path)["market"]
    assert counting.runs == 1
    assert files(tmp_path / "market") == before
    assert again.info == first.info
    run_variants(study, ["market"], Request(seed=1), tmp_path)
    run_variants(study, ["market"], Request(seed=1, settings={"utility.grid_fee": 5}), tmp_path)
    assert counting.runs == 3


def test_a_variant_without_its_last_file_is_run_again(tmp_path: Path) -> None:
    counting = Counting()
    study = Entry("small", "", {"market": counting})
    run_variants(study, ["market"], Request(), tmp_path)
    (tmp_path / "market" / RUN).unlink()
    run_variants(study, ["market"], Request(), tmp_path)
    assert counting.runs == 2


def test_settings_change_the_scenario_the_strategy_and_the_design() -> None:
    settings = {
        "utility.grid_fee": 7,
        "strategy": "ramps",
        "strategy.interval_s": 300,
        "design": "continuous",
    }
    info = SMALL.variants["market"](Request(settings=settings), None, None).info
    assert (info.grid_fee, info.strategy, info.design) == (7, "ramps", "continuous")
    assert info.parameters["strategy"] == {"interval_s": 300}


def test_without_a_market_strategy_and_design_say_nothing() -> None:
    settings = {"strategy": "truthful", "design": "continuous", "utility.grid_fee": 7}
    info = SMALL.variants["conventional"](Request(settings=settings), None, None).info
    assert (info.grid_fee, info.strategy, info.design) == (7, CONVENTIONAL, "")


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(SettingError, match="only name"):
        SMALL.variants["market"](Request(settings={"price": 1}), None, None)


def test_names_that_do_not_exist_are_refused_with_those_that_do(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="groene-mient"):
        entry("atlantis")
    with pytest.raises(UnknownNameError, match="conventional, market"):
        run_variants(SMALL, ["barter"], Request(), tmp_path)


STREET = "street-with-evs"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if name == STREET else name for name in SCENARIOS]
)
def test_a_day_of_every_shipped_scenario_runs_in_every_variant_and_is_reported(name: str, tmp_path: Path) -> None:
    chosen = entry(name)
    results = run_variants(chosen, list(chosen.variants), Request(days=1), tmp_path)
    report = report_of(chosen, Request(days=1), results)
    assert list(report.tables[0].columns[1:]) == list(chosen.variants)


def test_the_street_stands_beside_its_optimum_and_keeps_its_strategy(tmp_path: Path) -> None:
    chosen, request = entry(STREET), Request(days=1, settings={"utility.grid_fee": 10_000})
    results = run_variants(chosen, ["uncontrolled"], request, tmp_path)
    assert results["uncontrolled"].info.grid_fee == 10_000
    (table,) = [each for each in report_of(chosen, request, results).tables if each.title == "Beside the optimum"]
    ((name, cost, optimum, above, missed),) = table.rows
    assert (name, missed) == ("uncontrolled", "0")
    assert float(cost.removesuffix(" EUR")) > float(optimum.removesuffix(" EUR")) > 0
    assert float(above.removesuffix(" %")) > 0
    with pytest.raises(SettingError, match="choose another variant"):
        run_variants(chosen, ["uncontrolled"], Request(settings={"strategy": "ramps"}), tmp_path)


@pytest.mark.slow
def test_published_numbers_stand_beside_ours_only_for_the_whole_scenario_as_shipped(tmp_path: Path) -> None:
    chosen = entry("groene-mient")
    results = run_variants(chosen, list(chosen.variants), Request(), tmp_path)
    titles = [table.title for table in report_of(chosen, Request(), results).tables]
    assert "Beside the published numbers" in titles
    titles = [
        table.title for table in report_of(chosen, Request(settings={"utility.grid_fee": 1}), results).tables
    ]
    assert "Beside the published numbers" not in titles


def test_a_community_file_can_be_run(tmp_path: Path) -> None:
    file = tmp_path / "street.toml"
    file.write_text(COMMUNITY)
    chosen = entry(str(file))
    results = run_variants(chosen, list(chosen.variants), Request(), tmp_path / "out")
    assert int(results["market"].slots["traded_wh"].sum()) == 2 * 8 * 9
