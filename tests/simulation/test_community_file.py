import json
from pathlib import Path

import pytest

from agents.devices.battery import Battery
from simulation.community_file import CommunityFileError, community_from, load_community, schema_text
from simulation.community_scenario import build_scenario, scenario_from_file
from simulation.run import run
from simulation.scenario import COMMUNITY_BATTERY

SCHEMA = Path(__file__).parents[2] / "docs/community.schema.json"

YAML = """
name: Test street
time_zone: America/Los_Angeles
first_day: 2017-06-16
days: 1
utility: {retail_price: 220000, feed_in_price: 90000, grid_fee: 5000}
thresholds: {buy_price: 140000, sell_price: 190000}
connection: {max_import_w: 50000}
community_battery: {capacity_wh: 20000, max_charge_w: 9000, max_discharge_w: 8000, efficiency_ppm: 920000}
members:
  - name: sunny
    load: {dataset: fontana, home: home-01}
    photovoltaic: {generation: {dataset: fontana, home: home-01}, curtailable: true}
    battery: {capacity_wh: 10000, max_charge_w: 3000, max_discharge_w: 3000}
  - name: shady
    load: {csv: loads.csv, column: shady}
    electric_vehicle:
      battery: {capacity_wh: 40000, max_charge_w: 7000, max_discharge_w: 7000}
      arrival: "18:00"
      departure: "07:30"
      arrives_with_wh: 10000
      needed_wh: 30000
      may_discharge: true
    heat_pump: {max_w: 2000, performance_ppm: 3000000, tank_wh: 3000, demand: {daily_wh: HUNDREDS}}
    shiftable_loads:
      - {cycle_wh: [300, 200], earliest: "09:00", latest_end: "17:00"}
""".replace("HUNDREDS", str([100] * 96))


def record(**changes: object) -> dict[str, object]:
    return {
        "name": "Street",
        "time_zone": "Europe/Amsterdam",
        "first_day": "2024-03-31",
        "days": 1,
        "utility": {"retail_price": 220_000, "feed_in_price": 90_000},
        "members": [{"name": "a", "load": {"daily_wh": [50] * 96}}],
    } | changes


@pytest.fixture
def street(tmp_path: Path) -> Path:
    (tmp_path / "loads.csv").write_text("shady\n" + "70\n" * 96)
    path = tmp_path / "street.yaml"
    path.write_text(YAML)
    return path


def test_a_yaml_file_becomes_a_scenario_that_runs(street: Path) -> None:
    scenario = scenario_from_file(street)
    sunny, shady = scenario.households
    assert len(scenario.slots) == 96
    assert int(scenario.slots[0]) == 1_497_596_400  # 2017-06-16 00:00, UTC-7
    assert sunny.battery == Battery(10_000, 3_000, 3_000)
    assert sunny.curtailable
    assert sunny.generation_wh.sum() > 0
    assert shady.consumption_wh.tolist() == [70] * 96
    assert shady.vehicle is not None
    assert shady.vehicle.may_discharge
    arrivals = [(stay.arrival - int(scenario.slots[0])) // 3_600 for stay in shady.vehicle.stays]
    assert arrivals == [-6, 18, 42]
    assert shady.heat_pump is not None
    assert shady.heat_pump.demand.energy_wh.tolist() == [100] * 96
    assert shady.shiftable[0].cycle_wh == (300, 200)
    assert scenario.member_names == ("sunny", "shady", COMMUNITY_BATTERY)
    assert scenario.utility.grid_fee == 5_000
    assert scenario.thresholds.buy_price == 140_000
    assert scenario.connection.max_import_w == 50_000
    results = run(scenario)
    # the vehicle of the night before still charges after midnight; the next one charges from 18:00 on
    assert int(results.column("consumption_wh", "shady").sum()) > 96 * 70 + 500 + 20_000


def test_toml_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "street.toml"
    path.write_text(
        'name = "Street"\ntime_zone = "Europe/Amsterdam"\nfirst_day = 2024-03-31\ndays = 1\n'
        "[utility]\nretail_price = 220000\nfeed_in_price = 90000\n"
        '[[members]]\nname = "a"\nload = {daily_wh = [' + ", ".join(["50"] * 96) + "]}\n"
    )
    assert load_community(path) == community_from(record(), "record")


def test_a_day_on_which_the_clocks_change_has_its_own_length(tmp_path: Path) -> None:
    scenario = build_scenario(community_from(record(), "record"), tmp_path)
    assert len(scenario.slots) == 92


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"days": 0}, "'days' is 0: input should be greater than or equal to 1"),
        ({"slot_s": 600}, "'slot_s' is 600: must be 300, 900, 1800 or 3600 seconds"),
        ({"time_zone": "Mars"}, "'time_zone' is 'Mars': must be an IANA time zone"),
        ({"members": []}, "'members' is []"),
        ({"colour": "blue"}, "'colour' is not a field"),
        ({"utility": {"retail_price": 1}}, "'utility.feed_in_price' is missing"),
        ({"utility": {"retail_price": 2.5, "feed_in_price": 1}}, "'utility.retail_price' is 2.5"),
        (
            {"members": [{"name": "a", "battery": {"capacity_wh": 0, "max_charge_w": 1, "max_discharge_w": 1}}]},
            "'members[0].battery.capacity_wh' is 0: input should be greater than or equal to 1",
        ),
        (
            {"members": [{"name": "a", "load": {"dataset": "fontana"}}]},
            "must be either dataset and home, or csv and column, or daily_wh",
        ),
        (
            {
                "members": [
                    {"name": "a", "shiftable_loads": [{"cycle_wh": [1], "earliest": 1080, "latest_end": "09:00"}]}
                ]
            },
            "'members[0].shiftable_loads[0].earliest' is 1080",
        ),
    ],
)
def test_what_a_file_may_not_say_is_named_with_path_value_and_limit(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(CommunityFileError) as caught:
        community_from(record(**changes), "street.yaml")
    assert "street.yaml" in str(caught.value)
    assert message in str(caught.value)
    assert "; " not in str(caught.value)  # what is wrong inside a list is not told once more of the list


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"members": [{"name": "a", "load": {"dataset": "mars", "home": "x"}}]},
            "'members[0].load.dataset' is 'mars'",
        ),
        (
            {"members": [{"name": "a", "load": {"dataset": "fontana", "home": "x"}}]},
            "'members[0].load.home' is 'x'",
        ),
        (
            {"members": [{"name": "a", "load": {"dataset": "fontana", "home": "home-01"}}]},
            "has slots of 900 s from 2016-08-01",
        ),
        ({"members": [{"name": "a", "load": {"csv": "none.csv", "column": "x"}}]}, "column 'x'"),
        ({"members": [{"name": "a", "load": {"daily_wh": [1, 2]}}]}, "has 2 entries: must have 96"),
        ({"members": [{"name": "a"}, {"name": "a"}]}, "must be unique"),
        ({"utility": {"retail_price": 1, "feed_in_price": 2}}, "feed_in_price"),
        ({"thresholds": {"buy_price": 5, "sell_price": 5}}, "buy_price"),
    ],
)
def test_data_and_devices_that_do_not_fit_are_named(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(CommunityFileError) as caught:
        build_scenario(community_from(record(**changes), "street.yaml"), tmp_path)
    assert message in str(caught.value)


def test_a_csv_column_must_be_long_enough_and_whole_numbers(tmp_path: Path) -> None:
    (tmp_path / "loads.csv").write_text("x,y\n1,1.5\n")
    for column, message in (("x", "must have 92 rows"), ("y", "1.5"), ("z", "KeyError")):
        member = {"name": "a", "load": {"csv": "loads.csv", "column": column}}
        with pytest.raises(CommunityFileError, match=message):
            build_scenario(community_from(record(members=[member]), "street.yaml"), tmp_path)


@pytest.mark.parametrize(("name", "text"), [("a.yaml", "a: ["), ("a.toml", "a = ["), ("a.json", "{}")])
def test_files_that_cannot_be_read_are_refused(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(CommunityFileError, match=name.split(".")[1]):
        load_community(tmp_path / name)
    with pytest.raises(CommunityFileError, match="cannot be read"):
        load_community(tmp_path / "missing.yaml")


def test_the_committed_schema_is_current() -> None:
    assert SCHEMA.read_text() == schema_text()
    assert "needed_wh" in json.dumps(json.loads(SCHEMA.read_text())["$defs"]["VehiclePart"])
